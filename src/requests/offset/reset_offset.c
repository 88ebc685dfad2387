/* 222: an administrator sends a group to other offsets. The broker does it
 * (useServerSideResetOffset), or tells the members to (220). */
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "broker/broker.h"
#include "broker/offset/plan.h"
#include "remoting/remoting.h"
#include "requests/durable.h"
#include "requests/json_parts.h"
#include "requests/offset/reset_clients.h"
#include "requests/wait.h"
#include "wire/headers.h"

struct progress {
  struct bl_offset_plan plan;
  bool to_clients;
  bool found; /* every offset */
  struct bl_reset_clients clients;
};

static enum bl_outcome end(struct bl_call *call, struct progress *progress,
                           enum bl_outcome outcome) {
  bl_offset_plan_fini(&progress->plan);
  bl_reset_clients_fini(&progress->clients);
  free(progress);
  call->progress = NULL;
  return outcome;
}

/* Texts and order of checks: AdminBrokerProcessor#resetOffsetInner, Broker2Client#resetOffset. */
static bool check(struct bl_call *call, const struct bl_broker *broker, bool to_clients,
                  struct bl_topic **out_topic) {
  const struct bl_reset_offset_header *h = call->header;
  struct bl_topic *topic = bl_topics_find(&broker->topics, h->topic);
  *out_topic = topic;
  if (topic == NULL && to_clients) {
    bl_call_fail(call, BL_ERR_NO_TOPIC,
                 "[reset-offset] reset offset failed, no topic in this broker. topic=%.*s",
                 BL_FMT(h->topic));
    return false;
  }
  if (topic == NULL) {
    bl_call_fail(call, BL_ERR_NO_TOPIC, "Topic %.*s does not exist", BL_FMT(h->topic));
    return false;
  }
  if (!to_clients && bl_groups_find(&broker->groups, h->group) == NULL) {
    bl_call_fail(call, BL_ERR_NO_GROUP, "Group %.*s does not exist", BL_FMT(h->group));
    return false;
  }
  return true;
}

static int32_t queue_of(const struct bl_reset_offset_header *h) {
  return BL_HAS(h, reset_offset, queue_id) ? h->queue_id : -1;
}

/* Answered when it returns false. */
static bool check_queue(struct bl_call *call, const struct bl_topic *topic, int32_t id) {
  int32_t queues =
      topic->read_queues > topic->write_queues ? topic->read_queues : topic->write_queues;
  if (id < queues) return true;
  bl_call_fail(call, BL_ERR_PARAMETER, "queueId[%d] is illegal, topic:[%.*s] has %d queues", id,
               BL_FMT(topic->name), queues);
  return false;
}

/* One queue by offset is known already. Answered when it returns false. */
static bool take_offset(struct bl_call *call, struct bl_broker *broker, int32_t id,
                        struct bl_offset_plan *plan) {
  const struct bl_reset_offset_header *h = call->header;
  if (!BL_HAS(h, reset_offset, offset) || h->offset == -1) return true;
  const struct bl_queue *queue = bl_queues_find(broker->queues, h->topic, id);
  int64_t min = queue != NULL ? bl_queue_min_offset(queue) : 0;
  int64_t max = queue != NULL ? bl_queue_max_offset(queue) : 0;
  if (h->offset < min || h->offset > max) {
    bl_call_fail(call, BL_ERR_SYSTEM, "Target offset %lld not in consume queue range [%lld-%lld]",
                 (long long)h->offset, (long long)min, (long long)max);
    return false;
  }
  plan->offsets[0] = h->offset;
  plan->next = plan->end;
  return true;
}

