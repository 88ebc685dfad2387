#include "remoting/request.h"
#include "requests/registration/change_perm.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker_name_header *header = call->header;
  struct bl_wipe_reply_header reply = {0};
  if (bl_change_perm(call, header->broker_name, false, &reply.count) == BL_AGAIN) return BL_AGAIN;
  return bl_call_ok_header(call, &bl_wipe_reply_table, &reply);
}

const struct bl_request bl_request_wipe_write_perm = {
    .code = 205,
    .name = "WIPE_WRITE_PERM_OF_BROKER",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_broker_name_table,
    .handle = handle,
};
