/* Runs a search by time and answers when it ends. Thread: core. */
#ifndef BOLIDE_REQUESTS_OFFSET_SEARCH_ANSWER_H
#define BOLIDE_REQUESTS_OFFSET_SEARCH_ANSWER_H

#include "broker/offset/search.h"
#include "remoting/call.h"

/* `like` has queue, kind and time; the answer is an offset, or with first_only a store time. */
enum bl_outcome bl_search_and_answer(struct bl_call *call, const struct bl_time_search *like);

#endif
