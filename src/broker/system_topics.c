#include "broker/system_topics.h"

#include <stdio.h>

#include "base/assert.h"
#include "broker/broker.h"

#define RW (BL_PERM_READ | BL_PERM_WRITE)
#define RWX (RW | BL_PERM_INHERIT)

static void make(struct bl_broker *broker, const char *name, int32_t queues, int32_t perm) {
  struct bl_topic_change change = {
      .name = bl_slice_text(name), .read_queues = queues, .write_queues = queues, .perm = perm};
  struct bl_topic *topic = bl_topics_find(&broker->topics, change.name);
  bool changed;
  if (topic != NULL) return;
  BL_ASSERT(bl_topics_put(&broker->topics, &change, &topic, &changed) == BL_OK);
}

static void make_named(struct bl_broker *broker, const char *format, const char *name,
                       int32_t queues, int32_t perm) {
  char text[BL_TOPIC_SPECIAL_BYTES_MAX + 1];
  snprintf(text, sizeof(text), format, name);
  make(broker, text, queues, perm);
}

void bl_system_topics_make(struct bl_broker *broker) {
  const struct bl_broker_settings *settings = broker->settings;
  make(broker, "SELF_TEST_TOPIC", 1, RW);
  if (settings->auto_create_topic) make(broker, "TBW102", settings->default_topic_queues, RWX);
  make(broker, "BenchmarkTest", 1024, RW);
  make(broker, settings->cluster_name, 16, settings->cluster_topic_enable ? RWX : BL_PERM_INHERIT);
  make(broker, settings->broker_name, 1, settings->broker_topic_enable ? RWX : BL_PERM_INHERIT);
  make(broker, "OFFSET_MOVED_EVENT", 1, RW);
  make(broker, "SCHEDULE_TOPIC_XXXX", 18, RW);
  if (settings->trace_topic_enable) make(broker, settings->trace_topic_name, 1, RW);
  make_named(broker, "%s_REPLY_TOPIC", settings->cluster_name, 1, RW);
  make_named(broker, "rmq_sys_REVIVE_LOG_%s", settings->cluster_name, 8, RW);
  make_named(broker, "rmq_sys_SYNC_BROKER_MEMBER_%s", settings->broker_name, 1, BL_PERM_INHERIT);
  make(broker, "RMQ_SYS_TRANS_HALF_TOPIC", 1, RW);
  make(broker, "RMQ_SYS_TRANS_OP_HALF_TOPIC", 1, RW);
  make(broker, "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC", 1, RW);
  make(broker, "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC", 1, RW);
  make(broker, "rmq_sys_wheel_timer", 1, RW);
}
