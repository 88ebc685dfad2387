#include "broker/dedup/duplicate.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/query/read.h"
#include "wire/properties.h"

#define SWEEP_MS 1000 /* after the first key */

int64_t bl_duplicate_window_ms(void *context, struct bl_slice topic) {
  const struct bl_topic *of = bl_topics_find(&((struct bl_broker *)context)->topics, topic);
  return of != NULL ? of->features.dedup_ms : 0;
}

static bool is_waiting_topic(struct bl_slice topic) {
  return bl_slice_is(topic, "rmq_sys_wheel_timer") || bl_slice_is(topic, "SCHEDULE_TOPIC_XXXX") ||
         bl_slice_is(topic, "RMQ_SYS_TRANS_HALF_TOPIC");
}

/* Whether it is the message, and still one of its queue. */
static bool is_first(struct bl_broker *broker, const struct bl_record *record,
                     struct bl_slice topic, struct bl_slice key) {
  if (!bl_slice_eq(bl_properties_get(record->properties, BL_PROP_UNIQ_KEY), key)) return false;
  if (is_waiting_topic(record->topic))
    return bl_slice_eq(bl_properties_get(record->properties, BL_PROP_REAL_TOPIC), topic);
  if (!bl_slice_eq(record->topic, topic)) return false;
  const struct bl_queue *queue = bl_queues_find(broker->queues, topic, record->queue_id);
  return queue != NULL && record->queue_offset >= bl_queue_min_offset(queue);
}

/* The record at that offset, as soon as it may be shown. BL_ERR_COLD: out_sent->look. */
static bl_err read_record(struct bl_broker *broker, int64_t offset, struct bl_record *out_record,
                          struct bl_sent *out_sent, struct bl_why *why) {
  struct bl_cold_place cold;
  struct bl_slice bytes;
  struct bl_why reason;
  out_sent->look = (struct bl_send_look){.log_offset = offset};
  if (offset >= bl_store_marks(broker->store).visible) {
    if (!bl_store_failed(broker->store, &reason)) return BL_ERR_COLD;
    return bl_why_set(why, BL_ERR_SYSTEM,
                      "a message with this key was sent before; whether it is durable is not "
                      "known: the store stopped: %s",
                      reason.text);
  }
  bl_err err = bl_query_record(broker, offset, bl_broker_arena(broker), out_record, &bytes, &cold);
  if (err == BL_ERR_COLD) out_sent->look.bytes = cold.log_bytes;
  if (err == BL_OK || err == BL_ERR_COLD || err == BL_ERR_NOT_FOUND) return err;
  return bl_why_set(why, BL_ERR_SYSTEM,
                    "a message that may have this key, at log offset %lld, cannot be read: %s",
                    (long long)offset, bl_err_text(err));
}

/* FILLS the first message with the key; BL_ERR_NOT_FOUND: there is none. */
static bl_err find_first(struct bl_broker *broker, const struct bl_topic *topic,
                         struct bl_slice key, struct bl_record *out_record,
                         struct bl_sent *out_sent, struct bl_why *why) {
  int64_t offsets[BL_DEDUP_FIND_MAX];
  if (key.len == 0) return BL_ERR_NOT_FOUND;
  uint64_t hash = bl_dedup_hash(broker->dedup, topic->name, key);
  uint32_t count = bl_dedup_find(broker->dedup, hash, topic->features.dedup_ms, offsets);
  for (uint32_t i = 0; i < count; i++) {
    bl_err err = read_record(broker, offsets[i], out_record, out_sent, why);
    if (err == BL_ERR_NOT_FOUND) continue; /* gone, or damaged */
    if (err != BL_OK) return err;
    if (is_first(broker, out_record, topic->name, key)) return BL_OK;
  }
  return BL_ERR_NOT_FOUND;
}

/* The answer that the first one got. A delayed one was told the queue that it is for. */
static void fill(const struct bl_record *record, struct bl_slice key, struct bl_sent *out_sent) {
  int32_t real_queue;
  int64_t out_ms;
  out_sent->queue_id = record->queue_id;
  out_sent->queue_offset = record->queue_offset;
  out_sent->log_offset = record->log_offset;
  out_sent->count = 1;
  out_sent->store_host = record->store_host;
  out_sent->inner_batch = (record->sys_flag & BL_SYS_INNER_BATCH) != 0;
  out_sent->uniq_key = key;
  out_sent->wait = false; /* it is durable */
  out_sent->duplicate = true;
  if (!is_waiting_topic(record->topic)) return;
  out_sent->delayed = !bl_slice_is(record->topic, "RMQ_SYS_TRANS_HALF_TOPIC");
  if (bl_slice_i32(bl_properties_get(record->properties, BL_PROP_REAL_QUEUE), &real_queue))
    out_sent->queue_id = real_queue;
  if (bl_slice_is(record->topic, "rmq_sys_wheel_timer") &&
      bl_slice_i64(bl_properties_get(record->properties, BL_SLICE("TIMER_OUT_MS")), &out_ms))
    out_sent->recall_ms = out_ms + 1;
}

