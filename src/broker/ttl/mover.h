/* Expired messages of a topic with the attribute ttl.topic go to that topic: those that not every
 * group that commits offsets in the topic has consumed by then. A copy is appended, with the
 * property BL_EXPIRY_MARK that names the message; the message itself stays where it is and is
 * passed over by pulls. Which ones wait is known by src/store/expiry; each is moved once.
 *
 * By a clock that is sure: a wall clock that jumps ahead moves nothing before it said the same for
 * retentionClockConfirmMs. Not moved: what retention took before, what is one record of several
 * messages (queue.type=BatchCQ). A topic of that name is made when there is none.
 *
 * Thread: core. */
#ifndef BOLIDE_BROKER_TTL_MOVER_H
#define BOLIDE_BROKER_TTL_MOVER_H

#include "base/buf.h"
#include "base/map.h"
#include "base/timer.h"
#include "broker/query/read.h"
#include "broker/retention/sure_clock.h"
#include "store/expiry/expiry.h"

struct bl_broker;

/* The groups that commit offsets in a topic, looked up some rows a turn. */
struct bl_mover_groups {
  char topic[256];
  size_t topic_len;
  size_t cursor;
  bool complete;
  int64_t until_ms;    /* monotonic: then they are looked up again */
  struct bl_buf names; /* each with a NUL behind */
};

struct bl_mover {
  struct bl_broker *broker;
  struct bl_timer timer;
  struct bl_sure_clock clock;
  struct bl_query_warm warm;
  int64_t warm_offset; /* the record that was read last */
  int64_t retry_ms;    /* monotonic: nothing before */
  struct bl_mover_groups groups;
  struct bl_buf properties;
  int64_t moved;
  int64_t consumed; /* expired, and every group had them */
  int64_t lost;     /* their records are gone or cannot be read */
};

/* After the store was opened. */
void bl_mover_init(struct bl_broker *broker);
/* Before the store closes, after the pool's jobs. */
void bl_mover_fini(struct bl_broker *broker);
/* Part of every turn, after the store's: for about 100 us. true: another turn is to follow. */
bool bl_mover_turn(struct bl_broker *broker);

/* What the follower asks of the topics. context: struct bl_broker. */
bool bl_mover_moves(void *context, struct bl_slice topic);

#endif
