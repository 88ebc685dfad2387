#include "broker/broker.h"
#include "remoting/request.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_get_min_offset_header *h = call->header;
  const struct bl_queue *queue = bl_queues_find(broker->queues, h->topic, h->queue_id);
  struct bl_offset_reply_header reply = {.offset = queue != NULL ? bl_queue_min_offset(queue) : 0};
  return bl_call_ok_header(call, &bl_offset_reply_table, &reply);
}

const struct bl_request bl_request_get_min_offset = {
    .code = 31,
    .name = "GET_MIN_OFFSET",
    .roles = BL_ROLE_BROKER,
    .header = &bl_get_min_offset_table,
    .handle = handle,
};
