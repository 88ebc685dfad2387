#include "requests/lock/lock_body.h"

#include "broker/broker.h"

bool bl_lock_body_read(struct bl_call *call, struct bl_lock_body *out_body) {
  const struct bl_json *root = bl_call_json(call);
  if (root == NULL) return false;
  out_body->group = bl_json_text(bl_json_get(root, "consumerGroup"));
  out_body->client_id = bl_json_text(bl_json_get(root, "clientId"));
  out_body->queues = bl_json_get(root, "mqSet");
  if (out_body->group.len == 0 || out_body->client_id.len == 0) {
    bl_call_fail(call, BL_ERR_SYSTEM, "consumerGroup or clientId is missing");
    return false;
  }
  /* They go into a record of the metadata. */
  struct bl_why why;
  if (bl_group_name_check(out_body->group, &why) != BL_OK) {
    bl_call_fail(call, BL_ERR_SYSTEM, "%s", why.text);
    return false;
  }
  if (out_body->client_id.len > BL_CLIENT_ID_BYTES_MAX) {
    bl_call_fail(call, BL_ERR_SYSTEM, "clientId is longer than %d", BL_CLIENT_ID_BYTES_MAX);
    return false;
  }
  bool listed = out_body->queues != NULL && out_body->queues->kind == BL_JSON_ARRAY;
  if (!listed || out_body->queues->count > BL_LOCK_QUEUES_MAX) {
    bl_call_fail(call, BL_ERR_SYSTEM, "mqSet must be a list of at most %d queues",
                 BL_LOCK_QUEUES_MAX);
    return false;
  }
  return true;
}

struct bl_lock_queue bl_lock_queue_of(const struct bl_json *node) {
  return (struct bl_lock_queue){.broker_name = bl_json_text(bl_json_get(node, "brokerName")),
                                .topic = bl_json_text(bl_json_get(node, "topic")),
                                .queue_id = bl_json_i32(bl_json_get(node, "queueId"), 0)};
}
