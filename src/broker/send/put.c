#include "broker/send/put.h"

#include "broker/broker.h"
#include "broker/send/light.h"
#include "broker/ttl/ttl.h"
#include "wire/properties.h"

static bl_err open_queue(struct bl_broker *broker, struct bl_topic *topic,
                         const struct bl_record *record, struct bl_queue **out_queue) {
  if (topic != NULL) return bl_broker_open_queue(broker, topic, record->queue_id, out_queue);
  return bl_queues_open_queue(broker->queues, record->topic, record->queue_id, out_queue);
}

static void count(struct bl_broker *broker, struct bl_topic *topic,
                  const struct bl_record *record) {
  broker->stats.put_count++;
  broker->stats.put_bytes += record->size_bytes;
  if (topic == NULL) return;
  topic->put_count++;
  topic->put_bytes += record->size_bytes;
}

bl_err bl_broker_put(struct bl_broker *broker, struct bl_record *record, struct bl_buf *properties,
                     const struct bl_delay_ask *ask, struct bl_why *why) {
  struct bl_delay_place place = {.queue = NULL};
  bl_err err = BL_OK;
  bl_ttl_note(broker, record, bl_buf_slice(properties));
  if (ask != NULL && bl_delay_any(ask))
    err = bl_delay_apply(broker, ask, record, properties, &place, why);
  if (err != BL_OK) return err;
  struct bl_topic *topic = place.topic;
  struct bl_queue *queue = place.queue;
  broker->sends.light_count = 0;
  if (queue == NULL) {
    struct bl_slice light = bl_properties_get(bl_buf_slice(properties), BL_PROP_LIGHT_NAMES);
    topic = bl_topics_find(&broker->topics, record->topic);
    err = open_queue(broker, topic, record, &queue);
    if (err == BL_OK && light.len > 0)
      (void)bl_light_prepare(broker, record->topic, light, properties, why);
  }
  if (err != BL_OK) return bl_why_set(why, err, "%s", bl_err_text(err));
  if (properties->failed) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      "the properties of the message leave no room for those that the broker adds: "
                      "they have at most %d bytes together",
                      BL_RECORD_PROPERTIES_BYTES_MAX);
  }
  record->properties = bl_buf_slice(properties);
  record->queue_offset = bl_queue_assigned_offset(queue);
  err = bl_store_append(broker->store, record);
  if (err != BL_OK) return bl_why_set(why, err, "%s", bl_err_text(err));
  bl_queue_assign_at(queue, 1, record->log_offset);
  if (broker->sends.light_count > 0) bl_light_take(broker);
  count(broker, topic, record);
  return BL_OK;
}
