#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/offset/search_answer.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_search_offset_header *h = call->header;
  struct bl_time_search search = {.queue = bl_queues_find(broker->queues, h->topic, h->queue_id),
                                  .upper = bl_slice_is(h->boundary, "UPPER"),
                                  .timestamp_ms = h->timestamp_ms};
  return bl_search_and_answer(call, &search);
}

const struct bl_request bl_request_search_offset = {
    .code = 29,
    .name = "SEARCH_OFFSET_BY_TIMESTAMP",
    .roles = BL_ROLE_BROKER,
    .header = &bl_search_offset_table,
    .handle = handle,
};
