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
  uint64_t last_count;
  int64_t last_ms;
  bool shown;
};

/* BORROWS timers and count until stopped. */
void bl_progress_start(struct bl_progress *progress, struct bl_timers *timers, int64_t now_ms,
                       const char *what, const uint64_t *count);
/* Takes the line away. Accepts a zeroed struct. */
void bl_progress_stop(struct bl_progress *progress);

/* The number with commas: 1,234,567. Static storage, the next but three calls write over it. */
const char *bl_progress_number(uint64_t number);

#endif
