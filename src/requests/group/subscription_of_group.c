#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/json_parts.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_group_topic_header *header = call->header;
  const struct bl_member_group *group = bl_members_consumers(call->server, header->group);
  const struct bl_subscription *subscription =
      group != NULL ? bl_member_group_subscription(group, header->topic) : NULL;
  struct bl_json_writer w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&w);
  bl_json_member_text(&w, "group", header->group);
  if (subscription != NULL) {
    bl_json_key(&w, "subscriptionData");
    bl_json_put_subscription(&w, subscription);
  }
  if (header->topic.ptr != NULL) bl_json_member_text(&w, "topic", header->topic);
  bl_json_close_object(&w);
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_subscription_of_group = {
    .code = 345,
    .name = "QUERY_SUBSCRIPTION_BY_CONSUMER",
    .roles = BL_ROLE_BROKER,
    .header = &bl_group_topic_table,
    .handle = handle,
};
