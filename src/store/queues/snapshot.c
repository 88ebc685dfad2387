/* bolide/queues.snapshot, big-endian:
 *   magic u32, version u32, CRC u32 of everything behind it, covered offset i64, log min offset
 * i64, segment bytes i64, then parts until the one of kind 0: 1 queue: topic length u16, topic,
 * queue id i32, min i64, next i64, last log offset i64, retired log offset i64, tail base i64,
 * units u32, units (log offset i64, tags code i64, size u32, end u32) 2 chunks of the queue before
 * it: count u32, chunks (base i64, position i64, last log i64, units u32, span u32) 0 end: position
 * of the next chunk i64, number of queues u32.
 *
 * It is written queue by queue while records go on coming: a queue written late covers more than
 * the covered offset, which does no harm because a record is taken once. A long directory is
 * written in parts; chunks made after the queue's tail was written are left out, since the tail has
 * their units. */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "store/queues/queues_internal.h"

#define STEP_QUEUES 256u
#define STEP_SPILL_BYTES 16384u /* what a chunk written in passing counts for */
#define CHUNK_REF_BYTES 32u

static void put_i64(struct bl_buf *out, int64_t value) {
  bl_buf_put_u64(out, (uint64_t)value);
}

static void begin(struct bl_queues *queues, struct bl_snapshot *snapshot) {
  char path[512];
  bl_queues__path(queues, "queues.snapshot", path);
  struct bl_buf *out = &bl_snapshot_add(snapshot, path, false)->bytes;
  bl_buf_put_u32(out, BL_QUEUES_SNAPSHOT_MAGIC);
  bl_buf_put_u32(out, BL_QUEUES_SNAPSHOT_VERSION);
  bl_buf_put_u32(out, 0);
  put_i64(out, snapshot->covered_offset);
  put_i64(out, queues->log_min);
  put_i64(out, queues->segment_bytes);
  queues->dump = (struct bl_queues_dump){.running = true, .crc_len = BL_QUEUES_SNAPSHOT_CRC_FROM};
  bl_index__mark_doomed(queues);
  snapshot->started = true;
}

static void put_queue(struct bl_buf *out, const struct bl_queue *queue) {
  bl_buf_put_u8(out, BL_QUEUES_DUMP_QUEUE);
  bl_buf_put_u16(out, (uint16_t)queue->topic->name.len);
  bl_buf_put_slice(out, queue->topic->name);
  bl_buf_put_u32(out, (uint32_t)queue->id);
  put_i64(out, queue->min);
  put_i64(out, queue->next);
  put_i64(out, queue->last_log);
  put_i64(out, queue->topic->retired);
  put_i64(out, queue->tail_base);
  bl_buf_put_u32(out, queue->tail_count);
  char *at = bl_buf_reserve(out, queue->tail_count * BL_INDEX_UNIT_BYTES);
  if (at == NULL) return;
  for (uint32_t i = 0; i < queue->tail_count; i++, at += BL_INDEX_UNIT_BYTES) {
    bl_store_u64(at, (uint64_t)queue->tail[i].log_offset);
    bl_store_u64(at + 8, (uint64_t)queue->tail[i].tags_code);
    bl_store_u32(at + 16, queue->tail[i].size_bytes);
    bl_store_u32(at + 20, queue->tail[i].end);
  }
  out->len += queue->tail_count * BL_INDEX_UNIT_BYTES;
}

/* Index of the first live chunk at or after `position`: positions grow within a queue. */
static uint32_t chunk_from(const struct bl_queue *queue, int64_t position) {
  uint32_t low = queue->chunk_first;
  uint32_t high = queue->chunk_end;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (queue->chunks[middle].position < position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* Writes a part of the directory of dump->queue; leaves dump->queue NULL at its end. */
static void put_chunks(struct bl_queues *queues, struct bl_buf *out) {
  struct bl_queues_dump *dump = &queues->dump;
  const struct bl_queue *queue = dump->queue;
  uint32_t first = chunk_from(queue, dump->position_from);
  uint32_t end = chunk_from(queue, dump->position_to);
  uint32_t most = queues->dump_step_bytes / CHUNK_REF_BYTES + 1;
  uint32_t count = end - first < most ? end - first : most;
  if (count > 0) {
    bl_buf_put_u8(out, BL_QUEUES_DUMP_CHUNKS);
    bl_buf_put_u32(out, count);
    for (uint32_t i = first; i < first + count; i++) {
      const struct bl_chunk_ref *ref = &queue->chunks[i];
      put_i64(out, ref->base);
      put_i64(out, ref->position);
      put_i64(out, ref->last_log);
      bl_buf_put_u32(out, ref->units);
      bl_buf_put_u32(out, ref->span);
    }
    dump->position_from = queue->chunks[first + count - 1].position + 1;
  }
  if (first + count == end) dump->queue = NULL;
}

static void begin_queue(struct bl_queues *queues, struct bl_queue *queue, struct bl_buf *out) {
  bl_queue__drop_below_floor(queue, false);
  if (!queue->changed) bl_queue__shrink(queue);
  queue->changed = false;
  put_queue(out, queue);
  queues->dump.queue = queue;
  queues->dump.position_from = 0;
  queues->dump.position_to = queues->index_end;
}

static void checksum(struct bl_queues_dump *dump, const struct bl_buf *out) {
  if (out->failed) return;
  dump->crc = bl_crc32(dump->crc, out->data + dump->crc_len, out->len - dump->crc_len);
  dump->crc_len = out->len;
}

static struct bl_buf *file_of(struct bl_snapshot *snapshot) {
  BL_ASSERT(snapshot->file_count > 0);
  return &snapshot->files[snapshot->file_count - 1].bytes;
}

static void finish(struct bl_queues *queues, struct bl_snapshot *snapshot) {
  struct bl_buf *out = file_of(snapshot);
  bl_buf_put_u8(out, BL_QUEUES_DUMP_END);
  put_i64(out, queues->index_end);
  bl_buf_put_u32(out, (uint32_t)queues->dump.cursor);
  checksum(&queues->dump, out);
  if (!out->failed) bl_store_u32(out->data + BL_QUEUES_SNAPSHOT_CRC_AT, queues->dump.crc);
  bl_index__list_dirty(queues, snapshot);
  queues->dump.running = false;
}

bool bl_queues__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  if (!snapshot->started) begin(queues, snapshot);
  struct bl_queues_dump *dump = &queues->dump;
  BL_ASSERT(dump->running);
  struct bl_buf *out = file_of(snapshot);
  size_t start = out->len;
  size_t spilled = 0;
  uint32_t visited = 0;
  while (visited < STEP_QUEUES && out->len - start + spilled < queues->dump_step_bytes &&
         !out->failed) {
    if (dump->queue == NULL) {
      if (dump->cursor == queues->count) {
        finish(queues, snapshot);
        return false;
      }
      int64_t index_end = queues->index_end;
      begin_queue(queues, queues->all[dump->cursor++], out);
      if (queues->index_end != index_end) spilled += STEP_SPILL_BYTES;
      visited++;
    }
    put_chunks(queues, out);
  }
  checksum(dump, out);
  if (!out->failed) return true;
  finish(queues, snapshot);
  return false;
}

void bl_queues__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                              bl_err err) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  queues->dump.running = false;
  bl_index__synced(queues, err == BL_OK);
  if (err == BL_OK) queues->covered = snapshot->covered_offset;
}
