/* One subscription group as JSON. */
#include "broker/group/groups.h"

#define JSON_BYTES_MAX 65536

/* Our own stored JSON again; `otherwise` when there is none. */
static void put_json(struct bl_json_writer *w, struct bl_slice text, const char *otherwise) {
  struct bl_arena arena;
  const struct bl_json *node = NULL;
  bl_arena_init(&arena);
  struct bl_slice shown = text.len > 0 ? text : bl_slice_text(otherwise);
  if (bl_json_parse(shown, BL_JSON_STRICT, &arena, &node, NULL) == BL_OK) {
    bl_json_put_node(w, node);
  } else {
    bl_json_put_null(w);
  }
  bl_arena_fini(&arena);
}

void bl_group_write(struct bl_json_writer *w, const struct bl_group *group) {
  bl_json_open_object(w);
  bl_json_key(w, "attributes");
  put_json(w, group->attributes, "{}");
  bl_json_member_i64(w, "brokerId", group->broker_id);
  bl_json_member_bool(w, "consumeBroadcastEnable", group->consume_broadcast_enable);
  bl_json_member_bool(w, "consumeEnable", group->consume_enable);
  bl_json_member_bool(w, "consumeFromMinEnable", group->consume_from_min_enable);
  bl_json_member_bool(w, "consumeMessageOrderly", group->consume_orderly);
  bl_json_member_i64(w, "consumeTimeoutMinute", group->consume_timeout_minutes);
  bl_json_member_text(w, "groupName", group->name);
  bl_json_key(w, "groupRetryPolicy");
  put_json(w, group->retry_policy, "{\"type\":\"CUSTOMIZED\"}");
  bl_json_member_i64(w, "groupSysFlag", group->sys_flag);
  bl_json_member_bool(w, "notifyConsumerIdsChangedEnable", group->notify_ids_changed);
  bl_json_member_i64(w, "retryMaxTimes", group->retry_max_times);
  bl_json_member_i64(w, "retryQueueNums", group->retry_queues);
  if (group->subscriptions.len > 0) {
    bl_json_key(w, "subscriptionDataSet");
    put_json(w, group->subscriptions, "[]");
  }
  bl_json_member_i64(w, "whichBrokerWhenConsumeSlowly", group->slow_broker_id);
  bl_json_close_object(w);
}

static struct bl_slice text_of(const struct bl_json *node, enum bl_json_kind kind,
                               struct bl_arena *arena) {
  struct bl_slice text = {NULL, 0};
  if (node == NULL || node->kind != kind) return text;
  struct bl_buf out;
  bl_buf_init(&out, JSON_BYTES_MAX);
  struct bl_json_writer w = bl_json_writer_of(&out, false);
  bl_json_put_node(&w, node);
  if (!out.failed) text = bl_arena_copy(arena, bl_buf_slice(&out));
  bl_buf_fini(&out);
  return text;
}

bl_err bl_group_read(const struct bl_json *json, struct bl_slice name, struct bl_arena *arena,
                     struct bl_group *out_like) {
  if (json == NULL || json->kind != BL_JSON_OBJECT) return BL_ERR_FORMAT;
  if (name.len == 0) name = bl_json_text(bl_json_get(json, "groupName"));
  if (name.len == 0 || name.len > BL_GROUP_BYTES_MAX) return BL_ERR_FORMAT;
  struct bl_group *g = out_like;
  bl_group_default(g, name);
  g->consume_enable = bl_json_bool(bl_json_get(json, "consumeEnable"), true);
  g->consume_from_min_enable = bl_json_bool(bl_json_get(json, "consumeFromMinEnable"), true);
  g->consume_broadcast_enable = bl_json_bool(bl_json_get(json, "consumeBroadcastEnable"), true);
  g->consume_orderly = bl_json_bool(bl_json_get(json, "consumeMessageOrderly"), false);
  g->notify_ids_changed = bl_json_bool(bl_json_get(json, "notifyConsumerIdsChangedEnable"), true);
  g->retry_queues = bl_json_i32(bl_json_get(json, "retryQueueNums"), 1);
  g->retry_max_times = bl_json_i32(bl_json_get(json, "retryMaxTimes"), 16);
  g->broker_id = bl_json_i64(bl_json_get(json, "brokerId"), 0);
  g->slow_broker_id = bl_json_i64(bl_json_get(json, "whichBrokerWhenConsumeSlowly"), 1);
  g->sys_flag = bl_json_i32(bl_json_get(json, "groupSysFlag"), 0);
  g->consume_timeout_minutes = bl_json_i32(bl_json_get(json, "consumeTimeoutMinute"), 15);
  g->retry_policy = text_of(bl_json_get(json, "groupRetryPolicy"), BL_JSON_OBJECT, arena);
  g->subscriptions = text_of(bl_json_get(json, "subscriptionDataSet"), BL_JSON_ARRAY, arena);
  g->attributes = text_of(bl_json_get(json, "attributes"), BL_JSON_OBJECT, arena);
  return BL_OK;
}
