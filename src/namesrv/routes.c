/* Registration and its opposite. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "namesrv/internal.h"

#define NAME_BYTES_MAX 255

enum { PHASE_NAMES, PHASE_DELETE, PHASE_TOPICS, PHASE_MAPPINGS, PHASE_END };

static bool same_version(const struct bl_namesrv_version *a, const struct bl_namesrv_version *b) {
  return a->counter == b->counter && a->state_version == b->state_version &&
         a->timestamp_ms == b->timestamp_ms;
}

static bool one_topic_only(const struct bl_namesrv_topics *topics) {
  size_t count = 0;
  for (; topics != NULL && count < 2; topics = topics->next) count += topics->count;
  return count == 1;
}

/* The id is another address's, whose state is newer. */
static bool is_outdated(const struct bl_namesrv *ns, const struct bl_ns_broker *broker,
                        const struct bl_namesrv_registration *r) {
  const struct bl_ns_addr *old = bl_ns_broker_addr(broker, r->broker_id);
  if (old == NULL || bl_slice_eq(old->text, r->broker_addr)) return false;
  const struct bl_ns_live *live = bl_ns_live_get(ns, r->cluster, old->text);
  return live != NULL && live->has_version &&
         live->version.state_version > r->version.state_version;
}

static bl_err check(const struct bl_namesrv *ns, const struct bl_ns_broker *broker,
                    const struct bl_namesrv_registration *r) {
  if (r->cluster.len == 0 || r->cluster.len > NAME_BYTES_MAX || r->broker_name.len == 0 ||
      r->broker_name.len > NAME_BYTES_MAX || r->broker_addr.len == 0 ||
      r->broker_addr.len >= BL_NAMESRV_ADDRESS_BYTES_MAX) {
    return BL_ERR_PARAMETER;
  }
  bool known = broker != NULL && bl_ns_broker_addr(broker, r->broker_id) != NULL;
  if (!known && one_topic_only(r->topics)) return BL_ERR_SYSTEM;
  if (broker == NULL && ns->brokers.count >= BL_NAMESRV_BROKERS_MAX) return BL_ERR_BUSY;
  if (ns->lives.count >= BL_NAMESRV_BROKERS_MAX &&
      bl_ns_live_get(ns, r->cluster, r->broker_addr) == NULL) {
    return BL_ERR_BUSY;
  }
  return BL_OK;
}

static void tell(struct bl_namesrv *ns, const struct bl_ns_broker *broker, struct bl_slice offline,
                 struct bl_slice ha_addr) {
  if (!ns->settings->notify_min_broker_id_changed || ns->deps.actions.min_broker_changed == NULL) {
    return;
  }
  struct bl_namesrv_min_change change = {
      .min_broker_id = broker->addrs[0].id,
      .min_broker_addr = broker->addrs[0].text,
      .offline_broker_addr = offline,
      .ha_broker_addr = ha_addr,
  };
  bool all = offline.ptr != NULL || broker->addr_count == 1;
  for (size_t i = all ? 0 : 1; i < broker->addr_count; i++) {
    ns->deps.actions.min_broker_changed(ns->deps.actions.context, broker->addrs[i].text, &change);
  }
}

/* The set's own data: acting master, zone, and the address under its id. */
static void put_address(struct bl_namesrv *ns, struct bl_ns_broker *broker,
                        const struct bl_namesrv_registration *r) {
  bool acting = r->knows_acting_master && r->acting_master;
  bool changed = broker->acting_master != acting;
  broker->acting_master = acting;
  changed |= bl_ns_text_set(&broker->zone, r->zone);
  changed |= bl_ns_broker_drop_addr(broker, r->broker_addr, false, r->broker_id);
  struct bl_ns_addr *addr = bl_ns_broker_addr(broker, r->broker_id);
  changed |= addr == NULL || !bl_slice_eq(addr->text, r->broker_addr) ||
             addr->address_for != r->address_for || addr->address_context != r->address_context;
  addr = bl_ns_broker_put_addr(broker, r->broker_id, r->broker_addr);
  addr->address_for = r->address_for;
  addr->address_context = r->address_context;
  if (changed) bl_ns_broker_touch(ns, broker);
}

static void put_live(struct bl_namesrv *ns, const struct bl_namesrv_registration *r) {
  struct bl_ns_live *live = bl_ns_live_take(ns, r->cluster, r->broker_addr);
  bl_ns_text_set(&live->broker_name, r->broker_name);
  bl_ns_text_set(&live->ha_addr, r->ha_addr);
  live->seen_ms = bl_clock_mono_ms(ns->deps.clock);
  live->timeout_ms = r->timeout_ms > 0 ? r->timeout_ms : BL_NAMESRV_LIVE_TIMEOUT_MS;
  bl_ns_live_bind(ns, live, r->conn_id);
  if (r->has_filter_servers && (r->filter_server_count > 0 || live->filter_server_count > 0)) {
    bl_ns_live_filters(ns, live, r->filter_servers, r->filter_server_count);
    bl_ns_broker_touch(ns, bl_ns_broker_get(ns, r->broker_name));
  }
  bl_ns_live_schedule(ns, live);
}

