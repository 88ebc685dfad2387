/* 960002, ours: a message that waits is dropped. */
#include "remoting/request.h"
#include "requests/delay/change.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_cancel_timer_header *header = call->header;
  if (header->uniq_key.len == 0 && header->msg_id.len == 0)
    return bl_call_fail(call, BL_ERR_PARAMETER, "neither uniqKey nor msgId says which message");
  return bl_timer_change(call, header->topic, header->uniq_key, header->msg_id, NULL);
}

const struct bl_request bl_request_cancel_timer = {
    .code = 960002,
    .name = "BOLIDE_CANCEL_TIMER",
    .roles = BL_ROLE_BROKER,
    .header = &bl_cancel_timer_table,
    .handle = handle,
};
