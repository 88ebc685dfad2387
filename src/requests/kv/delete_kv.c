#include "remoting/request.h"
#include "requests/kv/kv_reply.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_kv_key_header *header = call->header;
  bl_namesrv_kv_delete(call->server, header->namespace_name, header->key, bl_kv_wait_new(call));
  return BL_PARKED;
}

const struct bl_request bl_request_delete_kv = {
    .code = 102,
    .name = "DELETE_KV_CONFIG",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_kv_key_table,
    .handle = handle,
};
