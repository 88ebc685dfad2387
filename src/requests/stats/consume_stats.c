/* 208: where a group is, in one topic, in some, or in all that it has offsets in. Some queues a
 * turn. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/stats/queue_stats.h"
#include "requests/wait.h"
#include "wire/headers.h"

#define QUEUES_PER_STEP 64
#define ROWS_PER_STEP 512
#define TOPIC_LIST_BYTES_MAX (64 << 10)

struct progress {
  struct bl_json_writer w;
  struct bl_queue_stats stats;
  bool has_list;
  struct bl_slice list; /* topics still to do; in the call's arena */
  bool single_done;
  size_t cursor;         /* of the offset rows */
  struct bl_slice topic; /* being written; in the call's arena; absent: the next is to be found */
  double rate;
};

/* From the second turn on the call has memory that lasts, so the first only begins. */
static enum bl_outcome start(struct bl_call *call) {
  struct progress *progress = calloc(1, sizeof(*progress));
  BL_ASSERT(progress != NULL);
  call->progress = progress;
  progress->w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&progress->w);
  bl_json_key(&progress->w, "offsetTable");
  bl_json_open_object(&progress->w);
  return BL_AGAIN;
}

/* The next topic of the list. */
static bool next_listed(struct progress *progress) {
  while (progress->list.ptr != NULL) {
    progress->topic = bl_slice_trim(bl_slice_cut(&progress->list, ';'));
    if (progress->topic.len > 0) return true;
  }
  return false;
}

/* FILLS progress->topic. BL_ERR_NOT_FOUND: there is none any more; BL_ERR_SHORT: looked long enough
 * for this turn. */
static bl_err next_topic(struct bl_call *call, struct progress *progress, int *rows) {
  const struct bl_broker *broker = call->server;
  const struct bl_consume_stats_header *header = call->header;
  if (progress->has_list) return next_listed(progress) ? BL_OK : BL_ERR_NOT_FOUND;
  if (bl_slice_trim(header->topic).len > 0) {
    if (progress->single_done || !bl_group_wants_topic(broker, header->group, header->topic)) {
      return BL_ERR_NOT_FOUND;
    }
    progress->single_done = true;
    progress->topic = header->topic;
    return BL_OK;
  }
  while ((*rows)-- > 0) {
    const struct bl_map_entry *entry = bl_map_next(&broker->offsets.table.map, &progress->cursor);
    if (entry == NULL) return BL_ERR_NOT_FOUND;
    const struct bl_offset_row *row = entry->value;
    if (!bl_slice_eq(row->group, header->group) || !bl_offset_row_is_committed(row)) continue;
    if (!bl_group_wants_topic(broker, row->group, row->topic)) continue;
    progress->topic = bl_arena_copy(call->arena, row->topic);
    return BL_OK;
  }
  return BL_ERR_SHORT;
}

/* BL_OK: everything is written. */
static bl_err step(struct bl_call *call, struct progress *progress) {
  struct bl_broker *broker = call->server;
  const struct bl_consume_stats_header *header = call->header;
  int budget = QUEUES_PER_STEP;
  int rows = ROWS_PER_STEP;
  for (;;) {
    if (progress->topic.ptr == NULL) {
      bl_err err = next_topic(call, progress, &rows);
      if (err != BL_OK) return err == BL_ERR_NOT_FOUND ? BL_OK : err;
      memset(&progress->stats, 0, sizeof(progress->stats));
    }
    struct bl_topic *topic = bl_topics_find(&broker->topics, progress->topic);
    if (topic != NULL) {
      bl_err err = bl_queue_stats_step(&progress->stats, broker, topic, header->group,
                                       topic->read_queues, &progress->w, &budget);
      if (err != BL_OK) return err;
      progress->rate += bl_queue_stats_rate(broker, progress->topic, header->group, call->arena);
    }
    progress->topic = (struct bl_slice){NULL, 0};
  }
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_consume_stats_header *header = call->header;
  struct progress *progress = call->progress;
  if (header->topic_list.len > TOPIC_LIST_BYTES_MAX) {
    return bl_call_fail(call, BL_ERR_PARAMETER, "topicList is longer than %d bytes",
                        TOPIC_LIST_BYTES_MAX);
  }
  if (progress == NULL) return start(call);
  if (!progress->has_list && header->topic_list.len > 0) {
    progress->has_list = true;
    progress->list = header->topic_list;
  }
  progress->w.out = call->body;
  /* Nothing may be freed meanwhile. */
  if (bl_time_reader_waits(&progress->stats.times))
    return bl_call_next_step(call, &progress->stats.times);
  if (step(call, progress) != BL_OK) return bl_call_next_step(call, &progress->stats.times);
  bl_json_close_object(&progress->w);
  bl_json_key(&progress->w, "consumeTps");
  bl_json_put_double(&progress->w, progress->rate);
  bl_json_close_object(&progress->w);
  free(progress);
  call->progress = NULL;
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_consume_stats = {
    .code = 208,
    .name = "GET_CONSUME_STATS",
    .roles = BL_ROLE_BROKER,
    .header = &bl_consume_stats_table,
    .handle = handle,
};
