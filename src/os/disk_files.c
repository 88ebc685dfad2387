#include <stdio.h>
#include <string.h>

#include "os/disk.h"

#define DISK_PATH_BYTES_MAX 1024

bl_err bl_disk_read_file(struct bl_disk *disk, const char *path, size_t max_bytes,
                         struct bl_arena *arena, struct bl_slice *out_bytes) {
  int file = -1;
  bl_err err = disk->ops->open(disk, path, BL_OPEN_READ, &file, NULL);
  if (err != BL_OK) return err;
  int64_t size = 0;
  err = disk->ops->size(disk, file, &size);
  if (err == BL_OK && size > (int64_t)max_bytes) err = BL_ERR_FULL;
  if (err == BL_OK) {
    char *bytes = bl_arena_take(arena, (size_t)size + 1);
    size_t got = 0;
    err = disk->ops->read(disk, file, bytes, (size_t)size, 0, &got);
    if (err == BL_OK) {
      bytes[got] = 0;
      *out_bytes = bl_slice_of(bytes, got);
    }
  }
  disk->ops->close(disk, file);
  return err;
}

/* The folder of `path`, "." when it names none. */
static void folder_of(const char *path, char out_folder[DISK_PATH_BYTES_MAX]) {
  const char *slash = strrchr(path, '/');
  if (slash == NULL) {
    memcpy(out_folder, ".", 2);
    return;
  }
  size_t len = slash == path ? 1 : (size_t)(slash - path);
  memcpy(out_folder, path, len);
  out_folder[len] = 0;
}

static bl_err write_new(struct bl_disk *disk, const char *path, struct bl_slice bytes,
                        struct bl_why *why) {
  int file = -1;
  bl_err err = disk->ops->open(
      disk, path, BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE | BL_OPEN_TRUNCATE, &file, why);
  if (err != BL_OK) return err;
  if (bytes.len > 0) err = disk->ops->write(disk, file, bytes.ptr, bytes.len, 0);
  if (err == BL_OK) err = disk->ops->sync(disk, file);
  disk->ops->close(disk, file);
  if (err == BL_OK) return BL_OK;
  (void)disk->ops->remove(disk, path);
  return bl_why_set(why, err, "cannot write %s: %s", path, bl_err_text(err));
}

/* The old file gets its second name by a copy, so that `path` itself is there at every moment. */
static bl_err keep_old(struct bl_disk *disk, const char *path, struct bl_why *why) {
  char previous[DISK_PATH_BYTES_MAX];
  char fresh[DISK_PATH_BYTES_MAX];
  snprintf(previous, sizeof(previous), "%s.bak", path);
  snprintf(fresh, sizeof(fresh), "%s.bak.tmp", path);
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice old;
  bl_err err = bl_disk_read_file(disk, path, (size_t)1 << 31, &arena, &old);
  if (err == BL_OK) {
    err = write_new(disk, fresh, old, why);
    if (err == BL_OK) err = disk->ops->rename(disk, fresh, previous);
    if (err != BL_OK) bl_why_set(why, err, "cannot keep %s: %s", previous, bl_err_text(err));
  } else if (err == BL_ERR_NOT_FOUND) {
    err = BL_OK;
  }
  bl_arena_fini(&arena);
  return err;
}

bl_err bl_disk_replace_file(struct bl_disk *disk, const char *path, struct bl_slice bytes,
                            bool keep_previous, struct bl_why *why) {
  char fresh[DISK_PATH_BYTES_MAX];
  char folder[DISK_PATH_BYTES_MAX];
  size_t len = strlen(path);
  if (len + 16 > sizeof(fresh))
    return bl_why_set(why, BL_ERR_PARAMETER, "path is too long: %.200s", path);
  memcpy(fresh, path, len);
  memcpy(fresh + len, ".tmp", 5);
  folder_of(path, folder);
  bl_err err = write_new(disk, fresh, bytes, why);
  if (err != BL_OK) return err;
  if (keep_previous) err = keep_old(disk, path, why);
  if (err != BL_OK) return err;
  err = disk->ops->rename(disk, fresh, path);
  if (err == BL_OK) err = disk->ops->sync_dir(disk, folder);
  if (err != BL_OK) bl_why_set(why, err, "cannot replace %s: %s", path, bl_err_text(err));
  return err;
}
