/* 61: TimerMetrics: how many messages wait for each topic. Topics for which none waits are left
 * out, some topics a turn. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "broker/broker.h"
#include "broker/delay/delay.h"
#include "remoting/request.h"

#define TOPICS_PER_STEP 256

struct progress {
  struct bl_json_writer w;
  size_t cursor;
};

static struct progress *start(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  struct progress *progress = calloc(1, sizeof(*progress));
  BL_ASSERT(progress != NULL);
  struct bl_json_writer *w = &progress->w;
  *w = bl_json_writer_of(call->body, false);
  bl_json_open_object(w);
  bl_json_key(w, "dataVersion");
  bl_json_open_object(w);
  bl_json_member_i64(w, "counter", bl_delay_stats(broker->delay)->delivered);
  bl_json_member_i64(w, "stateVersion", 0);
  bl_json_member_i64(w, "timestamp", bl_clock_wall_ms(broker->clock));
  bl_json_close_object(w);
  bl_json_key(w, "timingCount");
  bl_json_open_object(w);
  return progress;
}

/* false: all are written. */
static bool step(struct progress *progress, const struct bl_pending *pending) {
  struct bl_json_writer *w = &progress->w;
  struct bl_slice topic;
  int64_t count;
  int64_t changed_ms;
  for (int i = 0; i < TOPICS_PER_STEP; i++) {
    if (!bl_pending_next_topic(pending, &progress->cursor, &topic, &count, &changed_ms))
      return false;
    if (count == 0) continue;
    bl_json_key_slice(w, topic);
    bl_json_open_object(w);
    bl_json_member_i64(w, "count", count);
    bl_json_member_i64(w, "timeStamp", changed_ms);
    bl_json_close_object(w);
  }
  return true;
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  if (call->progress == NULL) call->progress = start(call);
  struct progress *progress = call->progress;
  progress->w.out = call->body;
  if (call->conn != NULL && step(progress, broker->pending)) return BL_AGAIN;
  bl_json_close_object(&progress->w);
  bl_json_close_object(&progress->w);
  free(progress);
  call->progress = NULL;
  if (call->conn == NULL) return BL_DONE;
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_get_timer_metrics = {
    .code = 61,
    .name = "GET_TIMER_METRICS",
    .roles = BL_ROLE_BROKER,
    .handle = handle,
};
