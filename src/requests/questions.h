/* Questions that wait: for the disk (a record, messages by key) or for another client (what is
 * relayed to it). Each keeps memory until it is answered, so there is a limit of them. */
#ifndef BOLIDE_REQUESTS_QUESTIONS_H
#define BOLIDE_REQUESTS_QUESTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/broker.h"
#include "remoting/call.h"

/* A record, or a relay, counts 1. */
#define BL_QUESTIONS_MAX 1024
/* A search by key, whose answer may have BL_MESSAGE_SEARCH_BYTES_MAX. */
#define BL_QUESTION_SEARCH 16

/* false: there are too many, and `out_why` says so (BL_ERR_BUSY). Else bl_question_end follows. */
static inline bool bl_question_begin(struct bl_broker *broker, int32_t weight,
                                     struct bl_why *out_why) {
  struct bl_broker_stats *stats = &broker->stats;
  if (stats->questions + weight <= BL_QUESTIONS_MAX) {
    stats->questions += weight;
    return true;
  }
  stats->questions_refused++;
  (void)bl_why_set(out_why, BL_ERR_BUSY,
                   "broker busy: as many questions as may be wait for the disk or for clients; try "
                   "again in a moment");
  return false;
}

static inline void bl_question_end(struct bl_broker *broker, int32_t weight) {
  broker->stats.questions -= weight;
}

#endif
