#include "broker/send/send.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/dedup/duplicate.h"
#include "broker/retention/retention.h"
#include "broker/send/light.h"
#include "broker/send/put.h"
#include "broker/send/send_internal.h"
#include "broker/transaction/transaction.h"
#include "wire/properties.h"

/* What a client may not say of a message: that is for the broker to decide. */
#define SYS_NOT_CLIENTS (BL_SYS_TRANSACTION_MASK | BL_SYS_INNER_BATCH | BL_SYS_NEED_UNWRAP)

void bl_sends_init(struct bl_sends *sends) {
  memset(sends, 0, sizeof(*sends));
  bl_list_init(&sends->spare_waits);
  bl_buf_init(&sends->stamped, BL_RECORD_PROPERTIES_BYTES_MAX - BL_RECORD_CRC_BYTES - 1);
  bl_buf_init(&sends->properties, BL_RECORD_PROPERTIES_BYTES_MAX - BL_RECORD_CRC_BYTES - 1);
  bl_buf_init(&sends->light_names, BL_RECORD_PROPERTIES_BYTES_MAX);
}

void bl_sends_fini(struct bl_sends *sends) {
  struct bl_list *node;
  while ((node = bl_list_take_first(&sends->spare_waits)) != NULL) free(node);
  bl_buf_fini(&sends->properties);
  bl_buf_fini(&sends->stamped);
  bl_buf_fini(&sends->light_names);
  free(sends->light);
  free(sends->log_offsets);
  free(sends->known);
}

void bl_send__start_record(struct bl_broker *broker, const struct bl_send *send,
                           const struct bl_topic *topic, int32_t queue_id,
                           struct bl_record *record) {
  *record = (struct bl_record){.queue_id = queue_id,
                               .flag = send->flag,
                               .sys_flag = send->sys_flag & ~SYS_NOT_CLIENTS,
                               .reconsume_times = send->reconsume_times,
                               .born_ms = send->born_ms,
                               .born_host = send->born_host,
                               .store_host = broker->store_host,
                               .topic = topic->name,
                               .body = send->body};
  if (topic->multi_tag) record->sys_flag |= BL_SYS_MULTI_TAGS;
}

void bl_send__count(const struct bl_record *record, struct bl_sent *sent) {
  sent->end_offset = record->log_offset + record->size_bytes;
  sent->bytes += record->size_bytes;
}

/* The light queues that the message goes to, too. SendMessageProcessor#sendMessage: the one of a
 * light topic instead of those that it names. */
static bl_err put_light(struct bl_broker *broker, const struct bl_topic *topic,
                        const struct bl_send_wishes *wishes, bool delayed, struct bl_why *why) {
  struct bl_sends *sends = &broker->sends;
  struct bl_slice names = wishes->light_names;
  sends->light_count = 0;
  if (names.len == 0 && wishes->lite_topic.len == 0) return BL_OK;
  if (wishes->lite_topic.len > 0) {
    bl_buf_clear(&sends->light_names);
    bl_light_put_lite_name(&sends->light_names, topic->name, wishes->lite_topic);
    names = bl_buf_slice(&sends->light_names);
  }
  bl_properties_put(&sends->properties, BL_PROP_LIGHT_NAMES, names);
  if (delayed) return bl_light_prepare_later(broker, topic->name, names, &sends->properties, why);
  return bl_light_prepare(broker, topic->name, names, &sends->properties, why);
}

static bl_err open_queue(struct bl_broker *broker, struct bl_topic *topic, int32_t queue_id,
                         struct bl_queue **out_queue, struct bl_why *why) {
  bl_err err = bl_broker_open_queue(broker, topic, queue_id, out_queue);
  return err == BL_OK ? BL_OK : bl_put_error(broker, err, why);
}

/* SendMessageProcessor#handleRetryAndDLQ. An orderly consumer sends what it gave up on, and is
 * known by its locks. */
