#include "store/log/ahead.h"

#include <stdlib.h>

#include "base/assert.h"
#include "store/log/log.h"

#define CHUNKS_AHEAD 4
/* Faster than that the disk is busy enough, and writes are long: zeros would only take their turn.
 */
#define BYTES_PER_S_MAX ((int64_t)256 << 20)

static int64_t round_up(int64_t offset) {
  return (offset + BL_DISK_DIRECT_BYTES - 1) / BL_DISK_DIRECT_BYTES * BL_DISK_DIRECT_BYTES;
}

static bl_err write_zeros(const struct bl_ahead *ahead) {
  struct bl_log *log = ahead->log;
  int file = -1;
  bl_err err = bl_direct_open_file(log, ahead->job_first, &file, NULL);
  if (err != BL_OK) return err;
  struct bl_slice parts[BL_DISK_PARTS_MAX];
  int64_t part_bytes = ahead->chunk_bytes / BL_DISK_PARTS_MAX;
  int count = 0;
  for (int64_t at = ahead->job_from; at < ahead->job_to; at += part_bytes) {
    int64_t len = ahead->job_to - at < part_bytes ? ahead->job_to - at : part_bytes;
    parts[count++] = bl_slice_of(ahead->zeros, (size_t)len);
  }
  err = log->disk->ops->write_parts(log->disk, file, parts, count,
                                    ahead->job_from - ahead->job_first, true);
  log->disk->ops->close(log->disk, file);
  return err;
}

static void run_zeros(struct bl_job *job) {
  struct bl_ahead *ahead = BL_CONTAINER(job, struct bl_ahead, job);
  int waiting = BL_AHEAD_WAITING;
  if (!atomic_compare_exchange_strong(&ahead->state, &waiting, BL_AHEAD_WRITING)) return;
  ahead->err = write_zeros(ahead);
  atomic_store_explicit(&ahead->state, BL_AHEAD_ENDED, memory_order_release);
}

static void done_zeros(struct bl_job *job) {
  struct bl_ahead *ahead = BL_CONTAINER(job, struct bl_ahead, job);
  int state = atomic_exchange(&ahead->state, BL_AHEAD_IDLE);
  /* An error on records comes again when they are written there, and counts then. */
  if (state == BL_AHEAD_ENDED && ahead->err != BL_OK) ahead->off = true;
}

void bl_ahead_init(struct bl_ahead *ahead, struct bl_log *log, struct bl_worker *pool) {
  *ahead =
      (struct bl_ahead){.job = {.run = run_zeros, .done = done_zeros}, .log = log, .pool = pool};
  int64_t unit = (int64_t)BL_DISK_DIRECT_BYTES * BL_DISK_PARTS_MAX;
  ahead->chunk_bytes = log->settings.zero_ahead_bytes / CHUNKS_AHEAD / unit * unit;
  ahead->off = ahead->chunk_bytes == 0;
}

void bl_ahead_fini(struct bl_ahead *ahead) {
  free(ahead->zeros);
  ahead->zeros = NULL;
}

/* Whether the log grew slowly enough since the last chunk. */
static bool has_time(struct bl_ahead *ahead) {
  const struct bl_log *log = ahead->log;
  int64_t now_ns = bl_clock_mono_ns(log->clock);
  int64_t took_us = (now_ns - ahead->began_ns) / 1000;
  bool slow =
      ahead->began_ns == 0 || (log->appended - ahead->began) * 1000000 / BYTES_PER_S_MAX <= took_us;
  ahead->began = log->appended;
  ahead->began_ns = now_ns;
  return slow;
}

static void start(struct bl_ahead *ahead, const struct bl_segment *segment, int64_t to) {
  if (ahead->zeros == NULL) {
    size_t bytes = (size_t)(ahead->chunk_bytes / BL_DISK_PARTS_MAX);
    ahead->zeros = aligned_alloc(BL_DISK_DIRECT_BYTES, bytes);
    BL_ASSERT(ahead->zeros != NULL);
    memset(ahead->zeros, 0, bytes);
  }
  ahead->job_first = segment->first_offset;
  ahead->job_from = ahead->to;
  ahead->job_to = to;
  ahead->to = to;
  atomic_store_explicit(&ahead->state, BL_AHEAD_WAITING, memory_order_release);
  bl_worker_submit(ahead->pool, &ahead->job);
}

void bl_ahead_turn(struct bl_ahead *ahead) {
  const struct bl_log *log = ahead->log;
  if (ahead->off || atomic_load_explicit(&ahead->state, memory_order_relaxed) != BL_AHEAD_IDLE)
    return;
  /* A log that hardly grows needs none. */
  if (log->appended - log->flush.start < ahead->chunk_bytes / 8) return;
  if (ahead->to - log->appended > (CHUNKS_AHEAD - 1) * ahead->chunk_bytes) return;
  /* What is on its way to the disk now is left alone. */
  if (ahead->to < log->appended) ahead->to = round_up(log->appended + ahead->chunk_bytes / 4);
  const struct bl_segment *segment = bl_segments_find(&log->segments, ahead->to);
  if (segment == NULL) return; /* the next file is not ready */
  int64_t end = segment->first_offset + log->segments.segment_bytes;
  int64_t to = ahead->to + ahead->chunk_bytes;
  if (to > end) to = end;
  if (has_time(ahead)) {
    start(ahead, segment, to);
  } else {
    ahead->to = to;
  }
}

int64_t bl_ahead_limit(struct bl_ahead *ahead, int64_t mark) {
  int state = atomic_load_explicit(&ahead->state, memory_order_acquire);
  if (state != BL_AHEAD_WAITING && state != BL_AHEAD_WRITING) return mark;
  /* The last block of a write is a whole one. */
  if (mark <= ahead->job_from) return mark;
  if (state == BL_AHEAD_WAITING &&
      atomic_compare_exchange_strong(&ahead->state, &state, BL_AHEAD_CALLED_OFF))
    return mark;
  if (state == BL_AHEAD_ENDED) return mark;
  return ahead->job_from;
}
