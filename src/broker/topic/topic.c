/* One topic: its JSON and its texts. */
#include "broker/topic/topics.h"

void bl_topic_write(struct bl_json_writer *w, const struct bl_topic *topic) {
  struct bl_arena arena;
  const struct bl_json *attributes = NULL;
  bl_arena_init(&arena);
  bl_json_open_object(w);
  bl_json_key(w, "attributes");
  /* It was checked when it was taken: ours is always an object. */
  if (topic->attributes.len > 2 &&
      bl_json_parse(topic->attributes, BL_JSON_STRICT, &arena, &attributes, NULL) == BL_OK) {
    bl_json_put_node(w, attributes);
  } else {
    bl_json_open_object(w);
    bl_json_close_object(w);
  }
  bl_json_member_bool(w, "order", topic->order);
  bl_json_member_i64(w, "perm", topic->perm);
  bl_json_member_i64(w, "readQueueNums", topic->read_queues);
  bl_json_member_text(w, "topicFilterType",
                      topic->multi_tag ? BL_SLICE("MULTI_TAG") : BL_SLICE("SINGLE_TAG"));
  bl_json_member_text(w, "topicName", topic->name);
  bl_json_member_i64(w, "topicSysFlag", topic->sys_flag);
  bl_json_member_i64(w, "writeQueueNums", topic->write_queues);
  bl_json_close_object(w);
  bl_arena_fini(&arena);
}

static int32_t clamp_queues(int32_t queues) {
  if (queues < 0) return 0;
  return queues > BL_TOPIC_QUEUES_MAX ? BL_TOPIC_QUEUES_MAX : queues;
}

bl_err bl_topic_read(const struct bl_json *json, struct bl_slice name, struct bl_arena *arena,
                     struct bl_topic_change *out_change) {
  memset(out_change, 0, sizeof(*out_change));
  if (json == NULL || json->kind != BL_JSON_OBJECT) return BL_ERR_FORMAT;
  out_change->name = name.len > 0 ? name : bl_json_text(bl_json_get(json, "topicName"));
  if (out_change->name.len == 0 || out_change->name.len > BL_TOPIC_SPECIAL_BYTES_MAX)
    return BL_ERR_FORMAT;
  out_change->read_queues = clamp_queues(bl_json_i32(bl_json_get(json, "readQueueNums"), 16));
  out_change->write_queues = clamp_queues(bl_json_i32(bl_json_get(json, "writeQueueNums"), 16));
  out_change->perm = bl_json_i32(bl_json_get(json, "perm"), BL_PERM_READ | BL_PERM_WRITE);
  out_change->sys_flag = bl_json_i32(bl_json_get(json, "topicSysFlag"), 0);
  out_change->order = bl_json_bool(bl_json_get(json, "order"), false);
  struct bl_slice filter = bl_json_text(bl_json_get(json, "topicFilterType"));
  out_change->multi_tag = bl_slice_is(filter, "MULTI_TAG") || bl_slice_is(filter, "1");
  const struct bl_json *attributes = bl_json_get(json, "attributes");
  if (attributes == NULL || attributes->kind != BL_JSON_OBJECT) return BL_OK;
  struct bl_buf text;
  bl_buf_init(&text, 65536);
  struct bl_json_writer w = bl_json_writer_of(&text, false);
  bl_json_put_node(&w, attributes);
  if (!text.failed) out_change->attributes = bl_arena_copy(arena, bl_buf_slice(&text));
  bl_buf_fini(&text);
  return BL_OK;
}

const char *bl_perm_text(int32_t perm) {
  static const char *const texts[] = {"---", "--X", "-W-", "-WX", "R--", "R-X", "RW-", "RWX"};
  return texts[perm & 7];
}

struct bl_slice bl_topic_text(const struct bl_topic *topic, struct bl_arena *arena) {
  return bl_arena_printf(
      arena,
      "TopicConfig [topicName=%.*s, readQueueNums=%d, writeQueueNums=%d, perm=%s, "
      "topicFilterType=%s, topicSysFlag=%d, order=%s, attributes=%.*s]",
      BL_FMT(topic->name), topic->read_queues, topic->write_queues, bl_perm_text(topic->perm),
      topic->multi_tag ? "MULTI_TAG" : "SINGLE_TAG", topic->sys_flag,
      topic->order ? "true" : "false", BL_FMT(topic->attributes));
}