static bl_err dead_letter_if(struct bl_broker *broker, const struct bl_send *send,
                             struct bl_sent *sent, struct bl_topic **topic, struct bl_queue **queue,
                             bool *out_is_dead, struct bl_why *why) {
  *out_is_dead = false;
  if (!bl_topic_is_retry(send->topic)) return BL_OK;
  struct bl_slice name = bl_slice_from(send->topic, BL_RETRY_PREFIX.len);
  const struct bl_group *group = bl_broker_group(broker, name);
  if (group == NULL) {
    return bl_why_set(why, BL_ERR_NO_GROUP, "subscription group not exist, %.*s " BL_SEND_FAQ,
                      BL_FMT(name));
  }
  int32_t limit =
      send->max_reconsume_times >= 0 ? send->max_reconsume_times : group->retry_max_times;
  if (send->reconsume_times <= limit && !bl_locks_any(broker, name)) return BL_OK;
  bl_err err = bl_broker_dead_letter_topic(broker, name, topic);
  if (err != BL_OK) return bl_put_error(broker, err, why);
  err = open_queue(broker, *topic, 0, queue, why);
  if (err != BL_OK) return err;
  sent->queue_id = 0;
  *out_is_dead = true;
  return BL_OK;
}

/* The record goes to a system topic first when the message asks for a delay. */
static bl_err apply_delay(struct bl_broker *broker, const struct bl_send_wishes *wishes,
                          struct bl_record *record, struct bl_topic **topic,
                          struct bl_queue **queue, struct bl_sent *sent, struct bl_why *why) {
  struct bl_delay_place place;
  if (!bl_delay_any(&wishes->delay)) return BL_OK;
  bl_err err =
      bl_delay_apply(broker, &wishes->delay, record, &broker->sends.properties, &place, why);
  if (err != BL_OK || place.queue == NULL) return err;
  sent->delayed = true;
  sent->recall_ms = place.recall_ms;
  *queue = place.queue;
  *topic = place.topic != NULL ? place.topic : *topic;
  return BL_OK;
}

/* A dead letter waits no more, and is in no light queue. */
static void end_wishes(struct bl_send_wishes *wishes) {
  wishes->delay.level = BL_SLICE("-1");
  wishes->light_names = wishes->lite_topic = (struct bl_slice){NULL, 0};
  wishes->transaction = false;
}

/* A retry of a message that once was in a transaction is none (clients before 4.6.1). */
static bool is_half(const struct bl_send *send, const struct bl_send_wishes *wishes) {
  int64_t level;
  if (!wishes->transaction) return false;
  bool delayed = bl_slice_i64(wishes->delay.level, &level) && level > 0;
  return send->reconsume_times <= 0 || !delayed;
}

/* The record is one of the half topic until its transaction ends. */
static bl_err make_half(struct bl_broker *broker, const struct bl_send_wishes *wishes,
                        struct bl_record *record, struct bl_topic **topic, struct bl_queue **queue,
                        struct bl_sent *sent, struct bl_why *why) {
  bl_transaction_make_half(&wishes->delay, wishes->uniq_key, record, &broker->sends.properties);
  *topic = bl_topics_find(&broker->topics, record->topic);
  BL_ASSERT(*topic != NULL); /* a system topic */
  sent->delayed = true;
  return open_queue(broker, *topic, record->queue_id, queue, why);
}

/* When the message expires: counted from when it is due, also when its transaction ends first. */
static bl_err put_end(struct bl_broker *broker, struct bl_topic *topic,
                      const struct bl_send_wishes *wishes, bool delayed, struct bl_why *why) {
  int64_t from_ms =
      delayed ? bl_delay_due_ms(broker, &wishes->delay) : bl_clock_wall_ms(broker->clock);
  return bl_ttl_stamp(broker, topic, &wishes->ttl, from_ms, &broker->sends.properties, why);
}

