/* 25: settings that may change while running. Unknown names are passed over, as RocketMQ does. */
#include "base/log.h"
#include "broker/broker.h"
#include "broker/runtime/runtime.h"
#include "remoting/request.h"

static void on_unknown(void *context, int line, struct bl_slice name, const struct bl_why *why) {
  (void)context;
  (void)line;
  (void)name;
  bl_log(BL_LOG_WARN, "broker", "config.unknown", "%s", why->text);
}

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  struct bl_why why;
  int32_t permission = broker->settings->broker_permission;
  if (call->command->body.len == 0) return bl_call_ok(call);
  bl_err err = bl_options_set_properties(&bl_broker_options, broker->settings, call->command->body,
                                         BL_OPTION_RUNNING, on_unknown, NULL, &why);
  if (err != BL_OK) return bl_call_fail(call, err, "%s", why.text);
  int64_t now_ms = bl_clock_wall_ms(broker->clock);
  bl_version_next(&broker->runtime->config_version, now_ms);
  if (permission != broker->settings->broker_permission) {
    /* Name servers take it from the next registration, which a new version of the topics causes. */
    bl_version_next(&broker->topics.table.version, now_ms);
    if (broker->on_topics_changed != NULL)
      broker->on_topics_changed(broker->topics_changed_context);
  }
  return bl_call_ok(call);
}

const struct bl_request bl_request_update_config = {
    .code = 25,
    .name = "UPDATE_BROKER_CONFIG",
    .roles = BL_ROLE_BROKER,
    .handle = handle,
};
