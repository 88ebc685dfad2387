#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32.h"
#include "store/log/recover.h"
#include "store/store_internal.h"

#define CHECKPOINT_MS 1000
#define SEGMENT_BYTES_MIN 4096
#define COLD_BYTES (64LL << 20)

static void fire_checkpoint(struct bl_timer *timer, int64_t now_ms);

static bl_err check_settings(const struct bl_store_settings *settings, struct bl_why *why) {
  if (settings->segment_bytes < SEGMENT_BYTES_MIN || settings->segment_bytes > INT32_MAX)
    return bl_why_set(why, BL_ERR_PARAMETER,
                      "mappedFileSizeCommitLog is %" PRId64 "; it is between %d and %d",
                      settings->segment_bytes, SEGMENT_BYTES_MIN, INT32_MAX);
  return BL_OK;
}

static struct bl_store *make_store(const struct bl_store_settings *settings, struct bl_disk *disk,
                                   const struct bl_clock *clock, struct bl_timers *timers,
                                   struct bl_worker *flush_worker, struct bl_worker *pool,
                                   struct bl_follower *const *followers, int follower_count) {
  struct bl_store *store = calloc(1, sizeof(*store));
  BL_ASSERT(store != NULL);
  store->takeover.java_until = INT64_MAX;
  store->lock_file = -1;
  store->pool = pool;
  store->followers = followers;
  store->follower_count = follower_count;
  store->checkpoint_timer.fire = fire_checkpoint;
  store->checkpoint.file = -1;
  struct bl_log *log = &store->log;
  log->settings = *settings;
  if (log->settings.cold_bytes == 0) log->settings.cold_bytes = COLD_BYTES;
  log->disk = disk;
  log->clock = clock;
  log->timers = timers;
  log->flush_worker = flush_worker;
  bl_log_flush_init(log);
  bl_segments_init(&log->segments, settings->dir, settings->segment_bytes, disk, pool, timers,
                   clock);
  bl_cold_init(&store->cold, log, pool);
  bl_gate_init(&store->gate);
  bl_store__snapshots_init(store);
  return store;
}

/* Everything that needs no job to end. */
static void free_store(struct bl_store *store) {
  struct bl_log *log = &store->log;
  bl_timer_cancel(log->timers, &store->checkpoint_timer);
  bl_store__snapshots_fini(store);
  bl_store__again_fini(store);
  bl_cold_fini(&store->cold);
  bl_log_flush_fini(log);
  bl_checkpoint_close(&store->checkpoint);
  bl_segments_fini(&log->segments);
  bl_ring_fini(&log->ring);
  log->disk->ops->close(log->disk, store->lock_file); /* unlocks */
  free(store->dispatch.buffer);
  free(store);
}

static bl_err open_parts(struct bl_store *store, struct bl_why *why) {
  struct bl_log *log = &store->log;
  const struct bl_store_settings *settings = &log->settings;
  bl_err err = check_settings(settings, why);
  if (err != BL_OK) return err;
  err = bl_takeover_lock(log->disk, settings->dir, &store->lock_file, why);
  if (err != BL_OK) return err;
  err = bl_ring_init(&log->ring, settings->ring_bytes);
  if (err != BL_OK)
    return bl_why_set(why, err,
                      "cannot have a write buffer of %" PRId64 " bytes (a power of two): %s",
                      settings->ring_bytes, bl_err_text(err));
  err = bl_segments_load(&log->segments, why);
  if (err != BL_OK) return err;
  struct bl_recovery recovery = {
      .checkpoint = &store->checkpoint,
      .followers = store->followers,
      .follower_count = store->follower_count,
      .covered = store->snapshots.covered,
  };
  err = bl_takeover_begin(log, &store->takeover, why);
  if (err != BL_OK) return err;
  recovery.foreign = store->takeover.foreign;
  err = bl_checkpoint_open(&store->checkpoint, log->disk, settings->dir, why);
  if (err != BL_OK) return err;
  err = bl_log_recover(log, &recovery, why);
  return err == BL_OK ? bl_takeover_end(log, &store->takeover, why) : err;
}

