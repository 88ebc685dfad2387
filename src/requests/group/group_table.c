#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/table_answer.h"
#include "wire/headers.h"

static void put_forbidden(struct bl_json_writer *w, const struct bl_table *table) {
  (void)table;
  bl_json_key(w, "forbiddenTable");
  bl_json_open_object(w);
  bl_json_close_object(w);
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  const struct bl_all_groups_header *header = call->header;
  struct bl_all_groups_reply_header reply = {.present = 0};
  BL_SET(&reply, all_groups_reply, total, (int32_t)broker->groups.table.map.count);
  bool paged = BL_HAS(header, all_groups, max_count);
  struct bl_table_answer answer = {.table = &broker->groups.table,
                                   .first = header->seq > 0 ? (uint32_t)header->seq : 0,
                                   .count = !paged                  ? UINT32_MAX
                                            : header->max_count > 0 ? (uint32_t)header->max_count
                                                                    : 0,
                                   .before = put_forbidden,
                                   .header_table = &bl_all_groups_reply_table,
                                   .header = &reply};
  return bl_table_answer(call, &answer);
}

const struct bl_request bl_request_group_table = {
    .code = 201,
    .name = "GET_ALL_SUBSCRIPTIONGROUP_CONFIG",
    .roles = BL_ROLE_BROKER,
    .header = &bl_all_groups_table,
    .handle = handle,
};
