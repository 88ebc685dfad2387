#include "namesrv/cluster_json.h"
#include "remoting/request.h"
#include "requests/route/asker.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_namesrv_asker asker = bl_asker_of(call);
  bl_namesrv_system_topics(call->server, &asker, call->body);
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_namesrv_system_topics = {
    .code = 304,
    .name = "GET_SYSTEM_TOPIC_LIST_FROM_NS",
    .roles = BL_ROLE_NAMESRV,
    .handle = handle,
};
