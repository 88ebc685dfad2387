#include "namesrv/cluster_json.h"
#include "remoting/request.h"
#include "requests/route/asker.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_member_group_header *header = call->header;
  struct bl_namesrv_asker asker = bl_asker_of(call);
  bl_namesrv_members(call->server, &asker, header->cluster, header->broker_name, call->body);
  if (call->body->failed) return bl_call_fail(call, BL_ERR_FULL, NULL);
  struct bl_slice body = bl_buf_slice(call->body);
  struct bl_reply reply = {
      .remark = BL_SLICE("not set any response code"), /* so does RocketMQ, with success */
      .body = &body,
      .body_count = 1,
  };
  bl_call_reply(call, &reply);
  return BL_DONE;
}

const struct bl_request bl_request_broker_members = {
    .code = 901,
    .name = "GET_BROKER_MEMBER_GROUP",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_member_group_table,
    .handle = handle,
};
