#include "requests/stats/queue_stats.h"

#include "broker/broker.h"
#include "broker/runtime/runtime.h"
#include "requests/json_parts.h"

static bl_err put_queue(struct bl_queue_stats *stats, struct bl_broker *broker,
                        struct bl_topic *topic, struct bl_slice group, struct bl_json_writer *w) {
  int32_t id = stats->queue_id;
  struct bl_queue *queue = bl_broker_queue(broker, topic, id);
  int64_t max = queue != NULL ? bl_queue_max_offset(queue) : 0;
  int64_t committed = bl_offsets_committed(&broker->offsets, topic->name, group, id);
  int64_t pulled = bl_offsets_pulled(&broker->offsets, topic->name, group, id);
  int64_t stored_ms = 0;
  if (committed < 0) committed = 0;
  if (pulled < committed) pulled = committed;
  if (committed > 0 &&
      bl_time_reader_get(&stats->times, broker, queue, committed - 1, &stored_ms) != BL_OK) {
    return BL_ERR_COLD;
  }
  bl_json_key_queue(w, bl_slice_text(broker->settings->broker_name), topic->name, id);
  bl_json_open_object(w);
  bl_json_member_i64(w, "brokerOffset", max);
  bl_json_member_i64(w, "consumerOffset", committed);
  bl_json_member_i64(w, "lastTimestamp", stored_ms > 0 ? stored_ms : 0);
  bl_json_member_i64(w, "pullOffset", pulled);
  bl_json_close_object(w);
  stats->lag += max - committed;
  stats->inflight += pulled - committed;
  stats->queue_id++;
  return BL_OK;
}

bl_err bl_queue_stats_step(struct bl_queue_stats *stats, struct bl_broker *broker,
                           struct bl_topic *topic, struct bl_slice group, int32_t queues,
                           struct bl_json_writer *w, int *budget) {
  while (stats->queue_id < queues) {
    if (*budget <= 0) return BL_ERR_SHORT;
    (*budget)--;
    bl_err err = put_queue(stats, broker, topic, group, w);
    if (err != BL_OK) return err;
  }
  return BL_OK;
}

double bl_queue_stats_rate(struct bl_broker *broker, struct bl_slice topic, struct bl_slice group,
                           struct bl_arena *arena) {
  const struct bl_offset_row *row = bl_offsets_find(&broker->offsets, topic, group);
  int64_t total = 0;
  if (row == NULL) return 0;
  for (int32_t id = 0; id < row->queue_slots; id++) {
    if (row->committed[id] > 0) total += row->committed[id];
  }
  return bl_runtime_asked_rate(broker->runtime,
                               bl_arena_printf(arena, "get %.*s", BL_FMT(row->key)), total);
}

bool bl_group_wants_topic(const struct bl_broker *broker, struct bl_slice group,
                          struct bl_slice topic) {
  const struct bl_member_group *members = bl_members_consumers(broker, group);
  if (members == NULL || members->subscriptions.count == 0) return true;
  return bl_member_group_subscription(members, topic) != NULL;
}
