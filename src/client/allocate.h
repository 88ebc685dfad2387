/* Which queues a member of a group reads. Pure. Every member computes it by itself from the same
 * two sorted lists, so it must be RocketMQ's own arithmetic: AllocateMessageQueueAveragely ("AVG").
 */
#ifndef BOLIDE_CLIENT_ALLOCATE_H
#define BOLIDE_CLIENT_ALLOCATE_H

#include <stdint.h>

struct bl_allocation {
  uint32_t first; /* index in the sorted queues */
  uint32_t count;
};

/* member_index: place among the sorted client ids, < member_count. */
struct bl_allocation bl_allocate_averagely(uint32_t queue_count, uint32_t member_count,
                                           uint32_t member_index);

#endif
