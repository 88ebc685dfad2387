#include "requests/topic/topic_change.h"

#include "broker/broker.h"

bool bl_topic_is_reserved(const struct bl_broker *broker, struct bl_slice name) {
  struct bl_slice cluster = bl_slice_text(broker->settings->cluster_name);
  if (bl_topic_is_system(name) || bl_slice_eq(name, cluster)) return true;
  if (bl_slice_is(name, broker->settings->broker_name)) return true;
  return bl_slice_starts(name, cluster) &&
         bl_slice_is(bl_slice_from(name, cluster.len), "_REPLY_TOPIC");
}

/* What the values alone do not say. */
static bl_err check_features(const struct bl_topic_change *change, struct bl_why *why) {
  struct bl_topic_features features = bl_topic_features_of(change->attributes);
  bool consumed_again = bl_topic_is_retry(change->name) || bl_topic_is_dlq(change->name);
  if (features.dedup_ms > 0 && consumed_again) {
    return bl_why_set(why, BL_ERR_PARAMETER,
                      "dedup.window is not for retry and dead letter topics: a message that is "
                      "consumed again keeps its key");
  }
  if (features.ttl_topic.len > 0 && bl_slice_eq(features.ttl_topic, change->name))
    return bl_why_set(why, BL_ERR_PARAMETER, "ttl.topic is another topic than the topic itself");
  return BL_OK;
}

/* TopicAttributes, AttributeUtil#validateAlter: what records are made by stays as it is, so that a
 * queue has one kind of them. */
static bl_err check_fixed(struct bl_slice changes, struct bl_why *why) {
  while (changes.ptr != NULL) {
    struct bl_slice change = bl_slice_trim(bl_slice_cut(&changes, ','));
    struct bl_slice name = bl_slice_cut(&change, '=');
    if (name.len > 0) name = bl_slice_from(name, 1);
    if (!bl_slice_is(name, "queue.type") && !bl_slice_is(name, "cleanup.policy")) continue;
    return bl_why_set(why, BL_ERR_SYSTEM, "attempt to update an unchangeable attribute. key: %.*s",
                      BL_FMT(name));
  }
  return BL_OK;
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
  if (topic != NULL) err = check_fixed(attribute_changes, why);
  if (err != BL_OK) return err;
  err = bl_topic_attributes_change(before, attribute_changes, arena, &change->attributes, why);
  if (err == BL_OK) err = check_features(change, why);
  return err != BL_OK ? BL_ERR_SYSTEM : BL_OK;
}
