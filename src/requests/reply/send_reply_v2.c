/* 325: a reply to a request, header with one-letter names. */
#include "remoting/request.h"
#include "requests/reply/answer.h"
#include "requests/send/send_v2.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_send send = bl_send_from_v2(call->header, false);
  return bl_reply_and_answer(call, &send);
}

const struct bl_request bl_request_send_reply_v2 = {
    .code = 325,
    .name = "SEND_REPLY_MESSAGE_V2",
    .roles = BL_ROLE_BROKER,
    .flags = BL_REQUEST_NEEDS_BODY,
    .header = &bl_send_message_v2_table,
    .handle = handle,
};
