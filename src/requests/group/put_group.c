#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/durable.h"
#include "requests/group/group_check.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  struct bl_why why;
  struct bl_group like;
  struct bl_group *group;
  int64_t end;
  /* RocketMQ answers success to nothing. */
  if (call->command->body.len == 0) return bl_call_ok(call);
  const struct bl_json *root = bl_call_json(call);
  if (root == NULL) return BL_DONE;
  struct bl_slice name = bl_json_text(bl_json_get(root, "groupName"));
  bl_err err = bl_group_name_validate(name, &why);
  if (err != BL_OK) return bl_call_fail(call, err, "%s", why.text);
  err = bl_group_read(root, name, call->arena, &like);
  if (err == BL_OK) err = bl_broker_put_group(broker, &like, &group, &end);
  if (err == BL_ERR_BUSY) return BL_AGAIN; /* the log has room in a moment */
  if (err != BL_OK) return bl_call_fail(call, err, NULL);
  return bl_durable_ok(call, broker, end);
}

const struct bl_request bl_request_put_group = {
    .code = 200,
    .name = "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP",
    .roles = BL_ROLE_BROKER,
    .handle = handle,
};
