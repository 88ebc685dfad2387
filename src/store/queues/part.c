/* A file of snapshots, bolide/queues/NUMBER.part, big-endian:
 *   magic u32, version u32, CRC u32 of everything behind it, number of the part u64, covered offset
 * i64, log min offset i64, segment bytes i64, then for each queue in it: 1 u8, topic length u16,
 * topic, queue id i32, min i64, next i64, last log offset i64, retired log offset i64, tail base
 * i64, units u32, references u32, units (log offset i64, tags code i64, size u32, end u32),
 * references (base i64, position i64, last log offset i64, entries u32, units u16, level u16); then
 * 0 u8, position of the next chunk i64, number of queues u32, segments u32, segments (number i64,
 * last log offset i64), parts u32, parts (number u64) in ascending order, this one the last.
 *
 * The part with the highest number says which others are part of the snapshot. The newest part that
 * has a queue is right about it. */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "store/queues/queues_internal.h"

static void put_i64(struct bl_buf *out, int64_t value) {
  bl_buf_put_u64(out, (uint64_t)value);
}
static int64_t take_i64(struct bl_cursor *in) {
  return (int64_t)bl_cursor_u64(in);
}

void bl_queues__part_path(const struct bl_queues *queues, uint64_t number, char out_path[512]) {
  char name[64];
  snprintf(name, sizeof(name), "queues/%020" PRIu64 ".part", number);
  bl_queues__path(queues, name, out_path);
}

void bl_queues__put_part_head(const struct bl_queues *queues, int64_t covered, struct bl_buf *out) {
  bl_buf_put_u32(out, BL_QUEUES_SNAPSHOT_MAGIC);
  bl_buf_put_u32(out, BL_QUEUES_SNAPSHOT_VERSION);
  bl_buf_put_u32(out, 0);
  bl_buf_put_u64(out, queues->dump.part);
  put_i64(out, covered);
  put_i64(out, queues->dump.log_min);
  put_i64(out, queues->segment_bytes);
}

void bl_queues__put_queue(const struct bl_queue *queue, struct bl_buf *out) {
  struct bl_slice topic = bl_queue__topic_name(queue->topic);
  size_t bytes = 55 + topic.len + (size_t)queue->tail_count * BL_INDEX_UNIT_BYTES +
                 (size_t)queue->ref_count * BL_INDEX_REF_BYTES;
  char *at = bl_buf_reserve(out, bytes);
  if (at == NULL) return;
  *at = (char)BL_QUEUES_PART_QUEUE;
  bl_store_u16(at + 1, (uint16_t)topic.len);
  memcpy(at + 3, topic.ptr, topic.len);
  at += 3 + topic.len;
  bl_store_u32(at, (uint32_t)queue->id);
  bl_store_u64(at + 4, (uint64_t)queue->min);
  bl_store_u64(at + 12, (uint64_t)queue->next);
  bl_store_u64(at + 20, (uint64_t)queue->last_log);
  bl_store_u64(at + 28, (uint64_t)queue->retired);
  bl_store_u64(at + 36, (uint64_t)queue->tail_base);
  bl_store_u32(at + 44, queue->tail_count);
  bl_store_u32(at + 48, queue->ref_count);
  at += 52;
  for (uint32_t i = 0; i < queue->tail_count; i++, at += BL_INDEX_UNIT_BYTES) {
    bl_store_u64(at, (uint64_t)queue->tail[i].log_offset);
    bl_store_u64(at + 8, (uint64_t)queue->tail[i].tags_code);
    bl_store_u32(at + 16, queue->tail[i].size_bytes);
    bl_store_u32(at + 20, queue->tail[i].end);
  }
  for (uint32_t i = 0; i < queue->ref_count; i++, at += BL_INDEX_REF_BYTES)
    bl_chunk__put_ref(at, &queue->refs[i]);
  out->len += bytes;
}

/* A queue that was made since the snapshot began is in no part; its records are shown again. */
static uint32_t count_written(const struct bl_queues *queues) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < queues->part_count; i++) count += queues->parts[i].live;
  return count;
}

void bl_queues__put_part_end(const struct bl_queues *queues, struct bl_buf *out) {
  bl_buf_put_u8(out, BL_QUEUES_PART_END);
  put_i64(out, queues->index_end);
  bl_buf_put_u32(out, count_written(queues));
  uint32_t segments = 0;
  for (size_t i = 0; i < queues->segment_count; i++) segments += !queues->segments[i].doomed;
  bl_buf_put_u32(out, segments);
  for (size_t i = 0; i < queues->segment_count; i++) {
    if (queues->segments[i].doomed) continue;
    put_i64(out, queues->segments[i].number);
    put_i64(out, queues->segments[i].last_log);
  }
  uint32_t parts = 0;
  for (uint32_t i = 0; i < queues->part_count; i++) {
    const struct bl_queues_part *part = &queues->parts[i];
    parts += part->live > 0 || part->number == queues->dump.part;
  }
  bl_buf_put_u32(out, parts);
  for (uint32_t i = 0; i < queues->part_count; i++) {
    const struct bl_queues_part *part = &queues->parts[i];
    if (part->live > 0 || part->number == queues->dump.part) bl_buf_put_u64(out, part->number);
  }
}