/* The tail must be in the ring and in one file. */
static struct bl_checkpoint_mark mark_now(const struct bl_store *store) {
  const struct bl_log *log = &store->log;
  struct bl_checkpoint_mark mark = {.flushed = log->flushed, .store_ms = log->last_store_ms};
  int64_t size = log->segments.segment_bytes;
  int64_t in_file = (log->flushed - bl_segments_min(&log->segments)) % size;
  int64_t from = log->flushed -
                 (in_file < BL_CHECKPOINT_TAIL_BYTES_MAX ? in_file : BL_CHECKPOINT_TAIL_BYTES_MAX);
  if (from < log->ring.from) from = log->ring.from;
  if (from >= log->flushed || !bl_ring_holds(&log->ring, from, log->flushed, false)) return mark;
  mark.tail_bytes = (uint32_t)(log->flushed - from);
  mark.tail_crc = bl_crc32(0, bl_ring_at(&log->ring, from), mark.tail_bytes);
  return mark;
}

bl_err bl_store_open(const struct bl_store_settings *settings, struct bl_disk *disk,
                     const struct bl_clock *clock, struct bl_timers *timers,
                     struct bl_worker *flush_worker, struct bl_worker *pool,
                     struct bl_follower *const *followers, int follower_count,
                     struct bl_store **out_store, struct bl_why *why) {
  struct bl_store *store =
      make_store(settings, disk, clock, timers, flush_worker, pool, followers, follower_count);
  bl_err err = open_parts(store, why);
  if (err != BL_OK) {
    bl_worker_finish(pool);
    free_store(store);
    return err;
  }
  /* A checkpoint of another log, or none: it is written again even when the offset is the same. */
  struct bl_checkpoint_mark mark = mark_now(store);
  if (mark.tail_crc != store->checkpoint.mark.tail_crc) store->checkpoint.mark.flushed = -1;
  store->dispatch.offset = store->log.appended;
  store->snapshots.settled = -1;
  store->snapshots.round_from = store->log.appended;
  store->gate.last_offset = store->log.appended;
  *out_store = store;
  return BL_OK;
}

static bool is_checkpoint_old(const struct bl_store *store) {
  return store->checkpoint.mark.flushed != store->log.flushed;
}

static void run_drop(struct bl_job *job) {
  struct bl_store *store = BL_CONTAINER(job, struct bl_store, drop_job);
  store->drop_why.text[0] = 0;
  if (bl_takeover_drop(&store->log, &store->drop_aside, &store->drop_why) != BL_OK)
    store->drop_aside.moved = 0;
}

static void done_drop(struct bl_job *job) {
  struct bl_store *store = BL_CONTAINER(job, struct bl_store, drop_job);
  if (store->drop_aside.moved == 0 && store->drop_why.text[0] == 0) return; /* gone already */
  if (store->drop_aside.moved == 0) {
    bl_log_note(&store->log,
                "store.takeover %s; move consumequeue and index away before a Java broker starts",
                store->drop_why.text);
    return;
  }
  bl_log_note(&store->log,
              "store.takeover Java's consume queues are too far behind for it to go on from them; "
              "they are in %s",
              store->drop_aside.folder);
}

/* The file that says where they end stays as it is: the next start finds the log too far, and them
 * gone. */
static void drop_java_queues(struct bl_store *store) {
  if (store->log.flushed < store->takeover.java_until) return;
  store->takeover.java_until = INT64_MAX;
  store->drop_job = (struct bl_job){.run = run_drop, .done = done_drop};
  bl_worker_submit(store->pool, &store->drop_job);
}

static void fire_checkpoint(struct bl_timer *timer, int64_t now_ms) {
  struct bl_store *store = BL_CONTAINER(timer, struct bl_store, checkpoint_timer);
  if (!store->log.failed) drop_java_queues(store);
  if (store->log.failed || !is_checkpoint_old(store)) return;
  if (store->checkpoint.writing) {
    bl_timer_set(store->log.timers, timer, now_ms + CHECKPOINT_MS);
    return;
  }
  struct bl_checkpoint_mark mark = mark_now(store);
  bl_checkpoint_write(&store->checkpoint, store->pool, &mark);
}

static void checkpoint_turn(struct bl_store *store) {
  if (store->checkpoint_timer.place != 0 || !is_checkpoint_old(store) || store->log.failed) return;
  bl_timer_set(store->log.timers, &store->checkpoint_timer,
               bl_clock_mono_ms(store->log.clock) + CHECKPOINT_MS);
}

