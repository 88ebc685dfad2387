/* 400: a member asks for its queues of a topic.
 * Source: apache/rocketmq QueryAssignmentProcessor#queryAssignment, QueryAssignmentRequestBody. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "broker/assign/assign.h"
#include "broker/broker.h"
#include "remoting/remoting.h"
#include "remoting/request.h"
#include "requests/json_parts.h"

#define BODY_BYTES_MAX (15 << 20)

struct asking {
  struct bl_assign_ask ask;
  struct bl_ticket ticket;
  struct bl_arena arena; /* the question's texts */
  struct bl_buf body;
  struct bl_json_writer w;
};

static void put_queue(void *context, struct bl_slice broker, int32_t queue_id) {
  struct asking *asking = BL_CONTAINER((struct bl_assign_ask *)context, struct asking, ask);
  struct bl_json_writer *w = &asking->w;
  bl_json_open_object(w);
  bl_json_key(w, "messageQueue");
  bl_json_put_queue(w, broker, asking->ask.topic, queue_id);
  /* Also where a Java broker set POP, which is not served. */
  bl_json_member_text(w, "mode", BL_SLICE("PULL"));
  bl_json_close_object(w);
}

static void on_assigned(struct bl_assign_ask *ask, bool found) {
  struct asking *asking = BL_CONTAINER(ask, struct asking, ask);
  bl_json_close_array(&asking->w);
  bl_json_close_object(&asking->w);
  struct bl_slice body = found ? bl_buf_slice(&asking->body) : BL_SLICE("{}");
  struct bl_reply reply = {.code = 0, .body = &body, .body_count = 1};
  if (asking->body.failed) {
    reply = (struct bl_reply){.code = bl_err_code(BL_ERR_FULL),
                              .remark = BL_SLICE("there are more queues than an answer holds")};
  }
  bl_ticket_reply(ask->broker->remoting, &asking->ticket, &reply);
  bl_buf_fini(&asking->body);
  bl_arena_fini(&asking->arena);
  free(asking);
}

static bool read_model(struct bl_slice text, enum bl_message_model *out_model) {
  *out_model = bl_slice_is(text, "BROADCASTING") ? BL_BROADCASTING : BL_CLUSTERING;
  return *out_model == BL_BROADCASTING || bl_slice_is(text, "CLUSTERING");
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_json *root = bl_call_json(call);
  if (root == NULL) return BL_DONE;
  struct bl_slice topic = bl_json_text(bl_json_get(root, "topic"));
  struct bl_slice group = bl_json_text(bl_json_get(root, "consumerGroup"));
  enum bl_message_model model;
  if (topic.len == 0 || topic.len > BL_TOPIC_SPECIAL_BYTES_MAX || group.ptr == NULL ||
      !read_model(bl_json_text(bl_json_get(root, "messageModel")), &model)) {
    return bl_call_fail(call, BL_ERR_SYSTEM,
                        "the question needs a topic, a consumerGroup, and a messageModel that is "
                        "CLUSTERING or BROADCASTING");
  }
  struct asking *asking = calloc(1, sizeof(*asking));
  BL_ASSERT(asking != NULL);
  bl_arena_init(&asking->arena);
  bl_buf_init(&asking->body, BODY_BYTES_MAX);
  asking->ticket = bl_call_ticket(call);
  asking->w = bl_json_writer_of(&asking->body, false);
  bl_json_open_object(&asking->w);
  bl_json_key(&asking->w, "messageQueueAssignments");
  bl_json_open_array(&asking->w);
  asking->ask = (struct bl_assign_ask){
      .broker = call->server,
      .topic = bl_arena_copy(&asking->arena, topic),
      .group = bl_arena_copy(&asking->arena, group),
      .client_id = bl_arena_copy(&asking->arena, bl_json_text(bl_json_get(root, "clientId"))),
      .strategy = bl_arena_copy(&asking->arena, bl_json_text(bl_json_get(root, "strategyName"))),
      .model = model,
      .take = put_queue,
      .done = on_assigned};
  bl_assign_start(&asking->ask);
  return BL_PARKED;
}

const struct bl_request bl_request_query_assignment = {
    .code = 400,
    .name = "QUERY_ASSIGNMENT",
    .roles = BL_ROLE_BROKER,
    .flags = BL_REQUEST_NEEDS_BODY,
    .handle = handle,
};
