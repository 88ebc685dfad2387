/* 202: offsets of every queue of a topic, and when its last message was stored. Some queues a turn.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/query/read.h"
#include "broker/runtime/runtime.h"
#include "remoting/request.h"
#include "requests/json_parts.h"
#include "requests/wait.h"
#include "wire/headers.h"

#define QUEUES_PER_STEP 64

struct progress {
  struct bl_json_writer w;
  struct bl_time_reader times;
  int32_t queue_id;
};

/* BL_ERR_COLD: the same queue again next turn. */
static bl_err put_queue(struct progress *progress, struct bl_broker *broker,
                        struct bl_topic *topic) {
  struct bl_json_writer *w = &progress->w;
  struct bl_queue *queue = bl_broker_queue(broker, topic, progress->queue_id);
  int64_t min = queue != NULL ? bl_queue_min_offset(queue) : 0;
  int64_t max = queue != NULL ? bl_queue_max_offset(queue) : 0;
  int64_t stored_ms = 0;
  if (max > 0 &&
      bl_time_reader_get(&progress->times, broker, queue, max - 1, &stored_ms) != BL_OK) {
    return BL_ERR_COLD;
  }
  bl_json_key_queue(w, bl_slice_text(broker->settings->broker_name), topic->name,
                    progress->queue_id);
  bl_json_open_object(w);
  bl_json_member_i64(w, "lastUpdateTimestamp", stored_ms);
  bl_json_member_i64(w, "maxOffset", max);
  bl_json_member_i64(w, "minOffset", min);
  bl_json_close_object(w);
  progress->queue_id++;
  return BL_OK;
}

static enum bl_outcome end(struct bl_call *call, double tps) {
  struct progress *progress = call->progress;
  bl_json_close_object(&progress->w);
  bl_json_key(&progress->w, "topicPutTps");
  bl_json_put_double(&progress->w, tps);
  bl_json_close_object(&progress->w);
  free(progress);
  call->progress = NULL;
  return bl_call_ok_body(call);
}

static struct progress *start(struct bl_call *call) {
  struct progress *progress = calloc(1, sizeof(*progress));
  BL_ASSERT(progress != NULL);
  progress->w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&progress->w);
  bl_json_key(&progress->w, "offsetTable");
  bl_json_open_object(&progress->w);
  return progress;
}

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_topic_name_header *header = call->header;
  struct bl_topic *topic = bl_topics_find(&broker->topics, header->topic);
  if (topic == NULL && call->progress == NULL) {
    return bl_call_fail(call, BL_ERR_NO_TOPIC, "topic[%.*s] not exist", BL_FMT(header->topic));
  }
  if (call->progress == NULL) call->progress = start(call);
  struct progress *progress = call->progress;
  progress->w.out = call->body;
  /* Nothing may be freed meanwhile. */
  if (bl_time_reader_waits(&progress->times)) return bl_call_next_step(call, &progress->times);
  /* Deleted meanwhile: what was found until then is the answer. */
  if (topic == NULL) return end(call, 0);
  int32_t queues =
      topic->read_queues > topic->write_queues ? topic->read_queues : topic->write_queues;
  for (int i = 0; i < QUEUES_PER_STEP && progress->queue_id < queues; i++) {
    if (put_queue(progress, broker, topic) != BL_OK)
      return bl_call_next_step(call, &progress->times);
  }
  if (progress->queue_id < queues) return bl_call_next_step(call, &progress->times);
  struct bl_slice name = bl_arena_printf(call->arena, "put %.*s", BL_FMT(topic->name));
  return end(call, bl_runtime_asked_rate(broker->runtime, name, topic->put_count));
}

const struct bl_request bl_request_topic_stats = {
    .code = 202,
    .name = "GET_TOPIC_STATS_INFO",
    .roles = BL_ROLE_BROKER,
    .header = &bl_topic_name_table,
    .handle = handle,
};
