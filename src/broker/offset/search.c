#include "broker/offset/search.h"

#include "broker/broker.h"

static void step(struct bl_time_search *search);

static void finish(struct bl_time_search *search, bl_err err) {
  search->err = err;
  search->done(search);
}

/* What retention took meanwhile is found out by looking again. */
static void on_warm(struct bl_query_warm *warm) {
  struct bl_time_search *search = BL_CONTAINER(warm, struct bl_time_search, warm);
  if (warm->err != BL_OK && warm->err != BL_ERR_NOT_FOUND) {
    finish(search, warm->err);
  } else {
    step(search);
  }
}

/* BL_ERR_COLD: the search goes on when the disk was read. */
static bl_err store_time(struct bl_time_search *search, int64_t offset,
                         struct bl_queue_entry *out_entry, int64_t *out_ms) {
  struct bl_cold_place cold;
  bl_err err = bl_query_store_time(search->broker, search->queue, offset, out_entry, out_ms, &cold);
  if (err == BL_ERR_COLD) bl_query_warm_start(search->broker, &search->warm, &cold);
  return err;
}

static void find_first(struct bl_time_search *search) {
  struct bl_queue_entry entry;
  bl_err err = store_time(search, bl_queue_min_offset(search->queue), &entry, &search->store_ms);
  if (err == BL_ERR_COLD) return;
  if (err != BL_OK) search->store_ms = -1;
  finish(search, err == BL_ERR_NOT_FOUND ? BL_OK : err);
}

static void new_probe(struct bl_time_search *search) {
  search->middle = search->low + (search->high - search->low) / 2;
  search->probe = search->middle;
  search->stride = 1;
}

static void narrow_to_right(struct bl_time_search *search, int64_t low) {
  search->low = low < search->high ? low : search->high;
  new_probe(search);
}

static void narrow_to_left(struct bl_time_search *search) {
  search->high = search->middle;
  new_probe(search);
}

/* A record that cannot be read (fenced as damage) has no time: the ones behind it decide, in
 * growing strides, as many may be fenced together. */
static void pass_damage(struct bl_time_search *search, const struct bl_queue_entry *entry) {
  search->probe = entry->queue_offset + entry->count - 1 + search->stride;
  search->stride *= 2;
  if (search->probe >= search->high) narrow_to_left(search);
}

/* The boundary: the first offset at or behind the time (lower), or the first behind it (upper). */
static void step(struct bl_time_search *search) {
  if (search->first_only) {
    find_first(search);
    return;
  }
  while (search->low < search->high) {
    struct bl_queue_entry entry = {.queue_offset = search->probe, .count = 1};
    int64_t store_ms = 0;
    bl_err err = store_time(search, search->probe, &entry, &store_ms);
    if (err == BL_ERR_COLD) return;
    int64_t log_min = bl_store_marks(search->broker->store).min_offset;
    if (err == BL_ERR_NOT_FOUND && entry.size_bytes > 0 && entry.log_offset >= log_min) {
      pass_damage(search, &entry);
      continue;
    }
    if (err != BL_OK && err != BL_ERR_NOT_FOUND) {
      finish(search, err);
      return;
    }
    /* What is gone from the log lies before what is there. */
    bool before = err != BL_OK || (search->upper ? store_ms <= search->timestamp_ms
                                                 : store_ms < search->timestamp_ms);
    if (before) {
      narrow_to_right(search, entry.queue_offset + entry.count);
    } else {
      narrow_to_left(search);
    }
  }
  int64_t min = bl_queue_min_offset(search->queue);
  search->offset = search->low > min ? search->low : min;
  if (search->upper && search->offset > min) search->offset--;
  finish(search, BL_OK);
}

void bl_time_search_start(struct bl_time_search *search) {
  search->store_ms = -1;
  search->offset = 0;
  search->warm = (struct bl_query_warm){.done = on_warm};
  if (search->queue == NULL ||
      bl_queue_min_offset(search->queue) == bl_queue_max_offset(search->queue)) {
    if (search->queue != NULL) search->offset = bl_queue_max_offset(search->queue);
    finish(search, BL_OK);
    return;
  }
  search->low = bl_queue_min_offset(search->queue);
  search->high = bl_queue_max_offset(search->queue);
  new_probe(search);
  step(search);
}
