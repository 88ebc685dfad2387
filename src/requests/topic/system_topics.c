/* 305: names that RocketMQ calls system topics: the fixed ones, and those of this cluster and
 * broker. */
#include "base/json.h"
#include "broker/broker.h"
#include "remoting/request.h"

static void put_format(struct bl_json_writer *w, struct bl_arena *arena, const char *prefix,
                       const char *name, const char *suffix) {
  bl_json_put_text(w, bl_arena_printf(arena, "%s%s%s", prefix, name, suffix));
}

static enum bl_outcome handle(struct bl_call *call) {
  static const char *const fixed[] = {"RMQ_SYS_TRANS_HALF_TOPIC",
                                      "BenchmarkTest",
                                      "TRANS_CHECK_MAX_TIME_TOPIC",
                                      "OFFSET_MOVED_EVENT",
                                      "TBW102",
                                      "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC",
                                      "SELF_TEST_TOPIC",
                                      "SCHEDULE_TOPIC_XXXX",
                                      "RMQ_SYS_TRACE_TOPIC",
                                      "rmq_sys_wheel_timer",
                                      "CHECKPOINT_TOPIC",
                                      "RMQ_SYS_TRANS_OP_HALF_TOPIC",
                                      "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC"};
  const struct bl_broker *broker = call->server;
  const char *cluster = broker->settings->cluster_name;
  const char *name = broker->settings->broker_name;
  struct bl_json_writer w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&w);
  bl_json_key(&w, "topicList");
  bl_json_open_array(&w);
  for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
    bl_json_put_text(&w, bl_slice_text(fixed[i]));
  put_format(&w, call->arena, "rmq_sys_REVIVE_LOG_", cluster, "");
  put_format(&w, call->arena, "", cluster, "");
  put_format(&w, call->arena, "", cluster, "_REPLY_TOPIC");
  put_format(&w, call->arena, "rmq_sys_SYNC_BROKER_MEMBER_", name, "");
  put_format(&w, call->arena, "", name, "");
  bl_json_close_array(&w);
  bl_json_close_object(&w);
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_system_topics = {
    .code = 305,
    .name = "GET_SYSTEM_TOPIC_LIST_FROM_BROKER",
    .roles = BL_ROLE_BROKER,
    .handle = handle,
};