static void room_for_known(struct bl_sends *sends, int32_t count) {
  if (count <= sends->known_cap) return;
  int32_t cap = sends->known_cap * 2 > count ? sends->known_cap * 2 : count;
  sends->known = realloc(sends->known, (size_t)cap * sizeof(int64_t));
  BL_ASSERT(sends->known != NULL);
  sends->known_cap = cap;
}

/* A batch whose messages are all known is answered as it was; what was cut in the middle by a crash
 * is completed. */
static bl_err find_batch(struct bl_broker *broker, const struct bl_topic *topic,
                         const struct bl_send *send, struct bl_sent *out_sent, struct bl_why *why) {
  struct bl_sends *sends = &broker->sends;
  struct bl_slice rest = send->body;
  struct bl_batch_message message;
  struct bl_sent first = {.count = 0};
  int32_t known = 0;
  int32_t count = 0;
  bool bad;
  sends->known_count = 0;
  while (bl_batch_next(&rest, &message, &bad)) {
    struct bl_record record;
    struct bl_slice key = bl_properties_get(message.properties, BL_PROP_UNIQ_KEY);
    bl_err err = find_first(broker, topic, key, &record, out_sent, why);
    if (err != BL_OK && err != BL_ERR_NOT_FOUND) return err;
    room_for_known(sends, count + 1);
    sends->known[count] = err == BL_OK ? record.log_offset : -1;
    if (err == BL_OK && known++ == 0) {
      fill(&record, key, &first);
      sends->known_first = count == 0 ? record.queue_offset : -1;
    }
    count++;
  }
  if (known == 0 || bad) return BL_OK;
  sends->known_count = count;
  out_sent->queue_id = first.queue_id;
  if (known < count) return BL_OK;
  *out_sent = first;
  out_sent->count = count;
  out_sent->log_offsets = sends->known;
  out_sent->uniq_key = bl_properties_get(send->properties, BL_PROP_UNIQ_KEY);
  broker->duplicates.count += count;
  return BL_OK;
}

static bool is_one_record(const struct bl_topic *topic, const struct bl_send *send) {
  return !send->batch || topic->batch_cq;
}

bl_err bl_duplicate_find(struct bl_broker *broker, const struct bl_topic *topic,
                         const struct bl_send *send, struct bl_sent *out_sent, struct bl_why *why) {
  struct bl_record record;
  broker->sends.known_count = 0;
  struct bl_slice key = bl_properties_get(send->properties, BL_PROP_UNIQ_KEY);
  if (!is_one_record(topic, send) || (send->batch && key.len == 0))
    return find_batch(broker, topic, send, out_sent, why);
  bl_err err = find_first(broker, topic, key, &record, out_sent, why);
  if (err == BL_ERR_NOT_FOUND) return BL_OK;
  if (err != BL_OK) return err;
  fill(&record, key, out_sent);
  broker->duplicates.count++;
  return BL_OK;
}

bool bl_duplicate_known(const struct bl_sends *sends, int32_t index, int64_t *out_log_offset) {
  if (index >= sends->known_count || sends->known[index] < 0) return false;
  *out_log_offset = sends->known[index];
  return true;
}

static void on_timer(struct bl_timer *timer, int64_t now_ms) {
  struct bl_duplicates *duplicates = BL_CONTAINER(timer, struct bl_duplicates, timer);
  struct bl_broker *broker = duplicates->broker;
  int64_t pause_ms = bl_dedup_sweep(broker->dedup);
  if (pause_ms > 0) bl_timer_set(broker->timers, timer, now_ms + pause_ms);
}

static void sweep_later(struct bl_broker *broker) {
  struct bl_timer *timer = &broker->duplicates.timer;
  if (timer->place == 0)
    bl_timer_set(broker->timers, timer, bl_clock_mono_ms(broker->clock) + SWEEP_MS);
}

static void note(struct bl_broker *broker, const struct bl_topic *topic, struct bl_slice key,
                 int64_t log_offset) {
  if (key.len == 0) return;
  bl_dedup_add(broker->dedup, bl_dedup_hash(broker->dedup, topic->name, key), log_offset,
               topic->features.dedup_ms);
  sweep_later(broker);
}

void bl_duplicate_note(struct bl_broker *broker, const struct bl_topic *topic,
                       const struct bl_send *send, const struct bl_sent *sent) {
  struct bl_slice rest = send->body;
  struct bl_batch_message message;
  bool bad;
  if (sent->log_offsets == NULL) {
    note(broker, topic, bl_properties_get(send->properties, BL_PROP_UNIQ_KEY), sent->log_offset);
    return;
  }
  for (int32_t i = 0; i < sent->count && bl_batch_next(&rest, &message, &bad); i++) {
    int64_t before;
    if (bl_duplicate_known(&broker->sends, i, &before)) {
      broker->duplicates.count++;
      continue;
    }
    note(broker, topic, bl_properties_get(message.properties, BL_PROP_UNIQ_KEY),
         sent->log_offsets[i]);
  }
  broker->sends.known_count = 0;
}

void bl_duplicates_init(struct bl_broker *broker) {
  broker->duplicates.broker = broker;
  broker->duplicates.timer.fire = on_timer;
  sweep_later(broker);
}

void bl_duplicates_fini(struct bl_broker *broker) {
  bl_timer_cancel(broker->timers, &broker->duplicates.timer);
}
