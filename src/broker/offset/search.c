#include "broker/offset/search.h"

#include "base/bytes.h"
#include "broker/broker.h"

/* Up to and with storeTimestamp, whose place depends on the length of the born host. */
#define HEAD_BYTES 80
#define SYS_FLAG_AT 36
#define STORE_MS_AT 56
#define V6_MORE 12

static void step(struct bl_time_search *search);

static void finish(struct bl_time_search *search, bl_err err) {
  search->err = err;
  search->done(search);
}

/* What cannot be read is not asked for again; what retention took meanwhile is found out by reading
 * it. */
static void warmed(struct bl_time_search *search, bl_err err) {
  if (err != BL_OK && err != BL_ERR_NOT_FOUND) {
    finish(search, err);
  } else {
    step(search);
  }
}

static void on_queue_warm(struct bl_queue_warm *warm) {
  warmed(BL_CONTAINER(warm, struct bl_time_search, warm.queue), warm->err);
}

static void on_log_warm(struct bl_store_warm *warm) {
  warmed(BL_CONTAINER(warm, struct bl_time_search, warm.log), warm->err);
}

/* BL_ERR_COLD: the search goes on when the disk was read. */
static bl_err store_time(struct bl_time_search *search, int64_t offset, int64_t *out_ms) {
  struct bl_queue_entry entry;
  uint32_t count = 0;
  char head[HEAD_BYTES];
  bl_err err = bl_queue_read(search->queue, offset, &entry, 1, &count);
  if (err == BL_ERR_COLD) {
    bl_queue_warm(search->queue, &search->warm.queue, offset, on_queue_warm);
    return err;
  }
  if (err == BL_OK && count == 0) err = BL_ERR_NOT_FOUND;
  if (err != BL_OK) return err;
  struct bl_store *store = search->broker->store;
  err = bl_store_read(store, entry.log_offset, HEAD_BYTES, head);
  if (err == BL_ERR_COLD) {
    bl_store_warm(store, &search->warm.log, entry.log_offset, HEAD_BYTES, on_log_warm);
    return err;
  }
  if (err != BL_OK) return err;
  bool v6 = (bl_load_u32(head + SYS_FLAG_AT) & BL_SYS_BORN_V6) != 0;
  *out_ms = (int64_t)bl_load_u64(head + STORE_MS_AT + (v6 ? V6_MORE : 0));
  return BL_OK;
}

static void find_first(struct bl_time_search *search) {
  bl_err err = store_time(search, bl_queue_min_offset(search->queue), &search->store_ms);
  if (err == BL_ERR_COLD) return;
  if (err != BL_OK) search->store_ms = -1;
  finish(search, err == BL_ERR_NOT_FOUND ? BL_OK : err);
}

/* The boundary: the first offset at or behind the time (lower), or the first behind it (upper). */
static void step(struct bl_time_search *search) {
  if (search->first_only) {
    find_first(search);
    return;
  }
  while (search->low < search->high) {
    int64_t middle = search->low + (search->high - search->low) / 2;
    int64_t store_ms = 0;
    bl_err err = store_time(search, middle, &store_ms);
    if (err == BL_ERR_COLD) return;
    if (err != BL_OK && err != BL_ERR_NOT_FOUND) {
      finish(search, err);
      return;
    }
    /* What is gone from the log lies before what is there. */
    bool before = err != BL_OK || (search->upper ? store_ms <= search->timestamp_ms
                                                 : store_ms < search->timestamp_ms);
    if (before) {
      search->low = middle + 1;
    } else {
      search->high = middle;
    }
  }
  search->offset = search->low;
  if (search->upper && search->offset > bl_queue_min_offset(search->queue)) search->offset--;
  finish(search, BL_OK);
}

void bl_time_search_start(struct bl_time_search *search) {
  search->store_ms = -1;
  search->offset = 0;
  if (search->queue == NULL ||
      bl_queue_min_offset(search->queue) == bl_queue_max_offset(search->queue)) {
    if (search->queue != NULL) search->offset = bl_queue_max_offset(search->queue);
    finish(search, BL_OK);
    return;
  }
  search->low = bl_queue_min_offset(search->queue);
  search->high = bl_queue_max_offset(search->queue);
  step(search);
}
