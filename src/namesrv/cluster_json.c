#include "namesrv/cluster_json.h"

#include "namesrv/internal.h"

#define SYS_FLAG_UNIT 1
#define SYS_FLAG_UNIT_SUB 2

enum { CLUSTER_BEGIN, CLUSTER_BROKERS, CLUSTER_NAMES };

static void put_addrs(struct bl_json_writer *w, const struct bl_ns_broker *broker,
                      const struct bl_namesrv_asker *asker) {
  char room[BL_NAMESRV_ADDRESS_BYTES_MAX];
  bl_json_key(w, "brokerAddrs");
  bl_json_open_object(w);
  for (size_t i = 0; broker != NULL && i < broker->addr_count; i++) {
    bl_json_key_number(w, broker->addrs[i].id, false);
    bl_json_put_text(w, bl_ns_addr_for(&broker->addrs[i], asker, room));
  }
  bl_json_close_object(w);
}

static void put_broker(struct bl_json_writer *w, const struct bl_ns_broker *broker,
                       const struct bl_namesrv_asker *asker) {
  bl_json_key_slice(w, broker->name);
  bl_json_open_object(w);
  put_addrs(w, broker, asker);
  bl_json_member_text(w, "brokerName", broker->name);
  bl_json_member_text(w, "cluster", broker->cluster);
  bl_json_member_bool(w, "enableActingMaster", broker->acting_master);
  if (broker->zone.ptr != NULL) bl_json_member_text(w, "zoneName", broker->zone);
  bl_json_close_object(w);
}

static void put_cluster(struct bl_json_writer *w, const struct bl_ns_cluster *cluster) {
  bl_json_key_slice(w, cluster->name);
  bl_json_open_array(w);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&cluster->brokers, &cursor)) != NULL) {
    bl_json_put_text(w, entry->key);
  }
  bl_json_close_array(w);
}

/* false at the end of the table */
static bool step_cluster(struct bl_namesrv *ns, const struct bl_namesrv_asker *asker,
                         struct bl_namesrv_cluster_walk *walk) {
  const struct bl_map *map = walk->phase == CLUSTER_BROKERS ? &ns->brokers : &ns->clusters;
  const struct bl_map_entry *entry = bl_map_next(map, &walk->cursor);
  if (entry == NULL) return false;
  if (walk->phase == CLUSTER_BROKERS) {
    put_broker(&walk->writer, entry->value, asker);
  } else {
    put_cluster(&walk->writer, entry->value);
  }
  return true;
}

bool bl_namesrv_cluster_step(struct bl_namesrv *ns, const struct bl_namesrv_asker *asker,
                             struct bl_namesrv_cluster_walk *walk, size_t brokers,
                             struct bl_buf *out) {
  if (walk->phase == CLUSTER_BEGIN) {
    walk->writer = bl_json_writer_of(out, false);
    bl_json_open_object(&walk->writer);
    bl_json_key(&walk->writer, "brokerAddrTable");
    bl_json_open_object(&walk->writer);
    walk->phase = CLUSTER_BROKERS;
  }
  walk->writer.out = out;
  for (; brokers > 0; brokers--) {
    if (step_cluster(ns, asker, walk)) continue;
    bl_json_close_object(&walk->writer);
    if (walk->phase == CLUSTER_NAMES) {
      bl_json_close_object(&walk->writer);
      return true;
    }
    bl_json_key(&walk->writer, "clusterAddrTable");
    bl_json_open_object(&walk->writer);
    walk->phase = CLUSTER_NAMES;
    walk->cursor = 0;
  }
  return false;
}

static bool topic_in_cluster(const struct bl_ns_topic *topic, const struct bl_ns_cluster *cluster) {
  for (size_t i = 0; cluster != NULL && i < topic->entry_count; i++) {
    const struct bl_ns_broker *broker = topic->entries[i]->broker;
    if (!broker->gone && bl_map_get(&cluster->brokers, broker->name) != NULL) return true;
  }
  return false;
}

