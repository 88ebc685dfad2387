#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/durable.h"
#include "wire/headers.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_group_name_header *header = call->header;
  int64_t end;
  bl_err err = bl_broker_delete_group(call->server, header->group, header->clean_offset, &end);
  if (err == BL_ERR_BUSY) return BL_AGAIN; /* the log has room in a moment */
  if (err != BL_OK) return bl_call_fail(call, err, NULL);
  return bl_durable_ok(call, call->server, end);
}

const struct bl_request bl_request_delete_group = {
    .code = 207,
    .name = "DELETE_SUBSCRIPTIONGROUP",
    .roles = BL_ROLE_BROKER,
    .header = &bl_group_name_table,
    .handle = handle,
};
