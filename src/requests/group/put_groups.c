/* 225: many groups at once. All names are checked before the first is changed; then some a turn. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/durable.h"
#include "requests/group/group_check.h"

#define GROUPS_PER_STEP 32

struct progress {
  const struct bl_json *list; /* in the call's arena */
  const struct bl_json *next;
  bool checked;
  int64_t end_offset;
};

static bl_err step(struct bl_call *call, struct progress *progress, struct bl_why *why) {
  for (int i = 0; i < GROUPS_PER_STEP && progress->next != NULL; i++) {
    struct bl_group like;
    struct bl_group *group;
    int64_t end = 0;
    struct bl_slice name = bl_json_text(bl_json_get(progress->next, "groupName"));
    bl_err err = bl_group_name_validate(name, why);
    if (err != BL_OK) return err;
    if (progress->checked) {
      err = bl_group_read(progress->next, name, call->arena, &like);
      if (err == BL_OK) err = bl_broker_put_group(call->server, &like, &group, &end);
      if (err != BL_OK) return bl_why_set(why, err, "%s", bl_err_text(err));
      progress->end_offset = end;
    }
    progress->next = progress->next->next;
  }
  return BL_OK;
}

static enum bl_outcome end(struct bl_call *call, bl_err err, const char *remark) {
  struct progress *progress = call->progress;
  int64_t end_offset = progress->end_offset;
  free(progress);
  call->progress = NULL;
  if (err != BL_OK) return bl_call_fail(call, err, "%s", remark);
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
    const struct bl_json *root = NULL;
    bl_err err = bl_json_parse(call->command->body, BL_JSON_DIALECT, call->arena, &root, &why);
    if (err != BL_OK) return end(call, BL_ERR_SYSTEM, why.text);
    const struct bl_json *list = bl_json_get(root, "groupConfigList");
    if (list == NULL || list->kind != BL_JSON_ARRAY) {
      return end(call, BL_ERR_SYSTEM, "the body has no list groupConfigList");
    }
    progress->list = list;
    progress->next = list->child;
  }
  bl_err err = step(call, progress, &why);
  if (err == BL_ERR_BUSY) return BL_AGAIN; /* the log has room in a moment */
  if (err != BL_OK) return end(call, err, why.text);
  if (progress->next != NULL) return BL_AGAIN;
  if (progress->checked) return end(call, BL_OK, NULL);
  progress->checked = true;
  progress->next = progress->list->child;
  return BL_AGAIN;
}

const struct bl_request bl_request_put_groups = {
    .code = 225,
    .name = "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST",
    .roles = BL_ROLE_BROKER,
    .flags = BL_REQUEST_NEEDS_BODY,
    .handle = handle,
};
