/* 18: many topics at once. All are checked before the first is changed; then some a turn. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/durable.h"
#include "requests/topic/topic_change.h"

#define TOPICS_PER_STEP 32

struct progress {
  const struct bl_json *list; /* in the call's arena */
  const struct bl_json *next;
  bool checked;
  int64_t end_offset;
};

/* {"+key":"value","-key":""} as "+key=value,-key". */
static struct bl_slice changes_of(const struct bl_json *attributes, struct bl_arena *arena) {
  struct bl_slice none = {NULL, 0};
  if (attributes == NULL || attributes->kind != BL_JSON_OBJECT) return none;
  struct bl_buf text;
  bl_buf_init(&text, 65536);
  for (const struct bl_json *node = attributes->child; node != NULL; node = node->next) {
    bool sign = node->key.len > 0 && (node->key.ptr[0] == '+' || node->key.ptr[0] == '-');
    bool removes = sign && node->key.ptr[0] == '-';
    if (text.len > 0) bl_buf_put_char(&text, ',');
    if (!sign) bl_buf_put_char(&text, '+');
    bl_buf_put_slice(&text, node->key);
    if (removes) continue;
    bl_buf_put_char(&text, '=');
    bl_buf_put_slice(&text, bl_json_text(node));
  }
  struct bl_slice changes = text.len > 0 ? bl_arena_copy(arena, bl_buf_slice(&text)) : none;
  bl_buf_fini(&text);
  return changes;
}

static bl_err read_one(struct bl_call *call, const struct bl_json *node,
                       struct bl_topic_change *change, struct bl_why *why) {
  bl_err err = bl_topic_read(node, (struct bl_slice){"", 0}, call->arena, change);
  if (err != BL_OK) {
    struct bl_slice name = bl_json_text(bl_json_get(node, "topicName"));
    if (name.len > 0) err = bl_topic_name_check(name, why);
    return name.len == 0 || err == BL_OK
               ? bl_why_set(why, BL_ERR_PARAMETER, "The specified topic is blank.")
               : err;
  }
  change->read_queues = bl_json_i32(bl_json_get(node, "readQueueNums"), change->read_queues);
  change->write_queues = bl_json_i32(bl_json_get(node, "writeQueueNums"), change->write_queues);
  change->attributes = (struct bl_slice){NULL, 0};
  return bl_topic_change_check(call->server, change,
                               changes_of(bl_json_get(node, "attributes"), call->arena),
                               call->arena, why);
}

static bl_err step(struct bl_call *call, struct progress *progress, struct bl_why *why) {
  struct bl_broker *broker = call->server;
  for (int i = 0; i < TOPICS_PER_STEP && progress->next != NULL; i++) {
    struct bl_topic_change change;
    struct bl_topic *topic;
    int64_t end = 0;
    bl_err err = read_one(call, progress->next, &change, why);
    if (err == BL_OK && progress->checked) {
      err = bl_broker_put_topic(broker, &change, &topic, &end);
      if (err != BL_OK) return bl_why_set(why, err, "%s", bl_err_text(err));
    }
    if (err != BL_OK) return err;
    if (end > progress->end_offset) progress->end_offset = end;
    progress->next = progress->next->next;
  }
  return BL_OK;
}

static enum bl_outcome end(struct bl_call *call, bl_err err, const struct bl_why *why) {
  struct progress *progress = call->progress;
  int64_t end_offset = progress->end_offset;
  free(progress);
  call->progress = NULL;
  if (err != BL_OK) return bl_call_fail(call, err, "%s", why->text);
  return bl_durable_ok(call, call->server, end_offset);
}

static enum bl_outcome handle(struct bl_call *call) {
  struct progress *progress = call->progress;
  struct bl_why why;
  if (progress == NULL) {
    /* From the next turn on the call has memory that lasts. */
    call->progress = calloc(1, sizeof(*progress));
    BL_ASSERT(call->progress != NULL);
    return BL_AGAIN;
  }
  if (progress->list == NULL) {
    const struct bl_json *root = bl_call_json(call);
    const struct bl_json *list = bl_json_get(root, "topicConfigList");
    if (root == NULL || list == NULL || list->kind != BL_JSON_ARRAY) {
      free(progress);
      call->progress = NULL;
      if (root == NULL) return BL_DONE;
      return bl_call_fail(call, BL_ERR_SYSTEM, "the body has no list topicConfigList");
    }
    progress->list = list;
    progress->next = list->child;
  }
  bl_err err = step(call, progress, &why);
  if (err == BL_ERR_BUSY) return BL_AGAIN; /* the log has room in a moment */
  if (err != BL_OK) return end(call, err, &why);
  if (progress->next != NULL) return BL_AGAIN;
  if (progress->checked) return end(call, BL_OK, NULL);
  progress->checked = true;
  progress->next = progress->list->child;
  return BL_AGAIN;
}

const struct bl_request bl_request_create_topics = {
    .code = 18,
    .name = "UPDATE_AND_CREATE_TOPIC_LIST",
    .roles = BL_ROLE_BROKER,
    .flags = BL_REQUEST_NEEDS_BODY,
    .handle = handle,
};
