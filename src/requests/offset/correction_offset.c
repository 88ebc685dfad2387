/* 308: for each queue the lowest offset that any group has in the topic, or "no limit" where the
 * compared group is behind it. Some rows a turn. RocketMQ deletes the offsets of the groups in
 * filterGroups while it answers; here they only do not count.
 * Source: apache/rocketmq ConsumerOffsetManager#queryMinOffsetInAllGroup. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "wire/headers.h"

#define ROWS_PER_STEP 512

struct progress {
  size_t cursor;
  int64_t *lowest; /* by queue id; BL_OFFSET_NONE */
  int32_t queues;
};

static bool is_filtered(struct bl_slice filter, struct bl_slice group) {
  while (filter.ptr != NULL && filter.len > 0) {
    if (bl_slice_eq(bl_slice_cut(&filter, ','), group)) return true;
  }
  return false;
}

static void grow(struct progress *progress, int32_t queues) {
  if (queues <= progress->queues) return;
  progress->lowest = realloc(progress->lowest, (size_t)queues * sizeof(int64_t));
  BL_ASSERT(progress->lowest != NULL);
  for (int32_t id = progress->queues; id < queues; id++) progress->lowest[id] = BL_OFFSET_NONE;
  progress->queues = queues;
}

static int64_t min_of(const struct bl_broker *broker, struct bl_slice topic, int32_t id) {
  const struct bl_queue *queue = bl_queues_find(broker->queues, topic, id);
  return queue != NULL ? bl_queue_min_offset(queue) : 0;
}

static void take_row(struct progress *progress, const struct bl_broker *broker,
                     const struct bl_offset_row *row) {
  grow(progress, row->queue_slots);
  for (int32_t id = 0; id < row->queue_slots; id++) {
    int64_t offset = row->committed[id];
    if (offset < 0 || offset < min_of(broker, row->topic, id)) continue;
    int64_t *lowest = &progress->lowest[id];
    if (*lowest == BL_OFFSET_NONE || offset < *lowest) *lowest = offset;
  }
}

static enum bl_outcome answer(struct bl_call *call, struct progress *progress) {
  const struct bl_broker *broker = call->server;
  const struct bl_correction_offset_header *h = call->header;
  struct bl_json_writer w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&w);
  bl_json_key(&w, "correctionOffsets");
  bl_json_open_object(&w);
  for (int32_t id = 0; id < progress->queues; id++) {
    if (progress->lowest[id] == BL_OFFSET_NONE) continue;
    int64_t compared = bl_offsets_committed(&broker->offsets, h->topic, h->compare_group, id);
    bool behind = compared >= 0 && progress->lowest[id] > compared;
    bl_json_key_number(&w, id, false);
    bl_json_put_i64(&w, behind ? INT64_MAX : progress->lowest[id]);
  }
  bl_json_close_object(&w);
  bl_json_close_object(&w);
  free(progress->lowest);
  free(progress);
  call->progress = NULL;
  return bl_call_ok_body(call);
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  const struct bl_correction_offset_header *h = call->header;
  struct progress *progress = call->progress;
  if (progress == NULL) {
    progress = calloc(1, sizeof(*progress));
    BL_ASSERT(progress != NULL);
    call->progress = progress;
  }
  for (int i = 0; i < ROWS_PER_STEP; i++) {
    const struct bl_map_entry *entry = bl_map_next(&broker->offsets.table.map, &progress->cursor);
    if (entry == NULL) return answer(call, progress);
    const struct bl_offset_row *row = entry->value;
    if (!bl_slice_eq(row->topic, h->topic) || is_filtered(h->filter_groups, row->group)) continue;
    take_row(progress, broker, row);
  }
  return BL_AGAIN;
}

const struct bl_request bl_request_correction_offset = {
    .code = 308,
    .name = "QUERY_CORRECTION_OFFSET",
    .roles = BL_ROLE_BROKER,
    .header = &bl_correction_offset_table,
    .handle = handle,
};
