#include "broker/broker.h"
#include "broker/runtime/runtime.h"
#include "remoting/request.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  bl_runtime_write_info(broker->runtime, call->body);
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_runtime_info = {
    .code = 28,
    .name = "GET_BROKER_RUNTIME_INFO",
    .roles = BL_ROLE_BROKER,
    .handle = handle,
};
