#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "store/store_internal.h"

#define RECORDS_PER_LOOK 16
#define TURN_NS 150000
/* Who is further behind than this part of the ring shows records for longer, so that a flood of
 * small records slows its senders and not the followers, who would have to read the files. */
#define BEHIND_PART 8
#define BEHIND_TURN_NS 2000000
#define WINDOW_BYTES (256 << 10)

static void done_warm(struct bl_store_warm *warm) {
  struct bl_dispatch *dispatch = BL_CONTAINER(warm, struct bl_dispatch, warm);
  dispatch->warming = false;
  if (warm->err != BL_ERR_NOT_AVAILABLE) dispatch->failed = warm->err;
}

/* What is read at once around [offset, offset + len): of one file, and nothing that may change. */
static int64_t window_bytes(const struct bl_store *store, int64_t offset, int64_t len) {
  const struct bl_log *log = &store->log;
  int64_t bytes = WINDOW_BYTES;
  if (bytes > bl_log_visible(log) - offset) bytes = bl_log_visible(log) - offset;
  const struct bl_segment *segment = bl_segments_find(&log->segments, offset);
  if (segment != NULL && bytes > segment->data_end - offset) bytes = segment->data_end - offset;
  return bytes > len ? bytes : len;
}

static bl_err read_window(struct bl_store *store, int64_t offset, int64_t len, bool wait) {
  struct bl_dispatch *dispatch = &store->dispatch;
  if (len > dispatch->cap) {
    free(dispatch->buffer);
    dispatch->buffer = malloc((size_t)len);
    BL_ASSERT(dispatch->buffer != NULL);
    dispatch->cap = len;
  }
  dispatch->to = dispatch->from;
  bl_err err = bl_log_read(&store->log, offset, (uint32_t)len, dispatch->buffer, wait);
  if (err != BL_OK) return err;
  dispatch->from = offset;
  dispatch->to = offset + len;
  return BL_OK;
}

/* FILLS a borrow of [offset, offset + len), from the ring or through the window. */
static bl_err get_bytes(struct bl_store *store, int64_t offset, int64_t len, bool wait,
                        const char **out_bytes) {
  struct bl_dispatch *dispatch = &store->dispatch;
  if (bl_ring_holds(&store->log.ring, offset, offset + len, false)) {
    *out_bytes = bl_ring_at(&store->log.ring, offset);
    return BL_OK;
  }
  if (offset < dispatch->from || offset + len > dispatch->to) {
    int64_t bytes = window_bytes(store, offset, len);
    bl_err err = read_window(store, offset, bytes, wait);
    if (err == BL_ERR_COLD && !dispatch->warming) {
      dispatch->warming = true;
      bl_store_warm(store, &dispatch->warm, offset, bytes, done_warm);
    }
    if (err != BL_OK) return err;
  }
  *out_bytes = dispatch->buffer + (offset - dispatch->from);
  return BL_OK;
}

static void show(struct bl_store *store, const struct bl_record *record) {
  for (int i = 0; i < store->follower_count; i++)
    store->followers[i]->ops->on_record(store->followers[i], record);
}

/* One record, or the step over a blank one. The bytes are our own of this run: what does not decode
 * was broken in memory or by the disk since. */
static bl_err show_next(struct bl_store *store, bool wait) {
  struct bl_dispatch *dispatch = &store->dispatch;
  const char *at = NULL;
  bl_err err = get_bytes(store, dispatch->offset, BL_RECORD_BLANK_BYTES, wait, &at);
  if (err != BL_OK) return err;
  int64_t size = bl_load_u32(at);
  if (bl_load_u32(at + 4) == BL_RECORD_MAGIC_BLANK) {
    if (size < BL_RECORD_BLANK_BYTES) return BL_ERR_FORMAT;
    dispatch->offset += size;
    return BL_OK;
  }
  if (size > BL_LOG_RECORD_BYTES_MAX) return BL_ERR_FORMAT;
  err = get_bytes(store, dispatch->offset, size, wait, &at);
  if (err != BL_OK) return err;
  struct bl_record record;
  err = bl_record_decode(bl_slice_of(at, (size_t)size), BL_RECORD_UNCHECKED, &record);
  if (err != BL_OK) return err;
  if (record.log_offset != dispatch->offset) return BL_ERR_FORMAT;
  dispatch->offset += size;
  show(store, &record);
  return BL_OK;
}

bool bl_store__dispatch(struct bl_store *store, bool all) {
  struct bl_dispatch *dispatch = &store->dispatch;
  struct bl_log *log = &store->log;
  if (dispatch->warming && !all) return false;
  int64_t visible = bl_log_visible(log);
  if (dispatch->offset >= visible) return false;
  bool behind = visible - dispatch->offset > log->ring.bytes / BEHIND_PART;
  int64_t until_ns = bl_clock_mono_ns(log->clock) + (behind ? BEHIND_TURN_NS : TURN_NS);
  for (int shown = 1; dispatch->offset < visible; shown++) {
    bl_err err = show_next(store, all);
    if (err == BL_ERR_COLD && dispatch->failed != BL_OK) err = dispatch->failed;
    if (err == BL_ERR_COLD) return false;
    if (err != BL_OK) {
      bl_log_fail(log, "showing a record to the indexes", err);
      return false;
    }
    if (all || shown % RECORDS_PER_LOOK != 0) continue;
    if (bl_clock_mono_ns(log->clock) > until_ns) return dispatch->offset < visible;
  }
  return false;
}
