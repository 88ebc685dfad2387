/* Brokers come, say what topics they have, stay alive and go. Thread: core.
 * Source: apache/rocketmq RouteInfoManager#registerBroker, #unRegisterBroker, #scanNotActiveBroker.
 */
#ifndef BOLIDE_NAMESRV_ROUTES_H
#define BOLIDE_NAMESRV_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "net/net.h"

struct bl_map;
struct bl_namesrv;

#define BL_NAMESRV_ADDRESS_BYTES_MAX 288
#define BL_NAMESRV_TOPICS_MAX 1048576
#define BL_NAMESRV_BROKERS_MAX 65536
#define BL_NAMESRV_LIVE_TIMEOUT_MS 120000 /* without heartbeatTimeoutMillis */

/* DataVersion. */
struct bl_namesrv_version {
  int64_t counter;
  int64_t state_version;
  int64_t timestamp_ms;
};

/* What of a TopicConfig is in a route. */
struct bl_namesrv_topic {
  struct bl_slice name;
  int32_t read_queues;
  int32_t write_queues;
  int32_t perm;
  int32_t sys_flag;
};

/* Topics in pieces, so that a long list needs no array in one part. */
struct bl_namesrv_topics {
  const struct bl_namesrv_topic *topics;
  size_t count;
  const struct bl_namesrv_topics *next;
};

/* TopicQueueMappingInfo: which queues of a static topic this broker has. */
struct bl_namesrv_mapping {
  struct bl_slice topic;
  struct bl_slice broker_name;
  struct bl_slice scope;
  int32_t total_queues;
  int64_t epoch;
  bool dirty;
  const int32_t (*ids)[2]; /* logical queue, physical queue */
  size_t id_count;
  const struct bl_namesrv_mapping *next;
};

/* Who asks: the two ends of its connection. NULL: nobody from outside; registered addresses are
 * given. */
struct bl_namesrv_asker {
  const struct bl_net_addr *local;
  const struct bl_net_addr *peer;
};

/* The address at which this asker reaches a broker of this process. FILLS a NUL-terminated
 * "host:port" of less than BL_NAMESRV_ADDRESS_BYTES_MAX. Never called with a NULL end. */
typedef void bl_namesrv_address_for(void *context, const struct bl_net_addr *local_of_client,
                                    const struct bl_net_addr *peer,
                                    char out_text[BL_NAMESRV_ADDRESS_BYTES_MAX]);

struct bl_namesrv_registration {
  struct bl_slice cluster;
  struct bl_slice broker_addr;
  struct bl_slice broker_name;
  int64_t broker_id; /* 0: master */
  struct bl_slice ha_addr;
  struct bl_slice zone;     /* absent: none */
  int64_t timeout_ms;       /* <= 0: BL_NAMESRV_LIVE_TIMEOUT_MS */
  bool knows_acting_master; /* the broker sent the field at all */
  bool acting_master;       /* its value */
  bool has_filter_servers;  /* false: what is known stays */
  const struct bl_slice *filter_servers;
  size_t filter_server_count;
  struct bl_namesrv_version version;
  const struct bl_namesrv_topics *topics;    /* may be NULL */
  const struct bl_namesrv_mapping *mappings; /* may be NULL */
  uint64_t conn_id; /* 0: a broker of this process; it lives until unregistered */
  bl_namesrv_address_for *address_for; /* NULL: broker_addr for everyone */
  void *address_context;
  const struct bl_namesrv_asker
      *asker; /* the broker itself, for the master's address; may be NULL */
};

/* Of the set's master, for a slave; absent otherwise. BORROWED from this struct and until the name
 * server changes. */
struct bl_namesrv_registered {
  struct bl_slice master_addr;
  struct bl_slice ha_addr;
  char master_room[BL_NAMESRV_ADDRESS_BYTES_MAX];
  char ha_room[BL_NAMESRV_ADDRESS_BYTES_MAX];
};

/* A registration on its way. Zeroed at first; after begin said BL_OK, step it until done, or end it
 * with cancel. */
struct bl_namesrv_work {
  const struct bl_namesrv_registration *registration;
  const struct bl_namesrv_topics *chunk;
  size_t at;
  size_t walk;
  uint64_t serial;
  int phase;
  bool first;
  bool changed;
  bool ignored;
  bool min_lower;
  const struct bl_namesrv_mapping *mapping;
  struct bl_map *names;
};

/* BORROWS the registration until the work is done. BL_ERR_SYSTEM: refused, because one topic alone
 * is no first registration; BL_ERR_BUSY: too many brokers. */
BL_MUST_CHECK bl_err bl_namesrv_register_begin(struct bl_namesrv *ns,
                                               const struct bl_namesrv_registration *registration,
                                               struct bl_namesrv_work *work);
/* Does about `topics` topics' worth. true: done, and FILLS out_registered. */
bool bl_namesrv_register_step(struct bl_namesrv *ns, struct bl_namesrv_work *work, size_t topics,
                              struct bl_namesrv_registered *out_registered);
/* Gives up what is left of it. Accepts a zeroed one and one that is done. */
void bl_namesrv_register_cancel(struct bl_namesrv_work *work);
/* All at once: for brokers of this process, and tests. With a single topic of a known broker only
 * that one is updated. */
BL_MUST_CHECK bl_err bl_namesrv_register(struct bl_namesrv *ns,
                                         const struct bl_namesrv_registration *registration,
                                         struct bl_namesrv_registered *out_registered);

/* The address leaves its set at once; its topics disappear with the last address. */
void bl_namesrv_unregister(struct bl_namesrv *ns, struct bl_slice cluster,
                           struct bl_slice broker_addr, struct bl_slice broker_name,
                           int64_t broker_id);
/* Every broker that last registered over this connection leaves. Any connection may be named. */
void bl_namesrv_conn_closed(struct bl_namesrv *ns, uint64_t conn_id);
/* It is alive. Unknown addresses are ignored. */
void bl_namesrv_heartbeat(struct bl_namesrv *ns, struct bl_slice cluster,
                          struct bl_slice broker_addr);
/* The data version last registered by that address. false: unknown. */
bool bl_namesrv_version_of(const struct bl_namesrv *ns, struct bl_slice cluster,
                           struct bl_slice broker_addr, struct bl_namesrv_version *out_version);

/* Adds or replaces queue data of one topic; nothing changes unless every broker is known. */
struct bl_namesrv_queue_data {
  struct bl_slice broker_name;
  struct bl_namesrv_topic data; /* its name is not looked at */
};
void bl_namesrv_register_topic(struct bl_namesrv *ns, struct bl_slice topic,
                               const struct bl_namesrv_queue_data *queues, size_t count);
/* cluster empty: everywhere. */
void bl_namesrv_delete_topic(struct bl_namesrv *ns, struct bl_slice topic, struct bl_slice cluster);

/* Takes write permission from (or sets read and write permission of) the broker's topics, some per
 * call. walk: zeroed at first. RETURNS true when done; walk->count is how many changed. */
struct bl_namesrv_perm_walk {
  uint64_t serial;
  size_t left;
  bool begun;
  int32_t count;
};
bool bl_namesrv_change_perm(struct bl_namesrv *ns, struct bl_slice broker_name, bool writable,
                            struct bl_namesrv_perm_walk *walk, size_t topics);

#endif
