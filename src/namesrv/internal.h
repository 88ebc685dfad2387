/* The tables behind the name server. Only for files in this folder. */
#ifndef BOLIDE_NAMESRV_INTERNAL_H
#define BOLIDE_NAMESRV_INTERNAL_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "namesrv/kv.h"
#include "namesrv/namesrv.h"
#include "namesrv/routes.h"

#define BL_NAMESRV_PERM_READ 4
#define BL_NAMESRV_PERM_WRITE 2
#define BL_NAMESRV_MASTER_ID 0

/* One address of a broker set. */
struct bl_ns_addr {
  int64_t id;
  struct bl_slice text; /* owned */
  bl_namesrv_address_for *address_for;
  void *address_context;
};

/* All brokers of one name. */
struct bl_ns_broker {
  struct bl_slice name, cluster, zone; /* owned */
  uint64_t serial;
  uint64_t changed; /* stamp of the last change that a route shows */
  bool acting_master;
  bool gone;                /* out of every table but its topics', where it is not looked at */
  struct bl_ns_addr *addrs; /* by id */
  size_t addr_count, addr_cap;
  struct bl_ns_entry **entries; /* its queue data, in no order */
  size_t entry_count, entry_cap;
  struct bl_list node; /* of ns->gone */
};

struct bl_ns_mapping {
  struct bl_slice scope; /* owned */
  int32_t total_queues;
  int64_t epoch;
  bool dirty;
  size_t id_count;
  int32_t ids[][2];
};

/* Queue data of one topic on one broker. */
struct bl_ns_entry {
  struct bl_ns_topic *topic;
  struct bl_ns_broker *broker;
  size_t place; /* in broker->entries */
  struct bl_ns_mapping *mapping;
  int32_t read_queues, write_queues, perm, sys_flag;
};

/* A route as it was last written, valid while its stamp and the addresses of local brokers in it
 * are. */
struct bl_ns_cached {
  struct bl_buf json;
  struct bl_slice local_addrs; /* owned */
  uint64_t stamp;
};

struct bl_ns_topic {
  struct bl_slice name; /* owned */
  uint64_t changed;
  struct bl_ns_entry **entries;
  size_t entry_count, entry_cap;
  struct bl_ns_cached cached[2]; /* by dialect */
  size_t cached_bytes;
  struct bl_list cache_node;
};

/* An address that registered. */
struct bl_ns_live {
  struct bl_slice cluster, addr, broker_name, ha_addr; /* owned */
  struct bl_slice *filter_servers;
  size_t filter_server_count;
  struct bl_namesrv_version version;
  bool has_version; /* false until its first registration is done */
  int64_t seen_ms, timeout_ms;
  uint64_t conn_id;
  struct bl_list conn_node; /* of its struct bl_ns_conn */
};

struct bl_ns_conn {
  struct bl_list lives;
};

struct bl_ns_cluster {
  struct bl_slice name;  /* owned */
  struct bl_map brokers; /* name -> struct bl_ns_broker, not owned */
};

struct bl_namesrv {
  struct bl_namesrv_deps deps;
  struct bl_namesrv_settings *settings;
  int64_t started_ms;
  uint64_t stamp;          /* grows with every change */
  uint64_t settings_stamp; /* of the last change of settings or values, which any route may show */
  uint64_t next_serial;
  struct bl_map topics;
  struct bl_map brokers;
  struct bl_map clusters;
  struct bl_map lives; /* key: cluster, NUL, address */
  struct bl_map conns; /* key: the 8 bytes of the id */
  struct bl_list gone;
  struct bl_timer purge_timer;
  struct bl_timer scan_timer;
  int64_t last_scan_ms;
  struct bl_list cache; /* topics with cached routes, the one used last at the end */
  size_t cache_bytes;
  size_t filter_lives; /* lives with filter servers */
  struct bl_buf scratch;
  struct bl_ns_kv *kv;
  struct bl_namesrv_stats stats;
};

/* text.c: owned copies; an absent slice stays absent. */
struct bl_slice bl_ns_text_copy(struct bl_slice text);
void bl_ns_text_free(struct bl_slice *text);
/* Replaces the copy; false when it says the same already. */
bool bl_ns_text_set(struct bl_slice *text, struct bl_slice to);
/* Grown so that one more fits. */
void *bl_ns_grow(void *array, size_t count, size_t *cap, size_t item_bytes);

