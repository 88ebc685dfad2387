/* Addresses that registered: when they were last heard of, and over which connection. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "namesrv/internal.h"

#define KEY_BYTES_MAX 1024

/* false: longer than anything that can be registered. */
static bool live_key(struct bl_slice cluster, struct bl_slice addr, char room[KEY_BYTES_MAX],
                     struct bl_slice *out_key) {
  if (cluster.len + addr.len + 1 > KEY_BYTES_MAX) return false;
  if (cluster.len > 0) memcpy(room, cluster.ptr, cluster.len);
  room[cluster.len] = '\0';
  if (addr.len > 0) memcpy(room + cluster.len + 1, addr.ptr, addr.len);
  *out_key = bl_slice_of(room, cluster.len + 1 + addr.len);
  return true;
}

static struct bl_slice conn_key(const uint64_t *conn_id) {
  return bl_slice_of(conn_id, sizeof(*conn_id));
}

struct bl_ns_live *bl_ns_live_get(const struct bl_namesrv *ns, struct bl_slice cluster,
                                  struct bl_slice addr) {
  char room[KEY_BYTES_MAX];
  struct bl_slice key;
  return live_key(cluster, addr, room, &key) ? bl_map_get(&ns->lives, key) : NULL;
}

struct bl_ns_live *bl_ns_live_take(struct bl_namesrv *ns, struct bl_slice cluster,
                                   struct bl_slice addr) {
  char room[KEY_BYTES_MAX];
  struct bl_slice key;
  bool fits = live_key(cluster, addr, room, &key);
  BL_ASSERT(fits);
  struct bl_ns_live *live = bl_map_get(&ns->lives, key);
  if (live != NULL) return live;
  live = calloc(1, sizeof(*live));
  BL_ASSERT(live != NULL);
  live->cluster = bl_ns_text_copy(cluster);
  live->addr = bl_ns_text_copy(addr);
  bl_map_put(&ns->lives, key, live);
  return live;
}

static void unbind(struct bl_namesrv *ns, struct bl_ns_live *live) {
  if (live->conn_id == 0) return;
  bl_list_remove(&live->conn_node);
  struct bl_ns_conn *conn = bl_map_get(&ns->conns, conn_key(&live->conn_id));
  if (conn != NULL && bl_list_empty(&conn->lives)) {
    bl_map_remove(&ns->conns, conn_key(&live->conn_id));
    free(conn);
  }
  live->conn_id = 0;
}

void bl_ns_live_bind(struct bl_namesrv *ns, struct bl_ns_live *live, uint64_t conn_id) {
  if (live->conn_id == conn_id) return;
  unbind(ns, live);
  if (conn_id == 0) return;
  struct bl_ns_conn *conn = bl_map_get(&ns->conns, conn_key(&conn_id));
  if (conn == NULL) {
    conn = calloc(1, sizeof(*conn));
    BL_ASSERT(conn != NULL);
    bl_list_init(&conn->lives);
    bl_map_put(&ns->conns, conn_key(&conn_id), conn);
  }
  live->conn_id = conn_id;
  bl_list_add_last(&conn->lives, &live->conn_node);
}

void bl_ns_live_filters(struct bl_namesrv *ns, struct bl_ns_live *live,
                        const struct bl_slice *servers, size_t count) {
  if (live->filter_server_count > 0) ns->filter_lives--;
  for (size_t i = 0; i < live->filter_server_count; i++) bl_ns_text_free(&live->filter_servers[i]);
  free(live->filter_servers);
  live->filter_servers = NULL;
  live->filter_server_count = 0;
  if (count == 0) return;
  live->filter_servers = calloc(count, sizeof(*live->filter_servers));
  BL_ASSERT(live->filter_servers != NULL);
  for (size_t i = 0; i < count; i++) live->filter_servers[i] = bl_ns_text_copy(servers[i]);
  live->filter_server_count = count;
  ns->filter_lives++;
}

static void free_live(struct bl_namesrv *ns, struct bl_ns_live *live) {
  unbind(ns, live);
  bl_ns_live_filters(ns, live, NULL, 0);
  bl_ns_text_free(&live->cluster);
  bl_ns_text_free(&live->addr);
  bl_ns_text_free(&live->broker_name);
  bl_ns_text_free(&live->ha_addr);
  free(live);
}

bool bl_ns_live_drop(struct bl_namesrv *ns, struct bl_slice cluster, struct bl_slice addr) {
  char room[KEY_BYTES_MAX];
  struct bl_slice key;
  if (!live_key(cluster, addr, room, &key)) return false;
  struct bl_ns_live *live = bl_map_remove(&ns->lives, key);
  if (live == NULL) return false;
  free_live(ns, live);
  return true;
}

