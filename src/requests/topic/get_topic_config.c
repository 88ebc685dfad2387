#include "base/json.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_topic_name_header *header = call->header;
  const struct bl_topic *topic = bl_topics_find(&broker->topics, header->topic);
  if (topic == NULL) {
    return bl_call_fail(call, BL_ERR_NO_TOPIC, "No topic in this broker. topic: %.*s",
                        BL_FMT(header->topic));
  }
  struct bl_json_writer w = bl_json_writer_of(call->body, false);
  bl_topic_write(&w, topic);
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_get_topic_config = {
    .code = 351,
    .name = "GET_TOPIC_CONFIG",
    .roles = BL_ROLE_BROKER,
    .header = &bl_topic_name_table,
    .handle = handle,
};
