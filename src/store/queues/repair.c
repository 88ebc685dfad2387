/* Damaged chunks and nodes. What a reference in memory stands for is made anew from the log: the
 * store shows the records again that were in it, apart from the others, while sends go on. Readers
 * wait as for a cold chunk. Never is a wrong entry read: a chunk is used only when its checksum is
 * right and it is that of this queue and offset. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/queues/queues_internal.h"

static struct bl_queue_repair *find(struct bl_queues *queues, const struct bl_queue *queue,
                                    int64_t position) {
  struct bl_queues_repairs *repairs = &queues->repairs;
  for (uint32_t i = 0; i < repairs->count; i++) {
    struct bl_queue_repair *repair = &repairs->items[i];
    if (repair->queue == queue && repair->ref.position == position) return repair;
  }
  return NULL;
}

bl_err bl_queues__damaged(struct bl_queue *queue, const struct bl_chunk_ref *ref, bl_err err) {
  struct bl_queues *queues = bl_queue__queues(queue);
  struct bl_queues_repairs *repairs = &queues->repairs;
  struct bl_queue_repair *known = find(queues, queue, ref->position);
  if (known != NULL) {
    queues->cold.units = 0;
    bl_err failed = known->failed;
    if (failed == BL_OK) return BL_ERR_COLD;
    if (!repairs->telling) *known = repairs->items[--repairs->count]; /* the next one tries again */
    return failed;
  }
  if (repairs->count == BL_QUEUES_REPAIRS_MAX) return err;
  int64_t from = queues->log_min;
  if (ref > queue->refs && ref[-1].last_log >= from) from = ref[-1].last_log; /* a record begins */
  char path[512];
  bl_index__segment_path(queues, queues->bad.position / queues->segment_bytes, path);
  bl_log(BL_LOG_WARN, "store", "queues.chunk.damaged",
         "file=%s offset=%" PRId64 " error=%s topic=%.*s queue_id=%" PRId32 " queue_offset=%" PRId64
         " going_on=\"its entries are made anew from the log, offsets %" PRId64 " to %" PRId64 "\"",
         path, queues->bad.position % queues->segment_bytes, bl_err_name(err),
         BL_FMT(bl_queue_topic(queue)), queue->id, queues->bad.base, from, ref->last_log);
  repairs->items[repairs->count++] = (struct bl_queue_repair){
      .queue = queue,
      .ref = *ref,
      .from = from,
      .to = ref->last_log + 1,
  };
  queues->cold.units = 0;
  return BL_ERR_COLD;
}

void bl_queues__wait_for_repair(struct bl_queues *queues, struct bl_queue_warm *warm) {
  if (queues->repairs.stopped) {
    warm->internal = NULL;
    warm->err = BL_ERR_NOT_AVAILABLE;
    bl_queue__end_warm(warm);
    return;
  }
  warm->internal = queues->repairs.waiting;
  queues->repairs.waiting = warm;
}

bool bl_queues__wants_again(struct bl_follower *follower, int64_t *out_from, int64_t *out_to) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  struct bl_queues_repairs *repairs = &queues->repairs;
  if (repairs->count == 0 || repairs->running) return false;
  uint32_t i = 0;
  while (i < repairs->count && repairs->items[i].failed != BL_OK) i++;
  if (i == repairs->count) return false;
  repairs->running = true;
  repairs->now = repairs->items[i];
  repairs->unit_count = 0;
  repairs->ref_count = 0;
  repairs->units = malloc(BL_QUEUE_CHUNK_UNITS * sizeof(struct bl_queue_unit));
  BL_ASSERT(repairs->units != NULL);
  *out_from = repairs->now.from;
  *out_to = repairs->now.to;
  return true;
}

/* The units so far become a chunk. */
static bl_err end_chunk(struct bl_queues *queues) {
  struct bl_queues_repairs *repairs = &queues->repairs;
  uint32_t units = repairs->unit_count;
  if (units > 0 && repairs->units[units - 1].size_bytes == 0) units--;
  if (units == 0) return BL_OK;
  struct bl_chunk_ref ref = {
      .base = repairs->base,
      .last_log = repairs->units[units - 1].log_offset,
      .entries = units,
      .units = (uint16_t)units,
  };
  bl_err err = bl_index__append(queues, repairs->now.queue, repairs->units, &ref);
  if (err != BL_OK) return err;
  repairs->unit_count = 0;
  if (repairs->ref_count == repairs->ref_cap) {
    repairs->ref_cap = repairs->ref_cap > 0 ? repairs->ref_cap * 2 : 4;
    repairs->refs = realloc(repairs->refs, repairs->ref_cap * sizeof(*repairs->refs));
    BL_ASSERT(repairs->refs != NULL);
  }
  repairs->refs[repairs->ref_count++] = ref;
  return BL_OK;
}

static void add_unit(struct bl_queues_repairs *repairs, struct bl_queue_unit unit, int64_t end) {
  unit.end = (uint32_t)(end - repairs->base);
  repairs->units[repairs->unit_count++] = unit;
}

static int64_t end_of_units(const struct bl_queues_repairs *repairs) {
  return repairs->base + bl_queue__unit_start(repairs->units, repairs->unit_count);
}

