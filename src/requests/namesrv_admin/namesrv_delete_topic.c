#include "namesrv/routes.h"
#include "remoting/request.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_topic_cluster_header *header = call->header;
  bl_namesrv_delete_topic(call->server, header->topic, header->cluster);
  return bl_call_ok(call);
}

const struct bl_request bl_request_namesrv_delete_topic = {
    .code = 216,
    .name = "DELETE_TOPIC_IN_NAMESRV",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_topic_cluster_table,
    .handle = handle,
};
