#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/group/members_progress.h"
#include "requests/json_parts.h"
#include "wire/headers.h"

static void put_id(struct bl_json_writer *w, const struct bl_client *client) {
  bl_json_put_text(w, client->id);
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_consumer_group_header *header = call->header;
  const struct bl_member_group *group = bl_members_consumers(call->server, header->group);
  if (group == NULL && call->progress == NULL) {
    return bl_call_fail(call, BL_ERR_SYSTEM, "no consumer for this group, %.*s",
                        BL_FMT(header->group));
  }
  struct bl_members_progress *progress = bl_members_progress(call, "consumerIdList");
  if (group != NULL && bl_members_step(group, &progress->position, put_id, &progress->w))
    return BL_AGAIN;
  bl_json_close_array(&progress->w);
  return bl_members_progress_end(call);
}

const struct bl_request bl_request_consumer_ids = {
    .code = 38,
    .name = "GET_CONSUMER_LIST_BY_GROUP",
    .roles = BL_ROLE_BROKER,
    .header = &bl_consumer_group_table,
    .handle = handle,
};
