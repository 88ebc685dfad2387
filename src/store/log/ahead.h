/* Zeros ahead of the log, direct mode under SYNC_FLUSH: space that was allocated but never written
 * makes every sync change the file system's own tables, too, which doubles its time. So a job of
 * the pool writes zeros, which is what the file reads there anyway, a little ahead of the records;
 * only a little, because a start reads what is behind the end and must find zeros.
 *
 * Records are never written where a job may still write zeros: bl_ahead_limit. Thread: core; the
 * job on the pool. */
#ifndef BOLIDE_STORE_LOG_AHEAD_H
#define BOLIDE_STORE_LOG_AHEAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "os/worker.h"

struct bl_log;

enum bl_ahead_state {
  BL_AHEAD_IDLE,
  BL_AHEAD_WAITING,   /* submitted; the core may call it off */
  BL_AHEAD_WRITING,   /* the pool writes */
  BL_AHEAD_ENDED,     /* the pool does nothing more; done follows */
  BL_AHEAD_CALLED_OFF /* the pool will do nothing; done follows */
};

struct bl_ahead {
  struct bl_job job;
  struct bl_log *log;
  struct bl_worker *pool;
  bool off; /* for good: not wanted, or the disk refused once */
  int64_t chunk_bytes;
  int64_t to;    /* zeros, or records, were written up to here, or it was given up; 0: not begun */
  int64_t began; /* `to` moved last when the log was here, and then */
  int64_t began_ns;
  _Atomic int state; /* enum bl_ahead_state */
  int64_t job_first; /* of the file */
  int64_t job_from;
  int64_t job_to;
  bl_err err;
  char *zeros;
};

/* BORROWS all. */
void bl_ahead_init(struct bl_ahead *ahead, struct bl_log *log, struct bl_worker *pool);
void bl_ahead_fini(struct bl_ahead *ahead);
/* Once a turn: starts a job when the zeros run short and the log does not grow too fast for it. */
void bl_ahead_turn(struct bl_ahead *ahead);
/* How much of what lies before `mark` may be written now. */
int64_t bl_ahead_limit(struct bl_ahead *ahead, int64_t mark);

#endif
