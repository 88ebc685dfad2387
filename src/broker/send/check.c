/* Whether a send may be, in RocketMQ's order and words.
 * Source: apache/rocketmq AbstractSendMessageProcessor#msgCheck, SendMessageProcessor. */
#include "broker/broker.h"
#include "broker/send/put.h"
#include "broker/send/send_internal.h"

bl_err bl_send__check_topic(struct bl_broker *broker, const struct bl_send *send,
                            struct bl_topic **out_topic, struct bl_why *why) {
  struct bl_topic *topic = bl_topics_find(&broker->topics, send->topic);
  if ((broker->settings->broker_permission & BL_PERM_WRITE) == 0 && topic != NULL && topic->order) {
    return bl_why_set(why, BL_ERR_NO_PERMISSION, "the broker[%s] sending message is forbidden",
                      broker->settings->broker_ip1);
  }
  bl_err err = bl_topic_name_check(send->topic, why);
  if (err != BL_OK) return err;
  if (bl_topic_is_send_forbidden(send->topic)) {
    return bl_why_set(why, BL_ERR_NO_PERMISSION, "Sending message to topic[%.*s] is forbidden.",
                      BL_FMT(send->topic));
  }
  /* TopicSysFlag: 1 unit topic, 2 subscribed by units. */
  int32_t sys_flag = !send->unit_mode ? 0 : bl_topic_is_retry(send->topic) ? 2 : 1;
  err = bl_broker_topic_for_send(broker, send->topic, send->default_topic, send->default_queues,
                                 sys_flag, &topic);
  if (err == BL_ERR_NO_TOPIC) {
    return bl_why_set(why, BL_ERR_NO_TOPIC,
                      "topic[%.*s] not exist, apply first please!" BL_SEND_FAQ,
                      BL_FMT(send->topic));
  }
  if (err != BL_OK) return bl_put_error(broker, err, why);
  int32_t limit =
      topic->write_queues > topic->read_queues ? topic->write_queues : topic->read_queues;
  if (send->queue_id >= limit) {
    struct bl_arena arena;
    bl_arena_init(&arena);
    bl_why_set(why, BL_ERR_PARAMETER, "request queueId[%d] is illegal, %s Producer: %s",
               send->queue_id, bl_topic_text(topic, &arena).ptr, send->peer);
    bl_arena_fini(&arena);
    return BL_ERR_PARAMETER;
  }
  *out_topic = topic;
  return BL_OK;
}

bl_err bl_send__too_large(struct bl_broker *broker, struct bl_why *why) {
  return bl_why_set(
      why, BL_ERR_MESSAGE_ILLEGAL,
      "the message is illegal, maybe msg body or properties length not matched. msg body "
      "length limit %dB, msg properties length limit 32KB.",
      broker->settings->max_message_bytes);
}

bl_err bl_send__check_sizes(struct bl_broker *broker, const struct bl_send *send,
                            struct bl_why *why) {
  bool fits = send->body.len <= (size_t)broker->settings->max_message_bytes &&
              send->properties.len <= BL_RECORD_PROPERTIES_BYTES_MAX;
  return fits ? BL_OK : bl_send__too_large(broker, why);
}

bl_err bl_send__check_wishes(struct bl_broker *broker, const struct bl_topic *topic,
                             const struct bl_send_wishes *wishes, struct bl_why *why) {
  if (wishes->transaction && broker->settings->transaction_reject) {
    return bl_why_set(why, BL_ERR_NO_PERMISSION,
                      "the broker[%s] sending transaction message is forbidden",
                      broker->settings->broker_ip1);
  }
  if (wishes->inner) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      "the property INNER_NUM is for the broker to set, on inner batches");
  }
  if (topic->attributes.len > 0 && strstr(topic->attributes.ptr, "COMPACTION") != NULL &&
      wishes->keys.len == 0) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL, "Required message key is missing");
  }
  return BL_OK;
}

bl_err bl_send__choose_queue(struct bl_broker *broker, const struct bl_send *send,
                             const struct bl_topic *topic, int32_t *out_queue_id,
                             struct bl_why *why) {
  *out_queue_id = send->queue_id;
  if (send->queue_id >= 0) return BL_OK;
  if (topic->write_queues <= 0) {
    return bl_why_set(why, BL_ERR_PARAMETER, "topic[%.*s] has no queue to write",
                      BL_FMT(topic->name));
  }
  *out_queue_id = (int32_t)bl_broker_random(broker, (uint32_t)topic->write_queues);
  return BL_OK;
}
