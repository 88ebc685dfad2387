/* Answers that wait for the log: a change of metadata is said to be done when its record is as
 * durable as configured. Thread: core. */
#ifndef BOLIDE_REQUESTS_DURABLE_H
#define BOLIDE_REQUESTS_DURABLE_H

#include <stdint.h>

#include "remoting/call.h"

struct bl_broker;

/* Answers success when the log is durable up to end_offset and what was appended before it; code 1
 * when that will never be known. end_offset 0: nothing was changed now; then what was changed
 * before, perhaps the same, is waited for. RETURNS what the handler returns. */
enum bl_outcome bl_durable_ok(struct bl_call *call, struct bl_broker *broker, int64_t end_offset);
/* The same for a call that was parked. */
void bl_durable_ticket(struct bl_broker *broker, const struct bl_ticket *ticket);
/* The same with a remark in the success (static storage). */
enum bl_outcome bl_durable_reply(struct bl_call *call, struct bl_broker *broker, int64_t end_offset,
                                 const char *remark);
/* Success with call->body, when all that was changed until now is durable. */
enum bl_outcome bl_durable_ok_body(struct bl_call *call, struct bl_broker *broker);

#endif
