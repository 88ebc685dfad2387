#include "base/json.h"
#include "namesrv/namesrv.h"
#include "namesrv/route_json.h"
#include "remoting/request.h"
#include "requests/route/asker.h"
#include "wire/headers.h"

/* ClientRequestProcessor: versions from V4_9_4 (ordinal 401) read standard JSON. */
#define VERSION_V4_9_4 401

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_namesrv *ns = call->server;
  const struct bl_get_route_header *header = call->header;
  if (!bl_namesrv_ready(ns)) return bl_call_fail(call, BL_ERR_SYSTEM, "name server not ready");
  bool standard = header->standard_json || call->command->version >= VERSION_V4_9_4;
  bool zoned = bl_slice_bool(header->zone_mode) && bl_slice_trim(header->zone_name).len > 0;
  struct bl_namesrv_asker asker = bl_asker_of(call);
  struct bl_slice body = bl_namesrv_route(
      ns, header->topic, standard ? BL_NAMESRV_DIALECT_STANDARD : BL_NAMESRV_DIALECT_OLD, &asker,
      zoned ? header->zone_name : bl_slice_text(NULL));
  if (body.ptr == NULL) {
    struct bl_slice topic = header->topic.ptr != NULL ? header->topic : BL_SLICE("null");
    return bl_call_fail(
        call, BL_ERR_NO_TOPIC,
        "No topic route info in name server for the topic: %.*s\n"
        "See https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.",
        BL_FMT(topic));
  }
  struct bl_reply reply = {.body = &body, .body_count = 1};
  bl_call_reply(call, &reply);
  return BL_DONE;
}

const struct bl_request bl_request_get_route = {
    .code = 105,
    .name = "GET_ROUTEINFO_BY_TOPIC",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_get_route_table,
    .handle = handle,
};