static bool nothing_to_do(const struct bl_store *store) {
  const struct bl_log *log = &store->log;
  const struct bl_snapshots *snapshots = &store->snapshots;
  return log->appended == log->flushed && store->dispatch.offset == log->flushed &&
         bl_gate_empty(&store->gate) && snapshots->state == BL_SNAP_IDLE && !snapshots->wanted &&
         !snapshots->soon_due && !is_checkpoint_old(store) &&
         (snapshots->timer.place != 0 || snapshots->settled == log->flushed);
}

static bool end_turn(struct bl_store *store) {
  bl_cold_turn(&store->cold);
  bool more = bl_store__again_turn(store);
  if (nothing_to_do(store)) return more;
  struct bl_log *log = &store->log;
  bl_log_flush_turn(log);
  if (bl_store__dispatch(store, false)) more = true;
  if (log->failed) {
    bl_gate_open(&store->gate, log->flushed);
    bl_gate_fail(&store->gate, BL_ERR_SYSTEM);
  } else {
    bl_gate_open(&store->gate, bl_log_visible(log));
  }
  if (bl_store__snapshots_turn(store)) more = true;
  checkpoint_turn(store);
  return more;
}

bool bl_store_end_turn(struct bl_store *store) {
  bool more = end_turn(store);
  store->log.timed = false;
  return more;
}

/* Until everything appended is durable, or the log failed. */
static void drain_log(struct bl_store *store) {
  struct bl_log *log = &store->log;
  while (!log->failed && !bl_log_is_durable(log)) {
    bl_store_end_turn(store);
    bl_worker_finish(log->flush_worker);
  }
  bl_worker_finish(log->flush_worker);
}

void bl_store_close(struct bl_store *store) {
  if (store == NULL) return;
  struct bl_log *log = &store->log;
  log->closing = true;
  bl_cold_stop(&store->cold);
  drain_log(store);
  bl_worker_finish(store->pool); /* a read for the dispatch, a segment */
  if (!log->failed) bl_store__dispatch(store, true);
  bl_store_end_turn(store); /* whoever waits is told */
  bl_gate_fail(&store->gate, BL_ERR_SYSTEM);
  bl_store__snapshots_finish(store);
  bl_worker_finish(store->pool);
  if (!log->failed && is_checkpoint_old(store)) {
    struct bl_checkpoint_mark mark = mark_now(store);
    bl_err err = bl_checkpoint_write_now(&store->checkpoint, &mark);
    if (err != BL_OK)
      bl_log_note(log, "store.checkpoint could not be written: %s", bl_err_text(err));
  }
  free_store(store);
}

bl_err bl_store_append(struct bl_store *store, struct bl_record *record) {
  return bl_log_append(&store->log, record, false);
}

int64_t bl_store_turn_ms(struct bl_store *store) {
  return bl_log_turn_ms(&store->log);
}

bl_err bl_store_can_append(struct bl_store *store, int64_t bytes) {
  return bl_log_can_append(&store->log, bytes, false);
}

bl_err bl_store_append_metadata(struct bl_store *store, struct bl_record *record) {
  return bl_log_append(&store->log, record, true);
}

bl_err bl_store_can_append_metadata(struct bl_store *store, int64_t bytes) {
  return bl_log_can_append(&store->log, bytes, true);
}

bool bl_store_full(const struct bl_store *store, struct bl_why *why) {
  const struct bl_segments *segments = &store->log.segments;
  if (!bl_segments_stuck(segments)) return false;
  if (why != NULL) *why = segments->next_why;
  return true;
}

void bl_store_wait(struct bl_store *store, struct bl_store_waiter *waiter, int64_t offset) {
  BL_ASSERT(offset <= store->log.appended);
  bl_gate_add(&store->gate, waiter, offset);
}

struct bl_store_marks bl_store_marks(const struct bl_store *store) {
  const struct bl_log *log = &store->log;
  return (struct bl_store_marks){.min_offset = bl_segments_min(&log->segments),
                                 .appended = log->appended,
                                 .written = log->written,
                                 .flushed = log->flushed,
                                 .visible = bl_log_visible(log)};
}

bool bl_store_failed(const struct bl_store *store, struct bl_why *why) {
  if (store->log.failed && why != NULL) *why = store->log.failure;
  return store->log.failed;
}

void bl_store_snapshot_now(struct bl_store *store) {
  store->snapshots.wanted = true;
}

void bl_store_stats(const struct bl_store *store, struct bl_store_stats *out_stats) {
  *out_stats = store->log.stats;
  out_stats->last_store_ms = store->log.last_store_ms;
}
