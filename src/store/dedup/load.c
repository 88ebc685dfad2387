/* Reads bolide/dedup.snapshot and its parts. Nothing here is the only copy: without the snapshot
 * the whole log is shown again (when a topic has a window at all), without a part what is behind
 * the oldest key that counts. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "base/cursor.h"
#include "base/log.h"
#include "store/dedup/dedup_internal.h"

#define FILE_BYTES_MAX (1u << 30)
#define CLASSES_MAX 4096
#define AHEAD 16 /* entries whose memory is on its way */

static int64_t take_i64(struct bl_cursor *in) {
  return (int64_t)bl_cursor_u64(in);
}

/* The file's content behind its checksum. */
static bl_err check_head(struct bl_slice bytes, uint32_t magic, struct bl_cursor *out) {
  *out = bl_cursor_of(bytes);
  if (bl_cursor_u32(out) != magic) return BL_ERR_FORMAT;
  if (bl_cursor_u32(out) != BL_DEDUP_VERSION) return BL_ERR_VERSION;
  uint32_t crc = bl_cursor_u32(out);
  if (out->failed) return BL_ERR_FORMAT;
  struct bl_slice checked = bl_slice_from(bytes, BL_DEDUP_CRC_FROM);
  return crc == bl_crc32(0, checked.ptr, checked.len) ? BL_OK : BL_ERR_CRC;
}

static int64_t offset_of(const char *entry) {
  return (int64_t)bl_load_u16(entry + 8) << 32 | bl_load_u32(entry + 10);
}

/* In log order. Entries that are dead already, or that no sample has the time of, are left out. */
static bl_err take_entries(struct bl_dedup *dedup, struct bl_dedup_class *of,
                           struct bl_slice bytes) {
  if (of->sample_count == 0) return BL_OK;
  const char *end = bytes.ptr + bytes.len;
  const struct bl_dedup_sample *last = of->samples + of->sample_count - 1;
  struct bl_dedup_sample *sample = of->samples;
  for (const char *entry = bytes.ptr; entry < end; entry += BL_DEDUP_ENTRY_BYTES) {
    if ((size_t)(end - entry) > AHEAD * BL_DEDUP_ENTRY_BYTES)
      bl_dedup__table_prefetch(&of->table, bl_load_u64(entry + AHEAD * BL_DEDUP_ENTRY_BYTES));
    int64_t offset = offset_of(entry);
    if (offset > dedup->last_log) return BL_ERR_FORMAT;
    if (offset < of->floor) continue;
    if (offset - of->floor >= BL_DEDUP_SPAN_BYTES) return BL_ERR_FORMAT;
    if (!bl_dedup__table_add(&of->table, bl_load_u64(entry), offset, of->floor)) continue;
    while (sample < last && sample[1].from <= offset) sample++;
    sample->count++;
    of->keys++;
    dedup->keys++;
    if (offset > of->newest) of->newest = offset;
  }
  return BL_OK;
}

static bl_err read_part(struct bl_dedup *dedup, struct bl_dedup_class *of,
                        const struct bl_dedup_part *part) {
  struct bl_arena arena;
  struct bl_slice bytes;
  struct bl_cursor in;
  char path[512];
  bl_dedup__part_path(dedup, part->sequence, path);
  bl_arena_init(&arena);
  bl_err err = bl_disk_read_file(dedup->disk, path, FILE_BYTES_MAX, &arena, &bytes);
  if (err == BL_OK) err = check_head(bytes, BL_DEDUP_PART_MAGIC, &in);
  if (err == BL_OK) {
    bool same = take_i64(&in) == part->sequence;
    same = take_i64(&in) == of->window_ms && same;
    same = take_i64(&in) == part->count && same;
    same = take_i64(&in) == part->last && same;
    size_t left = bl_cursor_left(&in);
    same = same && left == (size_t)part->count * BL_DEDUP_ENTRY_BYTES;
    err = same && !in.failed ? take_entries(dedup, of, bl_cursor_bytes(&in, left)) : BL_ERR_FORMAT;
  }
  bl_arena_fini(&arena);
  return err;
}

static bl_err take_samples(const struct bl_dedup *dedup, struct bl_dedup_class *of,
                           struct bl_cursor *in, uint32_t count) {
  int64_t from = -1;
  if (count > BL_DEDUP_SAMPLES_MAX) return BL_ERR_FORMAT;
  for (uint32_t i = 0; i < count; i++) {
    struct bl_dedup_sample sample = {.from = take_i64(in)};
    sample.start_ms = take_i64(in);
    sample.end_ms = take_i64(in);
    if (in->failed || sample.from <= from || sample.end_ms < sample.start_ms) return BL_ERR_FORMAT;
    from = sample.from;
    /* Of records that were not visible yet: they are shown again. */
    if (sample.from <= dedup->last_log) of->samples[of->sample_count++] = sample;
  }
  return BL_OK;
}

