#include "remoting/request.h"
#include "wire/headers.h"

/* RocketMQ keeps sums of a minute, an hour and a day for each name and key, and says this of one
 * that nothing was counted for. No such sums are kept here, so it is the answer to all; rates are
 * in 28, 202 and 208. */
static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_stats_data_header *header = call->header;
  return bl_call_fail(call, BL_ERR_SYSTEM, "The stats <%.*s> <%.*s> not exist",
                      BL_FMT(header->stats_name), BL_FMT(header->stats_key));
}

const struct bl_request bl_request_view_stats = {
    .code = 315,
    .name = "VIEW_BROKER_STATS_DATA",
    .roles = BL_ROLE_BROKER,
    .header = &bl_stats_data_table,
    .handle = handle,
};
