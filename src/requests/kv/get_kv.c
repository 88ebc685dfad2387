#include "namesrv/kv.h"
#include "remoting/request.h"
#include "wire/headers.h"

static struct bl_slice shown(struct bl_slice text) {
  return text.ptr != NULL ? text : BL_SLICE("null");
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_kv_key_header *header = call->header;
  struct bl_slice value = bl_namesrv_kv_get(call->server, header->namespace_name, header->key);
  if (value.ptr == NULL) {
    return bl_call_fail(call, BL_ERR_NOT_FOUND, "No config item, Namespace: %.*s Key: %.*s",
                        BL_FMT(shown(header->namespace_name)), BL_FMT(shown(header->key)));
  }
  struct bl_kv_value_reply_header reply = {0};
  BL_SET(&reply, kv_value_reply, value, value);
  return bl_call_ok_header(call, &bl_kv_value_reply_table, &reply);
}

const struct bl_request bl_request_get_kv = {
    .code = 101,
    .name = "GET_KV_CONFIG",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_kv_key_table,
    .handle = handle,
};
