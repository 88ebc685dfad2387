#include "broker/broker.h"
#include "remoting/request.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_update_consumer_offset_header *h = call->header;
  if (bl_groups_find(&broker->groups, h->group) == NULL) {
    return bl_call_fail(call, BL_ERR_NO_GROUP, "Group %.*s not exist!", BL_FMT(h->group));
  }
  if (bl_topics_find(&broker->topics, h->topic) == NULL) {
    return bl_call_fail(call, BL_ERR_NO_TOPIC, "Topic %.*s not exist!", BL_FMT(h->topic));
  }
  /* Until the group's next pull took the reset, its members still commit where they were. */
  if (broker->settings->server_side_reset &&
      bl_offsets_pending_reset(&broker->offsets, h->topic, h->group, h->queue_id) >= 0) {
    struct bl_reply reply = {.code = 0, .remark = BL_SLICE("Offset has been previously reset")};
    bl_call_reply(call, &reply);
    return BL_DONE;
  }
  bl_err err =
      bl_offsets_commit(&broker->offsets, h->topic, h->group, h->queue_id, h->commit_offset);
  if (err == BL_ERR_FULL) {
    return bl_call_fail(call, err,
                        "the broker keeps the offsets of %lld queues already, the most it may",
                        (long long)broker->offsets.slots_max);
  }
  if (err != BL_OK) return bl_call_fail(call, err, "queueId %d cannot be", h->queue_id);
  return bl_call_ok(call);
}

const struct bl_request bl_request_update_consumer_offset = {
    .code = 15,
    .name = "UPDATE_CONSUMER_OFFSET",
    .roles = BL_ROLE_BROKER,
    .header = &bl_update_consumer_offset_table,
    .handle = handle,
};
