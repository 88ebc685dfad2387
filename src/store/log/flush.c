/* Makes the log durable. Buffered mode: one write a turn by the core, or by the flush worker when
 * writes are slow, and one sync at a time, which covers everything written when it starts. Direct
 * mode: the flush worker alone writes, past the page cache, and under SYNC_FLUSH a write is its own
 * sync. Whoever comes meanwhile rides the next one (group commit without timers). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "store/log/log.h"

#define SLOW_WRITE_NS 1000000
#define SLOW_NS 1000000000
#define WRITEBACK_BYTES ((int64_t)1 << 19)

static bool is_sync_flush(const struct bl_log *log) {
  return log->settings.flush_mode == BL_FLUSH_SYNC;
}

void bl_log_fail(struct bl_log *log, const char *what, bl_err err) {
  if (log->failed) return;
  log->failed = true;
  bl_why_set(&log->failure, err,
             "the log stopped: %s at offset %" PRId64
             " failed (%s); what was not acknowledged may or "
             "may not be stored; check the disk of %s, then start again",
             what, log->written, bl_err_text(err), log->settings.dir);
  bl_log_note(log, "store.failed %s", log->failure.text);
}

/* How far one can go from `at` in its file: to `mark`, or to where the records of the file end. */
static int64_t limit_in_file(const struct bl_log *log, int64_t at, int64_t mark) {
  const struct bl_segment *segment = bl_segments_find(&log->segments, at);
  BL_ASSERT(segment != NULL);
  return mark < segment->data_end ? mark : segment->data_end;
}

/* Behind the records of a full file comes the next file. */
static int64_t skip_rest(const struct bl_log *log, int64_t at) {
  const struct bl_segment *segment = bl_segments_find(&log->segments, at - 1);
  if (segment == NULL || at != segment->data_end) return at;
  return segment->first_offset + log->segments.segment_bytes;
}

static void count_rounds(struct bl_log *log) {
  const struct bl_round *write = &log->flush.write_round;
  const struct bl_round *sync = &log->flush.sync_round;
  struct bl_store_stats *stats = &log->stats;
  stats->writes =
      log->flush.core_writes + atomic_load_explicit(&write->writes, memory_order_relaxed);
  stats->syncs = atomic_load_explicit(&write->syncs, memory_order_relaxed) +
                 atomic_load_explicit(&sync->syncs, memory_order_relaxed);
  stats->sync_us_total = atomic_load_explicit(&write->sync_us_total, memory_order_relaxed) +
                         atomic_load_explicit(&sync->sync_us_total, memory_order_relaxed);
  int64_t write_max = atomic_load_explicit(&write->sync_us_max, memory_order_relaxed);
  int64_t sync_max = atomic_load_explicit(&sync->sync_us_max, memory_order_relaxed);
  stats->sync_us_max = write_max > sync_max ? write_max : sync_max;
}

/* The marks move to where the rounds are. After a failure nothing more is believed. */
static void take_progress(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  count_rounds(log);
  if (log->failed) return;
  if (flush->write_round.running) {
    int64_t reached = atomic_load_explicit(&flush->write_round.reached, memory_order_acquire);
    if (reached > log->written) log->written = skip_rest(log, reached);
    if (flush->write_round.kind == BL_ROUND_DIRECT_DURABLE) log->flushed = log->written;
  }
  if (flush->sync_round.running) {
    int64_t reached = atomic_load_explicit(&flush->sync_round.reached, memory_order_acquire);
    if (reached > log->flushed) log->flushed = skip_rest(log, reached);
  }
  if (log->flushed <= flush->start || flush->names_durable) return;
  flush->names_durable = true;
  /* Whoever wanted the next file had to wait for this, and may not ask again: all wait for room. */
  if (log->appended > log->prepare_at && !log->closing) bl_segments_prepare(&log->segments);
}

static void start_round(struct bl_log *log, struct bl_round *round, enum bl_round_kind kind,
                        int64_t from, int64_t mark) {
  struct bl_segment *segment = bl_segments_find(&log->segments, from);
  BL_ASSERT(segment != NULL && !round->running);
  bl_segments_hold(segment);
  int64_t next = segment->first_offset + log->segments.segment_bytes;
  round->kind = kind;
  round->running = true;
  round->loop = kind == BL_ROUND_DIRECT || (is_sync_flush(log) && kind != BL_ROUND_WRITE);
  round->names = !log->flush.names_durable;
  round->file = segment->file;
  round->first_offset = segment->first_offset;
  round->next_offset = next < bl_segments_end(&log->segments) ? next : -1;
  round->from = from;
  round->err = BL_OK;
  atomic_store_explicit(&round->yield, false, memory_order_relaxed);
  atomic_store_explicit(&round->reached, from, memory_order_relaxed);
  atomic_store_explicit(&round->limit, limit_in_file(log, from, mark), memory_order_release);
  bl_worker_submit(log->flush_worker, &round->job);
}

