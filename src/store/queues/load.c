/* Reads bolide/queues.snapshot. Whatever is wrong with it, the answer is an empty index and a
 * replay of the whole log: nothing here is the only copy. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "base/cursor.h"
#include "base/log.h"
#include "store/queues/queues_internal.h"

#define SNAPSHOT_BYTES_MAX (2ull << 30)

static int64_t take_i64(struct bl_cursor *in) {
  return (int64_t)bl_cursor_u64(in);
}

static bl_err take_tail(struct bl_queue *queue, struct bl_cursor *in) {
  uint32_t count = bl_cursor_u32(in);
  if (count > bl_cursor_left(in) / BL_INDEX_UNIT_BYTES) return BL_ERR_FORMAT;
  uint32_t end = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct bl_queue_unit unit = {.log_offset = take_i64(in), .tags_code = take_i64(in)};
    unit.size_bytes = bl_cursor_u32(in);
    unit.end = bl_cursor_u32(in);
    if (unit.end <= end) return BL_ERR_FORMAT;
    bl_queue__restore(queue, unit);
    end = unit.end;
  }
  if (count > 0 && (queue->tail[count - 1].size_bytes == 0 ||
                    queue->tail[count - 1].log_offset != queue->last_log)) {
    return BL_ERR_FORMAT;
  }
  return queue->tail_base + end == queue->next ? BL_OK : BL_ERR_FORMAT;
}

static bl_err take_queue(struct bl_queues *queues, struct bl_cursor *in,
                         struct bl_queue **out_queue) {
  size_t topic_len = bl_cursor_u16(in);
  struct bl_slice topic = bl_cursor_bytes(in, topic_len);
  int32_t id = (int32_t)bl_cursor_u32(in);
  struct bl_queue *queue;
  if (in->failed || bl_queues_find(queues, topic, id) != NULL) return BL_ERR_FORMAT;
  bl_err err = bl_queues_open_queue(queues, topic, id, &queue);
  if (err != BL_OK) return err;
  queue->min = take_i64(in);
  queue->next = take_i64(in);
  queue->last_log = take_i64(in);
  int64_t retired = take_i64(in);
  queue->tail_base = take_i64(in);
  queue->assigned = queue->next;
  if (retired > queue->topic->retired) queue->topic->retired = retired;
  if (in->failed || queue->min < 0 || queue->min > queue->next || queue->tail_base < 0 ||
      queue->tail_base > queue->next || queue->next > INT64_MAX - UINT32_MAX) {
    return BL_ERR_FORMAT;
  }
  *out_queue = queue;
  return take_tail(queue, in);
}

/* The segment of a chunk, opened; long enough for the chunk. */
static bl_err check_segment(struct bl_queues *queues, const struct bl_chunk_ref *ref) {
  int64_t number = ref->position / queues->segment_bytes;
  struct bl_index_segment *segment = bl_index__segment(queues, ref->position);
  if (segment == NULL) {
    bl_err err = bl_index__open_segment(queues, number);
    if (err != BL_OK) return err;
    segment = bl_index__segment(queues, ref->position);
  }
  int64_t end = ref->position % queues->segment_bytes + BL_INDEX_HEADER_BYTES +
                (int64_t)ref->units * BL_INDEX_UNIT_BYTES;
  int64_t size;
  bl_err err = queues->disk->ops->size(queues->disk, segment->file, &size);
  if (err != BL_OK) return err;
  return end <= size && end <= queues->segment_bytes ? BL_OK : BL_ERR_FORMAT;
}

static bl_err take_chunks(struct bl_queues *queues, struct bl_queue *queue, struct bl_cursor *in) {
  uint32_t count = bl_cursor_u32(in);
  if (count > bl_cursor_left(in) / 32) return BL_ERR_FORMAT;
  for (uint32_t i = 0; i < count; i++) {
    struct bl_chunk_ref ref = {
        .base = take_i64(in),
        .position = take_i64(in),
        .last_log = take_i64(in),
    };
    ref.units = bl_cursor_u32(in);
    ref.span = bl_cursor_u32(in);
    int64_t from = 0;
    int64_t position_from = 0;
    if (bl_queue__chunks(queue) > 0) {
      const struct bl_chunk_ref *before = &queue->chunks[queue->chunk_end - 1];
      from = before->base + before->span;
      position_from = before->position + 1;
    }
    if (ref.units == 0 || ref.units > BL_QUEUE_CHUNK_UNITS || ref.span < ref.units ||
        ref.base < from || ref.position < position_from ||
        ref.base > queue->tail_base - (int64_t)ref.span) {
      return BL_ERR_FORMAT;
    }
    bl_err err = check_segment(queues, &ref);
    if (err != BL_OK) return err;
    bl_queue__add_chunk(queue, &ref);
    queues->entry_count += ref.units;
  }
  return BL_OK;
}

