/* A wall clock that deletes nothing early. It follows the monotonic clock; the machine's wall clock
 * may set it back at once, and forward only when it has said the same for a while: a machine that
 * woke up in another year, or was set wrong by a day for some minutes, costs no message.
 *
 * Thread: core. Pure. */
#ifndef BOLIDE_BROKER_RETENTION_SURE_CLOCK_H
#define BOLIDE_BROKER_RETENTION_SURE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Less than this ahead is no jump. */
#define BL_SURE_CLOCK_SLACK_MS 60000

struct bl_sure_clock {
  int64_t now_ms;            /* wall time, as far as it is sure */
  int64_t mono_ms;           /* when it was that */
  bool doubted;              /* the wall clock is ahead */
  int64_t doubted_from_ms;   /* monotonic */
  int64_t doubted_offset_ms; /* wall - monotonic */
};

/* from_ms: a time that has certainly been: that of the newest record. */
void bl_sure_clock_init(struct bl_sure_clock *sure, int64_t from_ms, int64_t mono_ms);
/* RETURNS the sure time. confirm_ms: for how long a wall clock that is ahead must say the same. */
int64_t bl_sure_clock_now(struct bl_sure_clock *sure, int64_t wall_ms, int64_t mono_ms,
                          int64_t confirm_ms);

#endif
