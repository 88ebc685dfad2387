#include "broker/broker.h"
#include "remoting/request.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_get_max_offset_header *h = call->header;
  const struct bl_queue *queue = bl_queues_find(broker->queues, h->topic, h->queue_id);
  bool assigned = BL_HAS(h, get_max_offset, committed) && !h->committed;
  struct bl_offset_reply_header reply = {0};
  if (queue != NULL) {
    reply.offset = assigned ? bl_queue_assigned_offset(queue) : bl_queue_max_offset(queue);
  }
  return bl_call_ok_header(call, &bl_offset_reply_table, &reply);
}

const struct bl_request bl_request_get_max_offset = {
    .code = 30,
    .name = "GET_MAX_OFFSET",
    .roles = BL_ROLE_BROKER,
    .header = &bl_get_max_offset_table,
    .handle = handle,
};
