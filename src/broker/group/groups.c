#include "broker/group/groups.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/topic/topics.h"
#include "store/entry.h"

#define GROUPS_MAX 1000000

struct bl_light_group {
  struct bl_group group;
  char name[BL_GROUP_BYTES_MAX + 1];
};

static void drop_texts(struct bl_group *group) {
  bl_table_disown(group->retry_policy);
  bl_table_disown(group->subscriptions);
  bl_table_disown(group->attributes);
}

static void free_group(void *value) {
  struct bl_group *group = value;
  bl_table_disown(group->name);
  drop_texts(group);
  free(group);
}

static void write_group(struct bl_json_writer *w, const void *value) {
  bl_group_write(w, value);
}

void bl_groups_init(struct bl_groups *groups, const struct bl_clock *clock) {
  memset(groups, 0, sizeof(*groups));
  bl_map_init(&groups->table.map);
  groups->table.member = "subscriptionGroupTable";
  groups->table.empty_member = "forbiddenTable";
  groups->table.free_value = free_group;
  groups->table.write_value = write_group;
  groups->table.version.timestamp_ms = bl_clock_wall_ms(clock);
  groups->clock = clock;
  groups->limit = GROUPS_MAX;
}

void bl_groups_fini(struct bl_groups *groups) {
  bl_table_fini(&groups->table);
  free(groups->light);
}

void bl_groups_serve_light(struct bl_groups *groups) {
  if (groups->light == NULL) groups->light = malloc(sizeof(*groups->light));
  BL_ASSERT(groups->light != NULL);
}

static struct bl_group *light_group(struct bl_light_group *light, struct bl_slice name) {
  memcpy(light->name, name.ptr, name.len);
  light->name[name.len] = '\0';
  bl_group_default(&light->group, bl_slice_of(light->name, name.len));
  return &light->group;
}

struct bl_group *bl_groups_find(const struct bl_groups *groups, struct bl_slice name) {
  struct bl_group *group = bl_map_get(&groups->table.map, name);
  if (group != NULL || groups->light == NULL || name.len > BL_GROUP_BYTES_MAX ||
      !bl_light_is_name(name))
    return group;
  return light_group(groups->light, name);
}

void bl_group_default(struct bl_group *out_group, struct bl_slice name) {
  *out_group = (struct bl_group){.name = name,
                                 .consume_enable = true,
                                 .consume_from_min_enable = true,
                                 .consume_broadcast_enable = true,
                                 .notify_ids_changed = true,
                                 .retry_queues = 1,
                                 .retry_max_times = 16,
                                 .slow_broker_id = 1,
                                 .consume_timeout_minutes = 15};
}

static struct bl_slice own_or_absent(struct bl_slice text) {
  return text.ptr != NULL ? bl_table_own(text) : text;
}

bl_err bl_groups_put(struct bl_groups *groups, const struct bl_group *like,
                     struct bl_group **out_group) {
  struct bl_group *group = bl_groups_find(groups, like->name);
  if (group != NULL && groups->light != NULL && group == &groups->light->group) {
    *out_group = group;
    return BL_OK;
  }
  if (group == NULL) {
    if ((int64_t)groups->table.map.count >= groups->limit) return BL_ERR_FULL;
    group = calloc(1, sizeof(*group));
    BL_ASSERT(group != NULL);
    group->name = bl_table_own(like->name);
    bl_map_put(&groups->table.map, group->name, group);
  }
  struct bl_group before = *group;
  *group = *like;
  group->name = before.name;
  group->retry_policy = own_or_absent(like->retry_policy);
  group->subscriptions = own_or_absent(like->subscriptions);
  group->attributes = own_or_absent(like->attributes);
  drop_texts(&before);
  bl_version_next(&groups->table.version, bl_clock_wall_ms(groups->clock));
  *out_group = group;
  return BL_OK;
}

bool bl_groups_remove(struct bl_groups *groups, struct bl_slice name) {
  struct bl_group *group = bl_map_remove(&groups->table.map, name);
  if (group == NULL) return false;
  free_group(group);
  bl_version_next(&groups->table.version, bl_clock_wall_ms(groups->clock));
  return true;
}

bl_err bl_group_name_check(struct bl_slice name, struct bl_why *why) {
  if (name.len == 0) return bl_why_set(why, BL_ERR_PARAMETER, "the specified group is blank");
  int shown = (int)(name.len < 200 ? name.len : 200);
  if (name.len > BL_GROUP_BYTES_MAX) {
    return bl_why_set(why, BL_ERR_PARAMETER,
                      "the specified group[%.*s] is longer than group max length: %d", shown,
                      name.ptr, BL_GROUP_BYTES_MAX);
  }
  if (!bl_name_is_valid(name)) {
    return bl_why_set(why, BL_ERR_PARAMETER,
                      "the specified group[%.*s] contains illegal characters, allowing only "
                      "^[%%|a-zA-Z0-9_-]+$",
                      shown, name.ptr);
  }
  return BL_OK;
}

/* Source: apache/rocketmq common MixAll.isSysConsumerGroup, SubscriptionGroupManager#init. */
bool bl_group_is_system(struct bl_slice name) {
  static const char *const names[] = {
      "TOOLS_CONSUMER",        "SCHEDULE_CONSUMER", "FILTERSRV_CONSUMER",
      "__MONITOR_CONSUMER",    "SELF_TEST_C_GROUP", "CID_ONS-HTTP-PROXY",
      "CID_ONSAPI_PERMISSION", "CID_ONSAPI_OWNER",  "CID_ONSAPI_PULL"};
  if (bl_slice_starts(name, BL_SLICE("CID_RMQ_SYS_"))) return true;
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (bl_slice_is(name, names[i])) return true;
  }
  return false;
}

void bl_groups_apply(void *context, struct bl_slice name, const struct bl_json *json,
                     int64_t log_offset) {
  struct bl_groups *groups = context;
  (void)log_offset;
  if (json == NULL) {
    bl_groups_remove(groups, name);
    return;
  }
  struct bl_arena arena;
  struct bl_group like;
  struct bl_group *group;
  bl_arena_init(&arena);
  if (bl_group_read(json, name, &arena, &like) == BL_OK) {
    bl_err err = bl_groups_put(groups, &like, &group);
    (void)err;
  }
  bl_arena_fini(&arena);
}

bl_err bl_groups_replace(void *context, const struct bl_json *root, struct bl_why *why) {
  struct bl_groups *groups = context;
  const struct bl_json *table = bl_json_get(root, "subscriptionGroupTable");
  if (root != NULL && (table == NULL || table->kind != BL_JSON_OBJECT)) {
    return bl_why_set(why, BL_ERR_FORMAT, "it has no object subscriptionGroupTable");
  }
  bl_table_clear(&groups->table);
  if (root == NULL) return BL_OK;
  struct bl_arena arena;
  bl_arena_init(&arena);
  for (const struct bl_json *node = table->child; node != NULL; node = node->next) {
    struct bl_group like;
    struct bl_group *group;
    bl_arena_reset(&arena);
    if (bl_group_read(node, node->key, &arena, &like) != BL_OK) continue;
    if (bl_groups_put(groups, &like, &group) != BL_OK) break;
  }
  bl_arena_fini(&arena);
  bl_version_read(bl_json_get(root, "dataVersion"), &groups->table.version);
  return BL_OK;
}

bool bl_groups_write_step(void *context, struct bl_buf *out, void **progress) {
  return bl_table_write_step(&((struct bl_groups *)context)->table, out, progress);
}
