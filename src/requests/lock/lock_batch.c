#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/durable.h"
#include "requests/json_parts.h"
#include "requests/lock/lock_body.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_lock_body body;
  struct bl_broker *broker = call->server;
  if (!bl_lock_body_read(call, &body)) return BL_DONE;
  struct bl_json_writer w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&w);
  bl_json_key(&w, "lockOKMQSet");
  bl_json_open_array(&w);
  for (const struct bl_json *node = body.queues->child; node != NULL; node = node->next) {
    struct bl_lock_queue queue = bl_lock_queue_of(node);
    if (!bl_locks_take(broker, body.group, queue.topic, queue.queue_id, body.client_id)) continue;
    if (broker->locks.changes.len > BL_LOCK_CHANGES_BYTES)
      bl_broker_log_locks(broker, body.group, body.client_id, false);
    bl_json_put_queue(&w, queue.broker_name, queue.topic, queue.queue_id);
  }
  bl_broker_log_locks(broker, body.group, body.client_id, false);
  bl_json_close_array(&w);
  bl_json_close_object(&w);
  return bl_durable_ok_body(call, broker);
}

const struct bl_request bl_request_lock_batch = {
    .code = 41,
    .name = "LOCK_BATCH_MQ",
    .roles = BL_ROLE_BROKER,
    .flags = BL_REQUEST_NEEDS_BODY,
    .handle = handle,
};
