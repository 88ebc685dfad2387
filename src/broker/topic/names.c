/* Which names a topic may have, and which topics are the system's.
 * Source: apache/rocketmq common TopicValidator. */
#include "broker/topic/topics.h"

static const char *const SYSTEM_TOPICS[] = {
    "TBW102",
    "SCHEDULE_TOPIC_XXXX",
    "BenchmarkTest",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRACE_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    "CHECKPOINT_TOPIC",
};

static const char *const SEND_FORBIDDEN[] = {
    "SCHEDULE_TOPIC_XXXX",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
};

static bool is_one_of(struct bl_slice name, const char *const *names, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (bl_slice_is(name, names[i])) return true;
  }
  return false;
}

bool bl_topic_is_system(struct bl_slice name) {
  return bl_slice_starts(name, BL_SLICE("rmq_sys_")) ||
         is_one_of(name, SYSTEM_TOPICS, sizeof(SYSTEM_TOPICS) / sizeof(SYSTEM_TOPICS[0]));
}

bool bl_topic_is_send_forbidden(struct bl_slice name) {
  /* The metadata of the broker itself is nobody's to write, and a message in the topic of timers
   * that says no time would stop a Java broker's. */
  return bl_slice_is(name, "rmq_sys_bolide_meta") || bl_slice_is(name, "rmq_sys_wheel_timer") ||
         is_one_of(name, SEND_FORBIDDEN, sizeof(SEND_FORBIDDEN) / sizeof(SEND_FORBIDDEN[0]));
}

bool bl_name_is_valid(struct bl_slice name) {
  for (size_t i = 0; i < name.len; i++) {
    char c = name.ptr[i];
    bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '%' || c == '|' || c == '_' || c == '-';
    if (!good) return false;
  }
  return true;
}

static bool is_blank(struct bl_slice name) {
  for (size_t i = 0; i < name.len; i++) {
    if (name.ptr[i] != ' ' && name.ptr[i] != '\t' && name.ptr[i] != '\n' && name.ptr[i] != '\r')
      return false;
  }
  return true;
}

bl_err bl_topic_name_check(struct bl_slice name, struct bl_why *why) {
  if (is_blank(name)) return bl_why_set(why, BL_ERR_PARAMETER, "The specified topic is blank.");
  int shown = (int)(name.len < 200 ? name.len : 200);
  if (!bl_name_is_valid(name)) {
    return bl_why_set(why, BL_ERR_PARAMETER,
                      "The specified topic: %.*s, contains illegal characters, allowing only "
                      "^[%%|a-zA-Z0-9_-]+$",
                      shown, name.ptr);
  }
  bool special = bl_topic_is_retry(name) || bl_topic_is_dlq(name);
  size_t limit = special ? BL_TOPIC_SPECIAL_BYTES_MAX : BL_TOPIC_BYTES_MAX;
  if (name.len > limit) {
    return bl_why_set(why, BL_ERR_PARAMETER,
                      "The specified topic: %.*s, is longer than topic max length: %zu", shown,
                      name.ptr, limit);
  }
  return BL_OK;
}
