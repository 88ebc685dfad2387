#include "store/log/recover.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/crc32.h"
#include "store/log/tail.h"
#include "store/log/walk.h"

#define LOOK_BACK_BYTES 65536

struct replay {
  struct bl_log *log;
  struct bl_recovery *recovery;
  struct bl_walk walk;
  int64_t floor; /* durable up to here, as far as we know */
  bool same;     /* the log is the one that our checkpoint saw */
  int64_t end;
};

static bl_err load_followers(struct bl_recovery *recovery, int64_t min_offset, struct bl_why *why) {
  for (int i = 0; i < recovery->follower_count; i++) {
    struct bl_follower *follower = recovery->followers[i];
    int64_t covered = 0;
    bl_err err = follower->ops->load(follower, &covered, why);
    if (err != BL_OK) return err;
    recovery->covered[i] = covered > min_offset ? covered : min_offset;
  }
  int64_t least = BL_FOLLOWER_NEEDS_NOTHING;
  for (int i = 0; i < recovery->follower_count; i++)
    if (recovery->covered[i] < least) least = recovery->covered[i];
  for (int i = 0; i < recovery->follower_count; i++) {
    if (recovery->covered[i] == BL_FOLLOWER_NEEDS_NOTHING)
      recovery->covered[i] = least == BL_FOLLOWER_NEEDS_NOTHING ? min_offset : least;
  }
  return BL_OK;
}

/* FILLS replay->same: whether the bytes before the checkpoint are those that it saw. After a Java
 * broker a mere absence of doubt is not enough. */
static bl_err compare_tail(struct replay *replay) {
  const struct bl_checkpoint *checkpoint = replay->recovery->checkpoint;
  const struct bl_checkpoint_mark *mark = &checkpoint->mark;
  const struct bl_segments *segments = &replay->log->segments;
  int64_t from = mark->flushed - mark->tail_bytes;
  replay->same = !replay->recovery->foreign;
  if (!checkpoint->found) return BL_OK;
  if (mark->flushed > bl_segments_end(segments) || from < bl_segments_min(segments))
    replay->same = false;
  if (mark->flushed > bl_segments_end(segments) || from < bl_segments_min(segments) ||
      mark->tail_bytes == 0)
    return BL_OK;
  const char *bytes = NULL;
  bl_err err = bl_walk_bytes(&replay->walk, from, mark->tail_bytes, &bytes);
  if (err != BL_OK) return err;
  replay->same = bl_crc32(0, bytes, mark->tail_bytes) == mark->tail_crc;
  return BL_OK;
}

static void discard(struct replay *replay, int i) {
  struct bl_recovery *recovery = replay->recovery;
  struct bl_follower *follower = recovery->followers[i];
  bl_log_note(replay->log,
              "store.rebuild the snapshot of %s covers the log up to offset %" PRId64
              ", which is not the log that is here; rebuilding it",
              follower->ops->name, recovery->covered[i]);
  follower->ops->discard(follower);
  recovery->covered[i] = bl_segments_min(&replay->log->segments);
}

/* Discards what cannot be right, and FILLS the floor and the offset to start from. */
static bl_err choose_start(struct replay *replay, int64_t *out_start) {
  struct bl_recovery *recovery = replay->recovery;
  const struct bl_segments *segments = &replay->log->segments;
  bl_err err = compare_tail(replay);
  if (err != BL_OK) return err;
  int64_t end = bl_segments_end(segments);
  int64_t durable =
      recovery->checkpoint->found && !recovery->foreign ? recovery->checkpoint->mark.flushed : 0;
  int64_t start = durable;
  for (int i = 0; i < recovery->follower_count; i++) {
    if ((!replay->same && recovery->covered[i] > bl_segments_min(segments)) ||
        recovery->covered[i] > end)
      discard(replay, i);
    if (!recovery->foreign && recovery->covered[i] > durable) durable = recovery->covered[i];
  }
  for (int i = 0; i < recovery->follower_count; i++) {
    if (i == 0 || recovery->covered[i] < start) start = recovery->covered[i];
  }
  replay->floor = durable < end ? durable : end;
  if (start > replay->floor && !recovery->foreign) start = replay->floor;
  if (start < bl_segments_min(segments)) start = bl_segments_min(segments);
  *out_start = start;
  return BL_OK;
}

