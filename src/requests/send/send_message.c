/* 10: the long names. */
#include "remoting/request.h"
#include "requests/send/answer.h"
#include "requests/send/send_v1.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_send send = bl_send_from_v1(call->header);
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
