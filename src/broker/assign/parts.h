/* Where the readable queues of a topic are, on all brokers: asked of a name server, and kept for a
 * while. Thread: core.
 * Source: apache/rocketmq TopicRouteInfoManager#getTopicSubscribeInfo. */
#ifndef BOLIDE_BROKER_ASSIGN_PARTS_H
#define BOLIDE_BROKER_ASSIGN_PARTS_H

#include <stdint.h>

#include "base/list.h"
#include "broker/assign/allocate.h"

struct bl_broker;
struct bl_part_finder;

/* A route that is as old is asked for anew (loadBalancePollNameServerInterval). */
#define BL_PARTS_KEPT_MS 30000
#define BL_PARTS_TOPICS_MAX 10000
/* Of one route; what is beyond is not believed. */
#define BL_PARTS_BROKERS_MAX 1024
#define BL_PARTS_QUEUES_MAX 65536

/* A question. The owner keeps it until done. */
struct bl_parts_ask {
  struct bl_list node;
  /* parts NULL: nobody has the topic, or no name server answers. BORROWED for the call. */
  void (*done)(struct bl_parts_ask *ask, const struct bl_topic_parts *parts);
};

/* RETURNS OWNED. */
struct bl_part_finder *bl_part_finder_new(struct bl_broker *broker);
/* Open questions end without parts. Accepts NULL. */
void bl_part_finder_free(struct bl_part_finder *finder);
/* Calls done from inside when it is known, else later. */
void bl_parts_find(struct bl_part_finder *finder, struct bl_slice topic, struct bl_parts_ask *ask);
/* Topics that are kept. */
uint32_t bl_part_finder_topics(const struct bl_part_finder *finder);

#endif