/* brokers.c */
struct bl_ns_broker *bl_ns_broker_get(const struct bl_namesrv *ns, struct bl_slice name);
struct bl_ns_broker *bl_ns_broker_add(struct bl_namesrv *ns, struct bl_slice name,
                                      struct bl_slice cluster);
void bl_ns_broker_touch(struct bl_namesrv *ns, struct bl_ns_broker *broker);
/* Out of every table; its topics disappear from answers now and from memory later. */
void bl_ns_broker_leave(struct bl_namesrv *ns, struct bl_ns_broker *broker);
void bl_ns_broker_free(struct bl_ns_broker *broker);
struct bl_ns_addr *bl_ns_broker_addr(const struct bl_ns_broker *broker, int64_t id);
struct bl_ns_addr *bl_ns_broker_put_addr(struct bl_ns_broker *broker, int64_t id,
                                         struct bl_slice text);
/* Removes that text, but under `except_id` (-1: everywhere). RETURNS whether any was there. */
bool bl_ns_broker_drop_addr(struct bl_ns_broker *broker, struct bl_slice text, bool all,
                            int64_t except_id);
/* acting master is on and there is no master */
bool bl_ns_broker_acts(const struct bl_ns_broker *broker);
void bl_ns_cluster_add(struct bl_namesrv *ns, struct bl_slice name, struct bl_ns_broker *broker);
void bl_ns_clusters_free(struct bl_namesrv *ns);
/* The address as the asker reaches it: the text, or room filled by the broker's callback. */
struct bl_slice bl_ns_addr_for(const struct bl_ns_addr *addr, const struct bl_namesrv_asker *asker,
                               char room[BL_NAMESRV_ADDRESS_BYTES_MAX]);

/* lives.c */
struct bl_ns_live *bl_ns_live_get(const struct bl_namesrv *ns, struct bl_slice cluster,
                                  struct bl_slice addr);
struct bl_ns_live *bl_ns_live_take(struct bl_namesrv *ns, struct bl_slice cluster,
                                   struct bl_slice addr);
void bl_ns_live_bind(struct bl_namesrv *ns, struct bl_ns_live *live, uint64_t conn_id);
void bl_ns_live_filters(struct bl_namesrv *ns, struct bl_ns_live *live,
                        const struct bl_slice *servers, size_t count);
/* false: there was none */
bool bl_ns_live_drop(struct bl_namesrv *ns, struct bl_slice cluster, struct bl_slice addr);
void bl_ns_live_schedule(struct bl_namesrv *ns, const struct bl_ns_live *live);
void bl_ns_live_scan(struct bl_timer *timer, int64_t now_ms);
void bl_ns_lives_free(struct bl_namesrv *ns);

/* topics.c */
struct bl_ns_topic *bl_ns_topic_get(const struct bl_namesrv *ns, struct bl_slice name);
/* NULL when there are BL_NAMESRV_TOPICS_MAX. */
struct bl_ns_topic *bl_ns_topic_take(struct bl_namesrv *ns, struct bl_slice name);
struct bl_ns_entry *bl_ns_entry_get(const struct bl_ns_topic *topic,
                                    const struct bl_ns_broker *broker);
struct bl_ns_entry *bl_ns_entry_put(struct bl_namesrv *ns, struct bl_ns_topic *topic,
                                    struct bl_ns_broker *broker,
                                    const struct bl_namesrv_topic *data);
/* The topic goes with its last entry. */
void bl_ns_entry_drop(struct bl_namesrv *ns, struct bl_ns_entry *entry);
void bl_ns_entry_map(struct bl_namesrv *ns, struct bl_ns_entry *entry,
                     const struct bl_namesrv_mapping *info);
/* The first entry whose broker is there; NULL: the topic has no route. */
const struct bl_ns_entry *bl_ns_topic_first(const struct bl_ns_topic *topic);
int32_t bl_ns_entry_perm(const struct bl_ns_entry *entry);
void bl_ns_purge(struct bl_timer *timer, int64_t now_ms);
void bl_ns_topics_free(struct bl_namesrv *ns);

/* route_json.c */
void bl_ns_cache_drop(struct bl_namesrv *ns, struct bl_ns_topic *topic);

/* kv.c */
struct bl_ns_kv *bl_ns_kv_new(void);
void bl_ns_kv_free(struct bl_ns_kv *kv);
int64_t bl_ns_kv_bytes(const struct bl_ns_kv *kv);

#endif
