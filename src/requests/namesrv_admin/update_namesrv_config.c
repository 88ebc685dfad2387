#include "namesrv/namesrv.h"
#include "remoting/request.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_why why = {""};
  bl_err err = bl_namesrv_update_config(call->server, call->command->body, &why);
  if (err == BL_OK) return bl_call_ok(call);
  int32_t code = bl_err_code(err == BL_ERR_NO_PERMISSION ? err : BL_ERR_SYSTEM);
  return bl_call_fail_code(call, code, "%s", why.text);
}

const struct bl_request bl_request_update_namesrv_config = {
    .code = 318,
    .name = "UPDATE_NAMESRV_CONFIG",
    .roles = BL_ROLE_NAMESRV,
    .handle = handle,
};
