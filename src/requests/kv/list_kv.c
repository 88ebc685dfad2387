#include "namesrv/kv.h"
#include "remoting/request.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_kv_namespace_header *header = call->header;
  if (bl_namesrv_kv_list(call->server, header->namespace_name, call->body)) {
    return bl_call_ok_body(call);
  }
  struct bl_slice name = header->namespace_name;
  if (name.ptr == NULL) name = BL_SLICE("null");
  return bl_call_fail(call, BL_ERR_NOT_FOUND, "No config item, Namespace: %.*s", BL_FMT(name));
}

const struct bl_request bl_request_list_kv = {
    .code = 219,
    .name = "GET_KVLIST_BY_NAMESPACE",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_kv_namespace_table,
    .handle = handle,
};
