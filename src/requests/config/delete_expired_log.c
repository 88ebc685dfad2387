/* 329: expired files of the log go now and in the next looks, whatever the hour. The answer does
 * not wait. Source: AdminBrokerProcessor#deleteExpiredCommitLog. */
#include "broker/broker.h"
#include "broker/retention/retention.h"
#include "remoting/request.h"

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  bl_retention_delete_now(broker->retention);
  return bl_call_ok(call);
}

const struct bl_request bl_request_delete_expired_log = {
    .code = 329,
    .name = "DELETE_EXPIRED_COMMITLOG",
    .roles = BL_ROLE_BROKER,
    .handle = handle,
};
