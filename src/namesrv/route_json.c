#include "namesrv/route_json.h"

#include <strings.h>

#include "base/json.h"
#include "namesrv/internal.h"

/* TopicValidator.SYNC_BROKER_MEMBER_GROUP_PREFIX */
#define MEMBER_TOPIC_PREFIX "rmq_sys_SYNC_BROKER_MEMBER_"

struct route {
  struct bl_namesrv *ns;
  const struct bl_ns_topic *topic;
  const struct bl_namesrv_asker *asker;
  struct bl_slice zone;
  bool standard;
  bool acting; /* acting masters are shown as masters */
};

static bool acts_in(const struct route *route, const struct bl_ns_broker *broker) {
  return route->acting && bl_ns_broker_acts(broker);
}

/* Without a master its slaves are of use to everybody. */
static bool in_zone(const struct route *route, const struct bl_ns_broker *broker) {
  if (route->zone.ptr == NULL) return true;
  bool master = bl_ns_broker_addr(broker, BL_NAMESRV_MASTER_ID) != NULL || acts_in(route, broker);
  return !master || (broker->zone.len == route->zone.len && broker->zone.ptr != NULL &&
                     strncasecmp(broker->zone.ptr, route->zone.ptr, route->zone.len) == 0);
}

static bool shows(const struct route *route, const struct bl_ns_entry *entry) {
  return !entry->broker->gone && in_zone(route, entry->broker);
}

static void put_addrs(struct bl_json_writer *w, const struct route *route,
                      const struct bl_ns_broker *broker) {
  char room[BL_NAMESRV_ADDRESS_BYTES_MAX];
  bool acting = acts_in(route, broker);
  bl_json_key(w, "brokerAddrs");
  bl_json_open_object(w);
  for (size_t i = 0; i < broker->addr_count; i++) {
    const struct bl_ns_addr *addr = &broker->addrs[i];
    bl_json_key_number(w, acting && i == 0 ? BL_NAMESRV_MASTER_ID : addr->id, route->standard);
    bl_json_put_text(w, bl_ns_addr_for(addr, route->asker, room));
  }
  bl_json_close_object(w);
}

static void put_brokers(struct bl_json_writer *w, const struct route *route) {
  bl_json_key(w, "brokerDatas");
  bl_json_open_array(w);
  for (size_t i = 0; i < route->topic->entry_count; i++) {
    const struct bl_ns_entry *entry = route->topic->entries[i];
    if (!shows(route, entry)) continue;
    bl_json_open_object(w);
    put_addrs(w, route, entry->broker);
    bl_json_member_text(w, "brokerName", entry->broker->name);
    bl_json_member_text(w, "cluster", entry->broker->cluster);
    bl_json_member_bool(w, "enableActingMaster", entry->broker->acting_master);
    if (entry->broker->zone.ptr != NULL) bl_json_member_text(w, "zoneName", entry->broker->zone);
    bl_json_close_object(w);
  }
  bl_json_close_array(w);
}

static void put_filters_of(struct bl_json_writer *w, const struct route *route,
                           const struct bl_ns_broker *broker) {
  char room[BL_NAMESRV_ADDRESS_BYTES_MAX];
  for (size_t i = 0; i < broker->addr_count; i++) {
    const struct bl_ns_live *live =
        bl_ns_live_get(route->ns, broker->cluster, broker->addrs[i].text);
    if (live == NULL || live->filter_server_count == 0) continue;
    bl_json_key_slice(w, bl_ns_addr_for(&broker->addrs[i], route->asker, room));
    bl_json_open_array(w);
    for (size_t j = 0; j < live->filter_server_count; j++) {
      bl_json_put_text(w, live->filter_servers[j]);
    }
    bl_json_close_array(w);
  }
}

static void put_filters(struct bl_json_writer *w, const struct route *route) {
  bl_json_key(w, "filterServerTable");
  bl_json_open_object(w);
  for (size_t i = 0; route->ns->filter_lives > 0 && i < route->topic->entry_count; i++) {
    const struct bl_ns_entry *entry = route->topic->entries[i];
    if (shows(route, entry)) put_filters_of(w, route, entry->broker);
  }
  bl_json_close_object(w);
}

static void put_queues(struct bl_json_writer *w, const struct route *route) {
  bl_json_key(w, "queueDatas");
  bl_json_open_array(w);
  for (size_t i = 0; i < route->topic->entry_count; i++) {
    const struct bl_ns_entry *entry = route->topic->entries[i];
    if (!shows(route, entry)) continue;
    bl_json_open_object(w);
    bl_json_member_text(w, "brokerName", entry->broker->name);
    bl_json_member_i64(w, "perm", bl_ns_entry_perm(entry));
    bl_json_member_i64(w, "readQueueNums", entry->read_queues);
    bl_json_member_i64(w, "topicSysFlag", entry->sys_flag);
    bl_json_member_i64(w, "writeQueueNums", entry->write_queues);
    bl_json_close_object(w);
  }
  bl_json_close_array(w);
}

static void put_mapping(struct bl_json_writer *w, const struct route *route,
                        const struct bl_ns_entry *entry) {
  const struct bl_ns_mapping *mapping = entry->mapping;
  bl_json_key_slice(w, entry->broker->name);
  bl_json_open_object(w);
  bl_json_member_text(w, "bname", entry->broker->name);
  bl_json_key(w, "currIdMap");
  bl_json_open_object(w);
  for (size_t i = 0; i < mapping->id_count; i++) {
    bl_json_key_number(w, mapping->ids[i][0], route->standard);
    bl_json_put_i64(w, mapping->ids[i][1]);
  }
  bl_json_close_object(w);
  bl_json_member_bool(w, "dirty", mapping->dirty);
  bl_json_member_i64(w, "epoch", mapping->epoch);
  if (mapping->scope.ptr != NULL) bl_json_member_text(w, "scope", mapping->scope);
  bl_json_member_text(w, "topic", route->topic->name);
  bl_json_member_i64(w, "totalQueues", mapping->total_queues);
  bl_json_close_object(w);
}

