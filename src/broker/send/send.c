#include "broker/send/send.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/dedup/duplicate.h"
#include "broker/delay/delay.h"
#include "broker/retention/retention.h"
#include "broker/send/light.h"
#include "broker/transaction/transaction.h"
#include "broker/ttl/ttl.h"
#include "store/entry.h"
#include "wire/properties.h"

#define FAQ "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
#define BATCH_COUNT_MAX 65536
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

/* What the properties of a message ask of the broker. */
struct wishes {
  struct bl_slice uniq_key;
  struct bl_slice keys;
  struct bl_slice light_names;
  struct bl_slice lite_topic;
  struct bl_delay_ask delay;
  struct bl_ttl_ask ttl;
  bool no_wait;
  bool transaction;
  bool inner;
};

/* Properties that the broker acts on; the others are copied as they are. */
enum special {
  PLAIN,
  DROPPED,
  UNIQ,
  KEYS,
  WAIT,
  DELAY,
  TRANSACTION,
  LIGHT,
  LITE,
  INNER,
  TTL,
  EXPIRES
};
static const struct {
  const char *name;
  enum special special;
} SPECIALS[] = {
    {"UNIQ_KEY", UNIQ},
    {"KEYS", KEYS},
    {"WAIT", WAIT},
    {"DELAY", DELAY},
    {"TIMER_DELAY_SEC", DELAY},
    {"TIMER_DELAY_MS", DELAY},
    {"TIMER_DELIVER_MS", DELAY},
    {"TIMER_OUT_MS", DELAY},
    {"TIMER_DEL_UNIQKEY", DELAY},
    {"REAL_TOPIC", DELAY},
    {"REAL_QID", DELAY},
    {BL_PENDING_MARK, DROPPED},
    {BL_PENDING_DUE, DROPPED},
    {"TRAN_MSG", TRANSACTION},
    {"CLUSTER", DROPPED},
    {"MSG_REGION", DROPPED},
    {"TRACE_ON", DROPPED},
    {"POP_CK", DROPPED},
    {"INNER_MULTI_DISPATCH", LIGHT},
    {"INNER_MULTI_QUEUE_OFFSET", DROPPED},
    {"INNER_NUM", INNER},
    {"INNER_BASE", DROPPED},
    {"__LITE_TOPIC", LITE},
    {"__TTL_MS", TTL},
    {"__EXPIRES_AT", EXPIRES},
    {BL_RECORD_CRC_PROPERTY, DROPPED},
};

static enum special special_of(struct bl_slice name) {
  char first = name.ptr[0];
  /* Most properties are the application's: the first letter rules nearly all of them out. */
  if (strchr("UKWDTCMPIRB_", first) == NULL) return PLAIN;
  for (size_t i = 0; i < sizeof(SPECIALS) / sizeof(SPECIALS[0]); i++) {
    if (bl_slice_is(name, SPECIALS[i].name)) return SPECIALS[i].special;
  }
  return PLAIN;
}

/* Copies the sender's properties without those that are the broker's own to set. A dead letter
 * waits no more. */
static void copy_properties(struct bl_buf *out, struct bl_slice properties, bool is_dead,
                            struct wishes *wishes) {
  struct bl_slice name;
  struct bl_slice value;
  memset(wishes, 0, sizeof(*wishes));
  while (bl_properties_next(&properties, &name, &value)) {
    switch (special_of(name)) {
      case DROPPED: continue;
      case WAIT: wishes->no_wait = bl_slice_is(value, "false"); break;
      case UNIQ: wishes->uniq_key = value; break;
      case KEYS: wishes->keys = value; break;
      case DELAY: bl_delay_take(&wishes->delay, name, value); continue;
      case TRANSACTION: wishes->transaction = bl_slice_bool(value); break;
      case LIGHT: wishes->light_names = value; continue;
      case LITE: wishes->lite_topic = value; break;
      case INNER: wishes->inner = true; continue;
      case TTL: wishes->ttl.own = value; break;
      case EXPIRES: wishes->ttl.expires_at = value; continue;
      case PLAIN: break;
    }
    bl_properties_put(out, name, value);
  }
  if (is_dead) wishes->delay.level = BL_SLICE("-1");
}

/* The light queues that the message goes to, too. SendMessageProcessor#sendMessage: the one of a
 * light topic instead of those that it names. */
static bl_err put_light(struct bl_broker *broker, const struct bl_topic *topic,
                        const struct wishes *wishes, bool delayed, struct bl_why *why) {
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
  if (delayed) return BL_OK; /* when it is delivered */
  return bl_light_prepare(broker, topic->name, names, &sends->properties, why);
}

