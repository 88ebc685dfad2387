#include <stdlib.h>

#include "base/assert.h"
#include "store/queues/queues_internal.h"

struct reading {
  struct bl_queue *queue;
  struct bl_queue_entry *entries;
  uint32_t max;
  uint32_t count;
  int64_t offset; /* from here on */
  int64_t floor;
  bool wait;
  bool stopped; /* by something that could not be read */
};

/* Takes from one run of units; none when it is over before reading->offset. */
static void take_units(struct reading *reading, const struct bl_queue_unit *units, uint32_t count,
                       int64_t base) {
  int64_t relative = reading->offset > base ? reading->offset - base : 0;
  uint32_t i =
      bl_queue__unit_at(units, count, relative < UINT32_MAX ? (uint32_t)relative : UINT32_MAX);
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

/* A node's references, copied: reading what is below may throw the node out of the cache. */
static bl_err visit(struct reading *reading, const struct bl_chunk_ref *ref) {
  const void *units = NULL;
  if (ref->last_log < reading->floor) return BL_OK;
  bl_err err =
      bl_index__units(bl_queue__queues(reading->queue), reading->queue, ref, reading->wait, &units);
  if (err != BL_OK) return err;
  if (ref->level == 0) {
    take_units(reading, units, ref->units, ref->base);
    return BL_OK;
  }
  struct bl_chunk_ref refs[BL_QUEUE_NODE_REFS_MAX];
  uint32_t count = ref->units;
  memcpy(refs, units, count * sizeof(refs[0]));
  uint32_t i = bl_queue__ref_at(refs, count, reading->offset);
  for (; err == BL_OK && i < count && reading->count < reading->max; i++) {
    bl_queue__queues(reading->queue)->before = i > 0 ? refs[i - 1].position : -1;
    err = visit(reading, &refs[i]);
  }
  return err;
}

static bl_err visit_refs(struct reading *reading) {
  struct bl_queue *queue = reading->queue;
  uint32_t i = bl_queue__ref_at(queue->refs, queue->ref_count, reading->offset);
  for (; i < queue->ref_count && reading->count < reading->max; i++) {
    bl_queue__queues(queue)->before = i > 0 ? queue->refs[i - 1].position : -1;
    bl_err err = visit(reading, &queue->refs[i]);
    if (err == BL_OK) continue;
    reading->stopped = true;
    if (reading->count > 0) return BL_OK; /* the next read says it */
    if (err != BL_ERR_COLD) {
      bl_err told = bl_queues__damaged(queue, &queue->refs[i], err);
      if (!reading->wait) err = told;
    }
    return err;
  }
  return BL_OK;
}

bl_err bl_queue__read_range(struct bl_queue *queue, int64_t offset,
                            struct bl_queue_entry *out_entries, uint32_t max, uint32_t *out_count,
                            bool wait) {
  bl_queue__drop_below_floor(queue, wait);
  *out_count = 0;
  if (offset < queue->min || offset >= queue->next || max == 0) return BL_OK;
  struct reading reading = {
      .queue = queue,
      .entries = out_entries,
      .max = max,
      .offset = offset,
      .floor = bl_queue__floor(queue),
      .wait = wait,
  };
  bl_err err = BL_OK;
  if (offset < queue->tail_base || queue->tail_count == 0) err = visit_refs(&reading);
  if (!reading.stopped && reading.count < max)
    take_units(&reading, queue->tail, queue->tail_count, queue->tail_base);
  *out_count = reading.count;
  return err;
}

bl_err bl_queue_read(struct bl_queue *queue, int64_t offset, struct bl_queue_entry *out_entries,
                     uint32_t max, uint32_t *out_count) {
  return bl_queue__read_range(queue, offset, out_entries, max, out_count, false);
}

bl_err bl_queue_read_blocking(struct bl_queue *queue, int64_t offset,
                              struct bl_queue_entry *out_entries, uint32_t max,
                              uint32_t *out_count) {
  return bl_queue__read_range(queue, offset, out_entries, max, out_count, true);
}

/* Who goes from chunk to chunk has so much behind it brought into the page cache, too. */
#define AHEAD_BYTES (256u << 10)

/* Bytes of the chunk or node that is being warmed. */
struct warming {
  struct bl_chunk_ref ref;
  struct bl_queues *queues;
  bool ahead;
  int file;
  size_t len;
  char bytes[];
};

/* What it finds does not matter: who needs it reads it again. */
static void read_ahead(struct bl_queues *queues, int file, int64_t at) {
  size_t got = 0;
  char *bytes = malloc(AHEAD_BYTES);
  BL_ASSERT(bytes != NULL);
  (void)queues->disk->ops->read(queues->disk, file, bytes, AHEAD_BYTES, at, &got);
  free(bytes);
}

static void warm_run(struct bl_job *job) {
  struct bl_queue_warm *warm = BL_CONTAINER(job, struct bl_queue_warm, job);
  struct warming *warming = warm->internal;
  if (warming == NULL) return;
  struct bl_queues *queues = warming->queues;
  int64_t at = warming->ref.position % queues->segment_bytes;
  size_t want = bl_chunk__bytes(warming->ref.units, warming->ref.level);
  if (warming->ahead) read_ahead(queues, warming->file, at);
  warm->err =
      queues->disk->ops->read(queues->disk, warming->file, warming->bytes, want, at, &warming->len);
}

/* FILLS warm->internal with what a read lacks, or warm->err with what it says. RETURNS false when a
 * repair must end first. */
static bool look(struct bl_queue_warm *warm) {
  struct bl_queue *queue = warm->queue;
  struct bl_queues *queues = bl_queue__queues(queue);
  struct bl_queue_entry entry;
  uint32_t count;
  queues->cold.units = 0;
  warm->internal = NULL;
  warm->err = bl_queue__read_range(queue, warm->offset, &entry, 1, &count, false);
  if (warm->err != BL_ERR_COLD) return true;
  warm->err = BL_OK;
  if (queues->cold.units == 0) return false;
  struct bl_index_segment *segment = bl_index__segment(queues, queues->cold.position);
  BL_ASSERT(segment != NULL);
  size_t bytes = bl_chunk__bytes(queues->cold.units, queues->cold.level);
  struct warming *warming = malloc(sizeof(*warming) + bytes);
  BL_ASSERT(warming != NULL);
  warming->ref = queues->cold;
  warming->queues = queues;
  warming->file = segment->file;
  warming->len = 0;
  warming->ahead =
      queues->cold.level == 0 && queues->before >= 0 && bl_index__is_cached(queues, queues->before);
  warm->internal = warming;
  segment->readers++;
  return true;
}

static void submit(struct bl_queue_warm *warm) {
  struct bl_queues *queues = bl_queue__queues(warm->queue);
  queues->jobs++;
  bl_worker_submit(queues->pool, &warm->job);
}

void bl_queue__end_warm(struct bl_queue_warm *warm) {
  submit(warm);
}

void bl_queue__warm_again(struct bl_queue_warm *warm) {
  if (!look(warm)) {
    bl_queues__wait_for_repair(bl_queue__queues(warm->queue), warm);
  } else if (warm->internal != NULL) {
    submit(warm);
  } else {
    warm->done(warm);
  }
}

static bl_err take_warmed(struct bl_queue_warm *warm) {
  struct bl_queue *queue = warm->queue;
  struct bl_queues *queues = bl_queue__queues(queue);
  struct warming *warming = warm->internal;
  struct bl_index_segment *segment = bl_index__segment(queues, warming->ref.position);
  BL_ASSERT(segment != NULL && segment->readers > 0);
  segment->readers--;
  bl_err err = warm->err;
  const void *units;
  if (err == BL_OK) {
    err = bl_index__take_bytes(queues, queue, &warming->ref, warming->bytes, warming->len, &units);
  }
  if (err != BL_OK && queue->ref_count > 0) {
    uint32_t i = bl_queue__ref_at(queue->refs, queue->ref_count, warming->ref.base);
    queues->bad = warming->ref;
    err = bl_queues__damaged(queue, &queue->refs[i], err);
  }
  free(warming);
  warm->internal = NULL;
  return err;
}

static void warm_done(struct bl_job *job) {
  struct bl_queue_warm *warm = BL_CONTAINER(job, struct bl_queue_warm, job);
  struct bl_queues *queues = bl_queue__queues(warm->queue);
  queues->jobs--;
  bl_err err = warm->internal != NULL ? take_warmed(warm) : warm->err;
  if (err == BL_ERR_COLD) {
    bl_queues__wait_for_repair(queues, warm);
  } else if (err == BL_OK) {
    bl_queue__warm_again(warm); /* the next level, or done */
  } else {
    warm->err = err;
    warm->done(warm);
  }
}

void bl_queue_warm(struct bl_queue *queue, struct bl_queue_warm *warm, int64_t offset,
                   void (*done)(struct bl_queue_warm *warm)) {
  *warm = (struct bl_queue_warm){
      .job = {.run = warm_run, .done = warm_done},
      .queue = queue,
      .offset = offset,
      .done = done,
  };
  if (look(warm)) {
    submit(warm);
  } else {
    bl_queues__wait_for_repair(bl_queue__queues(queue), warm);
  }
}