static bool gives_topics(const struct bl_ns_broker *broker,
                         const struct bl_namesrv_registration *r) {
  if (r->broker_id == BL_NAMESRV_MASTER_ID) return true;
  return r->knows_acting_master && broker->addrs[0].id == r->broker_id;
}

static int first_phase(const struct bl_namesrv *ns, const struct bl_ns_broker *broker,
                       const struct bl_namesrv_registration *r) {
  if (!gives_topics(broker, r)) return PHASE_END;
  bool deletes = ns->settings->delete_topic_with_broker_registration && r->mappings == NULL;
  return deletes ? PHASE_NAMES : PHASE_TOPICS;
}

bl_err bl_namesrv_register_begin(struct bl_namesrv *ns, const struct bl_namesrv_registration *r,
                                 struct bl_namesrv_work *work) {
  *work = (struct bl_namesrv_work){.registration = r, .chunk = r->topics};
  struct bl_ns_broker *broker = bl_ns_broker_get(ns, r->broker_name);
  bl_err err = check(ns, broker, r);
  if (err != BL_OK) {
    ns->stats.refused++;
    return err;
  }
  if (broker != NULL && is_outdated(ns, broker, r)) {
    ns->stats.refused++;
    bl_ns_live_drop(ns, r->cluster, r->broker_addr);
    work->ignored = true;
    work->phase = PHASE_END;
    return BL_OK;
  }
  ns->stats.registrations++;
  bool is_new = broker == NULL;
  if (is_new) broker = bl_ns_broker_add(ns, r->broker_name, r->cluster);
  bl_ns_cluster_add(ns, r->cluster, broker);
  int64_t min_before = broker->addr_count > 0 ? broker->addrs[0].id : 0;
  work->min_lower = r->broker_id < min_before;
  work->first = is_new || bl_ns_broker_addr(broker, r->broker_id) == NULL;
  work->serial = broker->serial;
  put_address(ns, broker, r);
  struct bl_namesrv_version before;
  work->changed = work->first || !bl_namesrv_version_of(ns, r->cluster, r->broker_addr, &before) ||
                  !same_version(&before, &r->version);
  put_live(ns, r);
  work->phase = first_phase(ns, broker, r);
  if (work->phase == PHASE_NAMES) {
    work->names = calloc(1, sizeof(*work->names));
    BL_ASSERT(work->names != NULL);
    bl_map_init(work->names);
  }
  return BL_OK;
}

void bl_namesrv_register_cancel(struct bl_namesrv_work *work) {
  if (work->names != NULL) bl_map_fini(work->names);
  free(work->names);
  work->names = NULL;
  work->phase = PHASE_END;
}

/* The next topic of the list, or NULL at its end. */
static const struct bl_namesrv_topic *next_topic(struct bl_namesrv_work *work) {
  while (work->chunk != NULL && work->at >= work->chunk->count) {
    work->chunk = work->chunk->next;
    work->at = 0;
  }
  return work->chunk != NULL ? &work->chunk->topics[work->at++] : NULL;
}

/* Steps of a phase: false when it is at its end. */
static bool collect_name(struct bl_ns_broker *broker, struct bl_namesrv_work *work) {
  const struct bl_namesrv_topic *topic = next_topic(work);
  if (topic != NULL) {
    bl_map_put(work->names, topic->name, work);
    return true;
  }
  work->chunk = work->registration->topics;
  work->at = 0;
  work->walk = broker->entry_count;
  return false;
}

static bool delete_old(struct bl_namesrv *ns, struct bl_ns_broker *broker,
                       struct bl_namesrv_work *work) {
  if (work->walk > broker->entry_count) work->walk = broker->entry_count;
  if (work->walk == 0) return false;
  struct bl_ns_entry *entry = broker->entries[--work->walk];
  if (bl_map_get(work->names, entry->topic->name) == NULL) bl_ns_entry_drop(ns, entry);
  return true;
}

static bool put_topic(struct bl_namesrv *ns, struct bl_ns_broker *broker,
                      struct bl_namesrv_work *work) {
  const struct bl_namesrv_topic *data = next_topic(work);
  if (data == NULL) return false;
  struct bl_ns_topic *topic = bl_ns_topic_get(ns, data->name);
  if (!work->changed && topic != NULL && bl_ns_entry_get(topic, broker) != NULL) return true;
  topic = bl_ns_topic_take(ns, data->name);
  if (topic != NULL) bl_ns_entry_put(ns, topic, broker, data);
  return true;
}

static bool put_mapping(struct bl_namesrv *ns, struct bl_namesrv_work *work) {
  const struct bl_namesrv_mapping *info = work->mapping;
  if (info == NULL || !work->changed) return false;
  work->mapping = info->next;
  struct bl_ns_topic *topic = bl_ns_topic_get(ns, info->topic);
  const struct bl_ns_broker *host = bl_ns_broker_get(ns, info->broker_name);
  struct bl_ns_entry *entry = topic != NULL ? bl_ns_entry_get(topic, host) : NULL;
  if (entry != NULL) bl_ns_entry_map(ns, entry, info);
  return true;
}

