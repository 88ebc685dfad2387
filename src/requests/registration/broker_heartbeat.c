#include "namesrv/routes.h"
#include "remoting/request.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker_heartbeat_header *header = call->header;
  bl_namesrv_heartbeat(call->server, header->cluster, header->broker_addr);
  return bl_call_ok(call);
}

const struct bl_request bl_request_broker_heartbeat = {
    .code = 904,
    .name = "BROKER_HEARTBEAT",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_broker_heartbeat_table,
    .handle = handle,
};
