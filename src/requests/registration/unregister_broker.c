#include "namesrv/routes.h"
#include "remoting/request.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker_identity_header *header = call->header;
  bl_namesrv_unregister(call->server, header->cluster, header->broker_addr, header->broker_name,
                        header->broker_id);
  return bl_call_ok(call);
}

const struct bl_request bl_request_unregister_broker = {
    .code = 104,
    .name = "UNREGISTER_BROKER",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_broker_identity_table,
    .handle = handle,
};
