#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "store/queues/queues_internal.h"

/* A chunk: header, then units of 24 bytes, everything big-endian.
 *   0 magic  4 version  8 CRC of what follows  12 queue id  16 hash of the topic  24 base queue
 * offset 32 span  36 units  40 first log offset  48 last log offset  56 zero */
#define CHUNK_MAGIC 0x424C4943u /* "BLIC" */
#define CHUNK_VERSION 1u
#define CHUNK_CRC_FROM 12u
/* Dirty files beside the current one; the oldest is synced at once beyond that. Only a replay of
 * tens of gigabytes, at start, gets there. */
#define DIRTY_SEGMENTS_MAX 4u

/* FNV-1a; on disk, so it never changes. It tells a chunk of another queue, nothing more. */
static uint64_t topic_hash(struct bl_slice topic) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (size_t i = 0; i < topic.len; i++)
    hash = (hash ^ (unsigned char)topic.ptr[i]) * 0x100000001b3ull;
  return hash;
}

static size_t chunk_bytes(uint32_t units) {
  return BL_INDEX_HEADER_BYTES + (size_t)units * BL_INDEX_UNIT_BYTES;
}

static size_t encode(const struct bl_queue *queue, const struct bl_queue_unit *units,
                     uint32_t count, char *out) {
  size_t len = chunk_bytes(count);
  memset(out, 0, BL_INDEX_HEADER_BYTES);
  bl_store_u32(out, CHUNK_MAGIC);
  bl_store_u32(out + 4, CHUNK_VERSION);
  bl_store_u32(out + 12, (uint32_t)queue->id);
  bl_store_u64(out + 16, topic_hash(queue->topic->name));
  bl_store_u64(out + 24, (uint64_t)queue->tail_base);
  bl_store_u32(out + 32, units[count - 1].end);
  bl_store_u32(out + 36, count);
  bl_store_u64(out + 40, (uint64_t)units[0].log_offset);
  bl_store_u64(out + 48, (uint64_t)units[count - 1].log_offset);
  char *at = out + BL_INDEX_HEADER_BYTES;
  for (uint32_t i = 0; i < count; i++, at += BL_INDEX_UNIT_BYTES) {
    bl_store_u64(at, (uint64_t)units[i].log_offset);
    bl_store_u64(at + 8, (uint64_t)units[i].tags_code);
    bl_store_u32(at + 16, units[i].size_bytes);
    bl_store_u32(at + 20, units[i].end);
  }
  bl_store_u32(out + 8, bl_crc32(0, out + CHUNK_CRC_FROM, len - CHUNK_CRC_FROM));
  return len;
}

static bl_err decode(const struct bl_queue *queue, const struct bl_chunk_ref *ref,
                     const char *bytes, struct bl_queue_unit *out_units) {
  size_t len = chunk_bytes(ref->units);
  if (bl_load_u32(bytes) != CHUNK_MAGIC) return BL_ERR_FORMAT;
  if (bl_load_u32(bytes + 4) != CHUNK_VERSION) return BL_ERR_VERSION;
  if (bl_load_u32(bytes + 8) != bl_crc32(0, bytes + CHUNK_CRC_FROM, len - CHUNK_CRC_FROM)) {
    return BL_ERR_CRC;
  }
  if ((int32_t)bl_load_u32(bytes + 12) != queue->id ||
      bl_load_u64(bytes + 16) != topic_hash(queue->topic->name) ||
      (int64_t)bl_load_u64(bytes + 24) != ref->base || bl_load_u32(bytes + 32) != ref->span ||
      bl_load_u32(bytes + 36) != ref->units || (int64_t)bl_load_u64(bytes + 48) != ref->last_log) {
    return BL_ERR_FORMAT;
  }
  const char *at = bytes + BL_INDEX_HEADER_BYTES;
  uint32_t end = 0;
  for (uint32_t i = 0; i < ref->units; i++, at += BL_INDEX_UNIT_BYTES) {
    struct bl_queue_unit unit = {
        .log_offset = (int64_t)bl_load_u64(at),
        .tags_code = (int64_t)bl_load_u64(at + 8),
        .size_bytes = bl_load_u32(at + 16),
        .end = bl_load_u32(at + 20),
    };
    if (unit.end <= end) return BL_ERR_FORMAT;
    end = unit.end;
    out_units[i] = unit;
  }
  if (ref->units == 0) return BL_ERR_FORMAT;
  const struct bl_queue_unit *last = &out_units[ref->units - 1];
  if (last->size_bytes == 0 || last->log_offset != ref->last_log) return BL_ERR_FORMAT;
  return BL_OK;
}

