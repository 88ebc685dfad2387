#include "remoting/request.h"
#include "requests/send/answer.h"
#include "requests/send/send_v2.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_send_message_v2_header *h = call->header;
  struct bl_send send = bl_send_from_v2(h, true);
  return bl_send_and_answer(call, &send);
}

const struct bl_request bl_request_send_batch_message = {
    .code = 320,
    .name = "SEND_BATCH_MESSAGE",
    .roles = BL_ROLE_BROKER,
    .flags = BL_REQUEST_NEEDS_BODY,
    .header = &bl_send_message_v2_table,
    .handle = handle,
};