static void put_broker_properties(struct bl_broker *broker, struct bl_buf *out) {
  bl_properties_put(out, BL_PROP_CLUSTER, bl_slice_text(broker->settings->cluster_name));
  bl_properties_put(out, BL_PROP_MSG_REGION, bl_slice_text(broker->settings->region_id));
  bl_properties_put(out, BL_PROP_TRACE_ON,
                    broker->settings->trace_on ? BL_SLICE("true") : BL_SLICE("false"));
}

static bl_err append_error(bl_err err, struct bl_broker *broker, struct bl_why *why) {
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
    default: return bl_why_set(why, err, "%s", bl_err_text(err));
  }
}

static bl_err check_topic(struct bl_broker *broker, const struct bl_send *send,
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
    return bl_why_set(why, BL_ERR_NO_TOPIC, "topic[%.*s] not exist, apply first please!" FAQ,
                      BL_FMT(send->topic));
  }
  if (err != BL_OK) return append_error(err, broker, why);
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

static bl_err too_large(struct bl_broker *broker, struct bl_why *why) {
  return bl_why_set(
      why, BL_ERR_MESSAGE_ILLEGAL,
      "the message is illegal, maybe msg body or properties length not matched. msg body "
      "length limit %dB, msg properties length limit 32KB.",
      broker->settings->max_message_bytes);
}

static bl_err check_sizes(struct bl_broker *broker, const struct bl_send *send,
                          struct bl_why *why) {
  bool fits = send->body.len <= (size_t)broker->settings->max_message_bytes &&
              send->properties.len <= BL_RECORD_PROPERTIES_BYTES_MAX;
  return fits ? BL_OK : too_large(broker, why);
}

