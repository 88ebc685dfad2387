/* The files of the commit log: <dir>/commitlog/<first offset, 20 digits>, each of the configured
 * size, in a row without holes. The next one is prepared on the pool while the current one fills:
 * made in <dir>/bolide/spare/, space allocated, synced, and only then renamed into commitlog/, so
 * that a Java broker finds there nothing but whole files that read zero behind the last record.
 *
 * Thread: core; the job works on its own fields. */
#ifndef BOLIDE_STORE_LOG_SEGMENTS_H
#define BOLIDE_STORE_LOG_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/timer.h"
#include "os/clock.h"
#include "os/disk.h"
#include "os/worker.h"

#define BL_STORE_PATH_BYTES_MAX 512

struct bl_segment {
  int64_t first_offset;
  int64_t
      data_end; /* where the records end once it is full (behind the blank record); else its end */
  int file;
  int holders;      /* jobs that read it on another thread */
  int64_t first_ms; /* store time of its first record; 0: not looked up yet */
};

/* A file that left the log while somebody held it, or is being closed. */
struct bl_segment_gone {
  struct bl_list node;
  struct bl_job job;
  struct bl_segments *segments;
  int64_t first_offset;
  int file;
  int holders;
};

enum bl_next { BL_NEXT_NONE, BL_NEXT_PREPARING, BL_NEXT_READY, BL_NEXT_FAILED };

struct bl_segments {
  const char *dir; /* of the store */
  int64_t segment_bytes;
  struct bl_disk *disk;
  struct bl_worker *pool;
  struct bl_timers *timers;
  const struct bl_clock *clock;
  struct bl_segment
      *items; /* ascending; the prepared next one is the last when next == BL_NEXT_READY */
  int count;
  int cap;
  enum bl_next next;
  bl_err next_err; /* of the last attempt; BL_OK again when one succeeds */
  struct bl_why next_why;
  struct bl_list gone; /* struct bl_segment_gone */
  struct bl_timer retry;
  struct bl_job job; /* what follows belongs to it while BL_NEXT_PREPARING */
  int64_t job_offset;
  int job_file;
  bl_err job_err;
  struct bl_why job_why;
};

/* BORROWS all. Opens nothing. */
void bl_segments_init(struct bl_segments *segments, const char *dir, int64_t segment_bytes,
                      struct bl_disk *disk, struct bl_worker *pool, struct bl_timers *timers,
                      const struct bl_clock *clock);
/* Makes the folders and opens what is there; a last file of no bytes is removed, as Java does.
 * BL_ERR_VERSION: a file of another size; BL_ERR_FORMAT: a hole between files. Blocks: at start. */
BL_MUST_CHECK bl_err bl_segments_load(struct bl_segments *segments, struct bl_why *why);
/* Closes the files. No job may be running, nobody may hold a file. */
void bl_segments_fini(struct bl_segments *segments);

/* A new file at `offset`, now: at start. Its name is not synced. */
BL_MUST_CHECK bl_err bl_segments_make(struct bl_segments *segments, int64_t offset,
                                      struct bl_why *why);
/* Drops the last file of the list: to `aside` (a path) or, when NULL, from the disk. At start. */
BL_MUST_CHECK bl_err bl_segments_drop_last(struct bl_segments *segments, const char *aside);

/* Starts to prepare the file behind the last one, when that is not done or under way. */
void bl_segments_prepare(struct bl_segments *segments);

/* Whether the next file is wanted and cannot be made. */
static inline bool bl_segments_stuck(const struct bl_segments *segments) {
  return segments->next != BL_NEXT_READY && segments->next_err != BL_OK;
}

/* Whoever gives an open file to another thread holds it until that is done, by its first offset:
 * the file may leave the log meanwhile, and is closed when nobody holds it any more. */
static inline void bl_segments_hold(struct bl_segment *segment) {
  segment->holders++;
}
void bl_segments_release(struct bl_segments *segments, int64_t first_offset);
/* Takes the first file off the list; its name is gone already. It is closed on the pool, since that
 * gives the space back. */
void bl_segments_forget_first(struct bl_segments *segments);
void bl_segments_path(const struct bl_segments *segments, int64_t offset,
                      char out_path[BL_STORE_PATH_BYTES_MAX]);

/* The file that holds `offset`, or NULL. */
static inline struct bl_segment *bl_segments_find(const struct bl_segments *segments,
                                                  int64_t offset) {
  if (segments->count == 0 || offset < segments->items[0].first_offset) return NULL;
  int64_t index = (offset - segments->items[0].first_offset) / segments->segment_bytes;
  return index < segments->count ? &segments->items[index] : NULL;
}
static inline int64_t bl_segments_min(const struct bl_segments *segments) {
  return segments->count > 0 ? segments->items[0].first_offset : 0;
}
static inline int64_t bl_segments_end(const struct bl_segments *segments) {
  return bl_segments_min(segments) + segments->count * segments->segment_bytes;
}

#endif
