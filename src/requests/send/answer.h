/* From a decoded send to its answer. Thread: core. */
#ifndef BOLIDE_REQUESTS_SEND_ANSWER_H
#define BOLIDE_REQUESTS_SEND_ANSWER_H

#include "broker/send/send.h"
#include "remoting/call.h"

/* Sends and answers when the record is as durable as configured. PARKED, DONE, or AGAIN while the
 * log has no room (at most waitTimeMillsInSendQueue). */
enum bl_outcome bl_send_and_answer(struct bl_call *call, struct bl_send *send);

#endif
