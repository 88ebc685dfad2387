#include "store/takeover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "os/process.h"

/* Derived from the log, or (checkpoint) saying how much of it is derived. The first three are prefixes:
 * consumequeue_ext, consumequeue_r. */
static bool is_derived(const char *name) {
  return strncmp(name, "consumequeue", 12) == 0 || strncmp(name, "batchconsumequeue", 17) == 0 ||
         strcmp(name, "index") == 0 || strcmp(name, "checkpoint") == 0;
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

/* The file says "not closed": Java then trusts no derived file. It is never taken away again by us. */
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

/* Where derived files go. Made when the first one is found. */
struct aside {
  char folder[BL_STORE_PATH_BYTES_MAX - 72];
  int moved;
};

static bl_err move_one(struct bl_log *log, const char *name, struct aside *aside,
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

bl_err bl_takeover_java(struct bl_log *log, bool *out_foreign, struct bl_why *why) {
  struct bl_disk *disk = log->disk;
  const char *dir = log->settings.dir;
  /* First the mark, then the moves: a crash between them must not look like a clean Java store. */
  bl_err err = leave_abort(log, why);
  if (err != BL_OK) return err;
  struct bl_arena arena;
  bl_arena_init(&arena);
  const char *const *names = NULL;
  size_t count = 0;
  struct aside aside = {.moved = 0};
  err = disk->ops->list(disk, dir, &arena, &names, &count);
  if (err != BL_OK) bl_why_set(why, err, "cannot list %s: %s", dir, bl_err_text(err));
  bool synced = false;
  for (size_t i = 0; err == BL_OK && i < count; i++) {
    if (!is_derived(names[i])) continue;
    if (!synced) err = disk->ops->sync_dir(disk, dir);
    synced = true;
    if (err == BL_OK) err = move_one(log, names[i], &aside, why);
  }
  bl_arena_fini(&arena);
  if (err == BL_OK && aside.moved > 0) {
    err = disk->ops->sync_dir(disk, aside.folder);
    if (err == BL_OK) err = disk->ops->sync_dir(disk, dir);
    bl_log_note(log, "store.takeover a Java broker wrote to %s; its derived files are in %s", dir,
                aside.folder);
  }
  *out_foreign = aside.moved > 0;
  return err;
}
