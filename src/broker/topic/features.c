/* Topic attributes that RocketMQ does not have: dedup.window, message.ttl, ttl.property, ttl.topic.
 * A Java broker keeps them in topics.json and does nothing with them. */
#include <inttypes.h>

#include "base/json.h"
#include "broker/topic/topics.h"

#define DEDUP_WINDOW "dedup.window"
#define MESSAGE_TTL "message.ttl"
#define TTL_PROPERTY "ttl.property"
#define TTL_TOPIC "ttl.topic"

bool bl_duration_parse(struct bl_slice text, int64_t *out_ms) {
  static const struct {
    const char *name;
    int64_t ms;
  } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
  size_t digits = 0;
  int64_t number;
  while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') digits++;
  if (digits == 0 || !bl_slice_i64(bl_slice_of(text.ptr, digits), &number)) return false;
  struct bl_slice unit = bl_slice_from(text, digits);
  for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
    if (bl_slice_is(unit, units[i].name))
      return !__builtin_mul_overflow(number, units[i].ms, out_ms);
  }
  return false;
}

static bl_err check_duration(struct bl_slice name, struct bl_slice value, int64_t min_ms,
                             int64_t max_ms, const char *range, struct bl_why *why) {
  int64_t ms;
  if (bl_duration_parse(value, &ms) && ms >= min_ms && ms <= max_ms) return BL_OK;
  return bl_why_set(why, BL_ERR_PARAMETER,
                    "value %.*s of attribute %.*s is not allowed, only a number and a unit (ms, s, "
                    "m, h, d), %s",
                    BL_FMT(value), BL_FMT(name), range);
}

bl_err bl_topic_feature_check(struct bl_slice name, struct bl_slice value, bool *out_is_ours,
                              struct bl_why *why) {
  *out_is_ours = true;
  if (bl_slice_is(name, DEDUP_WINDOW)) {
    return check_duration(name, value, BL_DEDUP_WINDOW_MS_MIN, BL_DEDUP_WINDOW_MS_MAX, "1s to 30d",
                          why);
  }
  if (bl_slice_is(name, MESSAGE_TTL))
    return check_duration(name, value, 1, BL_TTL_MS_MAX, "1ms to 3650d", why);
  if (bl_slice_is(name, TTL_PROPERTY)) {
    if (bl_slice_is(value, "true") || bl_slice_is(value, "false")) return BL_OK;
    return bl_why_set(why, BL_ERR_PARAMETER,
                      "value %.*s of attribute %.*s is not allowed, only true|false", BL_FMT(value),
                      BL_FMT(name));
  }
  *out_is_ours = bl_slice_is(name, TTL_TOPIC);
  if (!*out_is_ours) return BL_OK;
  if (bl_topic_name_check(value, why) != BL_OK) return BL_ERR_PARAMETER;
  if (bl_topic_is_system(value) || bl_topic_is_retry(value) || bl_topic_is_send_forbidden(value)) {
    return bl_why_set(why, BL_ERR_PARAMETER,
                      "value %.*s of attribute %.*s is not allowed, only the name of an ordinary "
                      "topic",
                      BL_FMT(value), BL_FMT(name));
  }
  return BL_OK;
}

/* 0: there is none, or no good one. */
static int64_t duration_of(const struct bl_json *root, const char *name, int64_t min_ms,
                           int64_t max_ms) {
  int64_t ms;
  const struct bl_json *node = bl_json_get(root, name);
  if (node == NULL || !bl_duration_parse(bl_json_text(node), &ms)) return 0;
  return ms >= min_ms && ms <= max_ms ? ms : 0;
}

/* The same text in the attributes, which outlive the parser; names of topics need no escapes. */
static struct bl_slice find_text(struct bl_slice attributes, struct bl_slice text) {
  for (size_t at = 0; text.len > 0 && at + text.len <= attributes.len; at++) {
    struct bl_slice part = bl_slice_of(attributes.ptr + at, text.len);
    if (bl_slice_eq(part, text)) return part;
  }
  return (struct bl_slice){NULL, 0};
}

struct bl_topic_features bl_topic_features_of(struct bl_slice attributes) {
  struct bl_topic_features features = {.dedup_ms = 0};
  /* Nearly no topic has one: no parser for them. */
  if (strstr(attributes.ptr, DEDUP_WINDOW) == NULL && strstr(attributes.ptr, "ttl") == NULL)
    return features;
  struct bl_arena arena;
  const struct bl_json *root = NULL;
  bl_arena_init(&arena);
  if (bl_json_parse(attributes, BL_JSON_STRICT, &arena, &root, NULL) == BL_OK) {
    features.dedup_ms =
        duration_of(root, DEDUP_WINDOW, BL_DEDUP_WINDOW_MS_MIN, BL_DEDUP_WINDOW_MS_MAX);
    features.ttl_ms = duration_of(root, MESSAGE_TTL, 1, BL_TTL_MS_MAX);
    features.ttl_own = bl_slice_bool(bl_json_text(bl_json_get(root, TTL_PROPERTY)));
    struct bl_slice topic = bl_json_text(bl_json_get(root, TTL_TOPIC));
    if (topic.len > 0 && bl_topic_name_check(topic, NULL) == BL_OK)
      features.ttl_topic = find_text(attributes, topic);
  }
  bl_arena_fini(&arena);
  return features;
}
