/* 324: a reply to a request, header with long names. */
#include "remoting/request.h"
#include "requests/reply/answer.h"
#include "requests/send/send_v1.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_send send = bl_send_from_v1(call->header);
  return bl_reply_and_answer(call, &send);
}

const struct bl_request bl_request_send_reply = {
    .code = 324,
    .name = "SEND_REPLY_MESSAGE",
    .roles = BL_ROLE_BROKER,
    .flags = BL_REQUEST_NEEDS_BODY,
    .header = &bl_send_message_table,
    .handle = handle,
};