void bl_index__segment_path(const struct bl_queues *queues, int64_t number, char out_path[512]) {
  char name[64];
  snprintf(name, sizeof(name), "index/%020" PRId64, number * queues->segment_bytes);
  bl_queues__path(queues, name, out_path);
}

static bl_err create_file(struct bl_queues *queues, int64_t number, int *out_file) {
  char path[512];
  bl_index__segment_path(queues, number, path);
  unsigned flags = BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE;
  bl_err err = queues->disk->ops->open(queues->disk, path, flags, out_file, NULL);
  if (err != BL_OK) return err;
  bl_queues__path(queues, "index", path);
  err = queues->disk->ops->sync_dir(queues->disk, path);
  if (err != BL_OK) queues->disk->ops->close(queues->disk, *out_file);
  return err;
}

static void prepare_run(struct bl_job *job) {
  struct bl_index_prepare *prepare = BL_CONTAINER(job, struct bl_index_prepare, job);
  if (create_file(prepare->queues, prepare->number, &prepare->file) != BL_OK) prepare->file = -1;
}

static void prepare_done(struct bl_job *job) {
  struct bl_index_prepare *prepare = BL_CONTAINER(job, struct bl_index_prepare, job);
  struct bl_queues *queues = prepare->queues;
  prepare->pending = false;
  queues->jobs--;
  /* The core could not wait and made it itself. */
  if (bl_index__segment(queues, prepare->number * queues->segment_bytes) != NULL) {
    queues->disk->ops->close(queues->disk, prepare->file);
    prepare->file = -1;
  }
}

static void prepare_next(struct bl_queues *queues) {
  struct bl_index_prepare *prepare = &queues->prepare;
  int64_t number = queues->index_end / queues->segment_bytes + 1;
  if (prepare->pending || (prepare->file >= 0 && prepare->number == number)) return;
  queues->disk->ops->close(queues->disk, prepare->file);
  *prepare = (struct bl_index_prepare){
      .job = {.run = prepare_run, .done = prepare_done},
      .queues = queues,
      .number = number,
      .file = -1,
      .pending = true,
  };
  queues->jobs++;
  bl_worker_submit(queues->pool, &prepare->job);
}

struct bl_index_segment *bl_index__segment(struct bl_queues *queues, int64_t position) {
  int64_t number = position / queues->segment_bytes;
  size_t low = 0;
  size_t high = queues->segment_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (queues->segments[middle].number < number) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == queues->segment_count || queues->segments[low].number != number) return NULL;
  return &queues->segments[low];
}

static void add_segment(struct bl_queues *queues, int64_t number, int file) {
  if (queues->segment_count == queues->segment_cap) {
    queues->segment_cap = queues->segment_cap > 0 ? queues->segment_cap * 2 : 4;
    queues->segments =
        realloc(queues->segments, queues->segment_cap * sizeof(struct bl_index_segment));
    BL_ASSERT(queues->segments != NULL);
  }
  size_t place = queues->segment_count++;
  for (; place > 0 && queues->segments[place - 1].number > number; place--) {
    queues->segments[place] = queues->segments[place - 1];
  }
  queues->segments[place] = (struct bl_index_segment){.number = number, .file = file};
}

bl_err bl_index__open_segment(struct bl_queues *queues, int64_t number) {
  char path[512];
  bl_index__segment_path(queues, number, path);
  int file;
  bl_err err =
      queues->disk->ops->open(queues->disk, path, BL_OPEN_READ | BL_OPEN_WRITE, &file, NULL);
  if (err == BL_OK) add_segment(queues, number, file);
  return err;
}

static bl_err sync_oldest_dirty(struct bl_queues *queues) {
  struct bl_index_segment *oldest = NULL;
  uint32_t dirty = 0;
  for (size_t i = 0; i < queues->segment_count; i++) {
    struct bl_index_segment *segment = &queues->segments[i];
    if (!segment->dirty) continue;
    if (oldest == NULL) oldest = segment;
    dirty++;
  }
  if (dirty < DIRTY_SEGMENTS_MAX) return BL_OK;
  bl_err err = queues->disk->ops->sync(queues->disk, oldest->file);
  if (err == BL_OK) oldest->dirty = false;
  return err;
}

