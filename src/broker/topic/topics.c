#include "broker/topic/topics.h"

#include <stdlib.h>

#include "base/assert.h"

#define TOPICS_MAX 1000000

static void free_topic(void *value) {
  struct bl_topic *topic = value;
  bl_table_disown(topic->name);
  bl_table_disown(topic->attributes);
  bl_list_remove(&topic->retained);
  free(topic->kept);
  free(topic->queues);
  free(topic);
}

static void write_topic(struct bl_json_writer *w, const void *value) {
  bl_topic_write(w, value);
}

void bl_topics_init(struct bl_topics *topics, const struct bl_clock *clock) {
  memset(topics, 0, sizeof(*topics));
  bl_map_init(&topics->table.map);
  topics->table.member = "topicConfigTable";
  topics->table.free_value = free_topic;
  topics->table.write_value = write_topic;
  topics->table.version.timestamp_ms = bl_clock_wall_ms(clock);
  topics->clock = clock;
  topics->limit = TOPICS_MAX;
  bl_list_init(&topics->retained);
}

static void take_attributes(struct bl_topics *topics, struct bl_topic *topic,
                            struct bl_slice attributes) {
  struct bl_slice before = topic->attributes;
  topic->attributes = bl_table_own(attributes);
  bl_table_disown(before);
  topic->retention = bl_topic_retention_of(topic->attributes);
  bl_list_remove(&topic->retained);
  if (topic->retention.timed || topic->retention.bytes >= 0)
    bl_list_add_last(&topics->retained, &topic->retained);
}

void bl_topics_fini(struct bl_topics *topics) {
  bl_table_fini(&topics->table);
}

struct bl_topic *bl_topics_find(const struct bl_topics *topics, struct bl_slice name) {
  return bl_map_get(&topics->table.map, name);
}

static bool differs(const struct bl_topic *topic, const struct bl_topic_change *change) {
  return topic->read_queues != change->read_queues || topic->write_queues != change->write_queues ||
         topic->perm != change->perm || topic->sys_flag != change->sys_flag ||
         topic->order != change->order || topic->multi_tag != change->multi_tag ||
         (change->attributes.ptr != NULL && !bl_slice_eq(topic->attributes, change->attributes));
}

bl_err bl_topics_put(struct bl_topics *topics, const struct bl_topic_change *change,
                     struct bl_topic **out_topic, bool *out_changed) {
  struct bl_topic *topic = bl_topics_find(topics, change->name);
  bool fresh = topic == NULL;
  if (fresh && (int64_t)topics->table.map.count >= topics->limit) return BL_ERR_FULL;
  if (fresh) {
    topic = calloc(1, sizeof(*topic));
    BL_ASSERT(topic != NULL);
    topic->name = bl_table_own(change->name);
    topic->attributes = bl_table_own(BL_SLICE("{}"));
    topic->retention = (struct bl_topic_retention){.ms = -1, .bytes = -1};
    bl_map_put(&topics->table.map, topic->name, topic);
  }
  *out_topic = topic;
  *out_changed = fresh || differs(topic, change);
  if (!*out_changed) return BL_OK;
  topic->read_queues = change->read_queues;
  topic->write_queues = change->write_queues;
  topic->perm = change->perm;
  topic->sys_flag = change->sys_flag;
  topic->order = change->order;
  topic->multi_tag = change->multi_tag;
  if (change->attributes.ptr != NULL) take_attributes(topics, topic, change->attributes);
  bl_version_next(&topics->table.version, bl_clock_wall_ms(topics->clock));
  return BL_OK;
}

bool bl_topics_remove(struct bl_topics *topics, struct bl_slice name) {
  struct bl_topic *topic = bl_map_remove(&topics->table.map, name);
  if (topic == NULL) return false;
  free_topic(topic);
  bl_version_next(&topics->table.version, bl_clock_wall_ms(topics->clock));
  return true;
}

void bl_topics_apply(void *context, struct bl_slice name, const struct bl_json *json,
                     int64_t log_offset) {
  struct bl_topics *topics = context;
  (void)log_offset;
  if (json == NULL) {
    bl_topics_remove(topics, name);
    return;
  }
  struct bl_arena arena;
  struct bl_topic_change change;
  struct bl_topic *topic;
  bool changed;
  bl_arena_init(&arena);
  if (bl_topic_read(json, name, &arena, &change) == BL_OK) {
    /* Over the limit it is not taken: the limit is far above what a log was written with. */
    bl_err err = bl_topics_put(topics, &change, &topic, &changed);
    (void)err;
  }
  bl_arena_fini(&arena);
}

bl_err bl_topics_replace(void *context, const struct bl_json *root, struct bl_why *why) {
  struct bl_topics *topics = context;
  if (root == NULL) {
    bl_table_clear(&topics->table);
    return BL_OK;
  }
  const struct bl_json *table = bl_json_get(root, "topicConfigTable");
  if (table == NULL || table->kind != BL_JSON_OBJECT) {
    return bl_why_set(why, BL_ERR_FORMAT, "it has no object topicConfigTable");
  }
  bl_table_clear(&topics->table);
  struct bl_arena arena;
  bl_arena_init(&arena);
  for (const struct bl_json *node = table->child; node != NULL; node = node->next) {
    struct bl_topic_change change;
    struct bl_topic *topic;
    bool changed;
    bl_arena_reset(&arena);
    if (bl_topic_read(node, node->key, &arena, &change) != BL_OK) continue;
    if (bl_topics_put(topics, &change, &topic, &changed) != BL_OK) break;
  }
  bl_arena_fini(&arena);
  bl_version_read(bl_json_get(root, "dataVersion"), &topics->table.version);
  return BL_OK;
}

bool bl_topics_write_step(void *context, struct bl_buf *out, void **progress) {
  return bl_table_write_step(&((struct bl_topics *)context)->table, out, progress);
}