static void put_mappings(struct bl_json_writer *w, const struct route *route) {
  bool any = false;
  for (size_t i = 0; i < route->topic->entry_count; i++) {
    const struct bl_ns_entry *entry = route->topic->entries[i];
    if (entry->broker->gone || entry->mapping == NULL) continue;
    if (!any) {
      bl_json_key(w, "topicQueueMappingByBroker");
      bl_json_open_object(w);
    }
    any = true;
    put_mapping(w, route, entry);
  }
  if (any) bl_json_close_object(w);
}

static void put_route(const struct route *route, struct bl_buf *out) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  w.ascii = route->standard;
  bl_json_open_object(&w);
  put_brokers(&w, route);
  put_filters(&w, route);
  struct bl_slice order = bl_slice_text(NULL);
  if (route->ns->settings->order_message_enable) {
    order = bl_namesrv_kv_get(route->ns, BL_SLICE(BL_NAMESRV_ORDER_NAMESPACE), route->topic->name);
  }
  if (order.ptr != NULL) bl_json_member_text(&w, "orderTopicConf", order);
  put_queues(&w, route);
  put_mappings(&w, route);
  bl_json_close_object(&w);
}

/* The newest of all changes that the route shows. */
static uint64_t stamp_of(const struct route *route) {
  uint64_t stamp = route->topic->changed;
  if (route->ns->settings_stamp > stamp) stamp = route->ns->settings_stamp;
  for (size_t i = 0; i < route->topic->entry_count; i++) {
    uint64_t changed = route->topic->entries[i]->broker->changed;
    if (changed > stamp) stamp = changed;
  }
  return stamp;
}

/* Appends the addresses of this process's brokers as this asker gets them. */
static void put_local_addrs(const struct route *route, struct bl_buf *out) {
  char room[BL_NAMESRV_ADDRESS_BYTES_MAX];
  for (size_t i = 0; i < route->topic->entry_count; i++) {
    const struct bl_ns_broker *broker = route->topic->entries[i]->broker;
    for (size_t j = 0; !broker->gone && j < broker->addr_count; j++) {
      if (broker->addrs[j].address_for == NULL) continue;
      bl_buf_put_slice(out, bl_ns_addr_for(&broker->addrs[j], route->asker, room));
      bl_buf_put_char(out, '\n');
    }
  }
}

void bl_ns_cache_drop(struct bl_namesrv *ns, struct bl_ns_topic *topic) {
  for (size_t i = 0; i < 2; i++) {
    bl_buf_fini(&topic->cached[i].json);
    bl_ns_text_free(&topic->cached[i].local_addrs);
    topic->cached[i].stamp = 0;
  }
  ns->cache_bytes -= topic->cached_bytes;
  topic->cached_bytes = 0;
  bl_list_remove(&topic->cache_node);
}

/* Counts what the topic holds now and makes room by dropping what was not asked for longest. */
static void account(struct bl_namesrv *ns, struct bl_ns_topic *topic) {
  ns->cache_bytes -= topic->cached_bytes;
  topic->cached_bytes = topic->cached[0].json.cap + topic->cached[1].json.cap;
  ns->cache_bytes += topic->cached_bytes;
  bl_list_remove(&topic->cache_node);
  bl_list_add_last(&ns->cache, &topic->cache_node);
  while (ns->cache_bytes > BL_NAMESRV_ROUTE_CACHE_BYTES_MAX &&
         ns->cache.next != &topic->cache_node) {
    bl_ns_cache_drop(ns, BL_CONTAINER(ns->cache.next, struct bl_ns_topic, cache_node));
  }
}

struct bl_slice bl_namesrv_route(struct bl_namesrv *ns, struct bl_slice topic_name,
                                 enum bl_namesrv_dialect dialect,
                                 const struct bl_namesrv_asker *asker, struct bl_slice zone) {
  struct bl_ns_topic *topic = bl_ns_topic_get(ns, topic_name);
  if (topic == NULL || bl_ns_topic_first(topic) == NULL) return bl_slice_text(NULL);
  bool standard = dialect == BL_NAMESRV_DIALECT_STANDARD;
  struct route route = {ns, topic, asker, zone, standard, false};
  route.acting = ns->settings->support_acting_master &&
                 !bl_slice_starts(topic->name, BL_SLICE(MEMBER_TOPIC_PREFIX));
  bl_buf_clear(&ns->scratch);
  if (zone.ptr != NULL) {
    put_route(&route, &ns->scratch);
    return bl_buf_slice(&ns->scratch);
  }
  put_local_addrs(&route, &ns->scratch);
  struct bl_slice locals = bl_buf_slice(&ns->scratch);
  struct bl_ns_cached *cached = &topic->cached[standard];
  uint64_t stamp = stamp_of(&route);
  if (cached->stamp != stamp || !bl_slice_eq(cached->local_addrs, locals)) {
    bl_ns_text_set(&cached->local_addrs, locals);
    bl_buf_clear(&cached->json);
    put_route(&route, &cached->json);
    cached->stamp = stamp;
    account(ns, topic);
  }
  return bl_buf_slice(&cached->json);
}
