/* Reading the log: from the ring, from windows of cold bytes, from the page cache. */
#include <inttypes.h>

#include "store/store_internal.h"

static bool is_readable(const struct bl_store *store, int64_t offset, uint32_t len) {
  const struct bl_log *log = &store->log;
  int64_t end;
  if (offset < 0 || __builtin_add_overflow(offset, (int64_t)len, &end)) return false;
  if (offset < bl_segments_min(&log->segments) || end > bl_log_visible(log)) return false;
  for (int i = 0; i < log->fence_count; i++) {
    if (offset < log->fences[i].to && end > log->fences[i].from) return false;
  }
  return true;
}

struct bl_slice bl_store_peek(struct bl_store *store, int64_t offset, uint32_t len) {
  const struct bl_ring *ring = &store->log.ring;
  const char *bytes = NULL;
  if (is_readable(store, offset, len)) {
    /* What the older half of the ring holds is copied from there by bl_store_read, not taken from
     * the disk: it counts as fresh. */
    if (bl_ring_holds(ring, offset, offset + len, true)) {
      bytes = bl_ring_at(ring, offset);
    } else if (!bl_ring_holds(ring, offset, offset + len, false)) {
      bytes = bl_cold_peek(&store->cold, offset, len);
    }
  }
  return bytes != NULL ? bl_slice_of(bytes, len) : (struct bl_slice){NULL, 0};
}

bl_err bl_store_read(struct bl_store *store, int64_t offset, uint32_t len, void *to) {
  struct bl_cold *cold = &store->cold;
  const struct bl_segments *segments = &store->log.segments;
  if (!is_readable(store, offset, len) ||
      bl_segments_find(segments, offset) != bl_segments_find(segments, offset + len - 1))
    return BL_ERR_NOT_FOUND;
  bool in_ring = bl_ring_holds(&store->log.ring, offset, offset + len, false);
  uint32_t copied = in_ring ? 0 : (uint32_t)bl_cold_copy(cold, offset, len, to);
  if (copied == len) return BL_OK;
  bl_err err = BL_ERR_COLD;
  if (in_ring || !bl_cold_is_stream(cold, offset + copied)) {
    err = bl_log_read(&store->log, offset + copied, len - copied, (char *)to + copied, false);
  }
  if (err != BL_ERR_COLD) return err;
  err = bl_cold_refused(cold, offset + copied, len - copied);
  return err == BL_OK ? BL_ERR_COLD : err;
}

bl_err bl_store_read_blocking(struct bl_store *store, int64_t offset, uint32_t len, void *to) {
  if (!is_readable(store, offset, len)) return BL_ERR_NOT_FOUND;
  return bl_log_read(&store->log, offset, len, to, true);
}

bool bl_store_is_fresh(const struct bl_store *store, int64_t offset, int64_t len) {
  return bl_ring_holds(&store->log.ring, offset, offset + len, false);
}

/* Named once: from then on it is a fence. When there is no room for one it is looked at again. */
bool bl_store_is_sound(struct bl_store *store, int64_t offset, struct bl_slice bytes) {
  struct bl_log *log = &store->log;
  if (bl_record_is_sound(bytes, offset)) return true;
  if (log->fence_count == BL_LOG_FENCES_MAX) return false;
  log->fences[log->fence_count++] = (struct bl_log_fence){offset, offset + (int64_t)bytes.len};
  const struct bl_segment *segment = bl_segments_find(&log->segments, offset);
  bl_log_note(log,
              "store.damage the record of %zu bytes at log offset %" PRId64
              " (%s/commitlog/%020" PRId64
              ") is damaged: its message is lost and given to nobody; see the disk, and bolide log "
              "verify",
              bytes.len, offset, log->settings.dir, segment != NULL ? segment->first_offset : 0);
  return false;
}

void bl_store_warm(struct bl_store *store, struct bl_store_warm *warm, int64_t offset, int64_t len,
                   void (*done)(struct bl_store_warm *warm)) {
  *warm = (struct bl_store_warm){.store = store, .offset = offset, .len = len, .done = done};
  bl_cold_warm(&store->cold, warm);
}

void bl_store_hint(struct bl_store *store, int64_t offset, int64_t len) {
  bl_cold_hint(&store->cold, offset, len);
}

void bl_store_stop_reading(struct bl_store *store) {
  bl_cold_stop(&store->cold);
}

void bl_store_cold_stats(const struct bl_store *store, struct bl_cold_stats *out_stats) {
  *out_stats = store->cold.stats;
}
