#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/durable.h"
#include "requests/topic/topic_change.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_topic_name_header *header = call->header;
  int64_t end = 0;
  if (bl_slice_trim(header->topic).len == 0) {
    return bl_call_fail(call, BL_ERR_PARAMETER, "The specified topic is blank.");
  }
  if (bl_topic_is_reserved(broker, header->topic)) {
    return bl_call_fail(call, BL_ERR_PARAMETER, "The topic[%.*s] is conflict with system topic.",
                        BL_FMT(header->topic));
  }
  bl_err err = bl_broker_delete_topic(broker, header->topic, &end);
  if (err == BL_ERR_BUSY) return BL_AGAIN; /* the log has room in a moment */
  /* One that is not there is deleted already. */
  if (err != BL_OK && err != BL_ERR_NO_TOPIC) return bl_call_fail(call, err, NULL);
  return bl_durable_ok(call, broker, end);
}

const struct bl_request bl_request_delete_topic = {
    .code = 215,
    .name = "DELETE_TOPIC_IN_BROKER",
    .roles = BL_ROLE_BROKER,
    .header = &bl_topic_name_table,
    .handle = handle,
};
