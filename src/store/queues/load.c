/* Reads the parts of a snapshot. Whatever is wrong with one, the answer is an empty index and a
 * replay of the whole log: nothing here is the only copy. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/crc32.h"
#include "base/log.h"
#include "store/queues/queues_internal.h"

#define PART_BYTES_MAX (2ull << 30)

/* What the newest part says of the whole. */
struct manifest {
  int64_t covered;
  int64_t log_min;
  int64_t index_end;
  uint32_t queue_count;
  struct bl_slice segments; /* as they lie there */
  struct bl_slice parts;
};

static int64_t take_i64(struct bl_cursor *in) {
  return (int64_t)bl_cursor_u64(in);
}

static bl_err take_head(struct bl_queues *queues, struct bl_cursor *in, struct bl_slice bytes,
                        uint64_t number, struct manifest *out) {
  if (bl_cursor_u32(in) != BL_QUEUES_SNAPSHOT_MAGIC) return BL_ERR_FORMAT;
  if (bl_cursor_u32(in) != BL_QUEUES_SNAPSHOT_VERSION) return BL_ERR_VERSION;
  uint32_t crc = bl_cursor_u32(in);
  if (in->failed) return BL_ERR_FORMAT;
  struct bl_slice checked = bl_slice_from(bytes, BL_QUEUES_SNAPSHOT_CRC_FROM);
  if (crc != bl_crc32(0, checked.ptr, checked.len)) return BL_ERR_CRC;
  uint64_t own = bl_cursor_u64(in);
  out->covered = take_i64(in);
  out->log_min = take_i64(in);
  int64_t segment_bytes = take_i64(in);
  bool right = own == number && out->covered >= 0 && segment_bytes == queues->segment_bytes;
  return right && !in->failed ? BL_OK : BL_ERR_FORMAT;
}

/* The end stands behind the queues, whose segments it names: it is read first. RETURNS with `in`
 * behind it. */
static bl_err take_end(struct bl_cursor *in, struct manifest *out) {
  while (bl_cursor_u8(in) == BL_QUEUES_PART_QUEUE && !in->failed) {
    size_t topic_len = bl_cursor_u16(in);
    bl_cursor_bytes(in, topic_len + 44);
    size_t units = bl_cursor_u32(in);
    size_t refs = bl_cursor_u32(in);
    bl_cursor_bytes(in, units * BL_INDEX_UNIT_BYTES + refs * BL_INDEX_REF_BYTES);
  }
  out->index_end = take_i64(in);
  out->queue_count = bl_cursor_u32(in);
  size_t segments = bl_cursor_u32(in);
  out->segments = bl_cursor_bytes(in, segments * 16);
  size_t parts = bl_cursor_u32(in);
  out->parts = bl_cursor_bytes(in, parts * 8);
  bool whole = !in->failed && bl_cursor_left(in) == 0 && out->index_end >= 0 && parts > 0 &&
               parts <= BL_QUEUES_PARTS_MAX / 2 + 1;
  return whole ? BL_OK : BL_ERR_FORMAT;
}

static bl_err open_segments(struct bl_queues *queues, const struct manifest *manifest) {
  struct bl_cursor in = bl_cursor_of(manifest->segments);
  int64_t before = -1;
  while (bl_cursor_left(&in) > 0) {
    int64_t number = take_i64(&in);
    int64_t last_log = take_i64(&in);
    if (number <= before || number > INT64_MAX / queues->segment_bytes - 1) return BL_ERR_FORMAT;
    bl_err err = bl_index__open_segment(queues, number, last_log);
    if (err != BL_OK) return err;
    before = number;
  }
  return BL_OK;
}

static bl_err take_queues(struct bl_queues *queues, struct bl_cursor *in,
                          struct bl_queues_part *part) {
  while (bl_cursor_u8(in) == BL_QUEUES_PART_QUEUE) {
    uint32_t known = queues->count;
    bl_err err = bl_queues__take_queue(queues, in, part->number);
    if (err != BL_OK) return err;
    part->count++;
    part->live += queues->count - known;
  }
  return in->failed ? BL_ERR_FORMAT : BL_OK;
}

/* newest: FILLS the manifest and opens the segments, too. */
static bl_err read_part(struct bl_queues *queues, uint64_t number, bool newest,
                        struct bl_arena *arena, struct manifest *manifest,
                        struct bl_queues_part *out_part) {
  char path[512];
  struct bl_slice bytes = {"", 0};
  struct manifest own = {0};
  bl_queues__part_path(queues, number, path);
  bl_err err = bl_disk_read_file(queues->disk, path, PART_BYTES_MAX, arena, &bytes);
  struct bl_cursor in = bl_cursor_of(bytes);
  if (err == BL_OK) err = take_head(queues, &in, bytes, number, &own);
  struct bl_cursor records = in;
  if (err == BL_OK && newest) {
    err = take_end(&in, &own);
    *manifest = own;
    queues->log_min = own.log_min;
    if (err == BL_OK) err = open_segments(queues, manifest);
    queues->index_end = own.index_end; /* long directories are packed while they are taken */
  }
  *out_part = (struct bl_queues_part){.number = number, .bytes = bytes.len};
  if (err == BL_OK) err = take_queues(queues, &records, out_part);
  if (err != BL_OK) {
    bl_log(BL_LOG_WARN, "store", "queues.snapshot.unusable",
           "file=%s error=%s going_on_with=\"the whole log\"", path, bl_err_name(err));
  }
  return err;
}

