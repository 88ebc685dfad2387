/* Where a group is in the queues of a topic: the part that 208 and 317 share.
 * Source: apache/rocketmq ConsumeStats, OffsetWrapper. */
#ifndef BOLIDE_REQUESTS_STATS_QUEUE_STATS_H
#define BOLIDE_REQUESTS_STATS_QUEUE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "broker/query/read.h"

struct bl_broker;
struct bl_topic;

/* The place in one topic; starts zeroed, again with each topic. */
struct bl_queue_stats {
  struct bl_time_reader times;
  int32_t queue_id;
  int64_t lag;      /* messages behind, in all queues so far */
  int64_t inflight; /* pulled and not committed */
};

/* Writes entries of offsetTable for queues below `queues`, at most *budget of them. BL_ERR_COLD: go
 * on next turn, the disk is read; BL_ERR_SHORT: go on next turn, the budget is used up; BL_OK: all
 * are written. */
BL_MUST_CHECK bl_err bl_queue_stats_step(struct bl_queue_stats *stats, struct bl_broker *broker,
                                         struct bl_topic *topic, struct bl_slice group,
                                         int32_t queues, struct bl_json_writer *w, int *budget);
/* How fast the group's offsets in the topic move, per second. */
double bl_queue_stats_rate(struct bl_broker *broker, struct bl_slice topic, struct bl_slice group,
                           struct bl_arena *arena);
/* Whether the group's members, when it has some, want the topic. */
bool bl_group_wants_topic(const struct bl_broker *broker, struct bl_slice group,
                          struct bl_slice topic);

#endif
