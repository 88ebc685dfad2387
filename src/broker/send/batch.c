/* Several messages in one body: records of their own, or one record for consumers to take apart
 * (queue.type=BatchCQ). */
#include <stdlib.h>

#include "base/assert.h"
#include "base/cursor.h"
#include "broker/broker.h"
#include "broker/dedup/duplicate.h"
#include "broker/send/light.h"
#include "broker/send/put.h"
#include "broker/send/send_internal.h"
#include "store/entry.h"
#include "wire/properties.h"

#define BATCH_COUNT_MAX 65536

/* The body of a batch: total, magic, body CRC, flag, body length, body, properties length,
 * properties. Source: apache/rocketmq common MessageDecoder#encodeMessage. */
bool bl_batch_next(struct bl_slice *rest, struct bl_batch_message *out_message, bool *out_bad) {
  *out_bad = false;
  if (rest->len == 0) return false;
  struct bl_cursor in = bl_cursor_of(*rest);
  uint32_t total = bl_cursor_u32(&in);
  bl_cursor_u32(&in);
  bl_cursor_u32(&in);
  out_message->flag = (int32_t)bl_cursor_u32(&in);
  out_message->body = bl_cursor_bytes(&in, bl_cursor_u32(&in));
  out_message->properties = bl_cursor_bytes(&in, bl_cursor_u16(&in));
  size_t used = rest->len - bl_cursor_left(&in);
  if (in.failed || used != total) {
    *out_bad = true;
    return false;
  }
  *rest = bl_slice_from(*rest, used);
  return true;
}

/* RocketMQ refuses a level (CommitLog#asyncPutMessages), and loses what has a timer. */
static bl_err refuse_delay(const struct bl_send_wishes *wishes, struct bl_why *why) {
  int64_t level = 0;
  const struct bl_delay_ask *ask = &wishes->delay;
  bool timed =
      ask->out_ms.ptr == NULL &&
      (ask->delay_sec.ptr != NULL || ask->delay_ms.ptr != NULL || ask->deliver_ms.ptr != NULL);
  if (ask->level.ptr != NULL && (!bl_slice_i64(ask->level, &level) || level > 0)) timed = true;
  if (wishes->transaction)
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL, "a batch cannot be in a transaction");
  if (!timed) return BL_OK;
  return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                    "a batch cannot be delayed; send its messages one by one");
}

/* A message of a batch gets its end, too. */
static bl_err stamp(struct bl_broker *broker, struct bl_topic *topic, struct bl_record *record,
                    struct bl_why *why) {
  if (!bl_topic_expires(topic)) return BL_OK;
  struct bl_buf *stamped = &broker->sends.stamped;
  bl_err err = bl_ttl_stamp_copy(broker, topic, record->properties, bl_clock_wall_ms(broker->clock),
                                 stamped, why);
  if (err != BL_OK) return err;
  if (stamped->failed) return bl_send__too_large(broker, why);
  record->properties = bl_buf_slice(stamped);
  return BL_OK;
}

/* The whole batch is checked before its first message is stored: it is stored or refused as a unit.
 * *out_bytes: of its records together. */
static bl_err check_batch(struct bl_broker *broker, const struct bl_send *send,
                          struct bl_topic *topic, struct bl_record *record, int32_t *out_count,
                          int64_t *out_bytes, struct bl_why *why) {
  struct bl_slice rest = send->body;
  struct bl_batch_message message;
  bool bad;
  int64_t bytes = 0;
  int32_t count = 0;
  while (bl_batch_next(&rest, &message, &bad)) {
    if (message.properties.len > BL_RECORD_PROPERTIES_BYTES_MAX - BL_RECORD_CRC_BYTES - 1) {
      return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                        "message %d of the batch has too long properties", count);
    }
    if (bl_light_has_offsets(message.properties)) {
      return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                        "message %d of the batch has the property INNER_MULTI_QUEUE_OFFSET, which "
                        "is for the broker to set",
                        count);
    }
    record->body = message.body;
    record->properties = message.properties;
    bl_err err = stamp(broker, topic, record, why);
    if (err != BL_OK) return err;
    /* Behind what the stamp left out: only what comes first counts as one. */
    int64_t taken_offset, taken_ms;
    if (bl_pending_marked(record->properties, &taken_offset, &taken_ms)) {
      return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                        "message %d of the batch has the property " BL_PENDING_MARK
                        ", which is for the broker to set",
                        count);
    }
    record->with_crc = broker->settings->append_crc;
    bytes += bl_record_size(record);
    count++;
  }
  if (bad || count == 0 || count > BATCH_COUNT_MAX) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      bad ? "message %d of the batch is malformed" : "a batch of %d messages",
                      count);
  }
  *out_count = count;
  *out_bytes = bytes;
  return BL_OK;
}

