/* 303: when the messages of each queue were stored: the first, the last, the one consumed last.
 * Some queues a turn. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/query/read.h"
#include "remoting/request.h"
#include "requests/json_parts.h"
#include "requests/wait.h"
#include "wire/headers.h"

#define QUEUES_PER_STEP 32
#define TIMES 4

struct progress {
  struct bl_json_writer w;
  struct bl_time_reader reader;
  int32_t queue_id;
  int wanted; /* the time of `times` that is to be read */
  int64_t times[TIMES];
};

/* The first message, the last, the last consumed, the next to consume; BL_ERR_COLD. */
static bl_err read_times(struct progress *progress, struct bl_broker *broker,
                         struct bl_queue *queue, int64_t committed) {
  int64_t min = queue != NULL ? bl_queue_min_offset(queue) : 0;
  int64_t max = queue != NULL ? bl_queue_max_offset(queue) : 0;
  int64_t offsets[TIMES] = {min, max - 1, committed - 1, committed};
  while (progress->wanted < TIMES) {
    int64_t *time = &progress->times[progress->wanted];
    bl_err err =
        bl_time_reader_get(&progress->reader, broker, queue, offsets[progress->wanted], time);
    if (err != BL_OK) return err;
    progress->wanted++;
  }
  progress->wanted = 0;
  return BL_OK;
}

static bl_err put_queue(struct progress *progress, struct bl_broker *broker, struct bl_topic *topic,
                        struct bl_slice group) {
  struct bl_json_writer *w = &progress->w;
  struct bl_queue *queue = bl_broker_queue(broker, topic, progress->queue_id);
  int64_t committed =
      bl_offsets_committed(&broker->offsets, topic->name, group, progress->queue_id);
  int64_t max = queue != NULL ? bl_queue_max_offset(queue) : 0;
  bl_err err = read_times(progress, broker, queue, committed);
  if (err != BL_OK) return err;
  int64_t next_ms = progress->times[3];
  int64_t delay_ms = 0;
  if (committed < max && next_ms >= 0) delay_ms = bl_clock_wall_ms(broker->clock) - next_ms;
  bl_json_open_object(w);
  bl_json_member_i64(w, "consumeTimeStamp",
                     committed > 0 ? progress->times[2] : progress->times[0]);
  bl_json_member_i64(w, "delayTime", delay_ms);
  bl_json_member_i64(w, "maxTimeStamp", progress->times[1]);
  bl_json_key(w, "messageQueue");
  bl_json_put_queue(w, bl_slice_text(broker->settings->broker_name), topic->name,
                    progress->queue_id);
  bl_json_member_i64(w, "minTimeStamp", progress->times[0]);
  bl_json_close_object(w);
  progress->queue_id++;
  return BL_OK;
}

static struct progress *start(struct bl_call *call) {
  struct progress *progress = calloc(1, sizeof(*progress));
  BL_ASSERT(progress != NULL);
  progress->w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&progress->w);
  bl_json_key(&progress->w, "consumeTimeSpanSet");
  bl_json_open_array(&progress->w);
  return progress;
}

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_group_topic_header *header = call->header;
  struct bl_topic *topic = bl_topics_find(&broker->topics, header->topic);
  if (topic == NULL && call->progress == NULL) {
    return bl_call_fail(call, BL_ERR_NO_TOPIC, "topic[%.*s] not exist", BL_FMT(header->topic));
  }
  if (call->progress == NULL) call->progress = start(call);
  struct progress *progress = call->progress;
  progress->w.out = call->body;
  /* Nothing may be freed meanwhile. */
  if (bl_time_reader_waits(&progress->reader)) return bl_call_next_step(call, &progress->reader);
  int32_t queues = topic != NULL ? topic->write_queues : 0;
  for (int i = 0; topic != NULL && i < QUEUES_PER_STEP && progress->queue_id < queues; i++) {
    if (put_queue(progress, broker, topic, header->group) != BL_OK)
      return bl_call_next_step(call, &progress->reader);
  }
  if (progress->queue_id < queues) return bl_call_next_step(call, &progress->reader);
  bl_json_close_array(&progress->w);
  bl_json_close_object(&progress->w);
  free(progress);
  call->progress = NULL;
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_consume_time_span = {
    .code = 303,
    .name = "QUERY_CONSUME_TIME_SPAN",
    .roles = BL_ROLE_BROKER,
    .header = &bl_group_topic_table,
    .handle = handle,
};
