/* Codes 205 and 327 differ by one bit. */
#ifndef BOLIDE_REQUESTS_REGISTRATION_CHANGE_PERM_H
#define BOLIDE_REQUESTS_REGISTRATION_CHANGE_PERM_H

#include "remoting/call.h"

/* Changes the write permission of all topics of the broker, in steps. BL_AGAIN: call again; else
 * *out_count is how many changed, and the call is to be answered. */
enum bl_outcome bl_change_perm(struct bl_call *call, struct bl_slice broker_name, bool writable,
                               int32_t *out_count);

#endif