static void room_for_offsets(struct bl_sends *sends, int32_t count) {
  BL_ASSERT(count > 0);
  if (count <= sends->log_offsets_cap) return;
  sends->log_offsets = realloc(sends->log_offsets, (size_t)count * sizeof(int64_t));
  BL_ASSERT(sends->log_offsets != NULL);
  sends->log_offsets_cap = count;
}

/* A batch that stays one record, for consumers to take apart; its queue has BatchConsumeQueue's
 * entries. In `sends.properties`: those of the batch. SendMessageProcessor#sendBatchMessage. */
static bl_err append_inner_batch(struct bl_broker *broker, const struct bl_send *send,
                                 struct bl_topic *topic, struct bl_queue *queue,
                                 const struct bl_send_wishes *wishes, int32_t count,
                                 struct bl_sent *sent, struct bl_why *why) {
  struct bl_buf *properties = &broker->sends.properties;
  if (count > BL_INNER_BATCH_MAX) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      "a batch of %d messages for a topic with queue.type=BatchCQ; at most %d",
                      count, BL_INNER_BATCH_MAX);
  }
  struct bl_record record;
  bl_send__start_record(broker, send, topic, sent->queue_id, &record);
  record.sys_flag |= BL_SYS_INNER_BATCH | BL_SYS_NEED_UNWRAP;
  record.queue_offset = bl_queue_assigned_offset(queue);
  bl_properties_put_i64(properties, BL_SLICE("INNER_NUM"), count);
  bl_properties_put_i64(properties, BL_SLICE("INNER_BASE"), record.queue_offset);
  bl_send__put_broker_properties(broker, properties);
  bl_err err =
      bl_ttl_stamp(broker, topic, &wishes->ttl, bl_clock_wall_ms(broker->clock), properties, why);
  if (err != BL_OK) return err;
  if (properties->failed) return bl_send__too_large(broker, why);
  record.properties = bl_buf_slice(properties);
  err = bl_put_append(broker, topic, queue, (uint32_t)count, &record);
  if (err != BL_OK) return bl_put_error(broker, err, why);
  sent->queue_offset = record.queue_offset;
  sent->log_offset = record.log_offset;
  sent->count = 1;
  sent->inner_batch = true;
  bl_send__count(&record, sent);
  return BL_OK;
}

bl_err bl_send__batch(struct bl_broker *broker, const struct bl_send *send, struct bl_topic *topic,
                      struct bl_queue *queue, struct bl_sent *sent, struct bl_why *why) {
  struct bl_send_wishes wishes;
  struct bl_batch_message message;
  struct bl_slice rest = send->body;
  bool bad;
  int32_t count = 0;
  int64_t bytes = 0;
  if (bl_topic_is_retry(send->topic)) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      "batch request does not support retry group %.*s", BL_FMT(send->topic));
  }
  if (send->topic.len > BL_TOPIC_BYTES_MAX) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL, "message topic length too long %zu",
                      send->topic.len);
  }
  struct bl_record record;
  bl_send__start_record(broker, send, topic, sent->queue_id, &record);
  bl_err err = check_batch(broker, send, topic, &record, &count, &bytes, why);
  if (err != BL_OK) return err;
  bl_buf_clear(&broker->sends.properties);
  bl_send__copy_properties(&broker->sends.properties, send->properties, &wishes);
  bool inner = topic->batch_cq && wishes.uniq_key.len > 0;
  if (inner) wishes.inner = false;
  sent->uniq_key = wishes.uniq_key;
  sent->wait = !wishes.no_wait;
  err = bl_send__check_wishes(broker, topic, &wishes, why);
  if (err == BL_OK) err = refuse_delay(&wishes, why);
  if (err == BL_OK && inner)
    return append_inner_batch(broker, send, topic, queue, &wishes, count, sent, why);
  if (err == BL_OK) err = bl_store_can_append(broker->store, bytes);
  if (err != BL_OK) return why->text[0] != '\0' ? err : bl_put_error(broker, err, why);
  room_for_offsets(&broker->sends, count);
  sent->queue_offset = bl_queue_assigned_offset(queue);
  sent->log_offsets = broker->sends.log_offsets;
  while (bl_batch_next(&rest, &message, &bad)) {
    if (bl_duplicate_known(&broker->sends, sent->count, &sent->log_offsets[sent->count])) {
      if (sent->count++ == 0) sent->queue_offset = broker->sends.known_first;
      continue;
    }
    record.flag = message.flag;
    record.body = message.body;
    record.properties = message.properties;
    BL_ASSERT(stamp(broker, topic, &record, why) == BL_OK); /* it was done before */
    /* bl_store_can_append said so for all of them. */
    BL_ASSERT(bl_put_append(broker, topic, queue, 1, &record) == BL_OK);
    sent->log_offsets[sent->count++] = record.log_offset;
    bl_send__count(&record, sent);
  }
  return BL_OK;
}
