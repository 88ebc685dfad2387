/* 10: the long names. */
#include "remoting/request.h"
#include "requests/send/answer.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_send_message_header *h = call->header;
  struct bl_send send = {.producer_group = h->producer_group,
                         .topic = h->topic,
                         .default_topic = h->default_topic,
                         .default_queues = h->default_queues,
                         .queue_id = h->queue_id,
                         .sys_flag = h->sys_flag,
                         .born_ms = h->born_ms,
                         .flag = h->flag,
                         .properties = h->properties,
                         .reconsume_times = h->reconsume_times,
                         .max_reconsume_times = BL_HAS(h, send_message, max_reconsume_times)
                                                    ? h->max_reconsume_times
                                                    : -1,
                         .unit_mode = h->unit_mode,
                         .batch = h->batch};
  return bl_send_and_answer(call, &send);
}

const struct bl_request bl_request_send_message = {
    .code = 10,
    .name = "SEND_MESSAGE",
    .roles = BL_ROLE_BROKER,
    .flags = BL_REQUEST_NEEDS_BODY,
    .header = &bl_send_message_table,
    .handle = handle,
};
