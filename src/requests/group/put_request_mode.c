/* 401: how members of a group ask for the messages of a topic. POP is refused: it is not served.
 * Source: apache/rocketmq QueryAssignmentProcessor#setMessageRequestMode. */
#include "base/json.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/durable.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_json *root = bl_call_json(call);
  if (root == NULL) return BL_DONE;
  struct bl_slice mode = bl_json_text(bl_json_get(root, "mode"));
  struct bl_request_mode like = {
      .topic = bl_json_text(bl_json_get(root, "topic")),
      .group = bl_json_text(bl_json_get(root, "consumerGroup")),
      .pop = bl_slice_is(mode, "POP"),
      .pop_share_queues = bl_json_i32(bl_json_get(root, "popShareQueueNum"), 0)};
  int64_t end;
  if (bl_topic_is_retry(like.topic)) {
    return bl_call_fail(call, BL_ERR_NO_PERMISSION, "retry topic is not allowed to set mode");
  }
  if (bl_topics_find(&broker->topics, like.topic) == NULL) {
    return bl_call_fail(call, BL_ERR_NO_TOPIC, "topic[%.*s] not exist", BL_FMT(like.topic));
  }
  if (like.group.len == 0 || bl_broker_group(broker, like.group) == NULL) {
    return bl_call_fail(call, BL_ERR_NO_GROUP, "subscription group does not exist");
  }
  if (like.pop) {
    return bl_call_fail(call, BL_ERR_NO_PERMISSION,
                        "mode POP is not served by this broker: set PULL, or leave it as it is");
  }
  if (mode.len > 0 && !bl_slice_is(mode, "PULL")) {
    return bl_call_fail(call, BL_ERR_PARAMETER, "mode is PULL or POP");
  }
  bl_err err = bl_broker_put_request_mode(broker, &like, &end);
  if (err == BL_ERR_BUSY) return BL_AGAIN; /* the log has room in a moment */
  if (err == BL_ERR_FULL) {
    return bl_call_fail(call, err, "the broker keeps %d modes already, the most it may",
                        BL_REQUEST_MODES_MAX);
  }
  if (err != BL_OK) return bl_call_fail(call, err, NULL);
  return bl_durable_ok(call, broker, end);
}

const struct bl_request bl_request_put_request_mode = {
    .code = 401,
    .name = "SET_MESSAGE_REQUEST_MODE",
    .roles = BL_ROLE_BROKER,
    .flags = BL_REQUEST_NEEDS_BODY,
    .handle = handle,
};
