/* Which queues of a topic a member of a group reads: RocketMQ's strategies, by their names. Thread:
 * core. Source: apache/rocketmq AllocateMessageQueueAveragely,
 * AllocateMessageQueueAveragelyByCircle, AllocateMessageQueueConsistentHash. */
#ifndef BOLIDE_BROKER_ASSIGN_ALLOCATE_H
#define BOLIDE_BROKER_ASSIGN_ALLOCATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct bl_ring;

enum bl_strategy { BL_STRATEGY_AVG, BL_STRATEGY_AVG_BY_CIRCLE, BL_STRATEGY_CONSISTENT_HASH };
/* AVG, AVG_BY_CIRCLE, CONSISTENT_HASH. false: another. */
bool bl_strategy_of(struct bl_slice name, enum bl_strategy *out_strategy);

/* Readable queues [0, queues) of a topic on one broker. */
struct bl_topic_part {
  struct bl_slice broker;
  int32_t queues;
};
/* Sorted by broker, as RocketMQ sorts queues. */
struct bl_topic_parts {
  struct bl_slice topic;
  struct bl_topic_part *parts;
  uint32_t count;
};
/* Of all parts together. */
uint32_t bl_topic_parts_queues(const struct bl_topic_parts *parts);

/* Calls `take` for each queue of the member (index among the ring's ids), in order. */
typedef void (*bl_take_queue)(void *context, struct bl_slice broker, int32_t queue_id);
void bl_allocate(enum bl_strategy strategy, struct bl_ring *ring, uint32_t member,
                 const struct bl_topic_parts *parts, bl_take_queue take, void *context);
/* Every queue, for who shares with nobody. */
void bl_allocate_all(const struct bl_topic_parts *parts, bl_take_queue take, void *context);

#endif
