#include "broker/ttl/ttl.h"

#include "broker/broker.h"
#include "wire/properties.h"

static bl_err parse(struct bl_slice text, int64_t *out_ms, struct bl_why *why) {
  if (bl_slice_i64(text, out_ms) && *out_ms > 0 && *out_ms <= BL_TTL_MS_MAX) return BL_OK;
  return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                    "the property __TTL_MS is %.*s; it is a number of milliseconds from 1 to %lld",
                    (int)(text.len < 64 ? text.len : 64), text.ptr, (long long)BL_TTL_MS_MAX);
}

/* Before its first message of that kind is stored: also after a crash it is known. */
static bl_err mark(struct bl_broker *broker, struct bl_topic *topic, struct bl_why *why) {
  int64_t end;
  if (topic->features.ttl_own || bl_topic_is_dlq(topic->name) ||
      bl_topic_is_light(&broker->topics, topic))
    return BL_OK;
  struct bl_arena arena;
  struct bl_topic_change change = {.name = topic->name,
                                   .read_queues = topic->read_queues,
                                   .write_queues = topic->write_queues,
                                   .perm = topic->perm,
                                   .sys_flag = topic->sys_flag,
                                   .order = topic->order,
                                   .multi_tag = topic->multi_tag};
  bl_arena_init(&arena);
  bl_err err = bl_topic_attributes_change(topic->attributes, BL_SLICE("+ttl.property=true"), &arena,
                                          &change.attributes, why);
  if (err == BL_OK) {
    err = bl_broker_put_topic(broker, &change, &topic, &end);
    if (err != BL_OK) bl_why_set(why, err, "%s", bl_err_text(err));
  }
  bl_arena_fini(&arena);
  return err;
}

static void put_end(struct bl_buf *properties, int64_t from_ms, int64_t ttl_ms) {
  bl_buf_put_slice(properties, BL_PROP_EXPIRES_AT);
  bl_buf_put_char(properties, '\1');
  bl_buf_put_i64_text(properties, from_ms + ttl_ms);
  bl_buf_put_char(properties, '\2');
}

bl_err bl_ttl_stamp(struct bl_broker *broker, struct bl_topic *topic, const struct bl_ttl_ask *ask,
                    int64_t from_ms, struct bl_buf *properties, struct bl_why *why) {
  int64_t ttl_ms = topic->features.ttl_ms;
  if (ask->own.ptr == NULL && ask->expires_at.ptr == NULL && ttl_ms == 0) return BL_OK;
  bl_err err = BL_OK;
  /* The consumer sent it for itself, with all that it had. */
  bool again = bl_topic_is_retry(topic->name) || bl_topic_is_dlq(topic->name);
  if (ask->own.ptr != NULL && !again) err = parse(ask->own, &ttl_ms, why);
  bool marks = again ? ask->expires_at.ptr != NULL : ask->own.ptr != NULL;
  if (err == BL_OK && marks) err = mark(broker, topic, why);
  if (err != BL_OK) return err;
  if (again) {
    if (ask->expires_at.ptr != NULL)
      bl_properties_put(properties, BL_PROP_EXPIRES_AT, ask->expires_at);
  } else if (ttl_ms > 0) {
    put_end(properties, from_ms, ttl_ms);
  }
  return BL_OK;
}

bl_err bl_ttl_stamp_copy(struct bl_broker *broker, struct bl_topic *topic,
                         struct bl_slice properties, int64_t now_ms, struct bl_buf *out,
                         struct bl_why *why) {
  struct bl_ttl_ask ask = {.own = bl_properties_get(properties, BL_PROP_TTL_MS)};
  bl_buf_clear(out);
  bl_properties_put_without(out, properties, BL_PROP_EXPIRES_AT);
  return bl_ttl_stamp(broker, topic, &ask, now_ms, out, why);
}

int64_t bl_ttl_expires_ms(struct bl_slice properties) {
  int64_t ms;
  struct bl_slice text = bl_properties_get(properties, BL_PROP_EXPIRES_AT);
  return text.ptr != NULL && bl_slice_i64(text, &ms) ? ms : INT64_MAX;
}

void bl_ttl_note(struct bl_broker *broker, const struct bl_record *record,
                 struct bl_slice properties) {
  struct bl_why why;
  if (bl_list_empty(&broker->topics.expiring)) return;
  struct bl_topic *topic = bl_topics_find(&broker->topics, record->topic);
  if (topic == NULL || bl_topic_expires(topic)) return;
  if (bl_properties_get(properties, BL_PROP_EXPIRES_AT).ptr == NULL) return;
  /* Without the mark it is given too long, not lost. */
  bl_err err = mark(broker, topic, &why);
  (void)err;
}