static bool passes(const struct bl_namesrv *ns, const struct bl_ns_topic *topic,
                   enum bl_namesrv_topic_filter filter, struct bl_slice cluster) {
  const struct bl_ns_entry *first = bl_ns_topic_first(topic);
  if (first == NULL) return false;
  bool unit = (first->sys_flag & SYS_FLAG_UNIT) != 0;
  bool unit_sub = (first->sys_flag & SYS_FLAG_UNIT_SUB) != 0;
  switch (filter) {
    case BL_NAMESRV_TOPICS_ALL: return true;
    case BL_NAMESRV_TOPICS_OF_CLUSTER:
      return topic_in_cluster(topic, bl_map_get(&ns->clusters, cluster));
    case BL_NAMESRV_TOPICS_UNIT: return unit;
    case BL_NAMESRV_TOPICS_UNIT_SUB: return unit_sub;
    case BL_NAMESRV_TOPICS_UNIT_SUB_UNUNIT: return unit_sub && !unit;
  }
  return false;
}

bool bl_namesrv_topics_step(struct bl_namesrv *ns, enum bl_namesrv_topic_filter filter,
                            struct bl_slice cluster, struct bl_namesrv_topic_walk *walk,
                            size_t topics, struct bl_buf *out) {
  if (!walk->begun) {
    walk->writer = bl_json_writer_of(out, false);
    bl_json_open_object(&walk->writer);
    bl_json_key(&walk->writer, "topicList");
    bl_json_open_array(&walk->writer);
    walk->begun = true;
  }
  walk->writer.out = out;
  for (; topics > 0; topics--) {
    const struct bl_map_entry *entry = bl_map_next(&ns->topics, &walk->cursor);
    if (entry == NULL) {
      bl_json_close_array(&walk->writer);
      bl_json_close_object(&walk->writer);
      return true;
    }
    if (passes(ns, entry->value, filter, cluster)) bl_json_put_text(&walk->writer, entry->key);
  }
  return false;
}

/* Names of clusters, and of brokers that are in none of the clusters before and are not called like
 * a cluster. */
static void put_system_names(struct bl_namesrv *ns, struct bl_json_writer *w) {
  struct bl_map seen;
  bl_map_init(&seen);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&ns->clusters, &cursor)) != NULL) {
    const struct bl_ns_cluster *cluster = entry->value;
    if (bl_map_put(&seen, cluster->name, ns) == NULL) bl_json_put_text(w, cluster->name);
    size_t inner = 0;
    const struct bl_map_entry *broker;
    while ((broker = bl_map_next(&cluster->brokers, &inner)) != NULL) {
      if (bl_map_put(&seen, broker->key, ns) == NULL) bl_json_put_text(w, broker->key);
    }
  }
  bl_map_fini(&seen);
}

void bl_namesrv_system_topics(struct bl_namesrv *ns, const struct bl_namesrv_asker *asker,
                              struct bl_buf *out) {
  char room[BL_NAMESRV_ADDRESS_BYTES_MAX];
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&ns->brokers, &cursor)) != NULL) {
    const struct bl_ns_broker *broker = entry->value;
    if (broker->addr_count == 0) continue;
    bl_json_member_text(&w, "brokerAddr", bl_ns_addr_for(&broker->addrs[0], asker, room));
    break;
  }
  bl_json_key(&w, "topicList");
  bl_json_open_array(&w);
  put_system_names(ns, &w);
  bl_json_close_array(&w);
  bl_json_close_object(&w);
}

void bl_namesrv_members(struct bl_namesrv *ns, const struct bl_namesrv_asker *asker,
                        struct bl_slice cluster, struct bl_slice broker_name, struct bl_buf *out) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_key(&w, "brokerMemberGroup");
  bl_json_open_object(&w);
  put_addrs(&w, bl_ns_broker_get(ns, broker_name), asker);
  bl_json_member_text(&w, "brokerName", broker_name);
  bl_json_member_text(&w, "cluster", cluster);
  bl_json_close_object(&w);
  bl_json_close_object(&w);
}
