/* The commit log: segments, ring, marks, the flush. Inside of src/store; store.h is what others
 * see.
 *
 * Offsets grow: flushed <= written <= appended. The right to write [written, appended) is the
 * core's, except while flush.write_round.running: then the flush worker's, and in direct mode
 * always. Thread: core; jobs work on their own fields, the ring's unwritten bytes and open files.
 */
#ifndef BOLIDE_STORE_LOG_LOG_H
#define BOLIDE_STORE_LOG_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "store/log/ahead.h"
#include "store/log/gate.h"
#include "store/log/ring.h"
#include "store/log/round.h"
#include "store/log/segments.h"
#include "store/store.h"

#define BL_LOG_PIECES_MAX 8
/* A record that claims to be longer is damage: bounds what recovery reads into memory. */
#define BL_LOG_RECORD_BYTES_MAX (64 << 20)
#define BL_LOG_FENCES_MAX 64
#define BL_LOG_RESERVE_BYTES ((int64_t)64 << 20)

/* One write: a run of ring bytes into one file. */
struct bl_log_piece {
  int file;
  int64_t from; /* log offsets */
  int64_t to;
  int64_t file_first;
};

struct bl_flush {
  bool is_direct;        /* for good: chosen at start */
  int64_t slow_until_ns; /* buffered: a write took over 1 ms, until then they are the worker's */
  bool due;              /* ASYNC_FLUSH: sync at the next chance */
  bool names_durable;    /* the folders were synced once */
  int64_t start;         /* where the log ended at start */
  int64_t due_to;        /* ASYNC_FLUSH: syncs follow one another until `flushed` is there */
  int64_t core_writes;
  struct bl_round write_round;
  struct bl_round sync_round;
  struct bl_direct direct;
  struct bl_ahead ahead; /* direct mode under SYNC_FLUSH */
  struct bl_timer timer; /* ASYNC_FLUSH */
  /* ASYNC_FLUSH: the kernel is told to begin writing early, so that a sync finds little to do. */
  bool starting;
  struct bl_job start_job;
  int start_file;
  int64_t start_from; /* log offsets */
  int64_t start_to;
  int64_t start_first;
};

/* Damaged bytes, never served: [from, to). */
struct bl_log_fence {
  int64_t from;
  int64_t to;
};

struct bl_log {
  struct bl_store_settings settings;
  struct bl_disk *disk;
  const struct bl_clock *clock;
  struct bl_timers *timers;
  struct bl_worker *flush_worker;
  struct bl_segments segments;
  struct bl_ring ring;
  struct bl_flush flush;
  int64_t appended;
  int64_t written;
  int64_t flushed;
  int64_t segment_end; /* of the file that `appended` is in */
  int64_t prepare_at;  /* appended beyond this: the next file is wanted */
  int64_t last_store_ms;
  bool timed; /* last_store_ms is of this turn */
  bool failed;
  bool closing;
  struct bl_why failure;
  struct bl_log_fence fences[BL_LOG_FENCES_MAX];
  int fence_count;
  struct bl_store_stats stats;
};

/* Bytes that one record may have. */
int64_t bl_log_record_max(const struct bl_log *log);
/* reserved: it may use the end of the last file, too, when no next one can be made. */
BL_MUST_CHECK bl_err bl_log_can_append(const struct bl_log *log, int64_t bytes, bool reserved);
/* The store time of what is appended in this turn. */
int64_t bl_log_turn_ms(struct bl_log *log);
BL_MUST_CHECK bl_err bl_log_append(struct bl_log *log, struct bl_record *record, bool reserved);
/* After recovery: the end of the log is `offset`, all of it durable. */
void bl_log_start_at(struct bl_log *log, int64_t offset);
/* FILLS `to` from the ring or a file (wait: also when it must be read from the disk). No check of
 * marks. */
BL_MUST_CHECK bl_err bl_log_read(const struct bl_log *log, int64_t offset, uint32_t len, void *to,
                                 bool wait);

/* flush.c */
void bl_log_flush_init(struct bl_log *log);
/* Once the log's end is known: chooses the mode. Blocks: at start. */
void bl_log_flush_start(struct bl_log *log);
/* No job may be running. */
void bl_log_flush_fini(struct bl_log *log);
/* Writes what was appended (or has it written), and starts a sync when one is wanted. */
void bl_log_flush_turn(struct bl_log *log);
/* Syncs the folders that hold the files: their names must be on disk before a record in them counts
 * as durable. Blocks: on the flush worker, or at start. */
BL_MUST_CHECK bl_err bl_log_sync_names(const struct bl_log *log);
/* Whether everything appended is on disk. */
static inline bool bl_log_is_durable(const struct bl_log *log) {
  return log->flushed == log->appended;
}
static inline bool bl_log_is_busy(const struct bl_log *log) {
  return log->flush.write_round.running || log->flush.sync_round.running;
}
/* Stops for good. Only the first reason is kept. */
void bl_log_fail(struct bl_log *log, const char *what, bl_err err);

/* What a reader may see. */
static inline int64_t bl_log_visible(const struct bl_log *log) {
  bool durable_only = log->settings.flush_mode == BL_FLUSH_SYNC || log->failed;
  return durable_only ? log->flushed : log->written;
}

void bl_log_note(const struct bl_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
