#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/relay.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_running_info_header *header = call->header;
  const struct bl_command *command = call->command;
  struct bl_outgoing outgoing = {.code = command->code,
                                 .extra = command->fields,
                                 .extra_count = command->field_count,
                                 .body = command->body};
  struct bl_ticket ticket = bl_call_ticket(call);
  bl_relay_to_consumer(call->server, &ticket, header->group, header->client_id, &outgoing);
  return BL_PARKED;
}

const struct bl_request bl_request_running_info = {
    .code = 307,
    .name = "GET_CONSUMER_RUNNING_INFO",
    .roles = BL_ROLE_BROKER,
    .header = &bl_running_info_table,
    .handle = handle,
};
