#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/lock/lock_body.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_lock_body body;
  struct bl_broker *broker = call->server;
  if (!bl_lock_body_read(call, &body)) return BL_DONE;
  for (const struct bl_json *node = body.queues->child; node != NULL; node = node->next) {
    struct bl_lock_queue queue = bl_lock_queue_of(node);
    bl_locks_give(broker, body.group, queue.topic, queue.queue_id, body.client_id);
    if (broker->locks.changes.len > BL_LOCK_CHANGES_BYTES)
      bl_broker_log_locks(broker, body.group, body.client_id, true);
  }
  bl_broker_log_locks(broker, body.group, body.client_id, true);
  return bl_call_ok(call);
}

const struct bl_request bl_request_unlock_batch = {
    .code = 42,
    .name = "UNLOCK_BATCH_MQ",
    .roles = BL_ROLE_BROKER,
    .flags = BL_REQUEST_NEEDS_BODY,
    .handle = handle,
};
