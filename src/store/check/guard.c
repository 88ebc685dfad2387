#include "store/check/guard.h"

#include <string.h>

#define PIECE_BYTES 4096

static struct bl_guard *guard_of(struct bl_disk *disk) {
  return (struct bl_guard *)(void *)disk;
}

static bl_err guard_open(struct bl_disk *disk, const char *path, unsigned flags, int *out_file,
                         struct bl_why *why) {
  struct bl_disk *real = guard_of(disk)->real;
  if ((flags & (BL_OPEN_WRITE | BL_OPEN_CREATE | BL_OPEN_TRUNCATE)) != 0)
    return bl_why_set(why, BL_ERR_NO_PERMISSION, "%s is only looked at", path);
  return real->ops->open(real, path, BL_OPEN_READ, out_file, why);
}

static void guard_close(struct bl_disk *disk, int file) {
  struct bl_disk *real = guard_of(disk)->real;
  real->ops->close(real, file);
}

static void note_unreadable(struct bl_guard *guard, int file, int64_t from, int64_t len) {
  guard->unreadable_bytes += len;
  int count = guard->unreadable_count;
  struct bl_guard_range *last = count > 0 ? &guard->unreadable[count - 1] : NULL;
  if (last != NULL && last->file == file && last->to == from) {
    last->to = from + len;
  } else if (count < BL_GUARD_RANGES_MAX) {
    guard->unreadable[guard->unreadable_count++] = (struct bl_guard_range){file, from, from + len};
  }
}

/* The disk refused the whole: piece by piece, zeros for what it does not give. */
static size_t read_pieces(struct bl_guard *guard, int file, char *to, size_t len, int64_t offset) {
  struct bl_disk *real = guard->real;
  size_t done = 0;
  while (done < len) {
    int64_t at = offset + (int64_t)done;
    size_t piece = (size_t)(PIECE_BYTES - at % PIECE_BYTES);
    size_t got = 0;
    if (piece > len - done) piece = len - done;
    if (real->ops->read(real, file, to + done, piece, at, &got) != BL_OK) {
      memset(to + done, 0, piece);
      note_unreadable(guard, file, at, (int64_t)piece);
      got = piece;
    }
    done += got;
    if (got < piece) break;
  }
  return done;
}

static bl_err guard_read(struct bl_disk *disk, int file, void *to, size_t len, int64_t offset,
                         size_t *out_len) {
  struct bl_guard *guard = guard_of(disk);
  size_t got = 0;
  if (file != BL_GUARD_NO_FILE &&
      guard->real->ops->read(guard->real, file, to, len, offset, &got) != BL_OK) {
    got = read_pieces(guard, file, to, len, offset);
  }
  if (got < len && offset + (int64_t)len <= guard->pad_to_bytes) {
    memset((char *)to + got, 0, len - got);
    got = len;
  }
  *out_len = got;
  guard->read_bytes += (int64_t)got;
  if (guard->on_read != NULL) guard->on_read(guard->context);
  return BL_OK;
}

static bl_err guard_next_data(struct bl_disk *disk, int file, int64_t offset, int64_t *out_from,
                              int64_t *out_to) {
  struct bl_guard *guard = guard_of(disk);
  if (file == BL_GUARD_NO_FILE) {
    *out_from = guard->pad_to_bytes;
    *out_to = guard->pad_to_bytes;
    return BL_OK;
  }
  return guard->real->ops->next_data(guard->real, file, offset, out_from, out_to);
}

static bl_err guard_size(struct bl_disk *disk, int file, int64_t *out_bytes) {
  struct bl_disk *real = guard_of(disk)->real;
  return real->ops->size(real, file, out_bytes);
}

static bl_err guard_stat(struct bl_disk *disk, const char *path, struct bl_disk_stat *out_stat) {
  struct bl_disk *real = guard_of(disk)->real;
  return real->ops->stat(real, path, out_stat);
}

static bl_err guard_list(struct bl_disk *disk, const char *path, struct bl_arena *arena,
                         const char *const **out_names, size_t *out_count) {
  struct bl_disk *real = guard_of(disk)->real;
  return real->ops->list(real, path, arena, out_names, out_count);
}

/* What is missing here changes something; nobody who only looks calls it. */
static const struct bl_disk_ops guard_ops = {
    .open = guard_open,
    .close = guard_close,
    .read = guard_read,
    .read_cached = guard_read,
    .next_data = guard_next_data,
    .size = guard_size,
    .stat = guard_stat,
    .list = guard_list,
};

void bl_guard_init(struct bl_guard *guard, struct bl_disk *real) {
  *guard = (struct bl_guard){.disk = {&guard_ops}, .real = real};
}
