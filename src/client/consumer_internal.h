/* Inside src/client only: the parts of a consumer. */
#ifndef BOLIDE_CLIENT_CONSUMER_INTERNAL_H
#define BOLIDE_CLIENT_CONSUMER_INTERNAL_H

#include "client/client_internal.h"
#include "client/consumer.h"
#include "client/routes.h"

#define BL_CONSUMER_TOOLS_GROUP "TOOLS_CONSUMER" /* apache/rocketmq MixAll */
#define BL_CONSUMER_RETRY_PREFIX "%RETRY%"
#define BL_CONSUMER_SUB_ALL "*"

/* COMMITTED: asks for the group's offset (14). FROM: asks for the start (29, 30, 31). PULL: reads.
 */
enum bl_queue_phase { BL_QUEUE_COMMITTED, BL_QUEUE_FROM, BL_QUEUE_PULL };

/* A queue of the topic. Kept for the consumer's life; works only while it is `mine`. One call at a
 * time; the timer is its next step when it waits. */
struct bl_consumer_queue {
  struct bl_consumer_topic *topic;
  struct bl_slice broker_name; /* OWNED */
  int32_t id;
  bool readable; /* in the route */
  bool mine;
  bool kept; /* while a new share is taken over */
  enum bl_queue_phase phase;
  int64_t broker_id;        /* the broker suggested it for pulling */
  int64_t next_offset;      /* to pull */
  int64_t delivered_offset; /* behind the last message given */
  int64_t done_offset;      /* behind the last message that was done */
  int64_t committed_offset; /* what the broker knows; -1: nothing */
  int64_t committing_offset;
  int64_t asked_ms;
  struct bl_outcall call;
  struct bl_outcall commit;
  struct bl_timer timer;
};

struct bl_consumer_topic {
  struct bl_consumer *consumer;
  struct bl_slice name; /* OWNED */
  bool is_retry;        /* %RETRY%group: what failed at other members */
  bool reached;         /* a name server has answered */
  struct bl_route_watch watch;
  struct bl_consumer_queue **queues; /* sorted by broker and id, also those out of the route */
  uint32_t queue_count;
};

struct bl_consumer {
  struct bl_client *client;
  struct bl_consumer_settings settings;
  struct bl_slice group; /* OWNED; absent: none */
  int64_t sub_version;
  struct bl_heartbeat_part part;
  bool in_parts;
  struct bl_consumer_topic topics[2]; /* the topic, and of a group its retry topic */
  uint32_t topic_count;
  bool paused;
  bool halted; /* on_message said no more, or it is leaving */
  struct bl_buf scratch;
  struct bl_timer rebalance_timer;
  struct bl_outcall members_call;
  struct bl_timer commit_timer;
  struct bl_leave leave;
  struct bl_timer leave_timer;
  uint32_t commits_open;
  bool leaving;
  bl_err leave_err;
  void (*left)(void *context, bl_err err);
  void *left_context;
};

/* rebalance.c */
/* Soon: asks who is in the group and takes its share. Without a group: takes every queue. */
void bl_consumer__rebalance(struct bl_consumer *consumer);
void bl_consumer__start_rebalance(struct bl_consumer *consumer);
void bl_consumer__stop_rebalance(struct bl_consumer *consumer);

/* pull.c: the next step of a queue, if it may take one. */
void bl_queue__step(struct bl_consumer_queue *queue);
void bl_queue__step_later(struct bl_consumer_queue *queue, int64_t after_ms);
/* start.c: asks where to begin; in the end the phase is PULL. */
void bl_queue__ask_committed(struct bl_consumer_queue *queue);
void bl_queue__ask_from(struct bl_consumer_queue *queue);

/* offsets.c */
void bl_consumer__start_commits(struct bl_consumer *consumer);
/* Commits the queue's done offset if the broker does not know it. */
void bl_queue__commit(struct bl_consumer_queue *queue);

/* consumer.c */
void bl_consumer__fail(struct bl_consumer *consumer, bl_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
