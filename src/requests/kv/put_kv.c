#include "remoting/request.h"
#include "requests/kv/kv_reply.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_kv_put_header *header = call->header;
  if (header->namespace_name.ptr == NULL || header->key.ptr == NULL) {
    return bl_call_fail(call, BL_ERR_SYSTEM, "namespace or key is null");
  }
  struct bl_namesrv_kv_wait *wait = bl_kv_wait_new(call);
  bl_err err =
      bl_namesrv_kv_put(call->server, header->namespace_name, header->key, header->value, wait);
  if (err == BL_OK) return BL_PARKED;
  bl_kv_wait_free(wait);
  return bl_call_fail(call, err, "the name server keeps at most %d bytes of keys and values",
                      BL_NAMESRV_KV_BYTES_MAX);
}

const struct bl_request bl_request_put_kv = {
    .code = 100,
    .name = "PUT_KV_CONFIG",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_kv_put_table,
    .handle = handle,
};
