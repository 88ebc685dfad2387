/* Makes the log durable: one write a turn by the core, or by the flush worker when writes are slow;
 * one sync at a time, which covers everything written when it starts, so that whoever comes
 * meanwhile rides the next one (group commit without timers). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "store/log/log.h"

#define SLOW_WRITE_NS 1000000
#define WRITEBACK_BYTES ((int64_t)8 << 20)

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

/* FILLS the pieces of [written, appended), as many as there is room for. RETURNS the offset they
 * reach. */
static int64_t cut_pieces(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  flush->piece_count = 0;
  int64_t at = log->written;
  while (at < log->appended && flush->piece_count < BL_LOG_PIECES_MAX) {
    const struct bl_segment *segment = bl_segments_find(&log->segments, at);
    BL_ASSERT(segment != NULL);
    int64_t segment_end = segment->first_offset + log->segments.segment_bytes;
    int64_t to = log->appended < segment->data_end ? log->appended : segment->data_end;
    if (to > at) {
      flush->pieces[flush->piece_count++] =
          (struct bl_log_piece){segment->file, at, to, segment->first_offset};
    }
    at = log->appended < segment_end ? log->appended : segment_end;
  }
  return at;
}

static bl_err write_pieces(struct bl_log *log) {
  const struct bl_flush *flush = &log->flush;
  for (int i = 0; i < flush->piece_count; i++) {
    const struct bl_log_piece *piece = &flush->pieces[i];
    bl_err err =
        log->disk->ops->write(log->disk, piece->file, bl_ring_at(&log->ring, piece->from),
                              (size_t)(piece->to - piece->from), piece->from - piece->file_first);
    if (err != BL_OK) return err;
  }
  return BL_OK;
}

/* On the core, or on the flush worker while it has the right to write. */
static void write_now(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  int64_t before_ns = bl_clock_mono_ns(log->clock);
  flush->write_err = write_pieces(log);
  flush->write_ns = bl_clock_mono_ns(log->clock) - before_ns;
}

static void wrote(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  flush->slow = flush->write_ns > SLOW_WRITE_NS;
  log->stats.writes += flush->piece_count;
  if (flush->write_err != BL_OK) {
    bl_log_fail(log, "a write", flush->write_err);
    return;
  }
  if (!log->failed) log->written = flush->write_to;
}

static void run_write(struct bl_job *job) {
  write_now(BL_CONTAINER(job, struct bl_log, flush.write_job));
}

static void done_write(struct bl_job *job) {
  struct bl_log *log = BL_CONTAINER(job, struct bl_log, flush.write_job);
  log->flush.writing = false;
  wrote(log);
}

static void write_turn(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  while (log->written < log->appended && !flush->writing && !log->failed) {
    flush->write_to = cut_pieces(log);
    if (flush->slow) {
      flush->writing = true;
      bl_worker_submit(log->flush_worker, &flush->write_job);
      return;
    }
    write_now(log);
    wrote(log);
  }
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

static void run_sync(struct bl_job *job) {
  struct bl_log *log = BL_CONTAINER(job, struct bl_log, flush.sync_job);
  struct bl_flush *flush = &log->flush;
  int64_t before_ns = bl_clock_mono_ns(log->clock);
  flush->sync_err = flush->names_durable ? BL_OK : bl_log_sync_names(log);
  for (int i = 0; i < flush->sync_count && flush->sync_err == BL_OK; i++)
    flush->sync_err = log->disk->ops->sync(log->disk, flush->sync_files[i]);
  flush->sync_ns = bl_clock_mono_ns(log->clock) - before_ns;
}

static void done_sync(struct bl_job *job) {
  struct bl_log *log = BL_CONTAINER(job, struct bl_log, flush.sync_job);
  struct bl_flush *flush = &log->flush;
  flush->syncing = false;
  log->stats.syncs++;
  log->stats.sync_us_total += flush->sync_ns / 1000;
  if (flush->sync_ns / 1000 > log->stats.sync_us_max)
    log->stats.sync_us_max = flush->sync_ns / 1000;
  if (flush->sync_err != BL_OK) {
    bl_log_fail(log, "a sync", flush->sync_err);
    return;
  }
  flush->names_durable = true;
  /* A write that failed meanwhile: nothing after it is believed. */
  if (!log->failed) log->flushed = flush->sync_to;
}

static void start_sync(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  flush->sync_count = 0;
  flush->due = false;
  bl_timer_cancel(log->timers, &flush->timer);
  int64_t at = log->flushed;
  while (at < log->written && flush->sync_count < BL_LOG_SYNC_FILES_MAX) {
    const struct bl_segment *segment = bl_segments_find(&log->segments, at);
    BL_ASSERT(segment != NULL);
    flush->sync_files[flush->sync_count++] = segment->file;
    int64_t segment_end = segment->first_offset + log->segments.segment_bytes;
    at = log->written < segment_end ? log->written : segment_end;
  }
  flush->sync_to = at;
  flush->syncing = true;
  bl_worker_submit(log->flush_worker, &flush->sync_job);
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
}

static void start_writeback(struct bl_log *log) {
  struct bl_flush *flush = &log->flush;
  if (flush->starting) return;
  if (flush->start_to < log->flushed) flush->start_to = log->flushed;
  if (log->written - flush->start_to < WRITEBACK_BYTES) return;
  const struct bl_segment *segment = bl_segments_find(&log->segments, flush->start_to);
  BL_ASSERT(segment != NULL);
  int64_t segment_end = segment->first_offset + log->segments.segment_bytes;
  flush->start_from = flush->start_to;
  flush->start_to = log->written < segment_end ? log->written : segment_end;
  flush->start_first = segment->first_offset;
  flush->start_file = segment->file;
  flush->starting = true;
  bl_worker_submit(log->flush_worker, &flush->start_job);
}

static bool wants_sync(struct bl_log *log) {
  if (log->written == log->flushed || log->flush.syncing || log->failed) return false;
  if (log->settings.flush_mode == BL_FLUSH_SYNC || log->closing || log->flush.due) return true;
  if (log->written - log->flushed >= log->settings.flush_bytes) return true;
  if (log->flush.timer.place == 0) {
    bl_timer_set(log->timers, &log->flush.timer,
                 bl_clock_mono_ms(log->clock) + log->settings.flush_interval_ms);
  }
  return false;
}

void bl_log_flush_turn(struct bl_log *log) {
  write_turn(log);
  if (wants_sync(log)) {
    start_sync(log);
  } else if (log->settings.flush_mode == BL_FLUSH_ASYNC && !log->failed) {
    start_writeback(log);
  }
}

static void fire_flush(struct bl_timer *timer, int64_t now_ms) {
  (void)now_ms;
  struct bl_log *log = BL_CONTAINER(timer, struct bl_log, flush.timer);
  log->flush.due = true; /* the turn that follows the timers begins */
}

void bl_log_flush_init(struct bl_log *log) {
  log->flush = (struct bl_flush){
      .write_job = {.run = run_write, .done = done_write},
      .sync_job = {.run = run_sync, .done = done_sync},
      .start_job = {.run = run_start, .done = done_start},
      .timer = {.fire = fire_flush},
  };
}
