/* What 960002 and 960003 share. Thread: core. */
#ifndef BOLIDE_REQUESTS_DELAY_CHANGE_H
#define BOLIDE_REQUESTS_DELAY_CHANGE_H

#include "remoting/call.h"

/* A step of the change in call->progress; at first it is made of the fields. uniq_key absent:
 * msg_id says which message. due_ms NULL: it is cancelled. RETURNS what the handler returns. */
enum bl_outcome bl_timer_change(struct bl_call *call, struct bl_slice topic,
                                struct bl_slice uniq_key, struct bl_slice msg_id,
                                const int64_t *due_ms);

#endif