/* FILLS the record's entry in that queue; false: it has none there. */
static bool entry_in(const struct bl_queue *queue, const struct bl_record *record,
                     struct bl_queue_entry *out_entry) {
  struct bl_slice name = bl_queue__topic_name(queue->topic);
  struct bl_entry derived;
  struct bl_light_place place;
  if (record->queue_id == queue->id && bl_slice_eq(record->topic, name))
    return bl_queues__unit_of(record, out_entry, &derived);
  if (queue->id != BL_LIGHT_QUEUE_ID || !bl_slice_starts(name, BL_LIGHT_PREFIX)) return false;
  if (!bl_queues__unit_of(record, out_entry, &derived)) return false;
  while (bl_light_next(&derived, &place)) {
    out_entry->queue_offset = place.queue_offset;
    out_entry->count = 1;
    if (bl_slice_eq(place.queue, name)) return true;
  }
  return false;
}

void bl_queues__on_again(struct bl_follower *follower, const struct bl_record *record) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  struct bl_queues_repairs *repairs = &queues->repairs;
  struct bl_queue_entry entry;
  if (!repairs->running || repairs->now.failed != BL_OK ||
      record->log_offset > repairs->now.ref.last_log ||
      !entry_in(repairs->now.queue, record, &entry) || entry.queue_offset < repairs->now.ref.base) {
    return;
  }
  struct bl_queue_unit unit = {
      .log_offset = entry.log_offset,
      .tags_code = entry.tags_code,
      .size_bytes = entry.size_bytes,
  };
  bl_err err = BL_OK;
  if (repairs->unit_count > 0) {
    int64_t gap = entry.queue_offset - end_of_units(repairs);
    if (gap < 0) { /* of another life of the queue */
      repairs->unit_count = 0;
      repairs->ref_count = 0;
    } else if (gap > 0 &&
               (repairs->unit_count + 2 > BL_QUEUE_CHUNK_UNITS || gap > BL_QUEUE_HOLE_SPAN_MAX)) {
      err = end_chunk(queues);
    } else if (gap > 0) {
      struct bl_queue_unit hole = {.log_offset =
                                       repairs->units[repairs->unit_count - 1].log_offset};
      add_unit(repairs, hole, entry.queue_offset);
    }
  }
  if (err == BL_OK && repairs->unit_count == BL_QUEUE_CHUNK_UNITS) err = end_chunk(queues);
  if (err != BL_OK) repairs->now.failed = err;
  if (err != BL_OK) return;
  if (repairs->unit_count == 0) repairs->base = entry.queue_offset;
  add_unit(repairs, unit, entry.queue_offset + entry.count);
}

/* The reference may be gone: dropped by retention, or in a node now, where it is found again. */
static void put_in_place(struct bl_queues *queues) {
  struct bl_queues_repairs *repairs = &queues->repairs;
  struct bl_queue *queue = repairs->now.queue;
  uint32_t at = 0;
  while (at < queue->ref_count && queue->refs[at].position != repairs->now.ref.position) at++;
  if (at == queue->ref_count) return;
  bl_queue__replace_ref(queue, at, repairs->refs, repairs->ref_count);
  bl_queue__mark_changed(queues, queue);
}

static void tell_waiting(struct bl_queues *queues) {
  struct bl_queue_warm *warm = queues->repairs.waiting;
  queues->repairs.waiting = NULL;
  queues->repairs.telling = true;
  while (warm != NULL) {
    struct bl_queue_warm *next = warm->internal;
    bl_queue__warm_again(warm);
    warm = next;
  }
  queues->repairs.telling = false;
}

void bl_queues__again_done(struct bl_follower *follower, bl_err err) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  struct bl_queues_repairs *repairs = &queues->repairs;
  if (!repairs->running) return;
  if (err == BL_OK) err = repairs->now.failed;
  if (err == BL_OK) err = end_chunk(queues);
  struct bl_queue_repair *item = find(queues, repairs->now.queue, repairs->now.ref.position);
  BL_ASSERT(item != NULL);
  repairs->running = false;
  free(repairs->units);
  repairs->units = NULL;
  if (err == BL_OK) {
    put_in_place(queues);
    *item = repairs->items[--repairs->count];
  } else {
    item->failed = err;
  }
  bl_log(err == BL_OK ? BL_LOG_INFO : BL_LOG_ERROR, "store", "queues.chunk.repaired",
         "error=%s topic=%.*s queue_id=%" PRId32 " queue_offset=%" PRId64, bl_err_name(err),
         BL_FMT(bl_queue_topic(repairs->now.queue)), repairs->now.queue->id, repairs->now.ref.base);
  tell_waiting(queues);
}

void bl_queues_stop_reading(struct bl_queues *queues) {
  struct bl_queues_repairs *repairs = &queues->repairs;
  struct bl_queue_warm *warm = repairs->waiting;
  repairs->stopped = true;
  repairs->waiting = NULL;
  while (warm != NULL) {
    struct bl_queue_warm *next = warm->internal;
    warm->err = BL_ERR_NOT_AVAILABLE;
    warm->done(warm);
    warm = next;
  }
}

void bl_queues__forget_repairs(struct bl_queues *queues) {
  struct bl_queues_repairs *repairs = &queues->repairs;
  bl_queues_stop_reading(queues);
  free(repairs->units);
  free(repairs->refs);
  *repairs = (struct bl_queues_repairs){0};
}
