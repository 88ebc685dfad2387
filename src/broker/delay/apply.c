/* A message on its way in: what its properties ask for becomes a record of a system topic. */
#include "broker/delay/delay_internal.h"
#include "wire/properties.h"

#define LEVEL_TOPIC BL_SLICE(BL_PENDING_LEVEL_TOPIC)
#define TIMER_TOPIC BL_SLICE(BL_PENDING_TIMER_TOPIC)
/* What delivery adds must fit, too: the mark, when it was queued and taken. */
#define DELIVERY_BYTES 192

static const struct {
  const char *name;
  size_t at;
} ASKS[] = {
    {"DELAY", offsetof(struct bl_delay_ask, level)},
    {"TIMER_DELAY_SEC", offsetof(struct bl_delay_ask, delay_sec)},
    {"TIMER_DELAY_MS", offsetof(struct bl_delay_ask, delay_ms)},
    {"TIMER_DELIVER_MS", offsetof(struct bl_delay_ask, deliver_ms)},
    {"TIMER_OUT_MS", offsetof(struct bl_delay_ask, out_ms)},
    {"TIMER_DEL_UNIQKEY", offsetof(struct bl_delay_ask, del_key)},
    {"REAL_TOPIC", offsetof(struct bl_delay_ask, real_topic)},
    {"REAL_QID", offsetof(struct bl_delay_ask, real_queue)},
};
#define ASK_COUNT (sizeof(ASKS) / sizeof(ASKS[0]))

static struct bl_slice *field_of(struct bl_delay_ask *ask, size_t i) {
  return (struct bl_slice *)(void *)((char *)ask + ASKS[i].at);
}

bool bl_delay_take(struct bl_delay_ask *ask, struct bl_slice name, struct bl_slice value) {
  for (size_t i = 0; i < ASK_COUNT; i++) {
    if (!bl_slice_is(name, ASKS[i].name)) continue;
    *field_of(ask, i) = value;
    return true;
  }
  return false;
}

/* They are the application's then. */
static void put_back(struct bl_delay_ask ask, struct bl_buf *properties) {
  for (size_t i = 0; i < ASK_COUNT; i++) {
    struct bl_slice value = *field_of(&ask, i);
    if (value.ptr != NULL) bl_properties_put(properties, bl_slice_text(ASKS[i].name), value);
  }
}

static bl_err illegal(const struct bl_broker *broker, struct bl_slice name, struct bl_slice value,
                      const char *what, struct bl_why *why) {
  return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                    "timer message illegal, the delay time should not be bigger than the max delay "
                    "%lldms; or if set del msg, the delay time should be bigger than the current "
                    "time: %.*s=%.*s %s",
                    (long long)broker->settings->timer_max_delay_sec * 1000, BL_FMT(name),
                    (int)(value.len < 64 ? value.len : 64), value.ptr, what);
}

/* The time at which the message is due. A delay is from now on. */
static bl_err due_of(const struct bl_broker *broker, const struct bl_delay_ask *ask, int64_t now_ms,
                     int64_t *out_ms, struct bl_why *why) {
  bool in_sec = ask->delay_sec.ptr != NULL;
  bool relative = in_sec || ask->delay_ms.ptr != NULL;
  struct bl_slice name = in_sec     ? BL_PROP_TIMER_DELAY_SEC
                         : relative ? BL_PROP_TIMER_DELAY_MS
                                    : BL_PROP_TIMER_DELIVER_MS;
  struct bl_slice value = in_sec ? ask->delay_sec : relative ? ask->delay_ms : ask->deliver_ms;
  int64_t number;
  if (!bl_slice_i64(value, &number)) return illegal(broker, name, value, "is not a number", why);
  if (relative && number < 0) return illegal(broker, name, value, "is negative", why);
  if (in_sec && __builtin_mul_overflow(number, 1000, &number))
    return illegal(broker, name, value, "is too large", why);
  if (relative && __builtin_add_overflow(now_ms, number, &number))
    return illegal(broker, name, value, "is too large", why);
  if (number > now_ms && number - now_ms > broker->settings->timer_max_delay_sec * 1000)
    return illegal(broker, name, value, "is too far ahead", why);
  if (number <= now_ms && ask->del_key.ptr != NULL)
    return illegal(broker, name, value, "is over", why);
  *out_ms = number;
  return BL_OK;
}

