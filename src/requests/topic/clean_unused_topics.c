/* 316: RocketMQ deletes index files that deleted topics left behind. Here a deletion leaves none.
 */
#include "remoting/request.h"

static enum bl_outcome handle(struct bl_call *call) {
  return bl_call_ok(call);
}

const struct bl_request bl_request_clean_unused_topics = {
    .code = 316,
    .name = "CLEAN_UNUSED_TOPIC",
    .roles = BL_ROLE_BROKER,
    .handle = handle,
};
