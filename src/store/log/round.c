#include "store/log/round.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "store/log/log.h"

/* Longest direct writes. Without a sync longer ones gain nothing, and who waits for the first bytes
 * waits longer; with one, those who are left out wait for a whole sync more. */
#define WRITE_BYTES_MAX ((int64_t)1 << 20)
#define DURABLE_BYTES_MAX ((int64_t)8 << 20)

bl_err bl_direct_open_file(const struct bl_log *log, int64_t first_offset, int *out_file,
                           struct bl_why *why) {
  char path[BL_STORE_PATH_BYTES_MAX];
  snprintf(path, sizeof(path), "%s/commitlog/%020" PRId64, log->settings.dir, first_offset);
  return log->disk->ops->open(log->disk, path, BL_OPEN_WRITE | BL_OPEN_DIRECT, out_file, why);
}

bl_err bl_direct_open(struct bl_log *log, int64_t first_offset, struct bl_why *why) {
  struct bl_direct *direct = &log->flush.direct;
  int64_t segment_bytes = log->segments.segment_bytes;
  if ((segment_bytes | first_offset) % BL_DISK_DIRECT_BYTES != 0)
    return bl_why_set(why, BL_ERR_PARAMETER,
                      "mappedFileSizeCommitLog is %" PRId64 " and a file begins at %" PRId64
                      ": both must be multiples of %d",
                      segment_bytes, first_offset, BL_DISK_DIRECT_BYTES);
  bl_err err = bl_direct_open_file(log, first_offset, &direct->file, why);
  if (err != BL_OK) {
    direct->file = -1;
    return err;
  }
  direct->first_offset = first_offset;
  direct->block = aligned_alloc(BL_DISK_DIRECT_BYTES, BL_DISK_DIRECT_BYTES);
  BL_ASSERT(direct->block != NULL);
  return BL_OK;
}

void bl_direct_close(struct bl_log *log) {
  struct bl_direct *direct = &log->flush.direct;
  log->disk->ops->close(log->disk, direct->file);
  log->disk->ops->close(log->disk, direct->next_file);
  free(direct->block);
  *direct = (struct bl_direct){.file = -1, .next_file = -1};
}

/* Makes `file` the one that begins at first_offset: as a rule it was opened when its forerunner was
 * written, so that too many open files stop no log. */
static bl_err use_file(struct bl_log *log, int64_t first_offset) {
  struct bl_direct *direct = &log->flush.direct;
  if (direct->file >= 0 && direct->first_offset == first_offset) return BL_OK;
  log->disk->ops->close(log->disk, direct->file);
  direct->file = -1;
  if (direct->next_file >= 0 && direct->next_offset == first_offset) {
    direct->file = direct->next_file;
    direct->next_file = -1;
  } else {
    bl_err err = bl_direct_open_file(log, first_offset, &direct->file, NULL);
    if (err != BL_OK) direct->file = -1;
    if (err != BL_OK) return err;
  }
  direct->first_offset = first_offset;
  return BL_OK;
}

/* Fails silently: the next round tries again. */
static void open_next(struct bl_log *log, int64_t next_offset) {
  struct bl_direct *direct = &log->flush.direct;
  if (next_offset < 0 || direct->next_file >= 0) return;
  if (bl_direct_open_file(log, next_offset, &direct->next_file, NULL) != BL_OK)
    direct->next_file = -1;
  direct->next_offset = next_offset;
}

static bl_err write_direct(const struct bl_round *round, int64_t from, int64_t to) {
  const struct bl_log *log = round->log;
  const struct bl_direct *direct = &log->flush.direct;
  struct bl_slice parts[2];
  int count = 0;
  from -= from % BL_DISK_DIRECT_BYTES;
  int64_t rest = to % BL_DISK_DIRECT_BYTES;
  if (to - rest > from)
    parts[count++] = bl_slice_of(bl_ring_at(&log->ring, from), (size_t)(to - rest - from));
  if (rest > 0) {
    memcpy(direct->block, bl_ring_at(&log->ring, to - rest), (size_t)rest);
    memset(direct->block + rest, 0, (size_t)(BL_DISK_DIRECT_BYTES - rest));
    parts[count++] = bl_slice_of(direct->block, BL_DISK_DIRECT_BYTES);
  }
  return log->disk->ops->write_parts(log->disk, direct->file, parts, count,
                                     from - direct->first_offset,
                                     round->kind == BL_ROUND_DIRECT_DURABLE);
}

static void count_sync(struct bl_round *round, int64_t took_ns) {
  int64_t us = took_ns / 1000;
  atomic_fetch_add_explicit(&round->syncs, 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&round->sync_us_total, us, memory_order_relaxed);
  if (us > atomic_load_explicit(&round->sync_us_max, memory_order_relaxed))
    atomic_store_explicit(&round->sync_us_max, us, memory_order_relaxed);
}

static bl_err write_step(struct bl_round *round, int64_t from, int64_t to) {
  const struct bl_log *log = round->log;
  atomic_fetch_add_explicit(&round->writes, 1, memory_order_relaxed);
  if (round->kind != BL_ROUND_WRITE) return write_direct(round, from, to);
  return log->disk->ops->write(log->disk, round->file, bl_ring_at(&log->ring, from),
                               (size_t)(to - from), from - round->first_offset);
}

/* One write, or one sync, or both in one: [from, to). */
static bool step(struct bl_round *round, int64_t from, int64_t to) {
  const struct bl_log *log = round->log;
  bool durable = round->kind == BL_ROUND_SYNC || round->kind == BL_ROUND_DIRECT_DURABLE;
  int64_t before_ns = bl_clock_mono_ns(log->clock);
  round->failed = "a sync";
  if (durable && round->names) round->err = bl_log_sync_names(log);
  if (round->err != BL_OK) return false;
  if (durable) round->names = false;
  if (round->kind == BL_ROUND_SYNC) {
    round->err = log->disk->ops->sync(log->disk, round->file);
  } else {
    round->failed = "a write";
    round->err = write_step(round, from, to);
  }
  round->write_ns = bl_clock_mono_ns(log->clock) - before_ns;
  if (durable) count_sync(round, round->write_ns);
  return round->err == BL_OK;
}

static int64_t limit_of(const struct bl_round *round, int64_t from) {
  int64_t to = atomic_load_explicit(&round->limit, memory_order_acquire);
  int64_t most = INT64_MAX;
  if (round->kind == BL_ROUND_DIRECT) most = WRITE_BYTES_MAX;
  if (round->kind == BL_ROUND_DIRECT_DURABLE) most = DURABLE_BYTES_MAX;
  return to - from > most ? from + most : to;
}

void bl_round_run(struct bl_job *job) {
  struct bl_round *round = BL_CONTAINER(job, struct bl_round, job);
  struct bl_log *log = round->log;
  bool is_direct = round->kind == BL_ROUND_DIRECT || round->kind == BL_ROUND_DIRECT_DURABLE;
  round->failed = "opening a file for a write";
  round->err = is_direct ? use_file(log, round->first_offset) : BL_OK;
  if (round->err != BL_OK) return;
  int64_t at = round->from;
  int64_t to = limit_of(round, at);
  while (to > at && step(round, at, to)) {
    at = to;
    atomic_store_explicit(&round->reached, at, memory_order_release);
    if (!round->loop || atomic_load_explicit(&round->yield, memory_order_relaxed)) break;
    to = limit_of(round, at);
    if (to > at) bl_worker_notify(log->flush_worker); /* the end of the job is told anyway */
  }
  if (is_direct && round->err == BL_OK) open_next(log, round->next_offset);
}