static bl_err take_parts(struct bl_queues *queues, struct bl_cursor *in) {
  struct bl_queue *queue = NULL;
  for (;;) {
    uint8_t kind = bl_cursor_u8(in);
    bl_err err = BL_ERR_FORMAT;
    if (in->failed) return err;
    if (kind == BL_QUEUES_DUMP_QUEUE) {
      err = take_queue(queues, in, &queue);
    } else if (kind == BL_QUEUES_DUMP_CHUNKS && queue != NULL) {
      err = take_chunks(queues, queue, in);
    } else if (kind == BL_QUEUES_DUMP_END) {
      queues->index_end = take_i64(in);
      uint32_t count = bl_cursor_u32(in);
      bool whole = !in->failed && bl_cursor_left(in) == 0 && count == queues->count;
      return whole && queues->index_end >= 0 ? BL_OK : BL_ERR_FORMAT;
    }
    if (err != BL_OK) return err;
  }
}

static bl_err parse(struct bl_queues *queues, struct bl_slice bytes) {
  struct bl_cursor in = bl_cursor_of(bytes);
  if (bl_cursor_u32(&in) != BL_QUEUES_SNAPSHOT_MAGIC) return BL_ERR_FORMAT;
  if (bl_cursor_u32(&in) != BL_QUEUES_SNAPSHOT_VERSION) return BL_ERR_VERSION;
  uint32_t crc = bl_cursor_u32(&in);
  if (in.failed) return BL_ERR_FORMAT;
  struct bl_slice checked = bl_slice_from(bytes, BL_QUEUES_SNAPSHOT_CRC_FROM);
  if (crc != bl_crc32(0, checked.ptr, checked.len)) return BL_ERR_CRC;
  queues->covered = take_i64(&in);
  queues->log_min = take_i64(&in);
  int64_t segment_bytes = take_i64(&in);
  if (queues->covered < 0 || segment_bytes != queues->segment_bytes) return BL_ERR_FORMAT;
  return take_parts(queues, &in);
}

/* Removes segment files that no chunk needs, and what the current one has beyond index_end: left by
 * a run that wrote no snapshot of it. */
static bl_err remove_leftovers(struct bl_queues *queues, const char *index_path,
                               struct bl_arena *arena) {
  const char *const *names;
  size_t count;
  const struct bl_disk_ops *ops = queues->disk->ops;
  bl_err err = ops->list(queues->disk, index_path, arena, &names, &count);
  for (size_t i = 0; err == BL_OK && i < count; i++) {
    int64_t position;
    bool ours = bl_slice_i64(bl_slice_text(names[i]), &position) && position >= 0;
    if (!ours || bl_index__segment(queues, position) != NULL) continue;
    char path[512];
    int len = snprintf(path, sizeof(path), "%s/%s", index_path, names[i]);
    BL_ASSERT(len > 0 && (size_t)len < sizeof(path));
    err = ops->remove(queues->disk, path);
  }
  struct bl_index_segment *current = bl_index__segment(queues, queues->index_end);
  int64_t used = queues->index_end % queues->segment_bytes;
  int64_t size;
  if (err != BL_OK || current == NULL) return err;
  err = ops->size(queues->disk, current->file, &size);
  if (err == BL_OK && size > used) err = ops->truncate(queues->disk, current->file, used);
  return err;
}

void bl_queues__remove_snapshot(struct bl_queues *queues) {
  char path[512];
  bl_queues__path(queues, "queues.snapshot", path);
  (void)queues->disk->ops->remove(queues->disk, path); /* the next snapshot replaces what stays */
  bl_queues__path(queues, "", path);
  (void)queues->disk->ops->sync_dir(queues->disk, path);
}

bl_err bl_queues__load(struct bl_follower *follower, int64_t *out_covered_offset,
                       struct bl_why *why) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  char path[512];
  char index_path[512];
  bl_queues__path(queues, "index", index_path);
  bl_err err = queues->disk->ops->make_dir(queues->disk, index_path, why);
  if (err != BL_OK) return err;
  bl_queues__path(queues, "queues.snapshot", path);
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice bytes;
  err = bl_disk_read_file(queues->disk, path, SNAPSHOT_BYTES_MAX, &arena, &bytes);
  if (err == BL_OK) err = parse(queues, bytes);
  if (err != BL_OK) {
    if (err != BL_ERR_NOT_FOUND) {
      bl_log(BL_LOG_WARN, "store", "queues.snapshot.unusable",
             "error=%s going_on_with=\"the whole log\"", bl_err_name(err));
    }
    bl_queues__clear(queues);
  }
  err = remove_leftovers(queues, index_path, &arena);
  bl_arena_fini(&arena);
  if (err != BL_OK) {
    return bl_why_set(why, err,
                      "cannot clean the queue index in %s: %s; see that the folder is writable",
                      index_path, bl_err_text(err));
  }
  *out_covered_offset = queues->covered;
  return BL_OK;
}
