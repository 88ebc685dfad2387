/* 34: who a client is and what it wants. Enums come as names or as ordinals, numbers as text (C++
 * clients). Source: apache/rocketmq HeartbeatData, ConsumerData, SubscriptionData. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "broker/broker.h"
#include "remoting/request.h"

/* Some 6,000 groups of a Java client, or 15,000 topics. More is not looked at: it would hold the
 * core. */
#define BODY_BYTES_MAX (4 << 20)

/* The place of the text among `names`, or the ordinal it is; `otherwise` for anything else. */
static int enum_of(const struct bl_json *node, const char *const *names, int count, int otherwise) {
  struct bl_slice text = bl_json_text(node);
  int32_t ordinal;
  for (int i = 0; i < count; i++) {
    if (bl_slice_is(text, names[i])) return i;
  }
  return bl_slice_i32(text, &ordinal) && ordinal >= 0 && ordinal < count ? ordinal : otherwise;
}

static uint32_t count_of(const struct bl_json *array) {
  return array != NULL && array->kind == BL_JSON_ARRAY ? array->count : 0;
}

static void take_subscriptions(const struct bl_json *array, struct bl_arena *arena,
                               struct bl_heartbeat_consumer *consumer) {
  uint32_t count = count_of(array);
  consumer->subscriptions = bl_arena_zero(arena, (count + 1) * sizeof(*consumer->subscriptions));
  const struct bl_json *node = count > 0 ? array->child : NULL;
  for (; node != NULL && consumer->subscription_count < count; node = node->next) {
    struct bl_heartbeat_subscription *s = &consumer->subscriptions[consumer->subscription_count];
    s->topic = bl_json_text(bl_json_get(node, "topic"));
    s->expression = bl_json_text(bl_json_get(node, "subString"));
    s->expression_type = bl_json_text(bl_json_get(node, "expressionType"));
    s->version = bl_json_i64(bl_json_get(node, "subVersion"), 0);
    if (s->topic.len > 0 && s->topic.len <= BL_TOPIC_SPECIAL_BYTES_MAX)
      consumer->subscription_count++;
  }
}

static void take_consumers(const struct bl_json *array, struct bl_arena *arena,
                           struct bl_heartbeat *heartbeat) {
  static const char *const types[] = {"CONSUME_ACTIVELY", "CONSUME_PASSIVELY", "CONSUME_POP"};
  static const char *const models[] = {"BROADCASTING", "CLUSTERING"};
  static const char *const froms[] = {
      "CONSUME_FROM_LAST_OFFSET",  "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
      "CONSUME_FROM_MIN_OFFSET",   "CONSUME_FROM_MAX_OFFSET",
      "CONSUME_FROM_FIRST_OFFSET", "CONSUME_FROM_TIMESTAMP"};
  uint32_t count = count_of(array);
  heartbeat->consumers = bl_arena_zero(arena, (count + 1) * sizeof(*heartbeat->consumers));
  const struct bl_json *node = count > 0 ? array->child : NULL;
  for (; node != NULL && heartbeat->consumer_count < count; node = node->next) {
    struct bl_heartbeat_consumer *c = &heartbeat->consumers[heartbeat->consumer_count];
    c->group = bl_json_text(bl_json_get(node, "groupName"));
    if (c->group.len == 0 || c->group.len > BL_GROUP_BYTES_MAX) continue;
    c->type = (enum bl_consume_type)enum_of(bl_json_get(node, "consumeType"), types, 3, 1);
    c->model = (enum bl_message_model)enum_of(bl_json_get(node, "messageModel"), models, 2, 1);
    c->from = (enum bl_consume_from)enum_of(bl_json_get(node, "consumeFromWhere"), froms, 6, 0);
    c->unit_mode = bl_json_bool(bl_json_get(node, "unitMode"), false);
    take_subscriptions(bl_json_get(node, "subscriptionDataSet"), arena, c);
    heartbeat->consumer_count++;
  }
}

static void take_producers(const struct bl_json *array, struct bl_arena *arena,
                           struct bl_heartbeat *heartbeat) {
  uint32_t count = count_of(array);
  heartbeat->producers = bl_arena_zero(arena, (count + 1) * sizeof(*heartbeat->producers));
  const struct bl_json *node = count > 0 ? array->child : NULL;
  for (; node != NULL && heartbeat->producer_count < count; node = node->next) {
    struct bl_slice group = bl_json_text(bl_json_get(node, "groupName"));
    if (group.len == 0 || group.len > BL_GROUP_BYTES_MAX) continue;
    heartbeat->producers[heartbeat->producer_count++] = group;
  }
}

