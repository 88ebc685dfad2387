#include <stdlib.h>

#include "base/assert.h"
#include "store/queues/queues_internal.h"

/* Index in `chunks` of the first live chunk that ends after `offset`; chunk_end when there is none.
 */
static uint32_t chunk_at(const struct bl_queue *queue, int64_t offset) {
  uint32_t low = queue->chunk_first;
  uint32_t high = queue->chunk_end;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (queue->chunks[middle].base + queue->chunks[middle].span <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

struct reading {
  struct bl_queue_entry *entries;
  uint32_t max;
  uint32_t count;
  int64_t offset; /* from here on */
  int64_t floor;
};

/* Takes from one run of units, which is not over before reading->offset. */
static void take_units(struct reading *reading, const struct bl_queue_unit *units, uint32_t count,
                       int64_t base) {
  uint32_t relative = reading->offset > base ? (uint32_t)(reading->offset - base) : 0;
  uint32_t i = bl_queue__unit_at(units, count, relative);
  for (; i < count && reading->count < reading->max; i++) {
    const struct bl_queue_unit *unit = &units[i];
    reading->offset = base + unit->end;
    if (unit->size_bytes == 0 || unit->log_offset < reading->floor) continue;
    uint32_t start = bl_queue__unit_start(units, i);
    reading->entries[reading->count++] = (struct bl_queue_entry){
        .queue_offset = base + start,
        .log_offset = unit->log_offset,
        .size_bytes = unit->size_bytes,
        .count = unit->end - start,
        .tags_code = unit->tags_code,
    };
  }
}

static bl_err read_range(struct bl_queue *queue, int64_t offset, struct bl_queue_entry *out_entries,
                         uint32_t max, uint32_t *out_count, bool wait) {
  bl_queue__drop_below_floor(queue, wait);
  *out_count = 0;
  if (offset < queue->min || offset >= queue->next || max == 0) return BL_OK;
  struct reading reading = {
      .entries = out_entries,
      .max = max,
      .offset = offset,
      .floor = bl_queue__floor(queue),
  };
  if (offset < queue->tail_base || queue->tail_count == 0) {
    uint32_t i = chunk_at(queue, offset);
    for (; i < queue->chunk_end && reading.count < max; i++) {
      const struct bl_chunk_ref *ref = &queue->chunks[i];
      const struct bl_queue_unit *units;
      bl_err err = bl_index__units(queue->queues, queue, ref, wait, &units);
      if (err != BL_OK) {
        if (reading.count == 0) return err;
        *out_count = reading.count;
        return BL_OK;
      }
      take_units(&reading, units, ref->units, ref->base);
    }
  }
  if (reading.count < max) take_units(&reading, queue->tail, queue->tail_count, queue->tail_base);
  *out_count = reading.count;
  return BL_OK;
}

bl_err bl_queue_read(struct bl_queue *queue, int64_t offset, struct bl_queue_entry *out_entries,
                     uint32_t max, uint32_t *out_count) {
  return read_range(queue, offset, out_entries, max, out_count, false);
}

bl_err bl_queue_read_blocking(struct bl_queue *queue, int64_t offset,
                              struct bl_queue_entry *out_entries, uint32_t max,
                              uint32_t *out_count) {
  return read_range(queue, offset, out_entries, max, out_count, true);
}

/* Bytes of the chunk that is being warmed. */
struct warming {
  struct bl_chunk_ref ref;
  int file; /* -1: nothing to read */
  size_t len;
  char bytes[];
};

static void warm_run(struct bl_job *job) {
  struct bl_queue_warm *warm = BL_CONTAINER(job, struct bl_queue_warm, job);
  struct warming *warming = warm->internal;
  if (warming == NULL) return;
  struct bl_queues *queues = warm->queue->queues;
  int64_t at = warming->ref.position % queues->segment_bytes;
  size_t want = BL_INDEX_HEADER_BYTES + (size_t)warming->ref.units * BL_INDEX_UNIT_BYTES;
  warm->err =
      queues->disk->ops->read(queues->disk, warming->file, warming->bytes, want, at, &warming->len);
}

static void warm_done(struct bl_job *job) {
  struct bl_queue_warm *warm = BL_CONTAINER(job, struct bl_queue_warm, job);
  struct bl_queues *queues = warm->queue->queues;
  struct warming *warming = warm->internal;
  queues->jobs--;
  if (warming != NULL) {
    struct bl_index_segment *segment = bl_index__segment(queues, warming->ref.position);
    BL_ASSERT(segment != NULL && segment->readers > 0);
    segment->readers--;
    const struct bl_queue_unit *units;
    if (warm->err == BL_OK) {
      warm->err = bl_index__take_bytes(queues, warm->queue, &warming->ref, warming->bytes,
                                       warming->len, &units);
    }
    free(warming);
    warm->internal = NULL;
  }
  warm->done(warm);
}

void bl_queue_warm(struct bl_queue *queue, struct bl_queue_warm *warm, int64_t offset,
                   void (*done)(struct bl_queue_warm *warm)) {
  *warm = (struct bl_queue_warm){
      .job = {.run = warm_run, .done = warm_done},
      .queue = queue,
      .offset = offset,
      .done = done,
  };
  uint32_t i = chunk_at(queue, offset);
  if (i < queue->chunk_end) {
    struct bl_index_segment *segment = bl_index__segment(queue->queues, queue->chunks[i].position);
    BL_ASSERT(segment != NULL);
    struct warming *warming = malloc(sizeof(*warming) + BL_INDEX_CHUNK_BYTES_MAX);
    BL_ASSERT(warming != NULL);
    warming->ref = queue->chunks[i];
    warming->file = segment->file;
    warming->len = 0;
    warm->internal = warming;
    segment->readers++;
  }
  queue->queues->jobs++;
  bl_worker_submit(queue->queues->pool, &warm->job);
}
