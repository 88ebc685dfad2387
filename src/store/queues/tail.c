#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/queues/queues_internal.h"

#define TAIL_FIRST_UNITS 4u

static struct bl_log_limit refused_limit = {.per_second = 1};

int64_t bl_queue__floor(const struct bl_queue *queue) {
  int64_t log_min = bl_queue__queues(queue)->log_min;
  return queue->retired > log_min ? queue->retired : log_min;
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

uint32_t bl_queue__unit_from_floor(const struct bl_queue_unit *units, uint32_t count,
                                   int64_t floor) {
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

static void resize_tail(struct bl_queues *queues, struct bl_queue *queue, uint32_t cap) {
  int64_t change = (int64_t)cap - (int64_t)queue->tail_cap;
  queues->tail_bytes += change * (int64_t)sizeof(struct bl_queue_unit);
  queue->tail_cap = cap;
  if (cap == 0) {
    free(queue->tail);
    queue->tail = NULL;
    return;
  }
  queue->tail = realloc(queue->tail, cap * sizeof(struct bl_queue_unit));
  BL_ASSERT(queue->tail != NULL);
}

static void drop_tail(struct bl_queues *queues, struct bl_queue *queue) {
  queues->entry_count -= queue->tail_count;
  queue->tail_count = 0;
  queue->tail_base = queue->next;
  resize_tail(queues, queue, 0);
}

void bl_queue__drop_all(struct bl_queue *queue) {
  struct bl_queues *queues = bl_queue__queues(queue);
  bl_queue__drop_refs(queue, queue->ref_count);
  drop_tail(queues, queue);
  queue->min = queue->next;
}

static void raise_min(struct bl_queue *queue, int64_t min) {
  if (min > queue->min) queue->min = min;
}

void bl_queue__drop_below_floor(struct bl_queue *queue, bool wait) {
  int64_t floor = bl_queue__floor(queue);
  if (queue->floor_done >= floor) return;
  if (queue->last_log < floor) {
    bl_queue__drop_all(queue);
    queue->floor_done = floor;
    return;
  }
  uint32_t dead = 0;
  while (dead < queue->ref_count && queue->refs[dead].last_log < floor) dead++;
  bl_queue__drop_refs(queue, dead);
  if (queue->ref_count > 0) {
    int64_t min;
    bl_err err = bl_queue__min_of(queue, &queue->refs[0], floor, wait, &min);
    raise_min(queue, min);
    if (err != BL_OK) return;
  } else {
    uint32_t i = bl_queue__unit_from_floor(queue->tail, queue->tail_count, floor);
    raise_min(queue, queue->tail_base + bl_queue__unit_start(queue->tail, i));
  }
  queue->floor_done = floor;
}

/* Writes the first `units` of the tail as a chunk. */
static bl_err spill(struct bl_queues *queues, struct bl_queue *queue, uint32_t units) {
  uint32_t span = queue->tail[units - 1].end;
  struct bl_chunk_ref ref = {
      .base = queue->tail_base,
      .last_log = queue->tail[units - 1].log_offset,
      .entries = units,
      .units = (uint16_t)units,
  };
  bl_err err = bl_index__append(queues, queue, queue->tail, &ref);
  if (err != BL_OK) return err;
  bl_queue__add_ref(queue, &ref);
  queue->tail_count -= units;
  memmove(queue->tail, queue->tail + units, queue->tail_count * sizeof(*queue->tail));
  for (uint32_t i = 0; i < queue->tail_count; i++) queue->tail[i].end -= span;
  queue->tail_base += span;
  bl_queue__mark_changed(queues, queue);
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
  struct bl_queues *queues = bl_queue__queues(queue);
  while (queue->tail_count > keep) {
    bl_err err = spill(queues, queue, next_chunk_units(queue));
    if (err == BL_OK) continue;
    bl_log_limited(&refused_limit, BL_LOG_ERROR, "store", "queues.chunk.refused",
                   "error=%s going_on=\"entries stay in memory\"", bl_err_name(err));
    return false;
  }
  return true;
}

static uint32_t idle_units(const struct bl_queue *queue) {
  return queue->ref_count == 0 ? BL_QUEUE_IDLE_UNITS : BL_QUEUE_IDLE_UNITS / 2;
}

bool bl_queue__is_large(const struct bl_queue *queue) {
  return queue->tail_count > idle_units(queue) ||
         bl_queue__can_pack(queue, BL_QUEUE_NODE_REFS_IDLE);
}

void bl_queue__trim(struct bl_queue *queue) {
  /* One that fills chunk after chunk keeps its memory. */
  if (queue->tail_cap > queue->tail_count && queue->tail_count < 4 * BL_QUEUE_IDLE_UNITS) {
    resize_tail(bl_queue__queues(queue), queue, queue->tail_count);
  }
}

void bl_queue__shrink(struct bl_queue *queue) {
  struct bl_queues *queues = bl_queue__queues(queue);
  if (queue->tail_count > idle_units(queue)) bl_queue__spill_above(queue, 0);
  if (queue->tail_cap > queue->tail_count) resize_tail(queues, queue, queue->tail_count);
  if (queue->ref_count < BL_QUEUE_NODE_REFS_IDLE) return;
  uint32_t refs = queue->ref_count;
  bl_queue__pack(queue, BL_QUEUE_NODE_REFS_IDLE);
  if (queue->ref_count != refs) bl_queue__mark_changed(queues, queue);
}

/* Units at which a tail becomes a chunk. */
static uint32_t chunk_target(const struct bl_queues *queues) {
  if (queues->tail_bytes < queues->tail_bytes_soft) return BL_QUEUE_CHUNK_UNITS;
  return queues->tail_bytes < 2 * queues->tail_bytes_soft ? 128 : 32;
}

static void spill_when_full(struct bl_queues *queues, struct bl_queue *queue) {
  uint32_t target = chunk_target(queues);
  /* After a write that failed the tail goes on growing and tries again a chunk later. */
  if (queue->tail_count < target || queue->tail_count % target != 0) return;
  if (!bl_queue__spill_above(queue, target - 1)) return;
  if (target < BL_QUEUE_CHUNK_UNITS && queue->tail_count == 0) {
    /* Twice the target would be the next size. */
    resize_tail(queues, queue, queue->tail_cap > target ? 0 : TAIL_FIRST_UNITS);
  }
}

struct bl_queue_unit *bl_queue__restore(struct bl_queue *queue, uint32_t count) {
  struct bl_queues *queues = bl_queue__queues(queue);
  resize_tail(queues, queue, count);
  queue->tail_count = count;
  queues->entry_count += count;
  return queue->tail;
}

void bl_queue__push(struct bl_queues *queues, struct bl_queue *queue, struct bl_queue_unit unit) {
  if (queue->tail_count == queue->tail_cap) {
    uint32_t cap = queue->tail_cap < TAIL_FIRST_UNITS ? TAIL_FIRST_UNITS : queue->tail_cap * 2;
    resize_tail(queues, queue, cap);
  }
  BL_ASSERT(queue->tail != NULL);
  queue->tail[queue->tail_count++] = unit;
  queues->entry_count++;
  bl_queue__mark_changed(queues, queue);
  if (unit.size_bytes > 0) spill_when_full(queues, queue);
}
