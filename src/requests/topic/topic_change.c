#include "requests/topic/topic_change.h"

#include "broker/broker.h"

bool bl_topic_is_reserved(const struct bl_broker *broker, struct bl_slice name) {
  struct bl_slice cluster = bl_slice_text(broker->settings->cluster_name);
  if (bl_topic_is_system(name) || bl_slice_eq(name, cluster)) return true;
  if (bl_slice_is(name, broker->settings->broker_name)) return true;
  return bl_slice_starts(name, cluster) &&
         bl_slice_is(bl_slice_from(name, cluster.len), "_REPLY_TOPIC");
}

bl_err bl_topic_change_check(struct bl_broker *broker, struct bl_topic_change *change,
                             struct bl_slice attribute_changes, struct bl_arena *arena,
                             struct bl_why *why) {
  bl_err err = bl_topic_name_check(change->name, why);
  if (err != BL_OK) return err;
  if (bl_topic_is_reserved(broker, change->name)) {
    return bl_why_set(why, BL_ERR_PARAMETER, "The topic[%.*s] is conflict with system topic.",
                      BL_FMT(change->name));
  }
  if (change->read_queues < 0 || change->read_queues > BL_TOPIC_QUEUES_MAX ||
      change->write_queues < 0 || change->write_queues > BL_TOPIC_QUEUES_MAX) {
    return bl_why_set(why, BL_ERR_PARAMETER, "a topic has 0 to %d queues", BL_TOPIC_QUEUES_MAX);
  }
  struct bl_slice rest = attribute_changes;
  while (rest.ptr != NULL) {
    if (!bl_slice_is(bl_slice_trim(bl_slice_cut(&rest, ',')), "+message.type=MIXED")) continue;
    return bl_why_set(why, BL_ERR_PARAMETER, "MIXED message type is not supported.");
  }
  if (attribute_changes.len == 0) return BL_OK;
  const struct bl_topic *topic = bl_topics_find(&broker->topics, change->name);
  struct bl_slice before = topic != NULL ? topic->attributes : BL_SLICE("{}");
  err = bl_topic_attributes_change(before, attribute_changes, arena, &change->attributes, why);
  return err != BL_OK ? BL_ERR_SYSTEM : BL_OK;
}
