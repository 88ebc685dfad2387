#include "store/takeover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32.h"
#include "os/process.h"

#define END_MAGIC "bolide-java-queues 1 "

/* Derived from the log. The first two are prefixes: consumequeue_ext, consumequeue_r. */
static bool is_derived(const char *name) {
  return strncmp(name, "consumequeue", 12) == 0 || strncmp(name, "batchconsumequeue", 17) == 0 ||
         strcmp(name, "index") == 0;
}

static bool is_checkpoint(const char *name) {
  return strcmp(name, "checkpoint") == 0;
}

bl_err bl_takeover_lock(struct bl_disk *disk, const char *dir, int *out_file, struct bl_why *why) {
  char path[BL_STORE_PATH_BYTES_MAX];
  if (strlen(dir) > BL_STORE_PATH_BYTES_MAX - 128)
    return bl_why_set(why, BL_ERR_PARAMETER, "the path of the store is too long: %.100s...", dir);
  bl_err err = disk->ops->make_dir(disk, dir, why);
  if (err != BL_OK) return err;
  snprintf(path, sizeof(path), "%s/lock", dir);
  int file = -1;
  err = disk->ops->open(disk, path, BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE, &file, why);
  if (err != BL_OK) return err;
  err = disk->ops->lock(disk, file);
  if (err == BL_OK) {
    *out_file = file;
    return BL_OK;
  }
  disk->ops->close(disk, file);
  if (err == BL_ERR_LOCKED)
    return bl_why_set(why, err, "store in use by another process (%s)", dir);
  return bl_why_set(why, err, "cannot lock %s: %s", path, bl_err_text(err));
}

/* The file says "not closed": Java then reads the log again. It is never taken away again by us. */
static bl_err leave_abort(struct bl_log *log, struct bl_why *why) {
  struct bl_disk *disk = log->disk;
  char path[BL_STORE_PATH_BYTES_MAX];
  struct bl_disk_stat info;
  snprintf(path, sizeof(path), "%s/abort", log->settings.dir);
  if (disk->ops->stat(disk, path, &info) == BL_OK) return BL_OK;
  int file = -1;
  bl_err err =
      disk->ops->open(disk, path, BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE, &file, why);
  if (err != BL_OK) return err;
  char text[16];
  int len = snprintf(text, sizeof(text), "%d", bl_process_pid());
  err = disk->ops->write(disk, file, text, (size_t)len, 0);
  disk->ops->close(disk, file);
  return err == BL_OK ? BL_OK : bl_why_set(why, err, "cannot write %s", path);
}

static bl_err move_one(struct bl_log *log, const char *name, struct bl_takeover_aside *aside,
                       struct bl_why *why) {
  struct bl_disk *disk = log->disk;
  char from[BL_STORE_PATH_BYTES_MAX];
  char to[BL_STORE_PATH_BYTES_MAX];
  bl_err err = BL_OK;
  if (aside->moved == 0) {
    snprintf(aside->folder, sizeof(aside->folder), "%s/bolide/aside/java-%" PRId64,
             log->settings.dir, bl_clock_wall_ms(log->clock));
    err = disk->ops->make_dir(disk, aside->folder, why);
    if (err != BL_OK) return err;
  }
  snprintf(from, sizeof(from), "%s/%.64s", log->settings.dir, name);
  snprintf(to, sizeof(to), "%s/%.64s", aside->folder, name);
  err = disk->ops->rename(disk, from, to);
  if (err != BL_OK)
    return bl_why_set(why, err, "cannot move %s to %s: %s", from, to, bl_err_text(err));
  aside->moved++;
  return BL_OK;
}

/* Moves the entries of the store's folder that `wanted` names, durably. */
static bl_err move_aside(struct bl_log *log, bool (*wanted)(const char *name),
                         struct bl_takeover_aside *aside, struct bl_why *why) {
  struct bl_disk *disk = log->disk;
  const char *dir = log->settings.dir;
  int before = aside->moved;
  struct bl_arena arena;
  bl_arena_init(&arena);
  const char *const *names = NULL;
  size_t count = 0;
  bl_err err = disk->ops->list(disk, dir, &arena, &names, &count);
  if (err != BL_OK) bl_why_set(why, err, "cannot list %s: %s", dir, bl_err_text(err));
  for (size_t i = 0; err == BL_OK && i < count; i++) {
    if (wanted(names[i])) err = move_one(log, names[i], aside, why);
  }
  bl_arena_fini(&arena);
  if (err != BL_OK || aside->moved == before) return err;
  err = disk->ops->sync_dir(disk, aside->folder);
  if (err == BL_OK) err = disk->ops->sync_dir(disk, dir);
  return err == BL_OK ? BL_OK : bl_why_set(why, err, "cannot sync %s: %s", dir, bl_err_text(err));
}

