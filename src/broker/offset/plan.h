/* Where a reset by time sends a group in every queue of a topic (or in one): searched some queues a
 * turn, from the disk when it must, before anything is changed. Thread: core.
 * Source: apache/rocketmq AdminBrokerProcessor#resetOffsetInner, Broker2Client#resetOffset. */
#ifndef BOLIDE_BROKER_OFFSET_PLAN_H
#define BOLIDE_BROKER_OFFSET_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/offset/search.h"

struct bl_offset_plan {
  int32_t first; /* queue ids [first, end) */
  int32_t end;
  int64_t timestamp_ms;
  bool to_end;      /* the end of each queue, whatever the time */
  int64_t *offsets; /* HELD; FILLED up to `next`, by queue id less `first` */
  int32_t next;
  bool searching; /* the disk is read: neither free it nor go on */
  struct bl_time_search search;
};

void bl_offset_plan_init(struct bl_offset_plan *plan, int32_t first, int32_t end);
void bl_offset_plan_fini(struct bl_offset_plan *plan);
/* BL_OK: all are known; BL_ERR_SHORT: go on next turn; BL_ERR_COLD: go on when the disk was read
 * (its end makes a turn); others: a queue cannot be searched now. */
BL_MUST_CHECK bl_err bl_offset_plan_step(struct bl_offset_plan *plan, struct bl_broker *broker,
                                         struct bl_slice topic);

/* Does a whole reset: the committed offsets, and the pending ones that the group's next pulls are
 * answered with; wakes its held pulls of the topic. All or nothing: BL_ERR_FULL, BL_ERR_PARAMETER.
 */
BL_MUST_CHECK bl_err bl_broker_reset_offsets(struct bl_broker *broker, struct bl_slice topic,
                                             struct bl_slice group,
                                             const struct bl_offset_plan *plan);

#endif
