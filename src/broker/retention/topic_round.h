/* Topics with a retention of their own: attributes retention.ms and retention.bytes. Messages that
 * are over their limit are gone at once as far as clients can see (the queue's min offset); their
 * bytes come back with the file they are in. Nothing in the log is changed.
 *
 * A round visits every such topic, a little each turn. Thread: core. */
#ifndef BOLIDE_BROKER_RETENTION_TOPIC_ROUND_H
#define BOLIDE_BROKER_RETENTION_TOPIC_ROUND_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/offset/search.h"
#include "broker/topic/topics.h"
#include "store/queues/queues.h"

struct bl_broker;

enum bl_round_phase {
  BL_ROUND_TIME,  /* each queue: what is too old */
  BL_ROUND_COUNT, /* each queue: bytes of new messages */
  BL_ROUND_HEAD,  /* each queue: where the oldest message of the topic is */
  BL_ROUND_DROP   /* each queue: what is too much */
};

struct bl_topic_round {
  struct bl_broker *broker;
  bool running;
  bool waiting;                              /* for the disk */
  int left;                                  /* topics to visit */
  int64_t now_ms;                            /* sure time */
  char name[BL_TOPIC_SPECIAL_BYTES_MAX + 1]; /* the topic that is visited */
  size_t name_len;                           /* 0: the next one begins */
  enum bl_round_phase phase;
  int32_t queue_id;
  int64_t oldest_log;   /* HEAD: log offset of the topic's oldest message */
  int64_t step_bytes;   /* DROP: how far behind it */
  int64_t before_bytes; /* DROP: what the topic had when it began */
  int64_t pin;          /* of the round so far */
  struct bl_time_search search;
  struct bl_queue_warm warm;
  bl_err warm_err;
  bool searched; /* `search` has an answer for the queue */
  /* Log offset below which no topic keeps messages longer than the log does; INT64_MAX: none.
   * FILLED at the end of a round. */
  int64_t pinned_from;
};

void bl_topic_round_init(struct bl_topic_round *round, struct bl_broker *broker);
/* Begins a round; now_ms: the sure time. */
void bl_topic_round_start(struct bl_topic_round *round, int64_t now_ms);
/* A part of it. RETURNS true when there is more to do at once; `running` false: it is over. */
bool bl_topic_round_step(struct bl_topic_round *round);

#endif
