/* 38. All members ask when one came or went, so the answer is made once for them. */
#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/group/members_progress.h"
#include "requests/json_parts.h"
#include "wire/headers.h"

static void put_id(struct bl_json_writer *w, const struct bl_client *client) {
  bl_json_put_text(w, client->id);
}

/* What another call made meanwhile, in place of what this one has so far. */
static enum bl_outcome answer_made(struct bl_call *call, const struct bl_member_group *group) {
  struct bl_slice body = bl_buf_slice(&group->ids_answer);
  struct bl_reply reply = {.code = 0, .body = &body, .body_count = 1};
  free(call->progress);
  call->progress = NULL;
  bl_call_reply(call, &reply);
  return BL_DONE;
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_consumer_group_header *header = call->header;
  struct bl_member_group *group = bl_members_consumers(call->server, header->group);
  if (group == NULL && call->progress == NULL) {
    return bl_call_fail(call, BL_ERR_SYSTEM, "no consumer for this group, %.*s",
                        BL_FMT(header->group));
  }
  if (group != NULL && group->ids_answer.len > 0) return answer_made(call, group);
  bool is_new = call->progress == NULL;
  struct bl_members_progress *progress = bl_members_progress(call, "consumerIdList");
  if (is_new) progress->changes = group->changes;
  if (group != NULL && bl_members_step(group, &progress->position, put_id, &progress->w))
    return BL_AGAIN;
  bl_json_close_array(&progress->w);
  bl_json_close_object(&progress->w);
  if (group != NULL && progress->changes == group->changes && !call->body->failed)
    bl_buf_put_slice(&group->ids_answer, bl_buf_slice(call->body));
  free(progress);
  call->progress = NULL;
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_consumer_ids = {
    .code = 38,
    .name = "GET_CONSUMER_LIST_BY_GROUP",
    .roles = BL_ROLE_BROKER,
    .header = &bl_consumer_group_table,
    .handle = handle,
};