static bool step_phase(struct bl_namesrv *ns, struct bl_ns_broker *broker,
                       struct bl_namesrv_work *work) {
  switch (work->phase) {
    case PHASE_NAMES: return collect_name(broker, work);
    case PHASE_DELETE: return delete_old(ns, broker, work);
    case PHASE_TOPICS: return put_topic(ns, broker, work);
    default: return put_mapping(ns, work);
  }
}

/* The part of "host:port" from the colon of the port on. */
static struct bl_slice port_part(struct bl_slice addr) {
  size_t at = addr.len;
  while (at > 0 && addr.ptr[at - 1] != ':') at--;
  return at > 0 ? bl_slice_from(addr, at - 1) : bl_slice_text(NULL);
}

/* A slave elsewhere reaches a master of this process, and its replication port, under the host that
 * its connection says. */
static void name_master(const struct bl_namesrv_registration *r, const struct bl_ns_addr *master,
                        const struct bl_ns_live *live, struct bl_namesrv_registered *out) {
  out->master_addr = bl_ns_addr_for(master, r->asker, out->master_room);
  out->ha_addr = live->ha_addr;
  struct bl_slice port = port_part(live->ha_addr);
  if (out->master_addr.ptr != out->master_room || port.ptr == NULL) return;
  struct bl_slice host = out->master_addr;
  host.len -= port_part(host).len;
  int len = snprintf(out->ha_room, sizeof(out->ha_room), "%.*s%.*s", BL_FMT(host), BL_FMT(port));
  if (len > 0 && (size_t)len < sizeof(out->ha_room))
    out->ha_addr = bl_slice_of(out->ha_room, (size_t)len);
}

static void finish(struct bl_namesrv *ns, const struct bl_namesrv_work *work,
                   struct bl_namesrv_registered *out) {
  const struct bl_namesrv_registration *r = work->registration;
  const struct bl_ns_broker *broker = bl_ns_broker_get(ns, r->broker_name);
  struct bl_ns_live *live = bl_ns_live_get(ns, r->cluster, r->broker_addr);
  if (broker == NULL || broker->serial != work->serial || live == NULL ||
      live->conn_id != r->conn_id) {
    return; /* it left, or registered again, meanwhile */
  }
  live->version = r->version;
  live->has_version = true;
  if (r->broker_id != BL_NAMESRV_MASTER_ID) {
    const struct bl_ns_addr *master = bl_ns_broker_addr(broker, BL_NAMESRV_MASTER_ID);
    const struct bl_ns_live *its =
        master != NULL ? bl_ns_live_get(ns, r->cluster, master->text) : NULL;
    if (its != NULL) name_master(r, master, its, out);
  }
  if (work->min_lower && broker->addrs[0].id == r->broker_id) {
    tell(ns, broker, bl_slice_text(NULL), live->ha_addr);
  }
}

bool bl_namesrv_register_step(struct bl_namesrv *ns, struct bl_namesrv_work *work, size_t topics,
                              struct bl_namesrv_registered *out_registered) {
  *out_registered = (struct bl_namesrv_registered){0};
  struct bl_ns_broker *broker = bl_ns_broker_get(ns, work->registration->broker_name);
  if (broker == NULL || broker->serial != work->serial) work->phase = PHASE_END;
  for (; work->phase != PHASE_END && topics > 0; topics--) {
    if (step_phase(ns, broker, work)) continue;
    work->phase++;
    if (work->phase == PHASE_MAPPINGS) work->mapping = work->registration->mappings;
  }
  if (work->phase != PHASE_END) return false;
  if (!work->ignored) finish(ns, work, out_registered);
  bl_namesrv_register_cancel(work);
  return true;
}

bl_err bl_namesrv_register(struct bl_namesrv *ns,
                           const struct bl_namesrv_registration *registration,
                           struct bl_namesrv_registered *out_registered) {
  struct bl_namesrv_work work;
  bl_err err = bl_namesrv_register_begin(ns, registration, &work);
  if (err != BL_OK) return err;
  bool done = bl_namesrv_register_step(ns, &work, SIZE_MAX, out_registered);
  BL_ASSERT(done);
  return BL_OK;
}

void bl_namesrv_unregister(struct bl_namesrv *ns, struct bl_slice cluster,
                           struct bl_slice broker_addr, struct bl_slice broker_name,
                           int64_t broker_id) {
  bl_ns_live_drop(ns, cluster, broker_addr);
  struct bl_ns_broker *broker = bl_ns_broker_get(ns, broker_name);
  if (broker == NULL) return;
  bool was_min = broker->addr_count > 0 && broker->addrs[0].id == broker_id;
  if (bl_ns_broker_drop_addr(broker, broker_addr, true, 0)) bl_ns_broker_touch(ns, broker);
  if (broker->addr_count == 0) {
    bl_ns_broker_leave(ns, broker);
  } else if (was_min && broker->acting_master) {
    tell(ns, broker, broker_addr, bl_slice_text(NULL));
  }
}
