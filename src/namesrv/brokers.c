/* Broker sets, their addresses, and the clusters they are in. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "namesrv/internal.h"

struct bl_ns_broker *bl_ns_broker_get(const struct bl_namesrv *ns, struct bl_slice name) {
  return bl_map_get(&ns->brokers, name);
}

struct bl_ns_broker *bl_ns_broker_add(struct bl_namesrv *ns, struct bl_slice name,
                                      struct bl_slice cluster) {
  struct bl_ns_broker *broker = calloc(1, sizeof(*broker));
  BL_ASSERT(broker != NULL);
  broker->name = bl_ns_text_copy(name);
  broker->cluster = bl_ns_text_copy(cluster);
  broker->serial = ++ns->next_serial;
  broker->changed = ++ns->stamp;
  void *before = bl_map_put(&ns->brokers, name, broker);
  BL_ASSERT(before == NULL);
  return broker;
}

void bl_ns_broker_touch(struct bl_namesrv *ns, struct bl_ns_broker *broker) {
  broker->changed = ++ns->stamp;
}

static void leave_clusters(struct bl_namesrv *ns, const struct bl_ns_broker *broker) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&ns->clusters, &cursor)) != NULL) {
    struct bl_ns_cluster *cluster = entry->value;
    bl_map_remove(&cluster->brokers, broker->name);
    if (cluster->brokers.count > 0) continue;
    bl_map_remove(&ns->clusters, cluster->name);
    bl_map_fini(&cluster->brokers);
    bl_ns_text_free(&cluster->name);
    free(cluster);
  }
}

void bl_ns_broker_leave(struct bl_namesrv *ns, struct bl_ns_broker *broker) {
  bl_map_remove(&ns->brokers, broker->name);
  leave_clusters(ns, broker);
  broker->gone = true;
  bl_ns_broker_touch(ns, broker);
  bl_list_add_last(&ns->gone, &broker->node);
  if (ns->purge_timer.place == 0) {
    bl_timer_set(ns->deps.timers, &ns->purge_timer, bl_clock_mono_ms(ns->deps.clock));
  }
}

void bl_ns_broker_free(struct bl_ns_broker *broker) {
  bl_list_remove(&broker->node);
  for (size_t i = 0; i < broker->addr_count; i++) bl_ns_text_free(&broker->addrs[i].text);
  free(broker->addrs);
  free(broker->entries);
  bl_ns_text_free(&broker->name);
  bl_ns_text_free(&broker->cluster);
  bl_ns_text_free(&broker->zone);
  free(broker);
}

struct bl_ns_addr *bl_ns_broker_addr(const struct bl_ns_broker *broker, int64_t id) {
  for (size_t i = 0; i < broker->addr_count; i++) {
    if (broker->addrs[i].id == id) return &broker->addrs[i];
  }
  return NULL;
}

struct bl_ns_addr *bl_ns_broker_put_addr(struct bl_ns_broker *broker, int64_t id,
                                         struct bl_slice text) {
  struct bl_ns_addr *addr = bl_ns_broker_addr(broker, id);
  if (addr != NULL) {
    bl_ns_text_set(&addr->text, text);
    return addr;
  }
  broker->addrs =
      bl_ns_grow(broker->addrs, broker->addr_count, &broker->addr_cap, sizeof(*broker->addrs));
  size_t at = broker->addr_count++;
  while (at > 0 && broker->addrs[at - 1].id > id) {
    broker->addrs[at] = broker->addrs[at - 1];
    at--;
  }
  broker->addrs[at] = (struct bl_ns_addr){.id = id, .text = bl_ns_text_copy(text)};
  return &broker->addrs[at];
}

bool bl_ns_broker_drop_addr(struct bl_ns_broker *broker, struct bl_slice text, bool all,
                            int64_t except_id) {
  size_t kept = 0;
  for (size_t i = 0; i < broker->addr_count; i++) {
    struct bl_ns_addr *addr = &broker->addrs[i];
    if (bl_slice_eq(addr->text, text) && (all || addr->id != except_id)) {
      bl_ns_text_free(&addr->text);
    } else {
      broker->addrs[kept++] = *addr;
    }
  }
  bool dropped = kept < broker->addr_count;
  broker->addr_count = kept;
  return dropped;
}

bool bl_ns_broker_acts(const struct bl_ns_broker *broker) {
  return broker->acting_master && broker->addr_count > 0 &&
         broker->addrs[0].id > BL_NAMESRV_MASTER_ID;
}

void bl_ns_cluster_add(struct bl_namesrv *ns, struct bl_slice name, struct bl_ns_broker *broker) {
  struct bl_ns_cluster *cluster = bl_map_get(&ns->clusters, name);
  if (cluster == NULL) {
    cluster = calloc(1, sizeof(*cluster));
    BL_ASSERT(cluster != NULL);
    cluster->name = bl_ns_text_copy(name);
    bl_map_init(&cluster->brokers);
    bl_map_put(&ns->clusters, name, cluster);
  }
  bl_map_put(&cluster->brokers, broker->name, broker);
}

void bl_ns_clusters_free(struct bl_namesrv *ns) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&ns->clusters, &cursor)) != NULL) {
    struct bl_ns_cluster *cluster = entry->value;
    bl_map_fini(&cluster->brokers);
    bl_ns_text_free(&cluster->name);
    free(cluster);
  }
  bl_map_fini(&ns->clusters);
}

struct bl_slice bl_ns_addr_for(const struct bl_ns_addr *addr, const struct bl_namesrv_asker *asker,
                               char room[BL_NAMESRV_ADDRESS_BYTES_MAX]) {
  if (addr->address_for == NULL || asker == NULL || asker->local == NULL || asker->peer == NULL) {
    return addr->text;
  }
  room[0] = '\0';
  addr->address_for(addr->address_context, asker->local, asker->peer, room);
  struct bl_slice text = bl_slice_of(room, strnlen(room, BL_NAMESRV_ADDRESS_BYTES_MAX - 1));
  return text.len > 0 ? text : addr->text;
}
