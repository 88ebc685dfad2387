#include "base/json.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "wire/headers.h"

/* As RocketMQ, asking for a group makes it when that is allowed. */
static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_group_short_header *header = call->header;
  const struct bl_group *group = bl_broker_group(call->server, header->group);
  if (group == NULL) return bl_call_fail(call, BL_ERR_NO_GROUP, "No group in this broker");
  struct bl_json_writer w = bl_json_writer_of(call->body, false);
  bl_group_write(&w, group);
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_get_group = {
    .code = 352,
    .name = "GET_SUBSCRIPTIONGROUP_CONFIG",
    .roles = BL_ROLE_BROKER,
    .header = &bl_group_short_table,
    .handle = handle,
};