static bl_err check_wishes(struct bl_broker *broker, const struct bl_topic *topic,
                           const struct wishes *wishes, struct bl_why *why) {
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

/* The common part of every record of a send. */
static void start_record(struct bl_broker *broker, const struct bl_send *send,
                         const struct bl_topic *topic, int32_t queue_id, struct bl_record *record) {
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

static void count_put(struct bl_broker *broker, struct bl_topic *topic,
                      const struct bl_record *record, struct bl_sent *sent) {
  sent->end_offset = record->log_offset + record->size_bytes;
  sent->bytes += record->size_bytes;
  topic->put_count++;
  topic->put_bytes += record->size_bytes;
  broker->stats.put_count++;
  broker->stats.put_bytes += record->size_bytes;
}

static bl_err open_queue(struct bl_broker *broker, struct bl_topic *topic, int32_t queue_id,
                         struct bl_queue **out_queue, struct bl_why *why) {
  bl_err err = bl_broker_open_queue(broker, topic, queue_id, out_queue);
  return err == BL_OK ? BL_OK : append_error(err, broker, why);
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
    return bl_why_set(why, BL_ERR_NO_GROUP, "subscription group not exist, %.*s " FAQ,
                      BL_FMT(name));
  }
  int32_t limit =
      send->max_reconsume_times >= 0 ? send->max_reconsume_times : group->retry_max_times;
  if (send->reconsume_times <= limit && !bl_locks_any(broker, name)) return BL_OK;
  bl_err err = bl_broker_dead_letter_topic(broker, name, topic);
  if (err != BL_OK) return append_error(err, broker, why);
  err = open_queue(broker, *topic, 0, queue, why);
  if (err != BL_OK) return err;
  sent->queue_id = 0;
  *out_is_dead = true;
  return BL_OK;
}

/* The record goes to a system topic first when the message asks for a delay. */
static bl_err apply_delay(struct bl_broker *broker, const struct wishes *wishes,
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

/* RocketMQ refuses a level (CommitLog#asyncPutMessages), and loses what has a timer. */
static bl_err refuse_delay(const struct wishes *wishes, struct bl_why *why) {
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

/* A retry of a message that once was in a transaction is none (clients before 4.6.1). */
static bool is_half(const struct bl_send *send, const struct wishes *wishes) {
  int64_t level;
  if (!wishes->transaction) return false;
  bool delayed = bl_slice_i64(wishes->delay.level, &level) && level > 0;
  return send->reconsume_times <= 0 || !delayed;
}

/* The record is one of the half topic until its transaction ends. */
static bl_err make_half(struct bl_broker *broker, const struct wishes *wishes,
                        struct bl_record *record, struct bl_topic **topic, struct bl_queue **queue,
                        struct bl_sent *sent, struct bl_why *why) {
  bl_transaction_make_half(&wishes->delay, wishes->uniq_key, record, &broker->sends.properties);
  *topic = bl_topics_find(&broker->topics, record->topic);
  BL_ASSERT(*topic != NULL); /* a system topic */
  sent->delayed = true;
  return open_queue(broker, *topic, record->queue_id, queue, why);
}

/* When the message expires. */
static bl_err put_end(struct bl_broker *broker, struct bl_topic *topic, const struct wishes *wishes,
                      bool delayed, struct bl_why *why) {
  struct bl_buf *properties = &broker->sends.properties;
  int64_t from_ms = bl_clock_wall_ms(broker->clock);
  int64_t due_ms;
  struct bl_slice due = {NULL, 0};
  if (delayed) due = bl_properties_get(bl_buf_slice(properties), BL_SLICE(BL_PENDING_DUE));
  if (due.ptr != NULL && bl_slice_i64(due, &due_ms) && due_ms > from_ms) from_ms = due_ms;
  return bl_ttl_stamp(broker, topic, &wishes->ttl, from_ms, properties, why);
}

static bl_err send_one(struct bl_broker *broker, const struct bl_send *send, struct bl_topic *topic,
                       struct bl_queue *queue, struct bl_sent *sent, struct bl_why *why) {
  struct bl_buf *properties = &broker->sends.properties;
  struct wishes wishes;
  bool is_dead;
  bl_err err = dead_letter_if(broker, send, sent, &topic, &queue, &is_dead, why);
  if (err != BL_OK) return err;
  bl_buf_clear(properties);
  copy_properties(properties, send->properties, is_dead, &wishes);
  err = check_wishes(broker, topic, &wishes, why);
  if (err != BL_OK) return err;
  if (wishes.uniq_key.len == 0) {
    char *key = broker->sends.uniq_key;
    bl_uniqkey_next(&broker->uniqkeys, bl_clock_wall_ms(broker->clock), key);
    wishes.uniq_key = bl_slice_text(key);
    bl_properties_put(properties, BL_PROP_UNIQ_KEY, wishes.uniq_key);
  }
  put_broker_properties(broker, properties);
  sent->uniq_key = wishes.uniq_key;
  struct bl_record record;
  start_record(broker, send, topic, sent->queue_id, &record);
  struct bl_topic *target = topic;
  err = is_half(send, &wishes) ? make_half(broker, &wishes, &record, &topic, &queue, sent, why)
                               : apply_delay(broker, &wishes, &record, &topic, &queue, sent, why);
  if (err == BL_OK && !is_dead) err = put_end(broker, target, &wishes, sent->delayed, why);
  if (err == BL_OK) err = put_light(broker, topic, &wishes, sent->delayed, why);
  if (err != BL_OK) return err;
  if (properties->failed) return too_large(broker, why);
  record.properties = bl_buf_slice(properties);
  record.queue_offset = bl_queue_assigned_offset(queue);
  err = bl_store_append(broker->store, &record);
  if (err != BL_OK) return append_error(err, broker, why);
  bl_queue_assign_at(queue, 1, record.log_offset);
  if (broker->sends.light_count > 0) bl_light_take(broker);
  sent->queue_offset = record.queue_offset;
  sent->log_offset = record.log_offset;
  sent->count = 1;
  sent->wait = !wishes.no_wait;
  if (is_dead) broker->stats.dead_letters++;
  count_put(broker, topic, &record, sent);
  return BL_OK;
}

/* A message of a batch gets its end, too. */
static bl_err stamp(struct bl_broker *broker, struct bl_topic *topic, struct bl_record *record,
                    struct bl_why *why) {
  if (!bl_topic_expires(topic)) return BL_OK;
  struct bl_buf *stamped = &broker->sends.stamped;
  bl_err err = bl_ttl_stamp_copy(broker, topic, record->properties, bl_clock_wall_ms(broker->clock),
                                 stamped, why);
  if (err != BL_OK) return err;
  if (stamped->failed) return too_large(broker, why);
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
                                 const struct wishes *wishes, int32_t count, struct bl_sent *sent,
                                 struct bl_why *why) {
  struct bl_buf *properties = &broker->sends.properties;
  char number[24];
  if (count > BL_INNER_BATCH_MAX) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      "a batch of %d messages for a topic with queue.type=BatchCQ; at most %d",
                      count, BL_INNER_BATCH_MAX);
  }
  struct bl_record record;
  start_record(broker, send, topic, sent->queue_id, &record);
  record.sys_flag |= BL_SYS_INNER_BATCH | BL_SYS_NEED_UNWRAP;
  record.queue_offset = bl_queue_assigned_offset(queue);
  snprintf(number, sizeof(number), "%d", count);
  bl_properties_put(properties, BL_SLICE("INNER_NUM"), bl_slice_text(number));
  snprintf(number, sizeof(number), "%lld", (long long)record.queue_offset);
  bl_properties_put(properties, BL_SLICE("INNER_BASE"), bl_slice_text(number));
  put_broker_properties(broker, properties);
  bl_err err = put_end(broker, topic, wishes, false, why);
  if (err != BL_OK) return err;
  if (properties->failed) return too_large(broker, why);
  record.properties = bl_buf_slice(properties);
  err = bl_store_append(broker->store, &record);
  if (err != BL_OK) return append_error(err, broker, why);
  bl_queue_assign_at(queue, (uint32_t)count, record.log_offset);
  sent->queue_offset = record.queue_offset;
  sent->log_offset = record.log_offset;
  sent->count = 1;
  sent->inner_batch = true;
  count_put(broker, topic, &record, sent);
  return BL_OK;
}

static bl_err send_batch(struct bl_broker *broker, const struct bl_send *send,
                         struct bl_topic *topic, struct bl_queue *queue, struct bl_sent *sent,
                         struct bl_why *why) {
  struct wishes wishes;
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
  start_record(broker, send, topic, sent->queue_id, &record);
  bl_err err = check_batch(broker, send, topic, &record, &count, &bytes, why);
  if (err != BL_OK) return err;
  bl_buf_clear(&broker->sends.properties);
  copy_properties(&broker->sends.properties, send->properties, false, &wishes);
  bool inner = topic->batch_cq && wishes.uniq_key.len > 0;
  if (inner) wishes.inner = false;
  sent->uniq_key = wishes.uniq_key;
  sent->wait = !wishes.no_wait;
  err = check_wishes(broker, topic, &wishes, why);
  if (err == BL_OK) err = refuse_delay(&wishes, why);
  if (err == BL_OK && inner)
    return append_inner_batch(broker, send, topic, queue, &wishes, count, sent, why);
  if (err == BL_OK) err = bl_store_can_append(broker->store, bytes);
  if (err != BL_OK) return why->text[0] != '\0' ? err : append_error(err, broker, why);
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
    record.queue_offset = bl_queue_assigned_offset(queue);
    /* bl_store_can_append said so for all of them. */
    BL_ASSERT(bl_store_append(broker->store, &record) == BL_OK);
    bl_queue_assign_at(queue, 1, record.log_offset);
    sent->log_offsets[sent->count++] = record.log_offset;
    count_put(broker, topic, &record, sent);
  }
  return BL_OK;
}

