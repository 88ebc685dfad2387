/* A round: what the flush worker does to one file at a stretch. It writes what was appended (direct
 * mode; in buffered mode only after a slow write of the core), or syncs what was written, and goes
 * on by itself as long as more came meanwhile, so that no sync waits for the core to wake up.
 *
 * The core says how far a round may go, the worker how far it is; nothing else is shared while it
 * runs. Thread: core; bl_round_run on the worker. */
#ifndef BOLIDE_STORE_LOG_ROUND_H
#define BOLIDE_STORE_LOG_ROUND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "os/worker.h"

struct bl_log;

enum bl_round_kind {
  BL_ROUND_SYNC,          /* fdatasync */
  BL_ROUND_WRITE,         /* through the page cache, once */
  BL_ROUND_DIRECT,        /* past it */
  BL_ROUND_DIRECT_DURABLE /* past it and onto the disk */
};

struct bl_round {
  struct bl_job job;
  struct bl_log *log;
  enum bl_round_kind kind;
  bool running;         /* submitted, and its done was not called */
  bool loop;            /* goes on while there is more */
  bool names;           /* the folders must be synced, too */
  int file;             /* for the page cache and for syncs */
  int64_t first_offset; /* of the file, and of the one behind it when that is ready, or -1 */
  int64_t next_offset;
  int64_t from; /* log offset where it began */
  bl_err err;   /* the worker's until done */
  const char *failed;
  int64_t write_ns;        /* of the last one */
  _Atomic int64_t limit;   /* the core says: so far */
  _Atomic bool yield;      /* the core says: end after this step, another job waits */
  _Atomic int64_t reached; /* the worker says: so far, since that went well */
  /* Over all rounds. */
  _Atomic int64_t writes;
  _Atomic int64_t syncs;
  _Atomic int64_t sync_us_total;
  _Atomic int64_t sync_us_max;
};

/* Files that are open for direct writes: the one that is written, and the next. Touched by rounds,
 * and by the core when none runs. */
struct bl_direct {
  int file; /* -1: none */
  int64_t first_offset;
  int next_file;
  int64_t next_offset;
  char *block; /* the last, part-filled block of a write, zeros behind: nobody appends to it */
};

void bl_round_run(struct bl_job *job);

/* Opens the file that begins at first_offset for direct writes. Blocks. */
BL_MUST_CHECK bl_err bl_direct_open_file(const struct bl_log *log, int64_t first_offset,
                                         int *out_file, struct bl_why *why);
/* Whether the log's files take direct writes: opens the one that begins at first_offset. `why` says
 * why not. Blocks: at start. */
BL_MUST_CHECK bl_err bl_direct_open(struct bl_log *log, int64_t first_offset, struct bl_why *why);
void bl_direct_close(struct bl_log *log);

#endif
