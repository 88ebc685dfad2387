/* A range of the log once more, for a follower that found something of its own damaged: some
 * records a turn, read like cold bytes, while new records go on to all. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "store/store_internal.h"

#define WINDOW_BYTES 65536
#define WARM_BYTES (1 << 20)
#define RECORDS_PER_LOOK 16
#define TURN_NS 100000

static void end(struct bl_store *store, bl_err err) {
  struct bl_again *again = &store->again;
  struct bl_follower *follower = again->follower;
  again->follower = NULL;
  free(again->window);
  again->window = NULL;
  again->cap = 0;
  follower->ops->again_done(follower, err);
}

static bool begin(struct bl_store *store) {
  struct bl_again *again = &store->again;
  for (int i = 0; i < store->follower_count; i++) {
    struct bl_follower *follower = store->followers[i];
    if (follower->ops->wants_again == NULL) continue;
    if (!follower->ops->wants_again(follower, &again->offset, &again->to)) continue;
    again->follower = follower;
    again->from = 0;
    again->end = 0;
    return true;
  }
  return false;
}

static void done_warm(struct bl_store_warm *warm) {
  struct bl_again *again = BL_CONTAINER(warm, struct bl_again, warm);
  again->warming = false;
  if (warm->err != BL_OK && warm->err != BL_ERR_NOT_FOUND) again->failed = warm->err;
}

/* Past what is gone and what is fenced. RETURNS the end of what can be read in one go. */
static int64_t next_readable(const struct bl_store *store, int64_t *io_offset) {
  const struct bl_log *log = &store->log;
  int64_t min = bl_segments_min(&log->segments);
  if (*io_offset < min) *io_offset = min;
  for (int i = 0; i < log->fence_count; i++) {
    if (*io_offset < log->fences[i].from || *io_offset >= log->fences[i].to) continue;
    *io_offset = log->fences[i].to;
    i = -1; /* they are in no order */
  }
  const struct bl_segment *segment = bl_segments_find(&log->segments, *io_offset);
  int64_t limit = bl_log_visible(log);
  if (segment == NULL) return *io_offset;
  if (segment->data_end < limit) limit = segment->data_end; /* cold windows end there, too */
  for (int i = 0; i < log->fence_count; i++) {
    if (log->fences[i].from > *io_offset && log->fences[i].from < limit)
      limit = log->fences[i].from;
  }
  return limit;
}

/* FILLS a borrow of [offset, offset + len). */
static bl_err get_bytes(struct bl_store *store, int64_t len, int64_t limit, const char **out_at) {
  struct bl_again *again = &store->again;
  if (again->offset + len > limit) return BL_ERR_FORMAT;
  if (again->offset < again->from || again->offset + len > again->end) {
    int64_t want = len > WINDOW_BYTES ? len : WINDOW_BYTES;
    if (want > limit - again->offset) want = limit - again->offset;
    if (want > again->cap) {
      free(again->window);
      again->cap = want > WINDOW_BYTES ? want : WINDOW_BYTES;
      again->window = malloc((size_t)again->cap);
      BL_ASSERT(again->window != NULL);
    }
    again->from = again->offset;
    again->end = again->offset;
    bl_err err = bl_store_read(store, again->offset, (uint32_t)want, again->window);
    if (err == BL_ERR_COLD) {
      again->warming = true;
      int64_t ahead = want > WARM_BYTES ? want : WARM_BYTES;
      bl_store_warm(store, &again->warm, again->offset, ahead, done_warm);
    }
    if (err != BL_OK) return err;
    again->end = again->offset + want;
  }
  *out_at = again->window + (again->offset - again->from);
  return BL_OK;
}

/* One record, or the step over a blank one. BL_ERR_NOT_FOUND: the range is over. */
static bl_err show_next(struct bl_store *store) {
  struct bl_again *again = &store->again;
  int64_t limit = next_readable(store, &again->offset);
  if (again->offset >= again->to || again->offset >= limit) return BL_ERR_NOT_FOUND;
  const char *at = NULL;
  bl_err err = get_bytes(store, BL_RECORD_BLANK_BYTES, limit, &at);
  if (err != BL_OK) return err;
  int64_t size = bl_load_u32(at);
  if (bl_load_u32(at + 4) == BL_RECORD_MAGIC_BLANK) {
    if (size < BL_RECORD_BLANK_BYTES) return BL_ERR_FORMAT;
    again->offset += size;
    return BL_OK;
  }
  if (size > BL_LOG_RECORD_BYTES_MAX) return BL_ERR_FORMAT;
  err = get_bytes(store, size, limit, &at);
  if (err != BL_OK) return err;
  struct bl_record record;
  err = bl_record_decode(bl_slice_of(at, (size_t)size), BL_RECORD_CHECKED, &record);
  if (err != BL_OK) return err;
  if (record.log_offset != again->offset || record.size_bytes != size) return BL_ERR_FORMAT;
  again->offset += size;
  again->follower->ops->on_again(again->follower, &record);
  return BL_OK;
}

bool bl_store__again_turn(struct bl_store *store) {
  struct bl_again *again = &store->again;
  if (again->warming || (again->follower == NULL && !begin(store))) return false;
  bl_err err = again->failed;
  again->failed = BL_OK;
  int64_t until_ns = bl_clock_mono_ns(store->log.clock) + TURN_NS;
  for (int shown = 1; err == BL_OK; shown++) {
    err = show_next(store);
    if (err == BL_ERR_COLD) return false;
    if (shown % RECORDS_PER_LOOK == 0 && bl_clock_mono_ns(store->log.clock) > until_ns) break;
  }
  if (err != BL_OK) end(store, err == BL_ERR_NOT_FOUND ? BL_OK : err);
  return true;
}

void bl_store__again_fini(struct bl_store *store) {
  free(store->again.window);
  store->again.window = NULL;
}
