/* What 324 and 325 share. */
#ifndef BOLIDE_REQUESTS_REPLY_ANSWER_H
#define BOLIDE_REQUESTS_REPLY_ANSWER_H

#include "broker/send/send.h"
#include "remoting/call.h"

/* Hands the reply on and answers when it was pushed and stored. FILLS what a send takes from the
 * connection. */
enum bl_outcome bl_reply_and_answer(struct bl_call *call, struct bl_send *send);

#endif
