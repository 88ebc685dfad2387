/* Topics and their queue data. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "namesrv/internal.h"

#define PURGE_ENTRIES_PER_TURN 256

struct bl_ns_topic *bl_ns_topic_get(const struct bl_namesrv *ns, struct bl_slice name) {
  return bl_map_get(&ns->topics, name);
}

struct bl_ns_topic *bl_ns_topic_take(struct bl_namesrv *ns, struct bl_slice name) {
  struct bl_ns_topic *topic = bl_map_get(&ns->topics, name);
  if (topic != NULL) return topic;
  if (ns->topics.count >= BL_NAMESRV_TOPICS_MAX) return NULL;
  topic = calloc(1, sizeof(*topic));
  BL_ASSERT(topic != NULL);
  topic->name = bl_ns_text_copy(name);
  bl_map_put(&ns->topics, name, topic);
  return topic;
}

struct bl_ns_entry *bl_ns_entry_get(const struct bl_ns_topic *topic,
                                    const struct bl_ns_broker *broker) {
  for (size_t i = 0; i < topic->entry_count; i++) {
    if (topic->entries[i]->broker == broker) return topic->entries[i];
  }
  return NULL;
}

static struct bl_ns_entry *add_entry(struct bl_ns_topic *topic, struct bl_ns_broker *broker) {
  struct bl_ns_entry *entry = calloc(1, sizeof(*entry));
  BL_ASSERT(entry != NULL);
  entry->topic = topic;
  entry->broker = broker;
  entry->place = broker->entry_count;
  broker->entries =
      bl_ns_grow(broker->entries, broker->entry_count, &broker->entry_cap, sizeof(entry));
  broker->entries[broker->entry_count++] = entry;
  topic->entries = bl_ns_grow(topic->entries, topic->entry_count, &topic->entry_cap, sizeof(entry));
  topic->entries[topic->entry_count++] = entry;
  return entry;
}

struct bl_ns_entry *bl_ns_entry_put(struct bl_namesrv *ns, struct bl_ns_topic *topic,
                                    struct bl_ns_broker *broker,
                                    const struct bl_namesrv_topic *data) {
  struct bl_ns_entry *entry = bl_ns_entry_get(topic, broker);
  if (entry == NULL) {
    entry = add_entry(topic, broker);
  } else if (entry->read_queues == data->read_queues && entry->write_queues == data->write_queues &&
             entry->perm == data->perm && entry->sys_flag == data->sys_flag) {
    return entry;
  }
  entry->read_queues = data->read_queues;
  entry->write_queues = data->write_queues;
  entry->perm = data->perm;
  entry->sys_flag = data->sys_flag;
  topic->changed = ++ns->stamp;
  return entry;
}

static void free_topic(struct bl_namesrv *ns, struct bl_ns_topic *topic) {
  bl_ns_cache_drop(ns, topic);
  free(topic->entries);
  bl_ns_text_free(&topic->name);
  free(topic);
}

/* The last of the broker's entries moves into the hole, so a walk from the end down to 0 meets each
 * one once. */
static void leave_broker(struct bl_ns_entry *entry) {
  struct bl_ns_broker *broker = entry->broker;
  struct bl_ns_entry *last = broker->entries[--broker->entry_count];
  BL_ASSERT(broker->entries[entry->place] == entry || last == entry);
  broker->entries[entry->place] = last;
  last->place = entry->place;
}

static void free_mapping(struct bl_ns_mapping *mapping) {
  if (mapping != NULL) bl_ns_text_free(&mapping->scope);
  free(mapping);
}

void bl_ns_entry_drop(struct bl_namesrv *ns, struct bl_ns_entry *entry) {
  struct bl_ns_topic *topic = entry->topic;
  leave_broker(entry);
  size_t at = 0;
  while (topic->entries[at] != entry) at++;
  memmove(&topic->entries[at], &topic->entries[at + 1],
          (topic->entry_count - at - 1) * sizeof(topic->entries[0]));
  topic->entry_count--;
  topic->changed = ++ns->stamp;
  free_mapping(entry->mapping);
  free(entry);
  if (topic->entry_count > 0) return;
  bl_map_remove(&ns->topics, topic->name);
  free_topic(ns, topic);
}

static bool same_mapping(const struct bl_ns_mapping *mapping,
                         const struct bl_namesrv_mapping *info) {
  return mapping->total_queues == info->total_queues && mapping->epoch == info->epoch &&
         mapping->dirty == info->dirty && mapping->id_count == info->id_count &&
         bl_slice_eq(mapping->scope, info->scope) &&
         (info->id_count == 0 ||
          memcmp(mapping->ids, info->ids, info->id_count * sizeof(mapping->ids[0])) == 0);
}

void bl_ns_entry_map(struct bl_namesrv *ns, struct bl_ns_entry *entry,
                     const struct bl_namesrv_mapping *info) {
  if (entry->mapping != NULL && same_mapping(entry->mapping, info)) return;
  struct bl_ns_mapping *mapping =
      calloc(1, sizeof(*mapping) + info->id_count * sizeof(mapping->ids[0]));
  BL_ASSERT(mapping != NULL);
  mapping->scope = bl_ns_text_copy(info->scope);
  mapping->total_queues = info->total_queues;
  mapping->epoch = info->epoch;
  mapping->dirty = info->dirty;
  mapping->id_count = info->id_count;
  if (info->id_count > 0) {
    memcpy(mapping->ids, info->ids, info->id_count * sizeof(mapping->ids[0]));
  }
  free_mapping(entry->mapping);
  entry->mapping = mapping;
  entry->topic->changed = ++ns->stamp;
}

