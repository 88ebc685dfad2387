#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/durable.h"
#include "requests/topic/topic_change.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_create_topic_header *header = call->header;
  struct bl_topic_change change = {.name = header->topic,
                                   .read_queues = header->read_queues,
                                   .write_queues = header->write_queues,
                                   .perm = header->perm,
                                   .sys_flag = header->sys_flag,
                                   .order = header->order,
                                   .multi_tag = bl_slice_is(header->filter_type, "MULTI_TAG")};
  struct bl_why why;
  struct bl_topic *topic;
  int64_t end;
  if (!change.multi_tag && !bl_slice_is(header->filter_type, "SINGLE_TAG")) {
    return bl_call_fail(call, BL_ERR_SYSTEM, "topicFilterType = [%.*s] value invalid",
                        BL_FMT(header->filter_type));
  }
  bl_err err = bl_topic_change_check(broker, &change, header->attributes, call->arena, &why);
  if (err != BL_OK) return bl_call_fail(call, err, "%s", why.text);
  err = bl_broker_put_topic(broker, &change, &topic, &end);
  if (err == BL_ERR_BUSY) return BL_AGAIN; /* the log has room in a moment */
  if (err != BL_OK) return bl_call_fail(call, err, NULL);
  /* RocketMQ's success says so too. */
  return bl_durable_reply(call, broker, end, "not set any response code");
}

const struct bl_request bl_request_create_topic = {
    .code = 17,
    .name = "UPDATE_AND_CREATE_TOPIC",
    .roles = BL_ROLE_BROKER,
    .header = &bl_create_topic_table,
    .handle = handle,
};
