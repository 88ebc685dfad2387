/* 402: the modes that 401 set. Source: apache/rocketmq MessageRequestModeManager#encode. */
#include "base/json.h"
#include "broker/broker.h"
#include "remoting/request.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  struct bl_json_writer w = bl_json_writer_of(call->body, false);
  bl_request_modes_write(&broker->request_modes, &w);
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_all_request_modes = {
    .code = 402,
    .name = "GET_ALL_MESSAGE_REQUEST_MODE",
    .roles = BL_ROLE_BROKER,
    .handle = handle,
};