/* One class of the snapshot, without the entries that follow all of them. */
static bl_err take_class(struct bl_dedup *dedup, struct bl_cursor *in,
                         struct bl_dedup_class **out_class, int64_t *out_entries) {
  int64_t window_ms = take_i64(in);
  int64_t floor = take_i64(in);
  int64_t entries = take_i64(in);
  uint32_t samples = bl_cursor_u32(in);
  uint32_t parts = bl_cursor_u32(in);
  if (in->failed || window_ms <= 0 || floor < 0 || entries < 0 || parts > INT32_MAX)
    return BL_ERR_FORMAT;
  struct bl_dedup_class *of = bl_dedup__class(dedup, window_ms);
  if (of->window_ms != window_ms || of->sample_count > 0) return BL_ERR_FORMAT;
  of->floor = floor;
  *out_entries = entries;
  bl_err err = take_samples(dedup, of, in, samples);
  for (uint32_t i = 0; err == BL_OK && i < parts; i++) {
    struct bl_dedup_part *part = calloc(1, sizeof(*part));
    BL_ASSERT(part != NULL);
    part->sequence = take_i64(in);
    part->count = take_i64(in);
    part->last = take_i64(in);
    bl_list_add_last(&of->parts, &part->node);
    bool sound = !in->failed && part->sequence >= 0 && part->count > 0 && part->last >= 0 &&
                 part->count <= (int64_t)(FILE_BYTES_MAX / BL_DEDUP_ENTRY_BYTES);
    if (!sound) err = BL_ERR_FORMAT;
  }
  *out_class = of;
  return err;
}

static bl_err take_tail(struct bl_dedup *dedup, struct bl_dedup_class *of, struct bl_cursor *in,
                        int64_t count) {
  if (count > (int64_t)(bl_cursor_left(in) / BL_DEDUP_ENTRY_BYTES)) return BL_ERR_FORMAT;
  struct bl_slice bytes = bl_cursor_bytes(in, (size_t)count * BL_DEDUP_ENTRY_BYTES);
  for (const char *entry = bytes.ptr; entry < bytes.ptr + bytes.len; entry += BL_DEDUP_ENTRY_BYTES)
    bl_dedup__put_tail(of, bl_load_u64(entry), offset_of(entry));
  return take_entries(dedup, of, bytes);
}

static bl_err read_parts(struct bl_dedup *dedup, struct bl_dedup_class *of, int64_t tail) {
  bl_err err = BL_OK;
  int64_t count = tail;
  for (struct bl_list *node = of->parts.next; node != &of->parts; node = node->next) {
    const struct bl_dedup_part *part = BL_CONTAINER(node, struct bl_dedup_part, node);
    if (part->last >= of->floor) count += part->count;
  }
  if (of->sample_count > 0) bl_dedup__table_reserve(&of->table, count, of->floor);
  for (struct bl_list *node = of->parts.next; err == BL_OK && node != &of->parts;
       node = node->next) {
    const struct bl_dedup_part *part = BL_CONTAINER(node, struct bl_dedup_part, node);
    if (part->last >= of->floor) err = read_part(dedup, of, part);
  }
  return err;
}

/* FILLS the covered offset, and the lowest floor when a part of what was to be read is missing. */
static bl_err parse(struct bl_dedup *dedup, struct bl_slice bytes, struct bl_arena *arena,
                    int64_t *out_covered, int64_t *out_floor) {
  struct bl_cursor in;
  bl_err err = check_head(bytes, BL_DEDUP_SNAPSHOT_MAGIC, &in);
  if (err != BL_OK) return err;
  int64_t covered = take_i64(&in);
  dedup->last_log = take_i64(&in);
  dedup->seed = bl_cursor_u64(&in);
  dedup->next_sequence = take_i64(&in);
  uint32_t classes = bl_cursor_u32(&in);
  if (in.failed || covered < 0 || dedup->next_sequence < 0 || classes > CLASSES_MAX)
    return BL_ERR_FORMAT;
  int64_t now_ms = bl_dedup__now_ms(dedup);
  int64_t floor = covered;
  struct bl_dedup_class **taken = bl_arena_take(arena, (classes + 1) * sizeof(*taken));
  int64_t *entries = bl_arena_take(arena, (classes + 1) * sizeof(*entries));
  for (uint32_t i = 0; i < classes; i++) {
    err = take_class(dedup, &in, &taken[i], &entries[i]);
    if (err != BL_OK) return err;
    bl_dedup__expire(dedup, taken[i], now_ms);
    if (taken[i]->sample_count > 0 && taken[i]->floor < floor) floor = taken[i]->floor;
  }
  *out_covered = covered;
  *out_floor = floor;
  for (uint32_t i = 0; err == BL_OK && i < classes; i++) {
    err = read_parts(dedup, taken[i], entries[i]); /* before the tail: in log order */
    if (err == BL_OK) err = take_tail(dedup, taken[i], &in, entries[i]);
  }
  return err == BL_OK && bl_cursor_left(&in) != 0 ? BL_ERR_FORMAT : err;
}