const struct bl_ns_entry *bl_ns_topic_first(const struct bl_ns_topic *topic) {
  for (size_t i = 0; i < topic->entry_count; i++) {
    if (!topic->entries[i]->broker->gone) return topic->entries[i];
  }
  return NULL;
}

int32_t bl_ns_entry_perm(const struct bl_ns_entry *entry) {
  return bl_ns_broker_acts(entry->broker) ? entry->perm & ~BL_NAMESRV_PERM_WRITE : entry->perm;
}

void bl_ns_purge(struct bl_timer *timer, int64_t now_ms) {
  struct bl_namesrv *ns = BL_CONTAINER(timer, struct bl_namesrv, purge_timer);
  size_t left = PURGE_ENTRIES_PER_TURN;
  while (left > 0 && !bl_list_empty(&ns->gone)) {
    struct bl_ns_broker *broker = BL_CONTAINER(ns->gone.next, struct bl_ns_broker, node);
    while (left > 0 && broker->entry_count > 0) {
      bl_ns_entry_drop(ns, broker->entries[broker->entry_count - 1]);
      left--;
    }
    if (broker->entry_count == 0) bl_ns_broker_free(broker);
  }
  if (!bl_list_empty(&ns->gone)) bl_timer_set(ns->deps.timers, timer, now_ms + 1);
}

static void free_brokers(struct bl_namesrv *ns) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&ns->brokers, &cursor)) != NULL) bl_ns_broker_free(entry->value);
  bl_map_fini(&ns->brokers);
  struct bl_list *node;
  while ((node = bl_list_take_first(&ns->gone)) != NULL) {
    bl_ns_broker_free(BL_CONTAINER(node, struct bl_ns_broker, node));
  }
}

void bl_ns_topics_free(struct bl_namesrv *ns) {
  size_t cursor = 0;
  const struct bl_map_entry *map_entry;
  while ((map_entry = bl_map_next(&ns->topics, &cursor)) != NULL) {
    struct bl_ns_topic *topic = map_entry->value;
    for (size_t i = 0; i < topic->entry_count; i++) {
      free_mapping(topic->entries[i]->mapping);
      free(topic->entries[i]);
    }
    free_topic(ns, topic);
  }
  bl_map_fini(&ns->topics);
  free_brokers(ns);
}

void bl_namesrv_delete_topic(struct bl_namesrv *ns, struct bl_slice topic_name,
                             struct bl_slice cluster_name) {
  struct bl_ns_topic *topic = bl_ns_topic_get(ns, topic_name);
  const struct bl_ns_cluster *cluster =
      cluster_name.len > 0 ? bl_map_get(&ns->clusters, cluster_name) : NULL;
  if (topic == NULL || (cluster_name.len > 0 && cluster == NULL)) return;
  for (size_t i = topic->entry_count; i > 0; i--) {
    struct bl_ns_entry *entry = topic->entries[i - 1];
    bool in =
        cluster == NULL || bl_map_get(&cluster->brokers, entry->broker->name) == entry->broker;
    bool last = topic->entry_count == 1;
    if (in) bl_ns_entry_drop(ns, entry);
    if (in && last) return;
  }
}

void bl_namesrv_register_topic(struct bl_namesrv *ns, struct bl_slice topic_name,
                               const struct bl_namesrv_queue_data *queues, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (bl_ns_broker_get(ns, queues[i].broker_name) == NULL) return;
  }
  struct bl_ns_topic *topic = count > 0 ? bl_ns_topic_take(ns, topic_name) : NULL;
  for (size_t i = 0; topic != NULL && i < count; i++) {
    bl_ns_entry_put(ns, topic, bl_ns_broker_get(ns, queues[i].broker_name), &queues[i].data);
  }
}

bool bl_namesrv_change_perm(struct bl_namesrv *ns, struct bl_slice broker_name, bool writable,
                            struct bl_namesrv_perm_walk *walk, size_t topics) {
  struct bl_ns_broker *broker = bl_ns_broker_get(ns, broker_name);
  if (broker == NULL || (walk->begun && walk->serial != broker->serial)) return true;
  if (!walk->begun) {
    *walk = (struct bl_namesrv_perm_walk){
        .serial = broker->serial, .left = broker->entry_count, .begun = true};
  }
  if (walk->left > broker->entry_count) walk->left = broker->entry_count;
  for (; walk->left > 0 && topics > 0; walk->left--, topics--) {
    struct bl_ns_entry *entry = broker->entries[walk->left - 1];
    entry->perm = writable ? BL_NAMESRV_PERM_READ | BL_NAMESRV_PERM_WRITE
                           : entry->perm & ~BL_NAMESRV_PERM_WRITE;
    entry->topic->changed = ++ns->stamp;
    walk->count++;
  }
  return walk->left == 0;
}
