#include "broker/broker.h"
#include "broker/runtime/runtime.h"
#include "remoting/request.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  struct bl_buf version;
  bl_buf_init(&version, 256);
  struct bl_json_writer w = bl_json_writer_of(&version, false);
  bl_version_write(&w, &broker->runtime->config_version);
  bl_options_put_properties(&bl_broker_options, broker->settings, call->body);
  struct bl_version_reply_header header = {.version = bl_buf_slice(&version)};
  struct bl_slice body = bl_buf_slice(call->body);
  struct bl_reply reply = {
      .table = &bl_version_reply_table, .header = &header, .body = &body, .body_count = 1};
  bl_call_reply(call, &reply);
  bl_buf_fini(&version);
  return BL_DONE;
}

const struct bl_request bl_request_get_config = {
    .code = 26,
    .name = "GET_BROKER_CONFIG",
    .roles = BL_ROLE_BROKER,
    .handle = handle,
};
