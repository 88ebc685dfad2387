#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/queues/queues_internal.h"

/* Tails of all queues together stay near this: beyond it they go to shorter chunks. */
#define TAIL_BYTES_SOFT (32ll << 20)
#define TAIL_FIRST_UNITS 8u

static struct bl_log_limit refused_limit = {.per_second = 1};

int64_t bl_queue__floor(const struct bl_queue *queue) {
  int64_t log_min = queue->queues->log_min;
  return queue->topic->retired > log_min ? queue->topic->retired : log_min;
}

uint32_t bl_queue__unit_at(const struct bl_queue_unit *units, uint32_t count, uint32_t relative) {
  /* When this holds every unit so far spans one offset. */
  if (relative < count && units[relative].end == relative + 1) return relative;
  uint32_t low = 0;
  uint32_t high = count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (units[middle].end <= relative) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* First unit that is a record at or above `floor`. */
static uint32_t unit_from_floor(const struct bl_queue_unit *units, uint32_t count, int64_t floor) {
  uint32_t low = 0;
  uint32_t high = count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (units[middle].log_offset < floor) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  while (low < count && units[low].size_bytes == 0) low++;
  return low;
}

static void resize_tail(struct bl_queue *queue, uint32_t cap) {
  int64_t change = (int64_t)cap - (int64_t)queue->tail_cap;
  queue->queues->tail_bytes += change * (int64_t)sizeof(struct bl_queue_unit);
  queue->tail_cap = cap;
  if (cap == 0) {
    free(queue->tail);
    queue->tail = NULL;
    return;
  }
  queue->tail = realloc(queue->tail, cap * sizeof(struct bl_queue_unit));
  BL_ASSERT(queue->tail != NULL);
}

static void drop_first_chunk(struct bl_queue *queue) {
  const struct bl_chunk_ref *ref = &queue->chunks[queue->chunk_first];
  queue->queues->entry_count -= ref->units;
  bl_index__chunk_dropped(queue->queues, ref);
  queue->chunk_first++;
}

static void drop_tail(struct bl_queue *queue) {
  queue->queues->entry_count -= queue->tail_count;
  queue->tail_count = 0;
  queue->tail_base = queue->next;
}

void bl_queue__drop_all(struct bl_queue *queue) {
  while (bl_queue__chunks(queue) > 0) drop_first_chunk(queue);
  drop_tail(queue);
  queue->min = queue->next;
  queue->changed = true;
}

static void raise_min(struct bl_queue *queue, int64_t min) {
  if (min > queue->min) queue->min = min;
}

/* RETURNS false when the chunk in which the floor lies is not in memory. */
static bool min_from_chunks(struct bl_queue *queue, int64_t floor, bool wait) {
  const struct bl_chunk_ref *ref = &queue->chunks[queue->chunk_first];
  raise_min(queue, ref->base);
  const struct bl_queue_unit *units;
  if (bl_index__units(queue->queues, queue, ref, wait, &units) != BL_OK) return false;
  uint32_t i = unit_from_floor(units, ref->units, floor);
  BL_ASSERT(i < ref->units); /* its last unit is a record, and at or above the floor */
  raise_min(queue, ref->base + bl_queue__unit_start(units, i));
  return true;
}

void bl_queue__drop_below_floor(struct bl_queue *queue, bool wait) {
  int64_t floor = bl_queue__floor(queue);
  if (queue->floor_done >= floor) return;
  if (queue->last_log < floor) {
    bl_queue__drop_all(queue);
    queue->floor_done = floor;
    return;
  }
  while (bl_queue__chunks(queue) > 0 && queue->chunks[queue->chunk_first].last_log < floor) {
    drop_first_chunk(queue);
  }
  if (bl_queue__chunks(queue) > 0) {
    if (!min_from_chunks(queue, floor, wait)) return;
  } else {
    uint32_t i = unit_from_floor(queue->tail, queue->tail_count, floor);
    raise_min(queue, queue->tail_base + bl_queue__unit_start(queue->tail, i));
  }
  queue->floor_done = floor;
}

void bl_queue__add_chunk(struct bl_queue *queue, const struct bl_chunk_ref *ref) {
  if (queue->chunk_end == queue->chunk_cap) {
    uint32_t live = bl_queue__chunks(queue);
    if (queue->chunk_first > live) { /* mostly dropped: reuse the room */
      memmove(queue->chunks, queue->chunks + queue->chunk_first, live * sizeof(*queue->chunks));
    } else {
      queue->chunk_cap = queue->chunk_cap > 0 ? queue->chunk_cap * 2 : 2;
      struct bl_chunk_ref *chunks = malloc(queue->chunk_cap * sizeof(*chunks));
      BL_ASSERT(chunks != NULL);
      if (live > 0) memcpy(chunks, queue->chunks + queue->chunk_first, live * sizeof(*chunks));
      free(queue->chunks);
      queue->chunks = chunks;
    }
    queue->chunk_first = 0;
    queue->chunk_end = live;
  }
  queue->chunks[queue->chunk_end++] = *ref;
  bl_index__chunk_added(queue->queues, ref);
}

/* Makes a chunk of the first `units` units of the tail. */
static bl_err spill(struct bl_queue *queue, uint32_t units) {
  BL_ASSERT(units > 0 && units <= queue->tail_count && units <= BL_QUEUE_CHUNK_UNITS);
  struct bl_chunk_ref ref;
  bl_err err = bl_index__append(queue->queues, queue, queue->tail, units, &ref);
  if (err != BL_OK) return err;
  bl_queue__add_chunk(queue, &ref);
  queue->tail_count -= units;
  memmove(queue->tail, queue->tail + units, queue->tail_count * sizeof(*queue->tail));
  for (uint32_t i = 0; i < queue->tail_count; i++) queue->tail[i].end -= ref.span;
  queue->tail_base += ref.span;
  return BL_OK;
}

/* Units of the next chunk of the tail. A chunk ends in a record, so that its last log offset is
 * one; a tail does, too, and never has two holes in a row. */
static uint32_t next_chunk_units(const struct bl_queue *queue) {
  uint32_t units =
      queue->tail_count < BL_QUEUE_CHUNK_UNITS ? queue->tail_count : BL_QUEUE_CHUNK_UNITS;
  if (queue->tail[units - 1].size_bytes == 0) units--;
  return units;
}

bool bl_queue__spill_above(struct bl_queue *queue, uint32_t keep) {
  while (queue->tail_count > keep) {
    bl_err err = spill(queue, next_chunk_units(queue));
    if (err == BL_OK) continue;
    bl_log_limited(&refused_limit, BL_LOG_ERROR, "store", "queues.chunk.refused",
                   "error=%s going_on=\"entries stay in memory\"", bl_err_name(err));
    return false;
  }
  return true;
}

void bl_queue__shrink(struct bl_queue *queue) {
  if (queue->tail_count > BL_QUEUE_IDLE_UNITS) bl_queue__spill_above(queue, 0);
  if (queue->tail_cap > queue->tail_count) resize_tail(queue, queue->tail_count);
}

/* Units at which a tail becomes a chunk. */
static uint32_t chunk_target(const struct bl_queues *queues) {
  if (queues->tail_bytes < TAIL_BYTES_SOFT) return BL_QUEUE_CHUNK_UNITS;
  return queues->tail_bytes < 2 * TAIL_BYTES_SOFT ? 128 : 32;
}

static void spill_when_full(struct bl_queue *queue) {
  uint32_t target = chunk_target(queue->queues);
  /* After a write that failed the tail goes on growing and tries again a chunk later. */
  if (queue->tail_count < target || queue->tail_count % target != 0) return;
  if (!bl_queue__spill_above(queue, target - 1)) return;
  if (target < BL_QUEUE_CHUNK_UNITS && queue->tail_count == 0) resize_tail(queue, 0);
}

void bl_queue__restore(struct bl_queue *queue, struct bl_queue_unit unit) {
  if (queue->tail_count == queue->tail_cap) {
    resize_tail(queue, queue->tail_cap < TAIL_FIRST_UNITS ? TAIL_FIRST_UNITS : queue->tail_cap * 2);
  }
  BL_ASSERT(queue->tail != NULL);
  queue->tail[queue->tail_count++] = unit;
  queue->queues->entry_count++;
}

void bl_queue__push(struct bl_queue *queue, struct bl_queue_unit unit) {
  bl_queue__restore(queue, unit);
  queue->changed = true;
  if (unit.size_bytes > 0) spill_when_full(queue);
}
