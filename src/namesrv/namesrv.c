#include "namesrv/namesrv.h"

#include <stdlib.h>

#include "base/assert.h"
#include "namesrv/internal.h"

struct bl_namesrv *bl_namesrv_new(const struct bl_namesrv_deps *deps,
                                  struct bl_namesrv_settings *settings) {
  struct bl_namesrv *ns = calloc(1, sizeof(*ns));
  BL_ASSERT(ns != NULL);
  ns->deps = *deps;
  ns->settings = settings;
  ns->started_ms = bl_clock_mono_ms(deps->clock);
  ns->last_scan_ms = ns->started_ms - settings->scan_not_active_broker_interval_ms;
  bl_map_init(&ns->topics);
  bl_map_init(&ns->brokers);
  bl_map_init(&ns->clusters);
  bl_map_init(&ns->lives);
  bl_map_init(&ns->conns);
  bl_list_init(&ns->gone);
  bl_list_init(&ns->cache);
  bl_buf_init(&ns->scratch, 0);
  ns->purge_timer.fire = bl_ns_purge;
  ns->scan_timer.fire = bl_ns_live_scan;
  ns->kv = bl_ns_kv_new();
  return ns;
}

void bl_namesrv_free(struct bl_namesrv *ns) {
  if (ns == NULL) return;
  bl_timer_cancel(ns->deps.timers, &ns->purge_timer);
  bl_timer_cancel(ns->deps.timers, &ns->scan_timer);
  bl_ns_topics_free(ns);
  bl_ns_clusters_free(ns);
  bl_ns_lives_free(ns);
  bl_ns_kv_free(ns->kv);
  bl_buf_fini(&ns->scratch);
  free(ns);
}

const struct bl_namesrv_settings *bl_namesrv_settings(const struct bl_namesrv *ns) {
  return ns->settings;
}

bool bl_namesrv_ready(const struct bl_namesrv *ns) {
  int64_t up_ms = bl_clock_mono_ms(ns->deps.clock) - ns->started_ms;
  return !ns->settings->need_wait_for_service ||
         up_ms >= ns->settings->wait_seconds_for_service * 1000;
}

void bl_namesrv_stats(const struct bl_namesrv *ns, struct bl_namesrv_stats *out_stats) {
  *out_stats = ns->stats;
  out_stats->topics = (int64_t)ns->topics.count;
  out_stats->brokers = (int64_t)ns->brokers.count;
  out_stats->live = (int64_t)ns->lives.count;
  out_stats->kv_bytes = bl_ns_kv_bytes(ns->kv);
  out_stats->route_cache_bytes = (int64_t)ns->cache_bytes;
}
