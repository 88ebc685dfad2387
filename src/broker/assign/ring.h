/* The members of a consumer group in RocketMQ's order, and as points on its hash ring: what queues
 * are shared out by. Made when first asked for, kept until a member comes or goes. Thread: core.
 * Source: apache/rocketmq ConsistentHashRouter, AllocateMessageQueueConsistentHash. */
#ifndef BOLIDE_BROKER_ASSIGN_RING_H
#define BOLIDE_BROKER_ASSIGN_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Virtual nodes of each member. */
#define BL_RING_POINTS_PER_MEMBER 10
/* Beyond it a group is not shared out by hash: a ring of that many members takes 32 ms of the
 * core. */
#define BL_RING_MEMBERS_MAX 10000

struct bl_ring_point {
  uint32_t hash;
  uint32_t member; /* index among the sorted ids */
};

struct bl_ring {
  struct bl_slice *ids; /* sorted; BORROW the clients */
  uint32_t id_count;
  struct bl_ring_point *points; /* sorted by hash; NULL until bl_ring_place */
  uint32_t point_count;
};

/* RETURNS OWNED; takes the array (TAKES ids, from malloc), sorts it. */
struct bl_ring *bl_ring_new(struct bl_slice *ids, uint32_t id_count);
/* Accepts NULL. */
void bl_ring_free(struct bl_ring *ring);
/* The place of the id among the sorted, or -1. */
int64_t bl_ring_index(const struct bl_ring *ring, struct bl_slice id);
/* The member that the key falls to. The ring has members, at most BL_RING_MEMBERS_MAX (asserted).
 */
uint32_t bl_ring_owner(struct bl_ring *ring, struct bl_slice key);

#endif