static bl_err take_tail(struct bl_queue *queue, struct bl_cursor *in, uint32_t count) {
  struct bl_slice bytes = bl_cursor_bytes(in, (size_t)count * BL_INDEX_UNIT_BYTES);
  if (in->failed) return BL_ERR_FORMAT;
  uint32_t end = 0;
  struct bl_queue_unit *units = count > 0 ? bl_queue__restore(queue, count) : NULL;
  const char *at = bytes.ptr;
  for (uint32_t i = 0; i < count; i++, at += BL_INDEX_UNIT_BYTES) {
    units[i] = (struct bl_queue_unit){
        .log_offset = (int64_t)bl_load_u64(at),
        .tags_code = (int64_t)bl_load_u64(at + 8),
        .size_bytes = bl_load_u32(at + 16),
        .end = bl_load_u32(at + 20),
    };
    if (units[i].end <= end) return BL_ERR_FORMAT;
    end = units[i].end;
  }
  if (count > 0 &&
      (units[count - 1].size_bytes == 0 || units[count - 1].log_offset != queue->last_log)) {
    return BL_ERR_FORMAT;
  }
  return queue->tail_base + end == queue->next ? BL_OK : BL_ERR_FORMAT;
}

/* Its segment is open and long enough. */
static bool is_there(struct bl_queues *queues, const struct bl_chunk_ref *ref) {
  const struct bl_index_segment *segment = bl_index__segment(queues, ref->position);
  if (segment == NULL) return false;
  int64_t end =
      ref->position % queues->segment_bytes + (int64_t)bl_chunk__bytes(ref->units, ref->level);
  return end <= segment->size_bytes && end <= queues->segment_bytes;
}

static bl_err take_refs(struct bl_queues *queues, struct bl_queue *queue, struct bl_cursor *in,
                        uint32_t count) {
  struct bl_slice bytes = bl_cursor_bytes(in, (size_t)count * BL_INDEX_REF_BYTES);
  if (in->failed) return BL_ERR_FORMAT;
  struct bl_chunk_ref before;
  for (uint32_t i = 0; i < count; i++) {
    struct bl_chunk_ref ref = bl_chunk__take_ref(bytes.ptr + (size_t)i * BL_INDEX_REF_BYTES);
    if (!bl_chunk__is_ref(&ref, i > 0 ? &before : NULL) || ref.base >= queue->tail_base) {
      return BL_ERR_FORMAT;
    }
    before = ref;
    if (ref.last_log < queues->log_min) continue; /* its segment may be gone */
    if (!is_there(queues, &ref)) return BL_ERR_SHORT;
    bl_queue__add_ref(queue, &ref);
    queues->entry_count += ref.entries;
  }
  return BL_OK;
}

bl_err bl_queues__take_queue(struct bl_queues *queues, struct bl_cursor *in, uint64_t part) {
  size_t topic_len = bl_cursor_u16(in);
  struct bl_slice topic = bl_cursor_bytes(in, topic_len);
  int32_t id = (int32_t)bl_cursor_u32(in);
  struct bl_queue fresh = {0};
  fresh.min = take_i64(in);
  fresh.next = take_i64(in);
  fresh.last_log = take_i64(in);
  fresh.retired = take_i64(in);
  fresh.tail_base = take_i64(in);
  uint32_t units = bl_cursor_u32(in);
  uint32_t refs = bl_cursor_u32(in);
  if (in->failed || units > bl_cursor_left(in) / BL_INDEX_UNIT_BYTES ||
      refs > bl_cursor_left(in) / BL_INDEX_REF_BYTES) {
    return BL_ERR_FORMAT;
  }
  struct bl_queue *queue = NULL;
  uint32_t known = queues->count;
  bl_err err = bl_queues_open_queue(queues, topic, id, &queue);
  if (err != BL_OK) return err;
  if (queues->count == known) { /* a newer part had it */
    bl_cursor_bytes(in, (size_t)units * BL_INDEX_UNIT_BYTES + (size_t)refs * BL_INDEX_REF_BYTES);
    return in->failed ? BL_ERR_FORMAT : BL_OK;
  }
  if (fresh.min < 0 || fresh.min > fresh.next || fresh.tail_base < 0 ||
      fresh.tail_base > fresh.next || fresh.next > INT64_MAX - UINT32_MAX) {
    return BL_ERR_FORMAT;
  }
  queue->min = fresh.min;
  queue->next = fresh.next;
  queue->assigned = fresh.next;
  queue->last_log = fresh.last_log;
  queue->retired = fresh.retired;
  queue->tail_base = fresh.tail_base;
  queues->parts_of[queue->number] = part;
  if (queue->last_log < bl_queue__floor(queue)) { /* all of it is gone from the log */
    queue->min = queue->next;
    queue->tail_base = queue->next;
    bl_cursor_bytes(in, (size_t)units * BL_INDEX_UNIT_BYTES + (size_t)refs * BL_INDEX_REF_BYTES);
    return in->failed ? BL_ERR_FORMAT : BL_OK;
  }
  err = take_tail(queue, in, units);
  return err == BL_OK ? take_refs(queues, queue, in, refs) : err;
}