static void show(const struct replay *replay, const struct bl_record *record) {
  const struct bl_recovery *recovery = replay->recovery;
  for (int i = 0; i < recovery->follower_count; i++) {
    struct bl_follower *follower = recovery->followers[i];
    if (record->log_offset >= recovery->covered[i]) follower->ops->on_record(follower, record);
  }
  replay->log->stats.recovered_records++;
  if (record->store_ms > replay->log->last_store_ms) replay->log->last_store_ms = record->store_ms;
}

static void fence(struct bl_log *log, int64_t from, int64_t to) {
  bl_log_note(log,
              "store.damage the log is damaged from offset %" PRId64 " to %" PRId64 " (%" PRId64
              " bytes): messages there are lost, going on behind it",
              from, to, to - from);
  if (log->fence_count < BL_LOG_FENCES_MAX) {
    log->fences[log->fence_count++] = (struct bl_log_fence){from, to};
  }
}

static bl_err replay_from(struct replay *replay, int64_t at) {
  struct bl_log *log = replay->log;
  int64_t end = bl_segments_end(&log->segments);
  while (at < end) {
    struct bl_record record;
    bl_err err = bl_walk_record(&replay->walk, at, &record);
    if (err == BL_ERR_IO) return err;
    if (err == BL_OK) {
      show(replay, &record);
      at += record.size_bytes;
      continue;
    }
    struct bl_segment *segment = bl_segments_find(&log->segments, at);
    BL_ASSERT(segment != NULL); /* at < end */
    if (err == BL_ERR_NOT_FOUND) {
      segment->data_end = at + BL_RECORD_BLANK_BYTES;
      at = segment->first_offset + log->segments.segment_bytes;
      continue;
    }
    if (at >= replay->floor) break;
    int64_t next = 0;
    err = bl_walk_find(&replay->walk, at + 1, replay->floor, &next);
    if (err != BL_OK) return err;
    /* Nothing good follows in a log that is not the one we knew: it ends here. What begins at the
     * floor is the one we knew, with damage in the bytes that the checkpoint compares. */
    if (next == replay->floor && !replay->same) {
      err = next < end ? bl_walk_record(&replay->walk, next, &record) : BL_ERR_FORMAT;
      if (err == BL_ERR_IO) return err;
      if (err != BL_OK && err != BL_ERR_NOT_FOUND) break;
    }
    fence(log, at, next);
    at = next;
  }
  replay->end = at;
  if (at < replay->floor) {
    bl_log_note(log,
                "store.shorter the log was durable up to offset %" PRId64 " but ends at %" PRId64
                " now; going on from there",
                replay->floor, at);
  }
  return BL_OK;
}

/* A log that turned out shorter than what a follower covers: once more from the start. The others
 * see records again, which they bear. */
static bl_err replay_for_discarded(struct replay *replay) {
  struct bl_recovery *recovery = replay->recovery;
  bool again = false;
  for (int i = 0; i < recovery->follower_count; i++) {
    if (recovery->covered[i] <= replay->end) continue;
    discard(replay, i);
    int64_t min = bl_segments_min(&replay->log->segments);
    if (min > 0) recovery->followers[i]->ops->log_min_moved(recovery->followers[i], min);
    again = true;
  }
  if (!again) return BL_OK;
  return replay_from(replay, bl_segments_min(&replay->log->segments));
}

/* The last bytes go into the ring again, so that the next checkpoint can tell this log from
 * another. */
static bl_err fill_ring(struct bl_log *log, int64_t end) {
  int64_t first = bl_segments_min(&log->segments);
  int64_t in_file = (end - first) % log->segments.segment_bytes;
  int64_t len = in_file < BL_CHECKPOINT_TAIL_BYTES_MAX ? in_file : BL_CHECKPOINT_TAIL_BYTES_MAX;
  if (len == 0) return BL_OK;
  bl_err err = bl_log_read(log, end - len, (uint32_t)len, bl_ring_at(&log->ring, end - len), true);
  if (err == BL_OK) log->ring.from = end - len;
  return err;
}

static bl_err first_store_ms(struct replay *replay) {
  struct bl_record record;
  int64_t min = bl_segments_min(&replay->log->segments);
  if (min == bl_segments_end(&replay->log->segments)) return BL_OK;
  bl_err err = bl_walk_record(&replay->walk, min, &record);
  if (err == BL_OK) replay->log->stats.first_store_ms = record.store_ms;
  return err == BL_ERR_IO ? err : BL_OK;
}

