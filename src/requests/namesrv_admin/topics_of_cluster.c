#include "namesrv/namesrv.h"
#include "remoting/request.h"
#include "requests/namesrv_admin/topic_list.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_cluster_header *header = call->header;
  bool enabled = bl_namesrv_settings(call->server)->enable_topic_list;
  return bl_topic_list(call, enabled, BL_NAMESRV_TOPICS_OF_CLUSTER, header->cluster);
}

const struct bl_request bl_request_topics_of_cluster = {
    .code = 224,
    .name = "GET_TOPICS_BY_CLUSTER",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_cluster_table,
    .handle = handle,
};