bl_err bl_takeover_drop(struct bl_log *log, struct bl_takeover_aside *out_aside,
                        struct bl_why *why) {
  out_aside->moved = 0;
  return move_aside(log, is_derived, out_aside, why);
}

bl_err bl_takeover_begin(struct bl_log *log, struct bl_takeover *out_takeover, struct bl_why *why) {
  struct bl_disk *disk = log->disk;
  char path[BL_STORE_PATH_BYTES_MAX];
  struct bl_disk_stat info;
  snprintf(path, sizeof(path), "%s/checkpoint", log->settings.dir);
  *out_takeover = (struct bl_takeover){.foreign = disk->ops->stat(disk, path, &info) == BL_OK,
                                       .java_until = INT64_MAX};
  bl_err err = leave_abort(log, why);
  /* Without Java's queues a missing `abort` means nothing; with them it was synced when we came. */
  if (err != BL_OK || !out_takeover->foreign) return err;
  err = disk->ops->sync_dir(disk, log->settings.dir);
  return err == BL_OK
             ? BL_OK
             : bl_why_set(why, err, "cannot sync %s: %s", log->settings.dir, bl_err_text(err));
}

/* bolide/java.queues, one line of text: END_MAGIC, the end, the CRC of both. It spares looking at
 * every queue at every start; without it they are looked at. */
static void end_path(const struct bl_log *log, char out_path[BL_STORE_PATH_BYTES_MAX]) {
  snprintf(out_path, BL_STORE_PATH_BYTES_MAX, "%s/bolide/java.queues", log->settings.dir);
}

static bool read_end(struct bl_log *log, int64_t *out_end) {
  char path[BL_STORE_PATH_BYTES_MAX];
  struct bl_arena arena;
  struct bl_slice bytes;
  bool good = false;
  end_path(log, path);
  bl_arena_init(&arena);
  if (bl_disk_read_file(log->disk, path, 128, &arena, &bytes) == BL_OK &&
      bl_slice_starts(bytes, BL_SLICE(END_MAGIC))) {
    struct bl_slice rest = bl_slice_from(bytes, sizeof(END_MAGIC) - 1);
    struct bl_slice end = bl_slice_cut(&rest, ' ');
    int64_t crc;
    good = bl_slice_i64(end, out_end) && bl_slice_i64(bl_slice_cut(&rest, '\n'), &crc) &&
           crc == bl_crc32(0, bytes.ptr, (size_t)(end.ptr + end.len - bytes.ptr));
  }
  bl_arena_fini(&arena);
  return good;
}

static bl_err write_end(struct bl_log *log, int64_t end, struct bl_why *why) {
  char path[BL_STORE_PATH_BYTES_MAX];
  char line[96];
  end_path(log, path);
  int len = snprintf(line, sizeof(line), END_MAGIC "%" PRId64, end);
  uint32_t crc = bl_crc32(0, line, (size_t)len);
  len += snprintf(line + len, sizeof(line) - (size_t)len, " %" PRIu32 "\n", crc);
  return bl_disk_replace_file(log->disk, path, bl_slice_of(line, (size_t)len), false, why);
}

/* Up to where Java, whose queues end at `end`, looks back to it. */
static int64_t until_of(const struct bl_log *log, int64_t end) {
  int64_t size = log->segments.segment_bytes;
  int64_t min = bl_segments_min(&log->segments);
  if (end < min || end > log->appended) return 0;
  return min + ((end - min) / size + 1 + BL_TAKEOVER_FILES_MAX) * size;
}

bl_err bl_takeover_end(struct bl_log *log, struct bl_takeover *takeover, struct bl_why *why) {
  struct bl_takeover_aside aside = {.moved = 0};
  int64_t end = -1;
  bl_err err = BL_OK;
  if (takeover->foreign || !read_end(log, &end)) {
    err = bl_takeover_queues_end(log, &end, why);
    if (err == BL_OK && (takeover->foreign || end >= 0)) err = write_end(log, end, why);
  }
  if (err == BL_OK && end >= 0) {
    takeover->java_until = until_of(log, end);
    if (log->appended >= takeover->java_until) {
      takeover->java_until = INT64_MAX;
      err = bl_takeover_drop(log, &aside, why);
      if (err == BL_OK) err = write_end(log, -1, why);
    }
  }
  int dropped = aside.moved;
  if (err == BL_OK && takeover->foreign) err = move_aside(log, is_checkpoint, &aside, why);
  if (err != BL_OK || aside.moved == 0) return err;
  bl_log_note(log, "store.takeover a Java broker wrote to %s; its checkpoint%s in %s",
              log->settings.dir,
              dropped > 0 ? " and its consume queues, from which it could not go on, are" : " is",
              aside.folder);
  return BL_OK;
}
