/* Which messages a pull wants: tags by the queue entry alone, SQL92 by the properties in the
 * record. Thread: core. Source: apache/rocketmq ExpressionMessageFilter,
 * ExpressionForRetryMessageFilter. */
#ifndef BOLIDE_BROKER_PULL_WANTED_H
#define BOLIDE_BROKER_PULL_WANTED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct bl_broker;
struct bl_filter_cache;
struct bl_member_group;
struct bl_subscription;

struct bl_wanted {
  const struct bl_subscription *filter;
  /* In a retry topic with filterSupportRetry the filter for the topic that a message came from
   * counts: the group that it is looked for in. NULL: `filter` it is. */
  const struct bl_member_group *group;
  struct bl_filter_cache *filters;
  int64_t now_ms; /* messages of the topic may expire: when it is; 0: they do not */
};

/* BORROWS all, for the turn. */
struct bl_wanted bl_wanted_of(struct bl_broker *broker, struct bl_slice group,
                              struct bl_slice topic, const struct bl_subscription *filter);
/* By the tags code; what must be looked at as a record is wanted here. */
bool bl_wanted_entry(const struct bl_wanted *wanted, int64_t tags_code);
/* Whether the record must be looked at. */
bool bl_wanted_needs_record(const struct bl_wanted *wanted);
/* By the properties as they lie in the record; entries that are not wanted are not asked for. */
bool bl_wanted_record(const struct bl_wanted *wanted, struct bl_slice properties);

#endif
