#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/group/members_progress.h"
#include "requests/json_parts.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_producer_group_header *header = call->header;
  const struct bl_member_group *group = bl_members_producers(call->server, header->group);
  if (group == NULL && call->progress == NULL) {
    return bl_call_fail(call, BL_ERR_SYSTEM, "the producer group[%.*s] not exist",
                        BL_FMT(header->group));
  }
  struct bl_members_progress *progress = bl_members_progress(call, "connectionSet");
  if (group != NULL && bl_json_put_connections(&progress->w, group, &progress->position))
    return BL_AGAIN;
  bl_json_close_array(&progress->w);
  return bl_members_progress_end(call);
}

const struct bl_request bl_request_producer_connections = {
    .code = 204,
    .name = "GET_PRODUCER_CONNECTION_LIST",
    .roles = BL_ROLE_BROKER,
    .header = &bl_producer_group_table,
    .handle = handle,
};
