#include "broker/assign/modes.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/table.h"
#include "broker/topic/topics.h"

#define MEMBER "messageRequestModeMap"
#define TOPICS_PER_STEP 64

struct topic_modes {
  struct bl_slice topic; /* HELD */
  struct bl_map groups;  /* group -> struct bl_request_mode */
};

void bl_request_modes_init(struct bl_request_modes *modes) {
  bl_map_init(&modes->topics);
  modes->count = 0;
}

static void free_topic(struct topic_modes *topic) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&topic->groups, &cursor)) != NULL) {
    struct bl_request_mode *mode = entry->value;
    bl_table_disown(mode->topic);
    bl_table_disown(mode->group);
    free(mode);
  }
  bl_map_fini(&topic->groups);
  bl_table_disown(topic->topic);
  free(topic);
}

void bl_request_modes_fini(struct bl_request_modes *modes) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&modes->topics, &cursor)) != NULL) free_topic(entry->value);
  bl_map_fini(&modes->topics);
  modes->count = 0;
}

static struct bl_request_mode *find(const struct bl_request_modes *modes, struct bl_slice topic,
                                    struct bl_slice group) {
  const struct topic_modes *of = bl_map_get(&modes->topics, topic);
  return of != NULL ? bl_map_get(&of->groups, group) : NULL;
}

const struct bl_request_mode *bl_request_modes_find(const struct bl_request_modes *modes,
                                                    struct bl_slice topic, struct bl_slice group) {
  return find(modes, topic, group);
}

static struct topic_modes *open_topic(struct bl_request_modes *modes, struct bl_slice name) {
  struct topic_modes *topic = bl_map_get(&modes->topics, name);
  if (topic != NULL) return topic;
  topic = calloc(1, sizeof(*topic));
  BL_ASSERT(topic != NULL);
  topic->topic = bl_table_own(name);
  bl_map_init(&topic->groups);
  bl_map_put(&modes->topics, topic->topic, topic);
  return topic;
}

bl_err bl_request_modes_put(struct bl_request_modes *modes, const struct bl_request_mode *like) {
  struct bl_request_mode *mode = find(modes, like->topic, like->group);
  if (mode == NULL) {
    if (modes->count >= BL_REQUEST_MODES_MAX) return BL_ERR_FULL;
    mode = calloc(1, sizeof(*mode));
    BL_ASSERT(mode != NULL);
    mode->topic = bl_table_own(like->topic);
    mode->group = bl_table_own(like->group);
    bl_map_put(&open_topic(modes, like->topic)->groups, mode->group, mode);
    modes->count++;
  }
  mode->pop = like->pop;
  mode->pop_share_queues = like->pop_share_queues;
  return BL_OK;
}

void bl_request_mode_write(struct bl_json_writer *w, const struct bl_request_mode *mode) {
  bl_json_open_object(w);
  bl_json_member_text(w, "consumerGroup", mode->group);
  bl_json_member_text(w, "mode", mode->pop ? BL_SLICE("POP") : BL_SLICE("PULL"));
  bl_json_member_i64(w, "popShareQueueNum", mode->pop_share_queues);
  bl_json_member_text(w, "topic", mode->topic);
  bl_json_close_object(w);
}

static struct bl_request_mode read_mode(const struct bl_json *json, struct bl_slice topic,
                                        struct bl_slice group) {
  return (struct bl_request_mode){
      .topic = topic,
      .group = group,
      .pop = bl_slice_is(bl_json_text(bl_json_get(json, "mode")), "POP"),
      .pop_share_queues = bl_json_i32(bl_json_get(json, "popShareQueueNum"), 0)};
}

static bool may_be(struct bl_slice topic, struct bl_slice group) {
  return topic.len > 0 && topic.len <= BL_TOPIC_SPECIAL_BYTES_MAX && group.len > 0 &&
         group.len <= BL_TOPIC_SPECIAL_BYTES_MAX;
}

void bl_request_modes_apply(void *context, struct bl_slice name, const struct bl_json *json,
                            int64_t log_offset) {
  struct bl_slice group = name;
  struct bl_slice topic = bl_slice_cut(&group, '@');
  (void)log_offset;
  /* Nothing takes one away. */
  if (json == NULL || !may_be(topic, group)) return;
  struct bl_request_mode mode = read_mode(json, topic, group);
  /* Over the limit it was not put before, either. */
  bl_err err = bl_request_modes_put(context, &mode);
  (void)err;
}

bl_err bl_request_modes_replace(void *context, const struct bl_json *root, struct bl_why *why) {
  struct bl_request_modes *modes = context;
  const struct bl_json *map = bl_json_get(root, MEMBER);
  if (root != NULL && (map == NULL || map->kind != BL_JSON_OBJECT)) {
    return bl_why_set(why, BL_ERR_FORMAT, "it has no object " MEMBER);
  }
  bl_request_modes_fini(modes);
  bl_request_modes_init(modes);
  for (const struct bl_json *topic = map != NULL ? map->child : NULL; topic != NULL;
       topic = topic->next) {
    for (const struct bl_json *group = topic->child; group != NULL; group = group->next) {
      if (group->kind != BL_JSON_OBJECT || !may_be(topic->key, group->key)) continue;
      struct bl_request_mode mode = read_mode(group, topic->key, group->key);
      bl_err err = bl_request_modes_put(modes, &mode);
      if (err != BL_OK) break; /* no broker has so many */
    }
  }
  return BL_OK;
}

static void write_topic(struct bl_json_writer *w, const struct topic_modes *topic) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  bl_json_key_slice(w, topic->topic);
  bl_json_open_object(w);
  while ((entry = bl_map_next(&topic->groups, &cursor)) != NULL) {
    bl_json_key_slice(w, entry->key);
    bl_request_mode_write(w, entry->value);
  }
  bl_json_close_object(w);
}

static void open_table(struct bl_json_writer *w) {
  bl_json_open_object(w);
  bl_json_key(w, MEMBER);
  bl_json_open_object(w);
}

struct writing {
  struct bl_json_writer w;
  size_t cursor;
};

bool bl_request_modes_write_step(void *context, struct bl_buf *out, void **progress) {
  const struct bl_request_modes *modes = context;
  struct writing *writing = *progress;
  if (writing == NULL) {
    writing = calloc(1, sizeof(*writing));
    BL_ASSERT(writing != NULL);
    writing->w = bl_json_writer_of(out, true);
    open_table(&writing->w);
    *progress = writing;
  }
  writing->w.out = out;
  for (int i = 0; i < TOPICS_PER_STEP; i++) {
    const struct bl_map_entry *entry = bl_map_next(&modes->topics, &writing->cursor);
    if (entry == NULL) {
      bl_json_close_object(&writing->w);
      bl_json_close_object(&writing->w);
      free(writing);
      *progress = NULL;
      return false;
    }
    write_topic(&writing->w, entry->value);
  }
  return true;
}

void bl_request_modes_write(const struct bl_request_modes *modes, struct bl_json_writer *w) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  open_table(w);
  while ((entry = bl_map_next(&modes->topics, &cursor)) != NULL) write_topic(w, entry->value);
  bl_json_close_object(w);
  bl_json_close_object(w);
}
