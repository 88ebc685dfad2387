#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/offset/search_answer.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_earliest_store_time_header *h = call->header;
  struct bl_time_search search = {.queue = bl_queues_find(broker->queues, h->topic, h->queue_id),
                                  .first_only = true};
  return bl_search_and_answer(call, &search);
}

const struct bl_request bl_request_get_earliest_store_time = {
    .code = 32,
    .name = "GET_EARLIEST_MSG_STORETIME",
    .roles = BL_ROLE_BROKER,
    .header = &bl_earliest_store_time_table,
    .handle = handle,
};