/* The call has memory that lasts from the second turn on, so the first only begins. */
static enum bl_outcome start(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_reset_offset_header *h = call->header;
  bool to_clients = !broker->settings->server_side_reset;
  struct bl_topic *topic;
  if (!check(call, broker, to_clients, &topic)) return BL_DONE;
  int32_t id = to_clients ? -1 : queue_of(h);
  if (!check_queue(call, topic, id)) return BL_DONE;
  struct progress *progress = calloc(1, sizeof(*progress));
  BL_ASSERT(progress != NULL);
  progress->to_clients = to_clients;
  if (id < 0) {
    bl_offset_plan_init(&progress->plan, 0, to_clients ? topic->write_queues : topic->read_queues);
  } else {
    bl_offset_plan_init(&progress->plan, id, id + 1);
  }
  progress->plan.timestamp_ms = h->timestamp_ms;
  progress->plan.to_end = to_clients ? h->timestamp_ms == -1 : h->timestamp_ms < 0;
  if (id >= 0 && !take_offset(call, broker, id, &progress->plan)) {
    return end(call, progress, BL_DONE);
  }
  if (progress->plan.first == progress->plan.end) {
    bl_call_fail(call, BL_ERR_SYSTEM, "No queues to reset.");
    return end(call, progress, BL_DONE);
  }
  call->progress = progress;
  return BL_AGAIN;
}

void bl_reset_write_table(struct bl_json_writer *w, const struct bl_broker *broker,
                          struct bl_slice topic, const struct bl_offset_plan *plan) {
  bl_json_open_object(w);
  bl_json_key(w, "offsetTable");
  bl_json_open_object(w);
  for (int32_t id = plan->first; id < plan->end; id++) {
    bl_json_key_queue(w, bl_slice_text(broker->settings->broker_name), topic, id);
    bl_json_put_i64(w, plan->offsets[id - plan->first]);
  }
  bl_json_close_object(w);
  bl_json_close_object(w);
}

static enum bl_outcome reset_here(struct bl_call *call, struct progress *progress) {
  struct bl_broker *broker = call->server;
  const struct bl_reset_offset_header *h = call->header;
  /* It may have been deleted meanwhile. */
  if (bl_topics_find(&broker->topics, h->topic) == NULL) {
    bl_call_fail(call, BL_ERR_NO_TOPIC, "Topic %.*s does not exist", BL_FMT(h->topic));
    return end(call, progress, BL_DONE);
  }
  bl_err err = bl_broker_reset_offsets(broker, h->topic, h->group, &progress->plan);
  if (err != BL_OK) {
    bl_call_fail(call, err, "the broker keeps the offsets of %lld queues already, the most it may",
                 (long long)broker->offsets.slots_max);
    return end(call, progress, BL_DONE);
  }
  struct bl_json_writer w = bl_json_writer_of(call->body, false);
  bl_reset_write_table(&w, broker, h->topic, &progress->plan);
  bl_broker_log_offsets(broker);
  return end(call, progress, bl_durable_ok_body(call, broker));
}

static enum bl_outcome handle(struct bl_call *call) {
  struct progress *progress = call->progress;
  const struct bl_reset_offset_header *h = call->header;
  if (progress == NULL) return start(call);
  if (!progress->found) {
    bl_err err = bl_offset_plan_step(&progress->plan, call->server, h->topic);
    if (err == BL_ERR_COLD) call->again_ms = BL_WAIT_FOR_READ_MS;
    if (err == BL_ERR_COLD || err == BL_ERR_SHORT) return BL_AGAIN;
    if (err != BL_OK) {
      bl_call_fail(call, BL_ERR_SYSTEM, "queue %d cannot be searched now: %s", progress->plan.next,
                   bl_err_text(err));
      return end(call, progress, BL_DONE);
    }
    progress->found = true;
  }
  if (!progress->to_clients) return reset_here(call, progress);
  enum bl_outcome outcome = bl_reset_clients_step(call, &progress->plan, &progress->clients);
  return outcome == BL_AGAIN ? outcome : end(call, progress, outcome);
}

const struct bl_request bl_request_reset_offset = {
    .code = 222,
    .name = "INVOKE_BROKER_TO_RESET_OFFSET",
    .roles = BL_ROLE_BROKER,
    .header = &bl_reset_offset_table,
    .handle = handle,
};