static bl_err place(struct bl_broker *broker, struct bl_slice topic, int32_t queue_id,
                    struct bl_record *record, struct bl_buf *properties,
                    struct bl_delay_place *out_place, struct bl_why *why) {
  bl_err err = bl_queues_open_queue(broker->queues, topic, queue_id, &out_place->queue);
  if (err != BL_OK)
    return bl_why_set(why, err, "the queue of delayed messages cannot be opened: %s",
                      bl_err_text(err));
  bl_properties_put(properties, BL_PROP_REAL_TOPIC, record->topic);
  bl_properties_put_i64(properties, BL_PROP_REAL_QUEUE, record->queue_id);
  if (properties->max_bytes - properties->len < DELIVERY_BYTES) properties->failed = true;
  out_place->topic = bl_topics_find(&broker->topics, topic);
  record->topic = topic;
  record->queue_id = queue_id;
  return BL_OK;
}

static bl_err apply_level(struct bl_broker *broker, int64_t level, int64_t now_ms,
                          struct bl_record *record, struct bl_buf *properties,
                          struct bl_delay_place *out_place, struct bl_why *why) {
  int levels = bl_delay_level_count(broker->delay);
  if (level > levels) level = levels;
  bl_properties_put_i64(properties, BL_PROP_DELAY, level);
  bl_properties_put_i64(properties, BL_SLICE(BL_PENDING_DUE),
                        now_ms + bl_delay_of_level(broker->delay, level));
  return place(broker, LEVEL_TOPIC, (int32_t)level - 1, record, properties, out_place, why);
}

/* TIMER_OUT_MS as RocketMQ has it, so that a Java broker finds the slot: a slot earlier. */
static bl_err apply_timer(struct bl_broker *broker, const struct bl_delay_ask *ask, int64_t due_ms,
                          struct bl_record *record, struct bl_buf *properties,
                          struct bl_delay_place *out_place, struct bl_why *why) {
  struct bl_delay_ask rest = *ask;
  rest.real_topic = rest.real_queue = (struct bl_slice){NULL, 0};
  int64_t out_ms = (due_ms - 1) / BL_PENDING_SLOT_MS * BL_PENDING_SLOT_MS;
  put_back(rest, properties);
  bl_properties_put_i64(properties, BL_SLICE("TIMER_OUT_MS"), out_ms);
  if (ask->del_key.ptr == NULL) bl_properties_put_i64(properties, BL_SLICE(BL_PENDING_DUE), due_ms);
  if (!bl_topic_is_retry(record->topic)) out_place->recall_ms = out_ms + 1;
  return place(broker, TIMER_TOPIC, 0, record, properties, out_place, why);
}

static bool is_timed(const struct bl_delay_ask *ask) {
  return ask->out_ms.ptr == NULL &&
         (ask->delay_sec.ptr != NULL || ask->delay_ms.ptr != NULL || ask->deliver_ms.ptr != NULL);
}

int64_t bl_delay_due_ms(const struct bl_broker *broker, const struct bl_delay_ask *ask) {
  int64_t now_ms = bl_clock_wall_ms(broker->clock);
  int64_t level = 0;
  int64_t due_ms;
  struct bl_why why;
  if (ask->level.ptr != NULL && bl_slice_i64(ask->level, &level) && level > 0)
    return now_ms + bl_delay_of_level(broker->delay, level);
  if (!is_timed(ask) || due_of(broker, ask, now_ms, &due_ms, &why) != BL_OK) return now_ms;
  return due_ms > now_ms ? due_ms : now_ms;
}

bl_err bl_delay_apply(struct bl_broker *broker, const struct bl_delay_ask *ask,
                      struct bl_record *record, struct bl_buf *properties,
                      struct bl_delay_place *out_place, struct bl_why *why) {
  int64_t now_ms = bl_clock_wall_ms(broker->clock);
  int64_t level = 0;
  int64_t due_ms = 0;
  *out_place = (struct bl_delay_place){0};
  if (ask->level.ptr != NULL && !bl_slice_i64(ask->level, &level)) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL, "the delay level %.*s is not a number",
                      (int)(ask->level.len < 64 ? ask->level.len : 64), ask->level.ptr);
  }
  if (level > 0) return apply_level(broker, level, now_ms, record, properties, out_place, why);
  if (is_timed(ask)) {
    if (!broker->settings->timer_enable) {
      return bl_why_set(why, BL_ERR_SYSTEM,
                        "accurate timer message is not enabled, timerWheelEnable is false");
    }
    bl_err err = due_of(broker, ask, now_ms, &due_ms, why);
    if (err != BL_OK) return err;
    if (due_ms > now_ms)
      return apply_timer(broker, ask, due_ms, record, properties, out_place, why);
  }
  put_back(*ask, properties);
  return BL_OK;
}
