#include "broker/send/put.h"

#include "broker/broker.h"
#include "broker/retention/retention.h"
#include "broker/send/light.h"
#include "broker/ttl/ttl.h"
#include "wire/properties.h"

bl_err bl_put_error(struct bl_broker *broker, bl_err err, struct bl_why *why) {
  struct bl_why reason;
  switch (err) {
    case BL_ERR_NO_SPACE: return bl_retention_full(broker->retention, err, why);
    case BL_ERR_NOT_AVAILABLE:
      if (bl_store_failed(broker->store, &reason)) {
        return bl_why_set(why, err, "the store stopped: %s", reason.text);
      }
      if (bl_store_full(broker->store, NULL)) return bl_retention_full(broker->retention, err, why);
      return bl_why_set(why, err, "the broker is shutting down");
    case BL_ERR_MESSAGE_ILLEGAL:
      return bl_why_set(why, err, "the message is larger than a commit log file can hold");
    case BL_ERR_FULL:
      return bl_why_set(why, err, "the broker has as many topics or queues as it may have");
    case BL_ERR_BUSY:
      return bl_why_set(why, err, "broker busy: the log has no room now; try again");
    default: return bl_why_set(why, err, "%s", bl_err_text(err));
  }
}

bool bl_put_is_of_one_record(struct bl_slice name) {
  return bl_slice_is(name, BL_PENDING_MARK) || bl_slice_is(name, BL_PENDING_DUE) ||
         bl_slice_is(name, BL_RECORD_CRC_PROPERTY) || bl_slice_eq(name, BL_PROP_LIGHT_OFFSETS);
}

bl_err bl_put_append(struct bl_broker *broker, struct bl_topic *topic, struct bl_queue *queue,
                     uint32_t count, struct bl_record *record) {
  record->queue_offset = bl_queue_assigned_offset(queue);
  bl_err err = bl_store_append(broker->store, record);
  if (err != BL_OK) return err;
  bl_queue_assign_at(queue, count, record->log_offset);
  if (broker->sends.light_count > 0) bl_light_take(broker);
  broker->stats.put_count++;
  broker->stats.put_bytes += record->size_bytes;
  if (topic == NULL) return BL_OK;
  topic->put_count++;
  topic->put_bytes += record->size_bytes;
  return BL_OK;
}

static bl_err open_queue(struct bl_broker *broker, struct bl_topic *topic,
                         const struct bl_record *record, struct bl_queue **out_queue) {
  if (topic != NULL) return bl_broker_open_queue(broker, topic, record->queue_id, out_queue);
  return bl_queues_open_queue(broker->queues, record->topic, record->queue_id, out_queue);
}

/* The message itself comes first: without room for offsets it goes to its own queue alone. */
static void put_light(struct bl_broker *broker, struct bl_slice topic, struct bl_buf *properties) {
  struct bl_why why;
  struct bl_slice names = bl_properties_get(bl_buf_slice(properties), BL_PROP_LIGHT_NAMES);
  size_t len = properties->len;
  if (names.len == 0 || properties->failed) return;
  (void)bl_light_prepare(broker, topic, names, properties, &why);
  if (!properties->failed) return;
  properties->failed = false;
  properties->len = len;
  broker->sends.light_count = 0;
}

bl_err bl_broker_put(struct bl_broker *broker, struct bl_record *record, struct bl_buf *properties,
                     const struct bl_delay_ask *ask, struct bl_why *why) {
  struct bl_delay_place place = {.queue = NULL};
  bl_err err = BL_OK;
  broker->sends.light_count = 0;
  bl_ttl_note(broker, record, bl_buf_slice(properties));
  if (ask != NULL && bl_delay_any(ask))
    err = bl_delay_apply(broker, ask, record, properties, &place, why);
  if (err != BL_OK) return err;
  if (place.queue == NULL) {
    place.topic = bl_topics_find(&broker->topics, record->topic);
    err = open_queue(broker, place.topic, record, &place.queue);
    if (err != BL_OK) return bl_put_error(broker, err, why);
    put_light(broker, record->topic, properties);
  }
  if (properties->failed) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      "the properties of the message leave no room for those that the broker adds: "
                      "they have at most %d bytes together",
                      BL_RECORD_PROPERTIES_BYTES_MAX);
  }
  record->properties = bl_buf_slice(properties);
  err = bl_put_append(broker, place.topic, place.queue, 1, record);
  return err == BL_OK ? BL_OK : bl_put_error(broker, err, why);
}
