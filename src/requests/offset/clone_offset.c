/* 314: a group gets another's offsets, in one topic or in all. Some topics a turn.
 * Source: apache/rocketmq AdminBrokerProcessor#cloneGroupOffset. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/durable.h"
#include "wire/headers.h"

#define ROWS_PER_STEP 512

struct progress {
  size_t cursor;
};

/* A topic that is unknown, or that the source's members do not want any more, is passed over. */
static bl_err clone(struct bl_broker *broker, const struct bl_clone_offset_header *h,
                    struct bl_slice topic) {
  if (bl_topics_find(&broker->topics, topic) == NULL) return BL_OK;
  const struct bl_member_group *members = bl_members_consumers(broker, h->from_group);
  if (!h->offline && members != NULL && members->subscriptions.count > 0 &&
      bl_member_group_subscription(members, topic) == NULL)
    return BL_OK;
  return bl_offsets_clone(&broker->offsets, topic, h->from_group, h->to_group);
}

/* BL_ERR_SHORT: go on next turn. Rows that come meanwhile belong to the other group. */
static bl_err clone_all(struct bl_call *call, struct progress *progress) {
  struct bl_broker *broker = call->server;
  const struct bl_clone_offset_header *h = call->header;
  for (int i = 0; i < ROWS_PER_STEP; i++) {
    const struct bl_map_entry *entry = bl_map_next(&broker->offsets.table.map, &progress->cursor);
    if (entry == NULL) return BL_OK;
    const struct bl_offset_row *row = entry->value;
    if (!bl_slice_eq(row->group, h->from_group)) continue;
    bl_err err = clone(broker, h, row->topic);
    if (err != BL_OK) return err;
  }
  return BL_ERR_SHORT;
}

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_clone_offset_header *h = call->header;
  struct progress *progress = call->progress;
  bl_err err;
  if (!bl_name_is_valid(h->to_group)) {
    return bl_call_fail(call, BL_ERR_PARAMETER, "destGroup cannot be the name of a group");
  }
  if (bl_slice_trim(h->topic).len > 0) {
    err = clone(broker, h, h->topic);
  } else {
    if (progress == NULL) {
      progress = calloc(1, sizeof(*progress));
      BL_ASSERT(progress != NULL);
      call->progress = progress;
    }
    err = clone_all(call, progress);
    if (err == BL_ERR_SHORT) return BL_AGAIN;
    free(progress);
    call->progress = NULL;
  }
  if (err == BL_ERR_FULL) {
    return bl_call_fail(call, err,
                        "the broker keeps the offsets of %lld queues already, the most it may",
                        (long long)broker->offsets.slots_max);
  }
  if (err != BL_OK) return bl_call_fail(call, err, "destGroup cannot be the name of a group");
  bl_broker_log_offsets(broker);
  return bl_durable_ok(call, broker, 0);
}

const struct bl_request bl_request_clone_offset = {
    .code = 314,
    .name = "CLONE_GROUP_OFFSET",
    .roles = BL_ROLE_BROKER,
    .header = &bl_clone_offset_table,
    .handle = handle,
};
