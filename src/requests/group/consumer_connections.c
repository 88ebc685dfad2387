#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/group/members_progress.h"
#include "requests/json_parts.h"
#include "wire/headers.h"

static void put_subscriptions(struct bl_json_writer *w, const struct bl_member_group *group) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  bl_json_key(w, "subscriptionTable");
  bl_json_open_object(w);
  while ((entry = bl_map_next(&group->subscriptions, &cursor)) != NULL) {
    bl_json_key_slice(w, entry->key);
    bl_json_put_subscription(w, entry->value);
  }
  bl_json_close_object(w);
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_consumer_group_header *header = call->header;
  const struct bl_member_group *group = bl_members_consumers(call->server, header->group);
  if (group == NULL && call->progress == NULL) {
    return bl_call_fail(call, BL_ERR_CONSUMER_OFFLINE, "the consumer group[%.*s] not online",
                        BL_FMT(header->group));
  }
  struct bl_members_progress *progress = bl_members_progress(call, "connectionSet");
  struct bl_json_writer *w = &progress->w;
  if (group != NULL && bl_json_put_connections(w, group, &progress->position)) return BL_AGAIN;
  bl_json_close_array(w);
  /* It may have left meanwhile. */
  if (group == NULL) return bl_members_progress_end(call);
  bl_json_member_text(w, "consumeFromWhere", bl_slice_text(bl_consume_from_text(group->from)));
  bl_json_member_text(w, "consumeType", bl_slice_text(bl_consume_type_text(group->type)));
  bl_json_member_text(w, "messageModel", bl_slice_text(bl_message_model_text(group->model)));
  put_subscriptions(w, group);
  return bl_members_progress_end(call);
}

const struct bl_request bl_request_consumer_connections = {
    .code = 203,
    .name = "GET_CONSUMER_CONNECTION_LIST",
    .roles = BL_ROLE_BROKER,
    .header = &bl_consumer_group_table,
    .handle = handle,
};
