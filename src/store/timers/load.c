/* Reads bolide/timers.snapshot. Whatever is wrong with it, the answer is no entry and a replay of
 * the whole log: nothing here is the only copy. */
#include <stdio.h>

#include "base/crc32.h"
#include "base/cursor.h"
#include "base/log.h"
#include "store/timers/pending_internal.h"

#define SNAPSHOT_BYTES_MAX (1u << 30)

static int64_t take_i64(struct bl_cursor *in) {
  return (int64_t)bl_cursor_u64(in);
}

static bl_err take_topics(struct bl_pending *pending, struct bl_cursor *in) {
  uint32_t count = bl_cursor_u32(in);
  for (uint32_t i = 0; i < count && !in->failed; i++) {
    struct bl_slice topic = bl_cursor_bytes(in, bl_cursor_u16(in));
    int64_t messages = take_i64(in);
    int64_t changed_ms = take_i64(in);
    if (in->failed || messages < 0) return BL_ERR_FORMAT;
    bl_pending__set_count(pending, topic, messages, changed_ms);
  }
  return in->failed ? BL_ERR_FORMAT : BL_OK;
}

static bl_err take_run(struct bl_pending *pending, struct bl_cursor *in) {
  struct bl_pending_run *run = bl_pending__run_new();
  run->sequence = take_i64(in);
  run->level = bl_cursor_u32(in);
  run->count = take_i64(in);
  run->at = take_i64(in);
  run->head_ms = take_i64(in);
  struct bl_slice skip = bl_cursor_bytes(in, BL_PENDING_ENTRY_BYTES);
  bool sound = !in->failed && run->sequence >= 0 && run->sequence < INT64_MAX && run->count > 0 &&
               run->count < INT64_MAX / (int64_t)(2 * BL_PENDING_PAGE_BYTES) && run->at >= 0 &&
               run->at <= run->count;
  bl_err err = sound ? BL_OK : BL_ERR_FORMAT;
  if (sound) {
    bl_pending__decode(skip.ptr, &run->skip);
    if (run->sequence >= pending->next_sequence) pending->next_sequence = run->sequence + 1;
    err = bl_pending__run_open(pending, run);
  }
  if (err != BL_OK) {
    bl_pending__run_free(pending, run);
    return err;
  }
  bl_pending__add_run(pending, run);
  return BL_OK;
}

static bl_err take_runs(struct bl_pending *pending, struct bl_cursor *in) {
  uint32_t count = bl_cursor_u32(in);
  for (uint32_t i = 0; i < count; i++) {
    bl_err err = take_run(pending, in);
    if (err != BL_OK) return err;
  }
  return in->failed ? BL_ERR_FORMAT : BL_OK;
}

static bool is_named(const struct bl_pending *pending, const char *path) {
  for (size_t i = 0; i < pending->run_count; i++) {
    char of_run[512];
    bl_pending__run_path(pending, pending->runs[i]->sequence, of_run);
    if (strcmp(path, of_run) == 0) return true;
  }
  return false;
}

/* Files that the snapshot does not name: written after it. New ones get other names. */
static bl_err remove_leftovers(struct bl_pending *pending, const char *folder,
                               struct bl_arena *arena) {
  const char *const *names;
  size_t count;
  const struct bl_disk_ops *ops = pending->disk->ops;
  bl_err err = ops->list(pending->disk, folder, arena, &names, &count);
  for (size_t i = 0; err == BL_OK && i < count; i++) {
    size_t len = strlen(names[i]);
    if (len < 4 || strcmp(names[i] + len - 4, ".run") != 0) continue;
    char path[512];
    int path_len = snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
    if (path_len < 0 || (size_t)path_len >= sizeof(path) || is_named(pending, path)) continue;
    err = ops->remove(pending->disk, path);
  }
  return err;
}

static bl_err take_entries(struct bl_pending *pending, struct bl_cursor *in) {
  if (bl_cursor_left(in) % BL_PENDING_ENTRY_BYTES != 0) return BL_ERR_FORMAT;
  while (bl_cursor_left(in) > 0) {
    struct bl_pending_entry entry = {0};
    entry.due_ms = take_i64(in);
    entry.log_offset = take_i64(in);
    entry.size_bytes = bl_cursor_u32(in);
    entry.kind = bl_cursor_u32(in);
    if (entry.kind > BL_PENDING_MESSAGE || entry.log_offset < 0) return BL_ERR_FORMAT;
    if (entry.log_offset < pending->covered || entry.kind == BL_PENDING_DEAD)
      bl_pending__add(pending, &entry, NULL);
  }
  return BL_OK;
}

static bl_err parse(struct bl_pending *pending, struct bl_slice bytes) {
  struct bl_cursor in = bl_cursor_of(bytes);
  if (bl_cursor_u32(&in) != BL_PENDING_SNAPSHOT_MAGIC) return BL_ERR_FORMAT;
  if (bl_cursor_u32(&in) != BL_PENDING_SNAPSHOT_VERSION) return BL_ERR_VERSION;
  uint32_t crc = bl_cursor_u32(&in);
  if (in.failed) return BL_ERR_FORMAT;
  struct bl_slice checked = bl_slice_from(bytes, BL_PENDING_SNAPSHOT_CRC_FROM);
  if (crc != bl_crc32(0, checked.ptr, checked.len)) return BL_ERR_CRC;
  pending->covered = take_i64(&in);
  pending->last_log = take_i64(&in);
  if (in.failed || pending->covered < 0) return BL_ERR_FORMAT;
  bl_err err = take_topics(pending, &in);
  if (err == BL_OK) err = take_runs(pending, &in);
  return err == BL_OK ? take_entries(pending, &in) : err;
}

bl_err bl_pending__load(struct bl_follower *follower, int64_t *out_covered_offset,
                        struct bl_why *why) {
  struct bl_pending *pending = (struct bl_pending *)follower;
  char folder[512];
  char path[512];
  bl_pending__path(pending, "timers", folder);
  bl_err err = pending->disk->ops->make_dir(pending->disk, folder, why);
  if (err != BL_OK) return err;
  bl_pending__path(pending, "timers.snapshot", path);
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice bytes;
  err = bl_disk_read_file(pending->disk, path, SNAPSHOT_BYTES_MAX, &arena, &bytes);
  if (err == BL_OK) err = parse(pending, bytes);
  /* It knows nothing of what Java delivered since. */
  if (bl_pending__load_java(pending)) err = BL_ERR_NOT_FOUND;
  if (err != BL_OK) {
    if (err != BL_ERR_NOT_FOUND) {
      bl_log(BL_LOG_WARN, "store", "timers.snapshot.unusable",
             "error=%s going_on_with=\"the whole log\"", bl_err_name(err));
    }
    pending->follower.ops->discard(follower);
  }
  err = remove_leftovers(pending, folder, &arena);
  bl_arena_fini(&arena);
  if (err != BL_OK) {
    return bl_why_set(
        why, err,
        "cannot clean the times of delayed messages in %s: %s; see that the folder is "
        "writable",
        folder, bl_err_text(err));
  }
  *out_covered_offset = pending->covered;
  return BL_OK;
}