static bl_err choose_queue(struct bl_broker *broker, const struct bl_send *send,
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

bl_err bl_broker_may_send(struct bl_broker *broker, const struct bl_send *send,
                          int32_t *out_queue_id, struct bl_why *why) {
  struct bl_topic *topic = NULL;
  why->text[0] = '\0';
  bl_err err = check_topic(broker, send, &topic, why);
  if (err != BL_OK) return err;
  BL_ASSERT(topic != NULL);
  return choose_queue(broker, send, topic, out_queue_id, why);
}

bl_err bl_broker_send(struct bl_broker *broker, const struct bl_send *send,
                      struct bl_sent *out_sent, struct bl_why *why) {
  struct bl_topic *topic = NULL;
  struct bl_queue *queue = NULL;
  memset(out_sent, 0, sizeof(*out_sent));
  out_sent->store_host = broker->store_host;
  broker->sends.known_count = 0;
  why->text[0] = '\0';
  bl_err err = bl_retention_may_send(broker->retention, why);
  if (err == BL_OK) err = check_topic(broker, send, &topic, why);
  if (err == BL_OK) err = check_sizes(broker, send, why);
  if (err != BL_OK) return err;
  BL_ASSERT(topic != NULL);
  err = choose_queue(broker, send, topic, &out_sent->queue_id, why);
  bool keyed = topic->features.dedup_ms > 0;
  if (err == BL_OK && keyed) err = bl_duplicate_find(broker, topic, send, out_sent, why);
  if (err != BL_OK || out_sent->duplicate) return err;
  err = open_queue(broker, topic, out_sent->queue_id, &queue, why);
  if (err != BL_OK) return err;
  err = send->batch ? send_batch(broker, send, topic, queue, out_sent, why)
                    : send_one(broker, send, topic, queue, out_sent, why);
  if (err == BL_OK && keyed) bl_duplicate_note(broker, topic, send, out_sent);
  return err;
}