static bool is_part(const struct bl_dedup *dedup, const char *path) {
  for (struct bl_list *node = dedup->classes.next; node != &dedup->classes; node = node->next) {
    const struct bl_dedup_class *of = BL_CONTAINER(node, struct bl_dedup_class, node);
    for (const struct bl_list *at = of->parts.next; at != &of->parts; at = at->next) {
      char of_part[512];
      bl_dedup__part_path(dedup, BL_CONTAINER(at, struct bl_dedup_part, node)->sequence, of_part);
      if (strcmp(path, of_part) == 0) return true;
    }
  }
  return false;
}

/* Parts that the snapshot does not name. */
static bl_err remove_leftovers(struct bl_dedup *dedup, const char *folder, struct bl_arena *arena) {
  const char *const *names;
  size_t count;
  const struct bl_disk_ops *ops = dedup->disk->ops;
  bl_err err = ops->list(dedup->disk, folder, arena, &names, &count);
  for (size_t i = 0; err == BL_OK && i < count; i++) {
    size_t len = strlen(names[i]);
    if (len < 5 || strcmp(names[i] + len - 5, ".part") != 0) continue;
    char path[512];
    int path_len = snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
    if (path_len < 0 || (size_t)path_len >= sizeof(path) || is_part(dedup, path)) continue;
    err = ops->remove(dedup->disk, path);
  }
  return err;
}

void bl_dedup__remove_snapshot(struct bl_dedup *dedup) {
  char path[512];
  bl_dedup__path(dedup, "dedup.snapshot", path);
  (void)dedup->disk->ops->remove(dedup->disk, path); /* the next snapshot replaces what stays */
  bl_dedup__path(dedup, "", path);
  (void)dedup->disk->ops->sync_dir(dedup->disk, path);
}

/* What to be shown when the snapshot is no good: floor is -1 when it says nothing. */
static int64_t begin_anew(struct bl_dedup *dedup, bl_err err, int64_t floor) {
  uint64_t seed = dedup->seed;
  int64_t next_sequence = dedup->next_sequence;
  bool needed = !bl_list_empty(dedup->topics.active);
  if (err != BL_ERR_NOT_FOUND || floor >= 0)
    bl_log(BL_LOG_WARN, "store", "dedup.snapshot.unusable",
           "error=%s going_on_with=\"the log from offset %lld on\"", bl_err_name(err),
           (long long)(floor >= 0 ? floor : 0));
  bl_dedup__clear(dedup);
  dedup->seed = seed;
  dedup->next_sequence = next_sequence;
  if (floor >= 0) return floor;
  return needed ? 0 : BL_FOLLOWER_NEEDS_NOTHING;
}

bl_err bl_dedup__load(struct bl_follower *follower, int64_t *out_covered_offset,
                      struct bl_why *why) {
  struct bl_dedup *dedup = (struct bl_dedup *)follower;
  char folder[512];
  char path[512];
  bl_dedup__path(dedup, "dedup", folder);
  bl_err err = dedup->disk->ops->make_dir(dedup->disk, folder, why);
  if (err != BL_OK) return err;
  bl_dedup__path(dedup, "dedup.snapshot", path);
  struct bl_arena arena;
  struct bl_slice bytes;
  int64_t covered = 0;
  int64_t floor = -1;
  bl_arena_init(&arena);
  err = bl_disk_read_file(dedup->disk, path, FILE_BYTES_MAX, &arena, &bytes);
  if (err == BL_OK) err = parse(dedup, bytes, &arena, &covered, &floor);
  if (err != BL_OK) covered = begin_anew(dedup, err, floor);
  dedup->covered = covered == BL_FOLLOWER_NEEDS_NOTHING ? 0 : covered;
  err = remove_leftovers(dedup, folder, &arena);
  bl_arena_fini(&arena);
  if (err != BL_OK) {
    return bl_why_set(why, err,
                      "cannot clean the key windows in %s: %s; see that the folder is writable",
                      folder, bl_err_text(err));
  }
  *out_covered_offset = covered;
  return BL_OK;
}
