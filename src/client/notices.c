/* What brokers tell a client by themselves. */
#include "client/client_internal.h"
#include "wire/headers.h"

/* 40: members of a group came or went; RocketMQ sends it one-way to each member. */
static enum bl_outcome on_members_changed(struct bl_call *call) {
  const struct bl_consumer_group_header *header = call->header;
  struct bl_client *client = call->server;
  for (struct bl_list *node = client->parts.next, *next; node != &client->parts; node = next) {
    next = node->next;
    struct bl_heartbeat_part *part = BL_CONTAINER(node, struct bl_heartbeat_part, node);
    if (part->on_members != NULL && bl_slice_eq(part->group, header->group)) part->on_members(part);
  }
  return bl_call_ok(call);
}

static const struct bl_request members_changed = {
    .code = 40,
    .name = "NOTIFY_CONSUMER_IDS_CHANGED",
    .roles = BL_ROLE_CLIENT,
    .header = &bl_consumer_group_table,
    .handle = on_members_changed,
};

const struct bl_request *const bl_client__requests[] = {&members_changed};
const size_t bl_client__requests_count = 1;
