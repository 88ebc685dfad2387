#include "namesrv/namesrv.h"
#include "remoting/request.h"
#include "requests/namesrv_admin/topic_list.h"

static enum bl_outcome handle(struct bl_call *call) {
  bool enabled = bl_namesrv_settings(call->server)->enable_all_topic_list;
  return bl_topic_list(call, enabled, BL_NAMESRV_TOPICS_ALL, bl_slice_text(NULL));
}

const struct bl_request bl_request_all_topics = {
    .code = 206,
    .name = "GET_ALL_TOPIC_LIST_FROM_NAMESERVER",
    .roles = BL_ROLE_NAMESRV,
    .handle = handle,
};
