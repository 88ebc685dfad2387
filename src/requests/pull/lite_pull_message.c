#include "remoting/request.h"
#include "requests/pull/answer.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  return bl_pull_and_answer(call, true);
}

const struct bl_request bl_request_lite_pull_message = {
    .code = 361,
    .name = "LITE_PULL_MESSAGE",
    .roles = BL_ROLE_BROKER,
    .flags = BL_REQUEST_NOT_ON_FAST_PORT,
    .header = &bl_pull_message_table,
    .handle = handle,
};
