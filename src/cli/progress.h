/* A line on the terminal that says how far the work is: count and rate, each half second. Nothing
 * when standard error is no terminal. Thread: the loop's. */
#ifndef BOLIDE_CLI_PROGRESS_H
#define BOLIDE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"

struct bl_progress {
  struct bl_timer timer;
  struct bl_timers *timers;
  const char *what; /* "sent" */
  const uint64_t *count;
  uint64_t total_bytes;  /* 0: the end is not known; else count is of bytes */
  const uint64_t *total; /* NULL: the end is not known; else of what is counted */
  uint64_t last_count;
  int64_t last_ms;
  bool shown;
};

/* BORROWS timers and count until stopped. */
void bl_progress_start(struct bl_progress *progress, struct bl_timers *timers, int64_t now_ms,
                       const char *what, const uint64_t *count);
/* The same for bytes of which it is known how many there are: says how many are left, too. */
void bl_progress_start_bytes(struct bl_progress *progress, struct bl_timers *timers, int64_t now_ms,
                             const char *what, const uint64_t *count, uint64_t total_bytes);
/* The same for things of which it is known, or will be (0 until then), how many there are: says how
 * many of how many, and the time left. BORROWS `total`, too. */
void bl_progress_start_of(struct bl_progress *progress, struct bl_timers *timers, int64_t now_ms,
                          const char *what, const uint64_t *count, const uint64_t *total);
/* Takes the line away until the next half second, for another line. */
void bl_progress_clear(struct bl_progress *progress);
/* Takes the line away. Accepts a zeroed struct. */
void bl_progress_stop(struct bl_progress *progress);

/* The number with commas: 1,234,567. Static storage, the next but three calls write over it. */
const char *bl_progress_number(uint64_t number);
/* The number of bytes as people say it: 980 B, 1.5 MB, 12.0 GB. Storage as above. */
const char *bl_progress_bytes(uint64_t bytes);

#endif
