#include "broker/topic/topics.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/runtime/series.h"
#include "store/entry.h"

#define TOPICS_MAX 1000000

struct bl_light_topic {
  struct bl_topic topic;
  char name[BL_LIGHT_NAME_BYTES_MAX + 1];
};

static void free_topic(void *value) {
  struct bl_topic *topic = value;
  bl_table_disown(topic->name);
  bl_table_disown(topic->attributes);
  bl_list_remove(&topic->retained);
  bl_list_remove(&topic->deduped);
  bl_list_remove(&topic->expiring);
  bl_list_remove(&topic->moving);
  free(topic->kept);
  free(topic->queues);
  bl_series_free(topic->series);
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
  bl_list_init(&topics->deduped);
  bl_list_init(&topics->expiring);
  bl_list_init(&topics->moving);
}

static void take_attributes(struct bl_topics *topics, struct bl_topic *topic,
                            struct bl_slice attributes) {
  struct bl_slice before = topic->attributes;
  topic->attributes = bl_table_own(attributes);
  bl_table_disown(before);
  topic->retention = bl_topic_retention_of(topic->attributes);
  topic->batch_cq = bl_topic_is_batch_cq(topic->attributes);
  topic->features = bl_topic_features_of(topic->attributes);
  /* A message that is consumed again comes with the same key. */
  if (bl_topic_is_retry(topic->name) || bl_topic_is_dlq(topic->name)) topic->features.dedup_ms = 0;
  bl_list_remove(&topic->deduped);
  if (topic->features.dedup_ms > 0) bl_list_add_last(&topics->deduped, &topic->deduped);
  bl_list_remove(&topic->expiring);
  if (bl_topic_expires(topic)) bl_list_add_last(&topics->expiring, &topic->expiring);
  bl_list_remove(&topic->moving);
  if (topic->features.ttl_topic.len > 0) bl_list_add_last(&topics->moving, &topic->moving);
  bl_list_remove(&topic->retained);
  if (topic->retention.timed || topic->retention.bytes >= 0)
    bl_list_add_last(&topics->retained, &topic->retained);
}

void bl_topics_fini(struct bl_topics *topics) {
  bl_table_fini(&topics->table);
  free(topics->light);
}

void bl_topics_serve_light(struct bl_topics *topics) {
  if (topics->light == NULL) topics->light = malloc(sizeof(*topics->light));
  BL_ASSERT(topics->light != NULL);
}

/* What a light queue is as a topic, made anew for each that asks. */
static struct bl_topic *light_topic(struct bl_light_topic *light, struct bl_slice name) {
  memcpy(light->name, name.ptr, name.len);
  light->name[name.len] = '\0';
  light->topic = (struct bl_topic){.name = bl_slice_of(light->name, name.len),
                                   .read_queues = 1,
                                   .write_queues = 1,
                                   .perm = BL_PERM_READ | BL_PERM_WRITE,
                                   .attributes = BL_SLICE("{}"),
                                   .retention = {.ms = -1, .bytes = -1}};
  return &light->topic;
}

bool bl_topic_is_light(const struct bl_topics *topics, const struct bl_topic *topic) {
  return topics->light != NULL && topic == &topics->light->topic;
}

struct bl_topic *bl_topics_find(const struct bl_topics *topics, struct bl_slice name) {
  struct bl_topic *topic = bl_map_get(&topics->table.map, name);
  if (topic != NULL || topics->light == NULL || !bl_light_is_name(name)) return topic;
  return light_topic(topics->light, name);
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
  if (!fresh && bl_topic_is_light(topics, topic)) {
    *out_topic = topic;
    *out_changed = false;
    return BL_OK;
  }
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
