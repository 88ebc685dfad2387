/* 317: where every group is in every topic that it has offsets in. Some queues a turn. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/stats/queue_stats.h"
#include "requests/wait.h"
#include "wire/headers.h"

#define QUEUES_PER_STEP 64
#define ROWS_PER_STEP 512
#define GROUP_BYTES (BL_GROUP_BYTES_MAX + 1)
#define TOPIC_BYTES 1024

struct progress {
  struct bl_json_writer w;
  struct bl_queue_stats stats;
  size_t group_cursor;
  size_t row_cursor;
  struct bl_slice group; /* of group_text; absent: the next is to be found */
  struct bl_slice topic; /* of topic_text; absent: likewise */
  char group_text[GROUP_BYTES];
  char topic_text[TOPIC_BYTES];
  int64_t lag;
  int64_t inflight;
};

static struct progress *start(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  struct progress *progress = calloc(1, sizeof(*progress));
  BL_ASSERT(progress != NULL);
  progress->w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&progress->w);
  bl_json_member_text(&progress->w, "brokerAddr", bl_slice_text(broker->address));
  bl_json_key(&progress->w, "consumeStatsList");
  bl_json_open_array(&progress->w);
  return progress;
}

static struct bl_slice keep(char *space, size_t cap, struct bl_slice text) {
  if (text.len > cap) text.len = cap;
  memcpy(space, text.ptr, text.len);
  return bl_slice_of(space, text.len);
}

/* false: there is none any more. */
static bool next_group(struct progress *progress, const struct bl_broker *broker) {
  const struct bl_map_entry *entry =
      bl_map_next(&broker->groups.table.map, &progress->group_cursor);
  if (entry == NULL) return false;
  progress->group = keep(progress->group_text, GROUP_BYTES, entry->key);
  progress->row_cursor = 0;
  bl_json_open_object(&progress->w);
  bl_json_key_slice(&progress->w, progress->group);
  bl_json_open_array(&progress->w);
  return true;
}

static bool is_wanted(const struct bl_broker *broker, const struct bl_offset_row *row,
                      bool ordered_only) {
  const struct bl_topic *topic = bl_topics_find(&broker->topics, row->topic);
  if (topic == NULL || (ordered_only && !topic->order)) return false;
  return bl_group_wants_topic(broker, row->group, row->topic);
}

/* BL_ERR_NOT_FOUND: the group has no more topics. */
static bl_err next_topic(struct progress *progress, const struct bl_broker *broker,
                         bool ordered_only, int *rows) {
  while ((*rows)-- > 0) {
    const struct bl_map_entry *entry =
        bl_map_next(&broker->offsets.table.map, &progress->row_cursor);
    if (entry == NULL) return BL_ERR_NOT_FOUND;
    const struct bl_offset_row *row = entry->value;
    if (!bl_slice_eq(row->group, progress->group) || !is_wanted(broker, row, ordered_only) ||
        !bl_offset_row_is_committed(row))
      continue;
    progress->topic = keep(progress->topic_text, TOPIC_BYTES, row->topic);
    memset(&progress->stats, 0, sizeof(progress->stats));
    bl_json_open_object(&progress->w);
    bl_json_key(&progress->w, "offsetTable");
    bl_json_open_object(&progress->w);
    return BL_OK;
  }
  return BL_ERR_SHORT;
}

static bl_err put_topic(struct bl_call *call, struct progress *progress, int *budget) {
  struct bl_broker *broker = call->server;
  struct bl_topic *topic = bl_topics_find(&broker->topics, progress->topic);
  if (topic != NULL) {
    bl_err err = bl_queue_stats_step(&progress->stats, broker, topic, progress->group,
                                     topic->write_queues, &progress->w, budget);
    if (err != BL_OK) return err;
  }
  progress->lag += progress->stats.lag;
  progress->inflight += progress->stats.inflight;
  bl_json_close_object(&progress->w);
  bl_json_key(&progress->w, "consumeTps");
  bl_json_put_double(&progress->w,
                     bl_queue_stats_rate(broker, progress->topic, progress->group, call->arena));
  bl_json_close_object(&progress->w);
  progress->topic = (struct bl_slice){NULL, 0};
  return BL_OK;
}

/* BL_OK: everything is written. */
static bl_err step(struct bl_call *call, struct progress *progress) {
  const struct bl_broker_consume_stats_header *header = call->header;
  int budget = QUEUES_PER_STEP;
  int rows = ROWS_PER_STEP;
  for (;;) {
    if (progress->group.ptr == NULL && !next_group(progress, call->server)) return BL_OK;
    bl_err err = BL_OK;
    if (progress->topic.ptr == NULL) err = next_topic(progress, call->server, header->order, &rows);
    if (err == BL_OK) {
      err = put_topic(call, progress, &budget);
    } else if (err == BL_ERR_NOT_FOUND) {
      bl_json_close_array(&progress->w);
      bl_json_close_object(&progress->w);
      progress->group = (struct bl_slice){NULL, 0};
      err = BL_OK;
    }
    if (err != BL_OK) return err;
  }
}

static enum bl_outcome handle(struct bl_call *call) {
  if (call->progress == NULL) call->progress = start(call);
  struct progress *progress = call->progress;
  progress->w.out = call->body;
  /* Nothing may be freed meanwhile. */
  if (bl_time_reader_waits(&progress->stats.times))
    return bl_call_next_step(call, &progress->stats.times);
  if (step(call, progress) != BL_OK) return bl_call_next_step(call, &progress->stats.times);
  bl_json_close_array(&progress->w);
  bl_json_member_i64(&progress->w, "totalDiff", progress->lag);
  bl_json_member_i64(&progress->w, "totalInflightDiff", progress->inflight);
  bl_json_close_object(&progress->w);
  free(progress);
  call->progress = NULL;
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_broker_consume_stats = {
    .code = 317,
    .name = "GET_BROKER_CONSUME_STATS",
    .roles = BL_ROLE_BROKER,
    .header = &bl_broker_consume_stats_table,
    .handle = handle,
};
