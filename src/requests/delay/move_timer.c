/* 960003, ours: a message that waits gets another time. */
#include "remoting/request.h"
#include "requests/delay/change.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_move_timer_header *header = call->header;
  if (header->uniq_key.len == 0 && header->msg_id.len == 0)
    return bl_call_fail(call, BL_ERR_PARAMETER, "neither uniqKey nor msgId says which message");
  return bl_timer_change(call, header->topic, header->uniq_key, header->msg_id, &header->due_ms);
}

const struct bl_request bl_request_move_timer = {
    .code = 960003,
    .name = "BOLIDE_MOVE_TIMER",
    .roles = BL_ROLE_BROKER,
    .header = &bl_move_timer_table,
    .handle = handle,
};
