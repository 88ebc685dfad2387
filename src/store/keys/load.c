/* Reads bolide/keys.snapshot. Whatever is wrong with it, the answer is an empty index and a replay
 * of the whole log: nothing here is the only copy. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/crc32.h"
#include "base/cursor.h"
#include "base/log.h"
#include "store/keys/keys_internal.h"

#define SNAPSHOT_BYTES_MAX (1u << 30)

static int64_t take_i64(struct bl_cursor *in) {
  return (int64_t)bl_cursor_u64(in);
}

static bl_err take_run(struct bl_keys *keys, struct bl_cursor *in) {
  struct bl_key_run *run = calloc(1, sizeof(*run));
  BL_ASSERT(run != NULL);
  run->sequence = take_i64(in);
  run->level = bl_cursor_u32(in);
  run->count = take_i64(in);
  run->first = take_i64(in);
  run->last = take_i64(in);
  bool sound = run->sequence >= 0 && run->sequence < INT64_MAX && run->count > 0 &&
               run->count < INT64_MAX / (2 * (int64_t)sizeof(struct bl_key_entry)) &&
               run->first >= 0 && run->last >= run->first;
  if (!sound) {
    free(run);
    return BL_ERR_FORMAT;
  }
  if (run->sequence >= keys->next_sequence) keys->next_sequence = run->sequence + 1;
  bl_err err = bl_keys__run_open(keys, run);
  if (err != BL_OK) {
    bl_log(BL_LOG_WARN, "store", "keys.run.unusable",
           "first=%" PRId64 " last=%" PRId64
           " error=%s going_on=\"its keys are taken from the log again\"",
           run->first, run->last, bl_err_name(err));
    bl_keys__add_hole(keys, run->first, run->last + 1);
    free(run);
    return bl_keys__is_damage(err) ? BL_OK : err;
  }
  bl_keys__add_run(&keys->runs, run);
  return BL_OK;
}

/* Takes the runs; leaves the entries in `in`, counted and complete. */
static bl_err parse(struct bl_keys *keys, struct bl_slice bytes, struct bl_cursor *in,
                    int64_t *out_last_log) {
  *in = bl_cursor_of(bytes);
  if (bl_cursor_u32(in) != BL_KEYS_SNAPSHOT_MAGIC) return BL_ERR_FORMAT;
  if (bl_cursor_u32(in) != BL_KEYS_SNAPSHOT_VERSION) return BL_ERR_VERSION;
  uint32_t crc = bl_cursor_u32(in);
  if (in->failed) return BL_ERR_FORMAT;
  struct bl_slice checked = bl_slice_from(bytes, BL_KEYS_SNAPSHOT_CRC_FROM);
  if (crc != bl_crc32(0, checked.ptr, checked.len)) return BL_ERR_CRC;
  keys->covered = take_i64(in);
  *out_last_log = take_i64(in);
  uint32_t runs = bl_cursor_u32(in);
  if (keys->covered < 0 || runs > bl_cursor_left(in) / BL_KEYS_SNAPSHOT_RUN_BYTES) {
    return BL_ERR_FORMAT;
  }
  for (uint32_t i = 0; i < runs; i++) {
    bl_err err = take_run(keys, in);
    if (err != BL_OK) return err;
  }
  uint64_t entries = bl_cursor_u64(in);
  if (in->failed || bl_cursor_left(in) % sizeof(struct bl_key_entry) != 0 ||
      entries != bl_cursor_left(in) / sizeof(struct bl_key_entry)) {
    return BL_ERR_FORMAT;
  }
  return BL_OK;
}

static bool is_run_of(const struct bl_keys *keys, const char *path) {
  for (size_t i = 0; i < keys->runs.count; i++) {
    char of_run[512];
    bl_keys__run_path(keys, keys->runs.items[i], of_run);
    if (strcmp(path, of_run) == 0) return true;
  }
  return false;
}

/* Removes runs that the snapshot does not name: written after it. */
static bl_err remove_leftovers(struct bl_keys *keys, const char *folder, struct bl_arena *arena) {
  const char *const *names;
  size_t count;
  const struct bl_disk_ops *ops = keys->disk->ops;
  bl_err err = ops->list(keys->disk, folder, arena, &names, &count);
  for (size_t i = 0; err == BL_OK && i < count; i++) {
    size_t len = strlen(names[i]);
    if (len < 4 || strcmp(names[i] + len - 4, ".run") != 0) continue;
    char path[512];
    int path_len = snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
    if (path_len < 0 || (size_t)path_len >= sizeof(path) || is_run_of(keys, path)) continue;
    err = ops->remove(keys->disk, path);
  }
  return err;
}

void bl_keys__remove_snapshot(struct bl_keys *keys) {
  char path[512];
  bl_keys__path(keys, "keys.snapshot", path);
  (void)keys->disk->ops->remove(keys->disk, path); /* the next snapshot replaces what stays */
  bl_keys__path(keys, "", path);
  (void)keys->disk->ops->sync_dir(keys->disk, path);
}

bl_err bl_keys__load(struct bl_follower *follower, int64_t *out_covered_offset,
                     struct bl_why *why) {
  struct bl_keys *keys = (struct bl_keys *)follower;
  char folder[512];
  char path[512];
  bl_keys__path(keys, "keys", folder);
  bl_err err = keys->disk->ops->make_dir(keys->disk, folder, why);
  if (err != BL_OK) return err;
  bl_keys__path(keys, "keys.snapshot", path);
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice bytes;
  struct bl_cursor in = {0};
  int64_t last_log = -1;
  err = bl_disk_read_file(keys->disk, path, SNAPSHOT_BYTES_MAX, &arena, &bytes);
  if (err == BL_OK) err = parse(keys, bytes, &in, &last_log);
  if (err != BL_OK) {
    if (err != BL_ERR_NOT_FOUND) {
      bl_log(BL_LOG_WARN, "store", "keys.snapshot.unusable",
             "error=%s going_on_with=\"the whole log\"", bl_err_name(err));
    }
    bl_keys__clear(keys);
    in = (struct bl_cursor){0};
    last_log = -1;
  }
  err = remove_leftovers(keys, folder, &arena); /* before new runs are written, below */
  while (err == BL_OK && bl_cursor_left(&in) > 0) {
    uint64_t hash = bl_cursor_u64(&in);
    bl_keys__append(keys, hash, take_i64(&in));
  }
  keys->last_log = last_log;
  bl_arena_fini(&arena);
  if (err != BL_OK) {
    return bl_why_set(why, err,
                      "cannot clean the key index in %s: %s; see that the folder is writable",
                      folder, bl_err_text(err));
  }
  *out_covered_offset = keys->covered;
  return BL_OK;
}
