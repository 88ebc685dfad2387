/* Cold reads: windows of the log in memory, filled by the pool. The core looks into them and never
 * waits for the disk itself.
 *
 * A window begins where a reader missed. Who goes on where a window ends gets one twice as large,
 * up to BL_COLD_WINDOW_BYTES_MAX, and the next one is read ahead while this one is given out; who
 * jumps gets small ones. Windows do not overlap, so readers of the same place share them.
 *
 * Bounded: the bytes of all windows (settings), bytes and jobs in flight. What does not fit waits
 * in a queue, reading ahead does without. What the disk refuses is remembered for a second, with
 * its error, so that a reader gets the error and not the disk again. Thread: core; a window that
 * loads belongs to its job. Inside of src/store. */
#ifndef BOLIDE_STORE_COLD_H
#define BOLIDE_STORE_COLD_H

#include "store/log/log.h"
#include "store/store.h"

#define BL_COLD_WINDOW_BYTES_MIN 65536
#define BL_COLD_WINDOW_BYTES_MAX (4 << 20)
#define BL_COLD_FLIGHT_BYTES_MAX (16 << 20)
#define BL_COLD_JOBS_MAX 8
#define BL_COLD_BAD_MAX 16

struct bl_cold_window {
  struct bl_job job;
  struct bl_cold *cold;
  struct bl_disk *disk; /* what the job needs */
  int file;
  int64_t file_offset;
  int64_t from; /* log offsets */
  int64_t to;
  int64_t good_bytes; /* FILLED by the job: read from the beginning on */
  bl_err err;         /* of what follows them */
  char *bytes;        /* HELD */
  int64_t cap;
  bool loading;
  bool sequential; /* begins where another ended */
  bool promised;   /* who waited for it was told, and has not looked yet */
  bool ahead_done; /* the next one was asked for */
  int64_t lent_turn;
  int64_t used_ms;        /* looked into or loaded */
  struct bl_list waiters; /* struct bl_store_warm */
};

/* A place that the disk refused. */
struct bl_cold_bad {
  int64_t from;
  int64_t to;
  int64_t until_ms;
  bl_err err;
};

struct bl_cold {
  struct bl_log *log;
  struct bl_worker *pool;
  struct bl_cold_window **windows; /* ascending, without overlap */
  size_t count;
  size_t cap;
  char *spare;            /* HELD: memory of the last large window that went; or NULL */
  struct bl_list waiting; /* struct bl_store_warm: for a window that may not be begun yet */
  struct bl_timer timer;  /* gives memory back */
  int64_t turn;
  bool stopped;
  int jobs;
  int64_t flight_bytes;
  struct bl_cold_bad bad[BL_COLD_BAD_MAX];
  int bad_next;
  struct bl_cold_stats stats;
};

/* BORROWS both. */
void bl_cold_init(struct bl_cold *cold, struct bl_log *log, struct bl_worker *pool);
/* No job may be running; warm requests that wait are forgotten, their owners ended. */
void bl_cold_fini(struct bl_cold *cold);
/* Once per end of turn: what was lent two turns ago is not in use any more. */
void bl_cold_turn(struct bl_cold *cold);

/* BORROWS [offset, offset + len) until the end of the turn when one window has it; else NULL. */
const char *bl_cold_peek(struct bl_cold *cold, int64_t offset, int64_t len);
/* FILLS as much from `offset` on as windows have; RETURNS how many bytes. */
int64_t bl_cold_copy(struct bl_cold *cold, int64_t offset, int64_t len, char *to);
/* Whether a stream of windows goes on at `offset`: its reader asks for the next one and does not
 * look into the page cache meanwhile. */
bool bl_cold_is_stream(const struct bl_cold *cold, int64_t offset);
/* What the disk said to bytes in [offset, offset + len) a moment ago; BL_OK: nothing. */
bl_err bl_cold_refused(const struct bl_cold *cold, int64_t offset, int64_t len);

/* As bl_store_warm; warm->offset, len and done are set. */
void bl_cold_warm(struct bl_cold *cold, struct bl_store_warm *warm);
/* Begins to read what will be asked for soon, when there is room. */
void bl_cold_hint(struct bl_cold *cold, int64_t offset, int64_t len);
/* From here on nothing is begun; who waits is told BL_ERR_NOT_AVAILABLE. */
void bl_cold_stop(struct bl_cold *cold);

#endif