/* The limits that a heartbeat alone can be over. */
static bl_err check_counts(const struct bl_json *root, struct bl_why *why) {
  const struct bl_json *consumers = bl_json_get(root, "consumerDataSet");
  uint32_t groups = count_of(consumers);
  if (groups > BL_CLIENT_GROUPS_MAX ||
      count_of(bl_json_get(root, "producerDataSet")) > BL_CLIENT_GROUPS_MAX) {
    return bl_why_set(why, BL_ERR_FULL, "a client is in %d groups at most", BL_CLIENT_GROUPS_MAX);
  }
  for (const struct bl_json *node = groups > 0 ? consumers->child : NULL; node != NULL;
       node = node->next) {
    uint32_t topics = count_of(bl_json_get(node, "subscriptionDataSet"));
    if (topics <= BL_CLIENT_SUBSCRIPTIONS_MAX) continue;
    return bl_why_set(why, BL_ERR_FULL,
                      "%u topics are subscribed to in one group, and a member may have %d", topics,
                      BL_CLIENT_SUBSCRIPTIONS_MAX);
  }
  return BL_OK;
}

/* A heartbeat that takes more than one turn. */
struct beating {
  bool parsed;
  struct bl_heartbeat heartbeat; /* in the call's arena */
  uint32_t place;
  bool changed;
};

/* FILLS the heartbeat, in the call's arena. Answered when it returns false. */
static bool parse(struct bl_call *call, struct bl_heartbeat *out) {
  struct bl_broker *broker = call->server;
  struct bl_why why;
  if (call->command->body.len > BODY_BYTES_MAX) {
    broker->members.refused++;
    bl_call_fail(call, BL_ERR_FULL, "the heartbeat has %zu bytes, and %d may be",
                 call->command->body.len, BODY_BYTES_MAX);
    return false;
  }
  const struct bl_json *root = bl_call_json(call);
  if (root == NULL) return false;
  *out = (struct bl_heartbeat){
      .client_id = bl_json_text(bl_json_get(root, "clientID")),
      .language = call->command->language,
      .version = call->command->version,
      .fingerprint = bl_json_i32(bl_json_get(root, "heartbeatFingerprint"), 0),
      .without_sub = bl_json_bool(bl_json_get(root, "withoutSub"), false)};
  if (out->client_id.len == 0 || out->client_id.len > BL_CLIENT_ID_BYTES_MAX) {
    bl_call_fail(call, BL_ERR_SYSTEM, "the heartbeat has no clientID, or a longer one than %d",
                 BL_CLIENT_ID_BYTES_MAX);
    return false;
  }
  bl_err err = check_counts(root, &why);
  if (err != BL_OK) {
    broker->members.refused++;
    bl_call_fail(call, err, "%s", why.text);
    return false;
  }
  take_consumers(bl_json_get(root, "consumerDataSet"), call->arena, out);
  take_producers(bl_json_get(root, "producerDataSet"), call->arena, out);
  return true;
}

static enum bl_outcome end(struct bl_call *call, enum bl_outcome outcome) {
  free(call->progress);
  call->progress = NULL;
  return outcome;
}

static enum bl_outcome answer(struct bl_call *call, bool changed) {
  struct bl_field extra[2] = {
      {BL_SLICE("IS_SUPPORT_HEART_BEAT_V2"), BL_SLICE("true")},
      {BL_SLICE("IS_SUB_CHANGE"), changed ? BL_SLICE("true") : BL_SLICE("false")}};
  struct bl_reply reply = {.code = 0, .extra = extra, .extra_count = 2};
  bl_call_reply(call, &reply);
  return BL_DONE;
}

/* From the second turn on the call has memory that lasts: what is parsed in it is kept. */
static enum bl_outcome go_on(struct bl_call *call, struct beating *beating) {
  struct bl_why why;
  /* Its client is gone. */
  if (call->conn == NULL) return end(call, BL_DONE);
  if (!beating->parsed && !parse(call, &beating->heartbeat)) return end(call, BL_DONE);
  beating->parsed = true;
  bl_err err = bl_members_heartbeat(call->server, call->conn, &beating->heartbeat, &beating->place,
                                    &beating->changed, &why);
  if (err == BL_ERR_SHORT) return BL_AGAIN;
  if (err != BL_OK) return end(call, bl_call_fail(call, err, "%s", why.text));
  return end(call, answer(call, beating->changed));
}

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_heartbeat heartbeat;
  struct bl_why why;
  uint32_t place = 0;
  bool changed = false;
  if (call->progress != NULL) return go_on(call, call->progress);
  if (!parse(call, &heartbeat)) return BL_DONE;
  bl_err err = bl_members_heartbeat(call->server, call->conn, &heartbeat, &place, &changed, &why);
  if (err == BL_ERR_SHORT) {
    struct beating *beating = calloc(1, sizeof(*beating));
    BL_ASSERT(beating != NULL);
    beating->place = place;
    beating->changed = changed;
    call->progress = beating;
    return BL_AGAIN;
  }
  if (err != BL_OK) return bl_call_fail(call, err, "%s", why.text);
  return answer(call, changed);
}

const struct bl_request bl_request_heart_beat = {
    .code = 34,
    .name = "HEART_BEAT",
    .roles = BL_ROLE_BROKER,
    .flags = BL_REQUEST_NEEDS_BODY,
    .handle = handle,
};