static void extend_round(struct bl_log *log, struct bl_round *round, int64_t mark) {
  /* One that came to the end of its file is over, and the file may be gone already. */
  if (!round->running || bl_segments_find(&log->segments, round->from) == NULL) return;
  int64_t limit = limit_in_file(log, round->from, mark);
  atomic_store_explicit(&round->limit, limit, memory_order_release);
}

/* A disk that was slow once is slow again soon: the core does not try it before a second is over.
 */
static void note_write(struct bl_log *log, int64_t write_ns) {
  if (write_ns > SLOW_WRITE_NS) log->flush.slow_until_ns = bl_clock_mono_ns(log->clock) + SLOW_NS;
}

static bool is_slow(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  if (flush->slow_until_ns == 0) return false;
  if (bl_clock_mono_ns(log->clock) < flush->slow_until_ns) return true;
  flush->slow_until_ns = 0;
  return false;
}

static void done_round(struct bl_job *job) {
  struct bl_round *round = BL_CONTAINER(job, struct bl_round, job);
  struct bl_log *log = round->log;
  take_progress(log);
  round->running = false;
  bl_segments_release(&log->segments, round->first_offset);
  if (round->kind == BL_ROUND_WRITE) note_write(log, round->write_ns);
  if (round->err != BL_OK) bl_log_fail(log, round->failed, round->err);
}

/* FILLS the pieces of [written, appended), as many as there is room for. RETURNS the offset they
 * reach. */
static int64_t cut_pieces(const struct bl_log *log, struct bl_log_piece pieces[BL_LOG_PIECES_MAX],
                          int *out_count) {
  int count = 0;
  int64_t at = log->written;
  while (at < log->appended && count < BL_LOG_PIECES_MAX) {
    const struct bl_segment *segment = bl_segments_find(&log->segments, at);
    int64_t to = limit_in_file(log, at, log->appended);
    pieces[count++] = (struct bl_log_piece){segment->file, at, to, segment->first_offset};
    at = skip_rest(log, to);
  }
  *out_count = count;
  return at;
}

static bl_err write_pieces(struct bl_log *log, const struct bl_log_piece *pieces, int count) {
  for (int i = 0; i < count; i++) {
    const struct bl_log_piece *piece = &pieces[i];
    bl_err err =
        log->disk->ops->write(log->disk, piece->file, bl_ring_at(&log->ring, piece->from),
                              (size_t)(piece->to - piece->from), piece->from - piece->file_first);
    if (err != BL_OK) return err;
  }
  return BL_OK;
}

static void write_on_core(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  struct bl_log_piece pieces[BL_LOG_PIECES_MAX];
  int count = 0;
  int64_t to = cut_pieces(log, pieces, &count);
  int64_t before_ns = bl_clock_mono_ns(log->clock);
  bl_err err = write_pieces(log, pieces, count);
  note_write(log, bl_clock_mono_ns(log->clock) - before_ns);
  flush->core_writes += count;
  if (err == BL_OK) {
    log->written = to;
  } else {
    bl_log_fail(log, "a write", err);
  }
}

static void write_buffered_turn(struct bl_log *log) {
  struct bl_round *round = &log->flush.write_round;
  while (log->written < log->appended && !round->running && !log->failed) {
    if (is_slow(log)) {
      start_round(log, round, BL_ROUND_WRITE, log->written, log->appended);
    } else {
      write_on_core(log);
    }
  }
}

static void write_direct_turn(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  if (log->failed) return;
  int64_t mark = bl_ahead_limit(&flush->ahead, log->appended);
  if (flush->write_round.running) {
    extend_round(log, &flush->write_round, mark);
  } else if (mark > log->written) {
    enum bl_round_kind kind = is_sync_flush(log) ? BL_ROUND_DIRECT_DURABLE : BL_ROUND_DIRECT;
    start_round(log, &flush->write_round, kind, log->written, mark);
  }
  if (is_sync_flush(log) && !log->closing) bl_ahead_turn(&flush->ahead);
}

/* A parent that may not be read was there before us. */
bl_err bl_log_sync_names(const struct bl_log *log) {
  struct bl_disk *disk = log->disk;
  char path[BL_STORE_PATH_BYTES_MAX];
  snprintf(path, sizeof(path), "%s/commitlog", log->settings.dir);
  bl_err err = disk->ops->sync_dir(disk, path);
  if (err == BL_OK) err = disk->ops->sync_dir(disk, log->settings.dir);
  if (err != BL_OK) return err;
  snprintf(path, sizeof(path), "%s/..", log->settings.dir);
  char *slash = strrchr(log->settings.dir, '/');
  if (slash != NULL && slash != log->settings.dir)
    snprintf(path, sizeof(path), "%.*s", (int)(slash - log->settings.dir), log->settings.dir);
  (void)disk->ops->sync_dir(disk, path);
  return BL_OK;
}

