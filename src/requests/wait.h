/* Calls that wait for the disk. */
#ifndef BOLIDE_REQUESTS_WAIT_H
#define BOLIDE_REQUESTS_WAIT_H

#include "broker/query/read.h"
#include "remoting/call.h"

/* The end of a read makes a turn; this is for the case that it never comes. */
#define BL_WAIT_FOR_READ_MS 1000

/* Ends a step of a call that goes on: at once, or, when the disk is read for it, in the turn that
 * brings the bytes. The loop may sleep until then. RETURNS BL_AGAIN. */
static inline enum bl_outcome bl_call_next_step(struct bl_call *call,
                                                const struct bl_time_reader *reader) {
  if (bl_time_reader_waits(reader)) call->again_ms = BL_WAIT_FOR_READ_MS;
  return BL_AGAIN;
}

#endif