/* From the newest on, so that each queue is read once. */
static bl_err read_parts(struct bl_queues *queues, uint64_t newest, struct bl_arena *arena) {
  struct manifest manifest = {0};
  struct bl_queues_part parts[BL_QUEUES_PARTS_MAX];
  bl_err err = read_part(queues, newest, true, arena, &manifest, &parts[0]);
  if (err != BL_OK) return err;
  uint32_t count = (uint32_t)(manifest.parts.len / 8);
  for (uint32_t i = 1; i < count; i++) {
    struct bl_cursor in = bl_cursor_of(bl_slice_from(manifest.parts, (count - 1 - i) * 8));
    uint64_t number = bl_cursor_u64(&in);
    if (number >= parts[i - 1].number) return BL_ERR_FORMAT;
    err = read_part(queues, number, false, arena, NULL, &parts[i]);
    if (err != BL_OK) return err;
  }
  if (queues->count != manifest.queue_count) return BL_ERR_FORMAT;
  for (uint32_t i = count; i > 0; i--) queues->parts[queues->part_count++] = parts[i - 1];
  queues->covered = manifest.covered;
  queues->swept_min = manifest.log_min;
  queues->index_end = manifest.index_end;
  return BL_OK;
}

/* Removes the files of a folder that are not needed: left by a run that wrote no snapshot of them,
 * or by a snapshot that is not used. */
static bl_err remove_leftovers(struct bl_queues *queues, const char *folder, const char *ending,
                               bool (*is_needed)(struct bl_queues *queues, int64_t number),
                               int64_t *out_highest, struct bl_arena *arena) {
  const char *const *names;
  size_t count;
  const struct bl_disk_ops *ops = queues->disk->ops;
  bl_err err = ops->list(queues->disk, folder, arena, &names, &count);
  for (size_t i = 0; err == BL_OK && i < count; i++) {
    struct bl_slice name = bl_slice_text(names[i]);
    size_t tail = strlen(ending);
    int64_t number;
    if (name.len != 20 + tail || memcmp(name.ptr + 20, ending, tail) != 0 ||
        !bl_slice_i64(bl_slice_of(name.ptr, 20), &number) || number < 0) {
      continue;
    }
    if (number > *out_highest) *out_highest = number;
    if (is_needed(queues, number)) continue;
    char path[512];
    int len = snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
    BL_ASSERT(len > 0 && (size_t)len < sizeof(path));
    err = ops->remove(queues->disk, path);
  }
  return err;
}

static bool is_segment(struct bl_queues *queues, int64_t position) {
  return bl_index__segment(queues, position) != NULL;
}

static bool is_part(struct bl_queues *queues, int64_t number) {
  for (uint32_t i = 0; i < queues->part_count; i++) {
    if (queues->parts[i].number == (uint64_t)number) return true;
  }
  return false;
}

static bool any(struct bl_queues *queues, int64_t number) {
  (void)queues;
  (void)number;
  return true;
}

/* What the current segment has beyond index_end was not in the snapshot. */
static bl_err cut_current(struct bl_queues *queues) {
  const struct bl_disk_ops *ops = queues->disk->ops;
  struct bl_index_segment *current = bl_index__segment(queues, queues->index_end);
  int64_t used = queues->index_end % queues->segment_bytes;
  if (current == NULL || current->size_bytes <= used) return BL_OK;
  return ops->truncate(queues->disk, current->file, used);
}

void bl_queues__remove_snapshot(struct bl_queues *queues) {
  char path[512];
  for (uint32_t i = queues->part_count; i > 0; i--) { /* the newest first: it names the others */
    bl_queues__part_path(queues, queues->parts[i - 1].number, path);
    (void)queues->disk->ops->remove(queues->disk, path); /* the next snapshot replaces what stays */
  }
  queues->part_count = 0;
  bl_queues__path(queues, "queues", path);
  (void)queues->disk->ops->sync_dir(queues->disk, path);
}

static bl_err make_folders(struct bl_queues *queues, struct bl_why *why) {
  char path[512];
  bl_queues__path(queues, "index", path);
  bl_err err = queues->disk->ops->make_dir(queues->disk, path, why);
  if (err != BL_OK) return err;
  bl_queues__path(queues, "queues.snapshot", path); /* of version 1 */
  (void)queues->disk->ops->remove(queues->disk, path);
  bl_queues__path(queues, "queues", path);
  return queues->disk->ops->make_dir(queues->disk, path, why);
}

bl_err bl_queues__load(struct bl_follower *follower, int64_t *out_covered_offset,
                       struct bl_why *why) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  char path[512];
  bl_err err = make_folders(queues, why);
  if (err != BL_OK) return err;
  struct bl_arena arena;
  bl_arena_init(&arena);
  bl_queues__path(queues, "queues", path);
  int64_t newest = 0;
  err = remove_leftovers(queues, path, ".part", any, &newest, &arena);
  queues->part_last = (uint64_t)newest;
  if (err == BL_OK && newest > 0 && read_parts(queues, (uint64_t)newest, &arena) != BL_OK)
    bl_queues__clear(queues);
  if (err == BL_OK) err = remove_leftovers(queues, path, ".part", is_part, &newest, &arena);
  bl_queues__path(queues, "index", path);
  int64_t ignored = 0;
  if (err == BL_OK) err = remove_leftovers(queues, path, "", is_segment, &ignored, &arena);
  if (err == BL_OK) err = cut_current(queues);
  bl_arena_fini(&arena);
  if (err != BL_OK) {
    return bl_why_set(why, err,
                      "cannot clean the queue index in %s: %s; see that the folder is writable",
                      path, bl_err_text(err));
  }
  *out_covered_offset = queues->covered;
  return BL_OK;
}
