/* 46: whether the broker can filter as a consumer will ask it to. A Java consumer asks before it
 * starts. Source: apache/rocketmq ClientManageProcessor#checkClientConfig, CheckClientRequestBody.
 */
#include "base/json.h"
#include "broker/broker.h"
#include "remoting/request.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  struct bl_why why = {{0}};
  if (call->command->body.len == 0) return bl_call_ok(call);
  const struct bl_json *root = bl_call_json(call);
  if (root == NULL) return BL_DONE;
  const struct bl_json *data = bl_json_get(root, "subscriptionData");
  if (data == NULL || data->kind != BL_JSON_OBJECT) return bl_call_ok(call);
  struct bl_slice type = bl_json_text(bl_json_get(data, "expressionType"));
  struct bl_slice expression = bl_json_text(bl_json_get(data, "subString"));
  if (type.len == 0 || bl_slice_is(type, "TAG")) return bl_call_ok(call);
  if (!broker->settings->property_filter) {
    return bl_call_fail(call, BL_ERR_SYSTEM,
                        "The broker does not support consumer to filter message by %.*s",
                        type.len < 64 ? (int)type.len : 64, type.ptr);
  }
  struct bl_subscription *subscription = NULL;
  bl_err err = bl_subscription_new(BL_SLICE(""), expression, type, 0, &subscription);
  if (err == BL_OK) err = bl_subscription_compile(subscription, &broker->filters, &why);
  bl_subscription_free(subscription);
  if (err == BL_OK) return bl_call_ok(call);
  return bl_call_fail(call, err, why.text[0] != '\0' ? "%s" : NULL, why.text);
}

const struct bl_request bl_request_check_client_config = {
    .code = 46,
    .name = "CHECK_CLIENT_CONFIG",
    .roles = BL_ROLE_BROKER,
    .handle = handle,
};
