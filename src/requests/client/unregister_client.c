#include "broker/broker.h"
#include "remoting/request.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_unregister_client_header *h = call->header;
  bl_members_unregister(call->server, call->conn, h->producer_group, h->consumer_group);
  return bl_call_ok(call);
}

const struct bl_request bl_request_unregister_client = {
    .code = 35,
    .name = "UNREGISTER_CLIENT",
    .roles = BL_ROLE_BROKER,
    .header = &bl_unregister_client_table,
    .handle = handle,
};