/* Takes the store times of the records in [from, end), which lie in one file. */
static bl_err take_store_ms(struct replay *replay, int64_t from, int64_t end, bool *out_found) {
  bl_err err = bl_walk_find(&replay->walk, from, end, &from);
  while (err == BL_OK && from < end) {
    struct bl_record record;
    err = bl_walk_record(&replay->walk, from, &record);
    if (err != BL_OK) return err == BL_ERR_IO ? err : BL_OK;
    *out_found = true;
    if (record.store_ms > replay->log->last_store_ms) replay->log->last_store_ms = record.store_ms;
    from += record.size_bytes;
  }
  return err;
}

/* Store times go on from that of the last record, which the replay may not come by: it begins at
 * `start`, and the checkpoint may be older or gone. */
static bl_err find_store_ms(struct replay *replay, int64_t start) {
  const struct bl_checkpoint *checkpoint = replay->recovery->checkpoint;
  const struct bl_segments *segments = &replay->log->segments;
  bool found = checkpoint->found && checkpoint->mark.flushed >= start;
  for (int64_t end = start; !found && end > bl_segments_min(segments);) {
    const struct bl_segment *segment = bl_segments_find(segments, end - 1);
    BL_ASSERT(segment != NULL);
    for (int64_t back = LOOK_BACK_BYTES; !found; back *= 8) {
      int64_t from = end - back > segment->first_offset ? end - back : segment->first_offset;
      bl_err err = take_store_ms(replay, from, end, &found);
      if (err != BL_OK) return err;
      if (from == segment->first_offset) break;
    }
    end = segment->first_offset;
  }
  return BL_OK;
}

/* A file that Java made has holes: what a full disk would refuse in the middle of a write is
 * refused to the next file instead. Best effort: without it a write says so. */
static void allocate_rest(const struct bl_log *log, int64_t end) {
  for (int i = 0; i < log->segments.count; i++) {
    const struct bl_segment *segment = &log->segments.items[i];
    if (segment->first_offset + log->segments.segment_bytes > end)
      (void)log->disk->ops->allocate(log->disk, segment->file, log->segments.segment_bytes);
  }
}

static bl_err end_here(struct replay *replay, struct bl_why *why) {
  struct bl_log *log = replay->log;
  struct bl_recovery *recovery = replay->recovery;
  bl_err err = bl_tail_clean(log, replay->end, why);
  if (err != BL_OK) return err;
  int64_t from = replay->floor < replay->end ? replay->floor : replay->end;
  if (recovery->foreign) {
    /* Java closed or died long ago as far as we know: its last two files are synced, not rewritten.
     */
    from = replay->end - 2 * log->segments.segment_bytes;
    if (from < bl_segments_min(&log->segments)) from = bl_segments_min(&log->segments);
    allocate_rest(log, replay->end);
  }
  err = bl_tail_make_durable(log, from, replay->end, !recovery->foreign, why);
  if (err != BL_OK) return err;
  bl_log_start_at(log, replay->end);
  return fill_ring(log, replay->end);
}

bl_err bl_log_recover(struct bl_log *log, struct bl_recovery *recovery, struct bl_why *why) {
  struct replay replay = {.log = log, .recovery = recovery};
  int64_t began_ns = bl_clock_mono_ns(log->clock);
  int64_t min_offset = bl_segments_min(&log->segments);
  bl_err err = load_followers(recovery, min_offset, why);
  if (err != BL_OK) return err;
  bl_walk_init(&replay.walk, log);
  int64_t start = 0;
  err = choose_start(&replay, &start);
  for (int i = 0; err == BL_OK && min_offset > 0 && i < recovery->follower_count; i++)
    recovery->followers[i]->ops->log_min_moved(recovery->followers[i], min_offset);
  if (err == BL_OK) err = first_store_ms(&replay);
  log->last_store_ms = recovery->checkpoint->mark.store_ms;
  if (err == BL_OK) err = find_store_ms(&replay, start);
  if (err == BL_OK) err = replay_from(&replay, start);
  if (err == BL_OK) err = replay_for_discarded(&replay);
  bl_walk_fini(&replay.walk);
  if (err == BL_ERR_IO)
    bl_why_set(why, err, "cannot read the log in %s/commitlog: the disk reports an error",
               log->settings.dir);
  if (err != BL_OK) return err;
  err = end_here(&replay, why);
  log->stats.recovered_us = (bl_clock_mono_ns(log->clock) - began_ns) / 1000;
  return err;
}
