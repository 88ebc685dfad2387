/* The store: one commit log and its followers.
 *
 * Marks: appended >= written >= flushed; visible = flushed (SYNC_FLUSH) or written (ASYNC_FLUSH).
 * Every reader stops at visible. Thread: everything on the core thread; the flush worker and the
 * pool do what blocks.
 *
 * A turn: the core appends any number of records to the ring, then calls bl_store_end_turn once,
 * which has them written, asks the flush worker for a sync when somebody waits, and
 * completes what is durable. When a worker's jobs end or timers fired, the core calls
 * bl_store_end_turn again. */
#ifndef BOLIDE_STORE_STORE_H
#define BOLIDE_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/timer.h"
#include "os/clock.h"
#include "os/disk.h"
#include "os/worker.h"
#include "store/follower.h"
#include "wire/record.h"

enum bl_flush_mode { BL_FLUSH_SYNC, BL_FLUSH_ASYNC };
/* Through the page cache, by the core, or past it, by the flush worker. */
enum bl_write_mode { BL_WRITE_BUFFERED, BL_WRITE_DIRECT };

struct bl_store_settings {
  const char *dir;       /* BORROWED for the store's life */
  int64_t segment_bytes; /* 1 GiB; files of the commit log */
  int64_t ring_bytes;    /* 64 MiB; power of two */
  enum bl_flush_mode flush_mode;
  enum bl_write_mode write_mode; /* direct: buffered when the file system refuses, with a note */
  int64_t zero_ahead_bytes;      /* direct under SYNC_FLUSH: 4 MiB; 0: none (store/log/ahead.h) */
  int64_t flush_interval_ms;     /* ASYNC_FLUSH: 500 */
  int64_t flush_bytes;           /* ASYNC_FLUSH: 256 MiB */
  int64_t snapshot_interval_ms;  /* 30,000 */
  int64_t snapshot_bytes;        /* 256 MiB of log */
  bool append_crc;               /* enabledAppendPropCRC */
  int64_t cold_bytes;            /* memory for cold reads; 0: 64 MiB */
  /* Gets what a person should read (damage, takeover, I/O errors): one line, no line feed. NULL:
   * standard error. */
  void (*note)(void *note_context, const char *line);
  void *note_context;
};

struct bl_store_marks {
  int64_t min_offset; /* first offset of the first segment */
  int64_t appended;
  int64_t written;
  int64_t flushed;
  int64_t visible;
};

struct bl_store;

/* Opens or creates the directory: takes `lock`, takes over a Java directory (design 5), loads every
 * follower, recovers the log, replays. BORROWS everything for the store's life; followers in the
 * order in which they shall see records. Errors with a sentence in `why`: BL_ERR_LOCKED,
 * BL_ERR_NO_PERMISSION, BL_ERR_VERSION (segment size differs, unknown format), BL_ERR_IO,
 * BL_ERR_NO_SPACE. */
BL_MUST_CHECK bl_err bl_store_open(const struct bl_store_settings *settings, struct bl_disk *disk,
                                   const struct bl_clock *clock, struct bl_timers *timers,
                                   struct bl_worker *flush_worker, struct bl_worker *pool,
                                   struct bl_follower *const *followers, int follower_count,
                                   struct bl_store **out_store, struct bl_why *why);
/* Flushes, completes the waiters, snapshots every follower, closes. Blocks; after the loop ended.
 */
void bl_store_close(struct bl_store *store);

/* Appends one record to the ring. The caller set everything but log_offset, store_ms and
 * size_bytes, which are FILLED (store_ms never goes back); with_crc comes from the settings.
 * Visible to nobody yet. BL_ERR_NOT_AVAILABLE: the log stopped after an I/O error, or is closing;
 * BL_ERR_NO_SPACE: no segment is ready because the disk is full; BL_ERR_BUSY: ring full of what is
 * not written, or the next segment is still being prepared: wait a turn; BL_ERR_MESSAGE_ILLEGAL:
 * longer than a segment can hold. */
BL_MUST_CHECK bl_err bl_store_append(struct bl_store *store, struct bl_record *record);
/* The store time of what is appended in this turn. It never goes back. */
int64_t bl_store_turn_ms(struct bl_store *store);
/* Whether an append of that many bytes would be taken now; the errors of bl_store_append. */
BL_MUST_CHECK bl_err bl_store_can_append(struct bl_store *store, int64_t bytes);

/* The same for a change of metadata: when the next file cannot be made (a full disk) the last 64
 * MiB of the current one (a quarter of a small one) are for these alone. */
BL_MUST_CHECK bl_err bl_store_append_metadata(struct bl_store *store, struct bl_record *record);
BL_MUST_CHECK bl_err bl_store_can_append_metadata(struct bl_store *store, int64_t bytes);
/* Whether the next file of the log cannot be made; `why` (may be NULL) gets which and why. It is
 * tried again every second. */
