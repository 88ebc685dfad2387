/* A push consumer as RocketMQ's: heartbeats, notices, the members, its share of the queues, locks
 * in ordered groups, where to begin, pulls that wait, commits. What it does is written into the
 * history. Thread: the loop's. Source of behaviour: apache/rocketmq client RebalanceImpl,
 * DefaultMQPushConsumerImpl, ConsumeMessageOrderlyService. */
#ifndef BOLIDE_TESTS_STORM_CONSUMER_H
#define BOLIDE_TESTS_STORM_CONSUMER_H

#include "../history/history.h"
#include "link.h"
#include "members.h"

#define BL_STORM_ID_BYTES 48
#define BL_STORM_CODES 256

struct bl_storm_times {
  int64_t heartbeat_us, rebalance_us, commit_us, lock_us, lock_retry_us, suspend_ms;
  int64_t lock_lives_us; /* a lock that was not renewed for so long is no longer relied on */
};

struct bl_storm_group {
  const char *name;
  uint16_t number; /* in the history */
  bool ordered;
  uint32_t *owners; /* of each queue, now */
  uint32_t single;  /* queues with one owner */
  uint64_t delivered;
};

/* What all consumers share. */
struct bl_storm_world {
  struct bl_storm_loop *loop;
  struct bl_hist_writer *history; /* NULL: none is written */
  struct bl_storm_times times;
  const char *topic, *broker_name;
  uint64_t mark; /* of the messages of this run */
  uint32_t queue_count;
  uint32_t batch;      /* messages asked for at once */
  uint64_t mutes_open; /* connections of those who went silent */
  uint64_t notices, asked_members, anomalies, locks_refused, locks_lost;
  uint64_t codes[BL_STORM_CODES]; /* answers by code that were not expected */
};

/* What a queue is to a consumer. */
enum bl_storm_phase { BL_STORM_NOT_MINE, BL_STORM_LOCK, BL_STORM_ASK, BL_STORM_PULL };

struct bl_storm_queue {
  enum bl_storm_phase phase;
  uint32_t stamp;  /* counts what began here: answers to what was before are passed over */
  bool asked;      /* something is under way in this phase */
  bool lock_asked; /* the lock request under way names it */
  bool unlock;     /* to be unlocked when its last commit is answered */
  int64_t next_offset, committed_offset;
  int64_t again_us;  /* not before */
  int64_t locked_us; /* when the lock was asked for last */
};

enum bl_storm_state { BL_STORM_OFF, BL_STORM_ON, BL_STORM_LEAVING };

struct bl_storm_consumer {
  struct bl_storm_link link;
  struct bl_storm_world *world;
  struct bl_storm_group *group;
  enum bl_storm_state state;
  char id[BL_STORM_ID_BYTES];
  uint32_t number; /* in the history; another one for each life */
  struct bl_storm_members *members;
  struct bl_storm_queue *queues;
  uint32_t *mine; /* queues that are not NOT_MINE */
  uint32_t mine_count;
  int64_t heartbeat_at_us, rebalance_at_us, commit_at_us, lock_at_us;
  int64_t joined_us;      /* when the first heartbeat of this life went out */
  bool asking, ask_again; /* for the members */
  bool locking;           /* a request for locks is under way */
  bool joined;
};

void bl_storm_consumer_init(struct bl_storm_consumer *consumer, struct bl_storm_world *world,
                            struct bl_storm_group *group);
void bl_storm_consumer_fini(struct bl_storm_consumer *consumer);

/* OFF to ON. */
void bl_storm_consumer_join(struct bl_storm_consumer *consumer, const char *id, uint32_t number);
/* Commits, unlocks, unregisters, closes; OFF when that is done. */
void bl_storm_consumer_leave(struct bl_storm_consumer *consumer);
/* Closes the socket: OFF. */
void bl_storm_consumer_close(struct bl_storm_consumer *consumer);
/* Says and hears nothing more: OFF, but its connection stays until the broker closes it. */
void bl_storm_consumer_mute(struct bl_storm_consumer *consumer);
/* What is due. */
void bl_storm_consumer_tick(struct bl_storm_consumer *consumer, int64_t now_us);

/* queue.c */
void bl_storm_queue__take(struct bl_storm_consumer *consumer, uint32_t queue);
/* It is somebody else's from now on. */
void bl_storm_queue__give(struct bl_storm_consumer *consumer, uint32_t queue,
                          enum bl_hist_left how);
void bl_storm_queue__step(struct bl_storm_consumer *consumer, uint32_t queue, int64_t now_us);
void bl_storm_queue__lock(struct bl_storm_consumer *consumer, int64_t now_us, bool renew);
void bl_storm_queue__commit(struct bl_storm_consumer *consumer, uint32_t queue);
/* Whether the call was one of a queue. */
bool bl_storm_queue__answer(struct bl_storm_consumer *consumer, const struct bl_storm_frame *frame,
                            const struct bl_storm_call *call);
/* An answer that was not expected. */
void bl_storm__odd(struct bl_storm_world *world, int32_t code);

#endif