static void run_start(struct bl_job *job) {
  const struct bl_log *log = BL_CONTAINER(job, struct bl_log, flush.start_job);
  const struct bl_flush *flush = &log->flush;
  /* An error here comes again from the sync, which is what counts. */
  (void)log->disk->ops->start_writeback(log->disk, flush->start_file,
                                        flush->start_from - flush->start_first,
                                        flush->start_to - flush->start_from);
}

static void done_start(struct bl_job *job) {
  struct bl_log *log = BL_CONTAINER(job, struct bl_log, flush.start_job);
  log->flush.starting = false;
  bl_segments_release(&log->segments, log->flush.start_first);
}

static void start_writeback(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  if (flush->starting) return;
  if (flush->start_to < log->flushed) flush->start_to = log->flushed;
  if (log->written - flush->start_to < WRITEBACK_BYTES) return;
  struct bl_segment *segment = bl_segments_find(&log->segments, flush->start_to);
  BL_ASSERT(segment != NULL);
  int64_t segment_end = segment->first_offset + log->segments.segment_bytes;
  flush->start_from = flush->start_to;
  flush->start_to = log->written < segment_end ? log->written : segment_end;
  flush->start_first = segment->first_offset;
  flush->start_file = segment->file;
  flush->starting = true;
  bl_segments_hold(segment);
  bl_worker_submit(log->flush_worker, &flush->start_job);
}

static bool wants_sync(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  if (log->written == log->flushed || flush->sync_round.running || log->failed) return false;
  if (is_sync_flush(log) || log->closing || flush->due || log->flushed < flush->due_to) return true;
  if (log->written - log->flushed >= log->settings.flush_bytes) return true;
  if (flush->timer.place == 0) {
    bl_timer_set(log->timers, &flush->timer,
                 bl_clock_mono_ms(log->clock) + log->settings.flush_interval_ms);
  }
  return false;
}

static void start_sync(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  if (flush->due || flush->due_to <= log->flushed) flush->due_to = log->written;
  flush->due = false;
  bl_timer_cancel(log->timers, &flush->timer);
  start_round(log, &flush->sync_round, BL_ROUND_SYNC, log->flushed, log->written);
  atomic_store_explicit(&flush->write_round.yield, true, memory_order_relaxed);
}

void bl_log_flush_turn(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  take_progress(log);
  if (flush->is_direct) {
    write_direct_turn(log);
  } else {
    write_buffered_turn(log);
  }
  if (flush->is_direct && is_sync_flush(log)) return;
  if (!log->failed) extend_round(log, &flush->sync_round, log->written);
  if (wants_sync(log)) {
    start_sync(log);
  } else if (!is_sync_flush(log) && !flush->is_direct && !log->failed) {
    start_writeback(log);
  }
}

static void fire_flush(struct bl_timer *timer, int64_t now_ms) {
  (void)now_ms;
  struct bl_log *log = BL_CONTAINER(timer, struct bl_log, flush.timer);
  log->flush.due = true; /* the turn that follows the timers begins */
}

void bl_log_flush_init(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  *flush = (struct bl_flush){
      .start_job = {.run = run_start, .done = done_start},
      .timer = {.fire = fire_flush},
      .direct = {.file = -1, .next_file = -1},
  };
  flush->write_round.job = (struct bl_job){.run = bl_round_run, .done = done_round};
  flush->sync_round.job = flush->write_round.job;
  flush->write_round.log = log;
  flush->sync_round.log = log;
}

void bl_log_flush_start(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  flush->start = log->flushed;
  bl_ahead_init(&flush->ahead, log, log->segments.pool);
  if (log->settings.write_mode != BL_WRITE_DIRECT) return;
  struct bl_why why = {""};
  const struct bl_segment *segment = bl_segments_find(&log->segments, log->appended);
  bl_err err = bl_direct_open(log, segment->first_offset, &why);
  flush->is_direct = err == BL_OK;
  if (err != BL_OK)
    bl_log_note(log, "store.direct logWriteMode=direct is not possible: %s; going on as buffered",
                why.text);
}

void bl_log_flush_fini(struct bl_log *log) {
  bl_timer_cancel(log->timers, &log->flush.timer);
  bl_direct_close(log);
  bl_ahead_fini(&log->flush.ahead);
}