void bl_ns_lives_free(struct bl_namesrv *ns) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&ns->lives, &cursor)) != NULL) free_live(ns, entry->value);
  bl_map_fini(&ns->lives);
  BL_ASSERT(ns->conns.count == 0);
  bl_map_fini(&ns->conns);
}

/* The broker leaves under the id that its set knows it by; 0 when the set does not know it any
 * more. */
static void unregister_live(struct bl_namesrv *ns, const struct bl_ns_live *live) {
  struct bl_slice cluster = bl_ns_text_copy(live->cluster);
  struct bl_slice addr = bl_ns_text_copy(live->addr);
  struct bl_slice name = bl_ns_text_copy(live->broker_name);
  const struct bl_ns_broker *broker = bl_ns_broker_get(ns, name);
  int64_t id = 0;
  bool known = false;
  for (size_t i = 0; broker != NULL && i < broker->addr_count && !known; i++) {
    known = bl_slice_eq(broker->addrs[i].text, addr);
    if (known) id = broker->addrs[i].id;
  }
  if (known) {
    bl_namesrv_unregister(ns, cluster, addr, name, id);
  } else {
    bl_ns_live_drop(ns, cluster, addr);
  }
  bl_ns_text_free(&cluster);
  bl_ns_text_free(&addr);
  bl_ns_text_free(&name);
}

void bl_namesrv_conn_closed(struct bl_namesrv *ns, uint64_t conn_id) {
  struct bl_ns_conn *conn;
  while (conn_id != 0 && (conn = bl_map_get(&ns->conns, conn_key(&conn_id))) != NULL) {
    BL_ASSERT(!bl_list_empty(&conn->lives));
    unregister_live(ns, BL_CONTAINER(conn->lives.next, struct bl_ns_live, conn_node));
  }
}

void bl_namesrv_heartbeat(struct bl_namesrv *ns, struct bl_slice cluster,
                          struct bl_slice broker_addr) {
  struct bl_ns_live *live = bl_ns_live_get(ns, cluster, broker_addr);
  if (live != NULL) live->seen_ms = bl_clock_mono_ms(ns->deps.clock);
}

bool bl_namesrv_version_of(const struct bl_namesrv *ns, struct bl_slice cluster,
                           struct bl_slice broker_addr, struct bl_namesrv_version *out_version) {
  const struct bl_ns_live *live = bl_ns_live_get(ns, cluster, broker_addr);
  if (live == NULL || !live->has_version) return false;
  *out_version = live->version;
  return true;
}

/* The first moment at which it counts as dead; never for brokers of this process. */
static int64_t death_ms(const struct bl_ns_live *live) {
  if (live->conn_id == 0 || live->timeout_ms > INT64_MAX - live->seen_ms - 1) return INT64_MAX;
  return live->seen_ms + live->timeout_ms + 1;
}

static void scan_at(struct bl_namesrv *ns, int64_t deadline_ms) {
  if (deadline_ms == INT64_MAX) return;
  int64_t interval_ms = ns->settings->scan_not_active_broker_interval_ms;
  if (deadline_ms < ns->last_scan_ms + interval_ms) deadline_ms = ns->last_scan_ms + interval_ms;
  if (ns->scan_timer.place != 0 && ns->scan_timer.deadline_ms <= deadline_ms) return;
  bl_timer_set(ns->deps.timers, &ns->scan_timer, deadline_ms);
}

void bl_ns_live_schedule(struct bl_namesrv *ns, const struct bl_ns_live *live) {
  scan_at(ns, death_ms(live));
}

static void expire(struct bl_namesrv *ns, const struct bl_ns_live *live) {
  uint64_t conn_id = live->conn_id;
  ns->stats.expired++;
  unregister_live(ns, live);
  if (ns->deps.actions.close_conn != NULL) {
    ns->deps.actions.close_conn(ns->deps.actions.context, conn_id);
  }
}

void bl_ns_live_scan(struct bl_timer *timer, int64_t now_ms) {
  struct bl_namesrv *ns = BL_CONTAINER(timer, struct bl_namesrv, scan_timer);
  ns->last_scan_ms = now_ms;
  int64_t next_ms = INT64_MAX;
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&ns->lives, &cursor)) != NULL) {
    const struct bl_ns_live *live = entry->value;
    int64_t at_ms = death_ms(live);
    if (at_ms <= now_ms) {
      expire(ns, live);
    } else if (at_ms < next_ms) {
      next_ms = at_ms;
    }
  }
  scan_at(ns, next_ms);
}