/* The segment in which the next chunk goes, made when missing. */
static bl_err current_segment(struct bl_queues *queues, struct bl_index_segment **out_segment) {
  struct bl_index_segment *segment = bl_index__segment(queues, queues->index_end);
  if (segment == NULL) {
    int64_t number = queues->index_end / queues->segment_bytes;
    bl_err err = sync_oldest_dirty(queues);
    if (err != BL_OK) return err;
    int file = -1;
    if (!queues->prepare.pending && queues->prepare.file >= 0 && queues->prepare.number == number) {
      file = queues->prepare.file;
      queues->prepare.file = -1;
    } else {
      err = create_file(queues, number, &file);
      if (err != BL_OK) return err;
    }
    add_segment(queues, number, file);
    segment = bl_index__segment(queues, queues->index_end);
  }
  *out_segment = segment;
  return BL_OK;
}

bl_err bl_index__append(struct bl_queues *queues, const struct bl_queue *queue,
                        const struct bl_queue_unit *units, uint32_t count,
                        struct bl_chunk_ref *out_ref) {
  size_t len = encode(queue, units, count, queues->scratch);
  int64_t used = queues->index_end % queues->segment_bytes;
  if (used + (int64_t)len > queues->segment_bytes) {
    queues->index_end += queues->segment_bytes - used;
  }
  struct bl_index_segment *segment = NULL;
  bl_err err = current_segment(queues, &segment);
  if (err != BL_OK) return err;
  BL_ASSERT(segment != NULL);
  used = queues->index_end % queues->segment_bytes;
  err = queues->disk->ops->write(queues->disk, segment->file, queues->scratch, len, used);
  if (err != BL_OK) return err;
  segment->dirty = true;
  *out_ref = (struct bl_chunk_ref){
      .base = queue->tail_base,
      .position = queues->index_end,
      .last_log = units[count - 1].log_offset,
      .units = count,
      .span = units[count - 1].end,
  };
  queues->index_end += (int64_t)len;
  if (used > queues->segment_bytes / 2) prepare_next(queues);
  return BL_OK;
}

static struct bl_index_cached *cached_at(struct bl_queues *queues, int64_t position) {
  for (int i = 0; i < BL_INDEX_CACHE_CHUNKS; i++) {
    if (queues->cache[i].position == position) return &queues->cache[i];
  }
  return NULL;
}

bl_err bl_index__take_bytes(struct bl_queues *queues, const struct bl_queue *queue,
                            const struct bl_chunk_ref *ref, const char *bytes, size_t len,
                            const struct bl_queue_unit **out_units) {
  if (len < chunk_bytes(ref->units)) return BL_ERR_SHORT;
  struct bl_index_cached *slot = cached_at(queues, ref->position);
  if (slot == NULL) {
    slot = &queues->cache[0];
    for (int i = 1; i < BL_INDEX_CACHE_CHUNKS; i++) {
      if (queues->cache[i].used_at < slot->used_at) slot = &queues->cache[i];
    }
  }
  if (slot->units == NULL) {
    slot->units = malloc(BL_QUEUE_CHUNK_UNITS * sizeof(struct bl_queue_unit));
    BL_ASSERT(slot->units != NULL);
  }
  slot->position = -1;
  bl_err err = decode(queue, ref, bytes, slot->units);
  if (err != BL_OK) return err;
  slot->position = ref->position;
  slot->used_at = ++queues->cache_clock;
  *out_units = slot->units;
  return BL_OK;
}

bl_err bl_index__units(struct bl_queues *queues, const struct bl_queue *queue,
                       const struct bl_chunk_ref *ref, bool wait,
                       const struct bl_queue_unit **out_units) {
  struct bl_index_cached *slot = cached_at(queues, ref->position);
  if (slot != NULL) {
    slot->used_at = ++queues->cache_clock;
    *out_units = slot->units;
    return BL_OK;
  }
  struct bl_index_segment *segment = bl_index__segment(queues, ref->position);
  BL_ASSERT(segment != NULL);
  int64_t at = ref->position % queues->segment_bytes;
  size_t len;
  const struct bl_disk_ops *ops = queues->disk->ops;
  bl_err err = (wait ? ops->read : ops->read_cached)(queues->disk, segment->file, queues->scratch,
                                                     chunk_bytes(ref->units), at, &len);
  if (err != BL_OK) return err;
  return bl_index__take_bytes(queues, queue, ref, queues->scratch, len, out_units);
}

void bl_index__chunk_added(struct bl_queues *queues, const struct bl_chunk_ref *ref) {
  struct bl_index_segment *segment = bl_index__segment(queues, ref->position);
  BL_ASSERT(segment != NULL);
  segment->live++;
  queues->chunk_count++;
}

void bl_index__chunk_dropped(struct bl_queues *queues, const struct bl_chunk_ref *ref) {
  struct bl_index_segment *segment = bl_index__segment(queues, ref->position);
  BL_ASSERT(segment != NULL && segment->live > 0);
  segment->live--;
  queues->chunk_count--;
}