bool bl_store_full(const struct bl_store *store, struct bl_why *why);

/* Called when the log is as durable as configured up to `offset`, or will never be known to be
 * (err BL_ERR_SYSTEM: outcome unknown). From bl_store_end_turn, in order of offset. */
struct bl_store_waiter {
  struct bl_list node;
  int64_t offset;
  void (*done)(struct bl_store_waiter *waiter, bl_err err);
};
/* HOLDS the waiter until done. offset: the end of a record appended in this turn or before; never
 * below that of the waiter added before it (asserted). */
void bl_store_wait(struct bl_store *store, struct bl_store_waiter *waiter, int64_t offset);

/* Ends a turn, as above: write, flush, show records to the followers, complete waiters, a step of a
 * snapshot. Cheap when there is nothing to do. RETURNS true when it wants to be called again
 * without an event (more followers' work or snapshot steps are pending). */
bool bl_store_end_turn(struct bl_store *store);

struct bl_store_marks bl_store_marks(const struct bl_store *store);
/* After an I/O error: stopped for good. `why` gets the reason. */
bool bl_store_failed(const struct bl_store *store, struct bl_why *why);

/* BORROWS the bytes [offset, offset + len) of the log when they are in memory in one piece: valid
 * until the end of the turn. The absent slice when they are not. len <= ring / 2. */
struct bl_slice bl_store_peek(struct bl_store *store, int64_t offset, uint32_t len);
/* Whether those bytes are still in the ring: never were they on a disk. */
bool bl_store_is_fresh(const struct bl_store *store, int64_t offset, int64_t len);
/* Whether these bytes, read at that log offset, are the whole record that was written there. What
 * is not is noted and fenced; it must not be given to anybody. */
bool bl_store_is_sound(struct bl_store *store, int64_t offset, struct bl_slice bytes);
/* FILLS `to` with those bytes, from memory or from a file that is in the page cache. BL_ERR_COLD:
 * ask bl_store_warm and try again; another error but the next: what the disk said a moment ago;
 * BL_ERR_NOT_FOUND: below min_offset or beyond visible. Never across segments. */
BL_MUST_CHECK bl_err bl_store_read(struct bl_store *store, int64_t offset, uint32_t len, void *to);
/* The same, waiting for the disk: for starts, tools and tests. */
BL_MUST_CHECK bl_err bl_store_read_blocking(struct bl_store *store, int64_t offset, uint32_t len,
                                            void *to);

/* Has the pool read [offset, offset+len) into memory, where peek and read find it for a moment
 * (store/cold.h), then calls done on the core thread, never from inside. err: what the disk said,
 * BL_ERR_NOT_FOUND, BL_ERR_NOT_AVAILABLE (closing). HOLDS the request until done. */
struct bl_store_warm {
  struct bl_list node; /* the store's, like all that follows but err */
  struct bl_job job;
  struct bl_store *store;
  int64_t offset;
  int64_t len;
  int64_t next; /* everything before is there */
  bl_err err;
  void (*done)(struct bl_store_warm *warm);
};
void bl_store_warm(struct bl_store *store, struct bl_store_warm *warm, int64_t offset, int64_t len,
                   void (*done)(struct bl_store_warm *warm));
/* Nobody waits, but it will be asked for soon: read when there is room for it. */
void bl_store_hint(struct bl_store *store, int64_t offset, int64_t len);
/* Before its close: no cold read is begun any more. */
void bl_store_stop_reading(struct bl_store *store);

struct bl_cold_stats {
  int64_t reads; /* windows */
  int64_t ahead_reads;
  int64_t bytes;
  int64_t errors;
  int64_t waits;   /* requests that had to wait for room, so far */
  int64_t waiting; /* now */
  int64_t memory_bytes;
};
void bl_store_cold_stats(const struct bl_store *store, struct bl_cold_stats *out_stats);

/* Starts a snapshot of every follower at the next end_turn, whatever the interval. */
void bl_store_snapshot_now(struct bl_store *store);
/* A snapshot of this follower alone within delay_ms, for files that others read. The earliest of
 * several calls counts; nothing is written when its last snapshot covers the whole log. The rounds
 * go on as before. */
void bl_store_snapshot_soon(struct bl_store *store, const struct bl_follower *follower,
                            int64_t delay_ms);

/* Figures for admin and metrics. */
struct bl_store_stats {
  int64_t appended_records;
  int64_t appended_bytes;
  int64_t writes; /* pwrite calls */
  int64_t syncs;
  int64_t sync_us_total;
  int64_t sync_us_max;
  int64_t recovered_records;
  int64_t recovered_us;
  int64_t first_store_ms; /* store time of the first record, or 0 */
  int64_t last_store_ms;  /* of the newest, or 0 */
};
void bl_store_stats(const struct bl_store *store, struct bl_store_stats *out_stats);

#endif
