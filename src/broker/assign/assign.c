#include "broker/assign/assign.h"

#include "broker/assign/ring.h"
#include "broker/broker.h"

/* false: nothing can be said. */
static bool share_out(struct bl_assign_ask *ask, const struct bl_topic_parts *parts) {
  struct bl_broker *broker = ask->broker;
  if (parts == NULL) return false;
  if (ask->model == BL_BROADCASTING || !broker->settings->server_load_balancer) {
    bl_allocate_all(parts, ask->take, ask);
    return true;
  }
  struct bl_member_group *group = bl_members_consumers(broker, ask->group);
  enum bl_strategy strategy;
  if (group == NULL || !bl_strategy_of(ask->strategy, &strategy)) return false;
  if (ask->client_id.len == 0 || bl_topic_parts_queues(parts) == 0) return false;
  if (strategy == BL_STRATEGY_CONSISTENT_HASH && group->member_count > BL_RING_MEMBERS_MAX)
    return false;
  struct bl_ring *ring = bl_members_ring(group);
  int64_t member = bl_ring_index(ring, ask->client_id);
  /* Who is no member has no queues. */
  if (member >= 0) bl_allocate(strategy, ring, (uint32_t)member, parts, ask->take, ask);
  return true;
}

static void on_parts(struct bl_parts_ask *parts_ask, const struct bl_topic_parts *parts) {
  struct bl_assign_ask *ask = BL_CONTAINER(parts_ask, struct bl_assign_ask, parts_ask);
  bool found = share_out(ask, parts);
  ask->done(ask, found);
}

void bl_assign_start(struct bl_assign_ask *ask) {
  struct bl_broker *broker = ask->broker;
  ask->parts_ask.done = on_parts;
  if (ask->model == BL_CLUSTERING && bl_slice_starts(ask->topic, BL_LMQ_PREFIX)) {
    struct bl_topic_part own = {bl_slice_text(broker->settings->broker_name), 1};
    struct bl_topic_parts parts = {ask->topic, &own, 1};
    on_parts(&ask->parts_ask, &parts);
    return;
  }
  bl_parts_find(broker->part_finder, ask->topic, &ask->parts_ask);
}
