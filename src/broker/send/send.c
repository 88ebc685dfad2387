#include "broker/send/send.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/retention/retention.h"
#include "wire/properties.h"

#define FAQ "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
#define BATCH_COUNT_MAX 65536
/* What a client may not say of a message: that is for the broker to decide. */
#define SYS_NOT_CLIENTS (BL_SYS_TRANSACTION_MASK | BL_SYS_INNER_BATCH | BL_SYS_NEED_UNWRAP)

void bl_sends_init(struct bl_sends *sends) {
  memset(sends, 0, sizeof(*sends));
  bl_list_init(&sends->spare_waits);
  bl_buf_init(&sends->properties, BL_RECORD_PROPERTIES_BYTES_MAX - BL_RECORD_CRC_BYTES - 1);
}

void bl_sends_fini(struct bl_sends *sends) {
  struct bl_list *node;
  while ((node = bl_list_take_first(&sends->spare_waits)) != NULL) free(node);
  bl_buf_fini(&sends->properties);
  free(sends->log_offsets);
}

/* What the properties of a message ask of the broker. */
struct wishes {
  struct bl_slice uniq_key;
  struct bl_slice keys;
  bool no_wait;
  bool delayed;
  bool transaction;
};

/* Properties that the broker acts on; the others are copied as they are. */
enum special { PLAIN, DROPPED, UNIQ, KEYS, WAIT, DELAY, TIMER, TRANSACTION };
static const struct {
  const char *name;
  enum special special;
} SPECIALS[] = {
    {"UNIQ_KEY", UNIQ},
    {"KEYS", KEYS},
    {"WAIT", WAIT},
    {"DELAY", DELAY},
    {"TIMER_DELAY_SEC", TIMER},
    {"TIMER_DELAY_MS", TIMER},
    {"TIMER_DELIVER_MS", TIMER},
    {"TRAN_MSG", TRANSACTION},
    {"CLUSTER", DROPPED},
    {"MSG_REGION", DROPPED},
    {"TRACE_ON", DROPPED},
    {"POP_CK", DROPPED},
    {BL_RECORD_CRC_PROPERTY, DROPPED},
};

static enum special special_of(struct bl_slice name) {
  char first = name.ptr[0];
  /* Most properties are the application's: the first letter rules nearly all of them out. */
  if (strchr("UKWDTCMP_", first) == NULL) return PLAIN;
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
    int32_t level;
    switch (special_of(name)) {
      case DROPPED: continue;
      case WAIT: wishes->no_wait = bl_slice_is(value, "false"); break;
      case UNIQ: wishes->uniq_key = value; break;
      case KEYS: wishes->keys = value; break;
      case DELAY:
        if (is_dead) continue;
        wishes->delayed = wishes->delayed || (bl_slice_i32(value, &level) && level > 0);
        break;
      case TIMER: wishes->delayed = true; break;
      case TRANSACTION: wishes->transaction = bl_slice_bool(value); break;
      case PLAIN: break;
    }
    bl_properties_put(out, name, value);
  }
  if (is_dead) bl_properties_put(out, BL_PROP_DELAY, BL_SLICE("-1"));
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

/* What this version does not deliver is refused, not delivered at another time than asked. */
static bl_err check_wishes(struct bl_broker *broker, const struct bl_topic *topic,
                           const struct wishes *wishes, struct bl_why *why) {
  if (wishes->transaction) {
    return bl_why_set(why, BL_ERR_NO_PERMISSION,
                      "the broker[%s] sending transaction message is forbidden",
                      broker->settings->broker_ip1);
  }
  if (wishes->delayed) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      "delayed messages are not served by this broker; send without a delay");
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
  if (properties->failed) return too_large(broker, why);
  sent->uniq_key = wishes.uniq_key;
  struct bl_record record;
  start_record(broker, send, topic, sent->queue_id, &record);
  record.properties = bl_buf_slice(properties);
  record.queue_offset = bl_queue_assigned_offset(queue);
  err = bl_store_append(broker->store, &record);
  if (err != BL_OK) return append_error(err, broker, why);
  bl_queue_assign_at(queue, 1, record.log_offset);
  sent->queue_offset = record.queue_offset;
  sent->log_offset = record.log_offset;
  sent->count = 1;
  sent->wait = !wishes.no_wait;
  count_put(broker, topic, &record, sent);
  return BL_OK;
}

/* The whole batch is checked before its first message is stored: it is stored or refused as a unit.
 * *out_bytes: of its records together. */
static bl_err check_batch(struct bl_broker *broker, const struct bl_send *send,
                          struct bl_record *record, int32_t *out_count, int64_t *out_bytes,
                          struct bl_why *why) {
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
    record->body = message.body;
    record->properties = message.properties;
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
  bl_err err = check_batch(broker, send, &record, &count, &bytes, why);
  if (err != BL_OK) return err;
  bl_buf_clear(&broker->sends.properties);
  copy_properties(&broker->sends.properties, send->properties, false, &wishes);
  err = check_wishes(broker, topic, &wishes, why);
  if (err == BL_OK) err = bl_store_can_append(broker->store, bytes);
  if (err != BL_OK) return why->text[0] != '\0' ? err : append_error(err, broker, why);
  room_for_offsets(&broker->sends, count);
  sent->queue_offset = bl_queue_assigned_offset(queue);
  sent->log_offsets = broker->sends.log_offsets;
  sent->uniq_key = wishes.uniq_key;
  sent->wait = !wishes.no_wait;
  while (bl_batch_next(&rest, &message, &bad)) {
    record.flag = message.flag;
    record.body = message.body;
    record.properties = message.properties;
    record.queue_offset = bl_queue_assigned_offset(queue);
    /* bl_store_can_append said so for all of them. */
    BL_ASSERT(bl_store_append(broker->store, &record) == BL_OK);
    bl_queue_assign_at(queue, 1, record.log_offset);
    sent->log_offsets[sent->count++] = record.log_offset;
    count_put(broker, topic, &record, sent);
  }
  return BL_OK;
}

bl_err bl_broker_send(struct bl_broker *broker, const struct bl_send *send,
                      struct bl_sent *out_sent, struct bl_why *why) {
  struct bl_topic *topic = NULL;
  struct bl_queue *queue = NULL;
  memset(out_sent, 0, sizeof(*out_sent));
  why->text[0] = '\0';
  bl_err err = bl_retention_may_send(broker->retention, why);
  if (err == BL_OK) err = check_topic(broker, send, &topic, why);
  if (err == BL_OK) err = check_sizes(broker, send, why);
  if (err != BL_OK) return err;
  BL_ASSERT(topic != NULL);
  out_sent->queue_id = send->queue_id;
  if (send->queue_id < 0) {
    if (topic->write_queues <= 0) {
      return bl_why_set(why, BL_ERR_PARAMETER, "topic[%.*s] has no queue to write",
                        BL_FMT(topic->name));
    }
    out_sent->queue_id = (int32_t)bl_broker_random(broker, (uint32_t)topic->write_queues);
  }
  err = open_queue(broker, topic, out_sent->queue_id, &queue, why);
  if (err != BL_OK) return err;
  return send->batch ? send_batch(broker, send, topic, queue, out_sent, why)
                     : send_one(broker, send, topic, queue, out_sent, why);
}
