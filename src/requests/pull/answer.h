/* From a decoded pull to its answer, now or later. Thread: core. */
#ifndef BOLIDE_REQUESTS_PULL_ANSWER_H
#define BOLIDE_REQUESTS_PULL_ANSWER_H

#include "remoting/call.h"

struct bl_broker;

/* The handler of 11 and 361: call->header is a struct bl_pull_message_header. */
enum bl_outcome bl_pull_and_answer(struct bl_call *call, bool lite);
/* Lets held pulls be answered by this front end: once, after bl_broker_open. */
void bl_pull_answers_attach(struct bl_broker *broker);

#endif
