#include "namesrv/namesrv.h"
#include "remoting/request.h"

static enum bl_outcome handle(struct bl_call *call) {
  bl_namesrv_put_config(call->server, call->body);
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_get_namesrv_config = {
    .code = 319,
    .name = "GET_NAMESRV_CONFIG",
    .roles = BL_ROLE_NAMESRV,
    .handle = handle,
};