static bl_err send_one(struct bl_broker *broker, const struct bl_send *send, struct bl_topic *topic,
                       struct bl_queue *queue, struct bl_sent *sent, struct bl_why *why) {
  struct bl_buf *properties = &broker->sends.properties;
  struct bl_send_wishes wishes;
  bool is_dead;
  bl_err err = dead_letter_if(broker, send, sent, &topic, &queue, &is_dead, why);
  if (err != BL_OK) return err;
  bl_buf_clear(properties);
  bl_send__copy_properties(properties, send->properties, &wishes);
  if (is_dead) end_wishes(&wishes);
  err = bl_send__check_wishes(broker, topic, &wishes, why);
  if (err != BL_OK) return err;
  if (wishes.uniq_key.len == 0) {
    char *key = broker->sends.uniq_key;
    bl_uniqkey_next(&broker->uniqkeys, bl_clock_wall_ms(broker->clock), key);
    wishes.uniq_key = bl_slice_text(key);
    bl_properties_put(properties, BL_PROP_UNIQ_KEY, wishes.uniq_key);
  }
  bl_send__put_broker_properties(broker, properties);
  sent->uniq_key = wishes.uniq_key;
  struct bl_record record;
  bl_send__start_record(broker, send, topic, sent->queue_id, &record);
  struct bl_topic *target = topic;
  err = is_half(send, &wishes) ? make_half(broker, &wishes, &record, &topic, &queue, sent, why)
                               : apply_delay(broker, &wishes, &record, &topic, &queue, sent, why);
  if (err == BL_OK && !is_dead) err = put_end(broker, target, &wishes, sent->delayed, why);
  if (err == BL_OK) err = put_light(broker, target, &wishes, sent->delayed, why);
  if (err != BL_OK) return err;
  if (properties->failed) return bl_send__too_large(broker, why);
  record.properties = bl_buf_slice(properties);
  err = bl_put_append(broker, topic, queue, 1, &record);
  if (err != BL_OK) return bl_put_error(broker, err, why);
  sent->queue_offset = record.queue_offset;
  sent->log_offset = record.log_offset;
  sent->count = 1;
  sent->wait = !wishes.no_wait;
  if (is_dead) broker->stats.dead_letters++;
  bl_send__count(&record, sent);
  return BL_OK;
}

bl_err bl_broker_may_send(struct bl_broker *broker, const struct bl_send *send,
                          int32_t *out_queue_id, struct bl_why *why) {
  struct bl_topic *topic = NULL;
  why->text[0] = '\0';
  bl_err err = bl_send__check_topic(broker, send, &topic, why);
  if (err != BL_OK) return err;
  BL_ASSERT(topic != NULL);
  return bl_send__choose_queue(broker, send, topic, out_queue_id, why);
}

bl_err bl_broker_send(struct bl_broker *broker, const struct bl_send *send,
                      struct bl_sent *out_sent, struct bl_why *why) {
  struct bl_topic *topic = NULL;
  struct bl_queue *queue = NULL;
  memset(out_sent, 0, sizeof(*out_sent));
  out_sent->store_host = broker->store_host;
  broker->sends.known_count = 0;
  broker->sends.light_count = 0; /* of one that was not appended */
  why->text[0] = '\0';
  bl_err err = bl_retention_may_send(broker->retention, why);
  if (err == BL_OK) err = bl_send__check_topic(broker, send, &topic, why);
  if (err == BL_OK) err = bl_send__check_sizes(broker, send, why);
  if (err != BL_OK) return err;
  BL_ASSERT(topic != NULL);
  err = bl_send__choose_queue(broker, send, topic, &out_sent->queue_id, why);
  bool keyed = topic->features.dedup_ms > 0;
  if (err == BL_OK && keyed) err = bl_duplicate_find(broker, topic, send, out_sent, why);
  if (err != BL_OK || out_sent->duplicate) return err;
  err = open_queue(broker, topic, out_sent->queue_id, &queue, why);
  if (err != BL_OK) return err;
  err = send->batch ? bl_send__batch(broker, send, topic, queue, out_sent, why)
                    : send_one(broker, send, topic, queue, out_sent, why);
  if (err == BL_OK && keyed) bl_duplicate_note(broker, topic, send, out_sent);
  return err;
}
