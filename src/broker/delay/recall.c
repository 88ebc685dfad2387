/* 370: apache/rocketmq RecallMessageProcessor. */
#include "wire/recall.h"
#include "broker/delay/delay_internal.h"
#include "broker/retention/retention.h"
#include "broker/send/put.h"
#include "wire/properties.h"

static bl_err check(struct bl_broker *broker, const struct bl_delay_recall *recall,
                    const struct bl_recall *handle, struct bl_why *why) {
  int64_t time_ms;
  if (!bl_slice_eq(recall->topic, handle->topic))
    return bl_why_set(why, BL_ERR_NOT_ALLOWED, "recall failed, topic not match");
  if (!bl_slice_is(handle->broker_name, broker->settings->broker_name))
    return bl_why_set(why, BL_ERR_NOT_ALLOWED, "recall failed, broker service not available");
  int64_t now_ms = bl_clock_wall_ms(broker->clock);
  bool good = bl_slice_i64(handle->time_ms, &time_ms) && time_ms > now_ms &&
              time_ms - now_ms < broker->settings->timer_max_delay_sec * 1000;
  return good ? BL_OK : bl_why_set(why, BL_ERR_NOT_ALLOWED, "recall failed, timestamp invalid");
}

static bl_err store(struct bl_broker *broker, const struct bl_delay_recall *recall,
                    const struct bl_recall *handle, struct bl_arena *arena, int64_t *out_end,
                    struct bl_why *why) {
  struct bl_buf properties;
  int64_t now_ms = bl_clock_wall_ms(broker->clock);
  bl_buf_init(&properties, BL_RECORD_PROPERTIES_BYTES_MAX - BL_RECORD_CRC_BYTES - 1);
  bl_properties_put(&properties, BL_PROP_TAGS, BL_SLICE("_RECALL_TAG_"));
  bl_properties_put(&properties, BL_PROP_UNIQ_KEY, handle->uniq_key);
  bl_properties_put(&properties, BL_SLICE("BORN_TIMESTAMP"),
                    bl_arena_printf(arena, "%lld", (long long)now_ms));
  if (recall->producer_group.len > 0)
    bl_properties_put(&properties, BL_PROP_PGROUP, recall->producer_group);
  struct bl_delay_ask ask = {.deliver_ms = handle->time_ms,
                             .del_key = bl_arena_printf(arena, "%.*s+%.*s", BL_FMT(handle->topic),
                                                        BL_FMT(handle->uniq_key))};
  struct bl_record record = {.topic = handle->topic,
                             .body = BL_SLICE("0"),
                             .born_ms = now_ms,
                             .born_host = recall->born_host,
                             .store_host = broker->store_host};
  bl_err err = bl_broker_put(broker, &record, &properties, &ask, why);
  bl_buf_fini(&properties);
  *out_end = record.log_offset + record.size_bytes;
  return err;
}

bl_err bl_delay_recall(struct bl_broker *broker, const struct bl_delay_recall *recall,
                       struct bl_arena *arena, struct bl_slice *out_key, int64_t *out_end,
                       struct bl_why *why) {
  struct bl_recall handle;
  struct bl_buf scratch;
  if (!broker->settings->recall_enable) {
    return bl_why_set(why, BL_ERR_NO_PERMISSION, "recall failed, operation is forbidden");
  }
  if (bl_topics_find(&broker->topics, recall->topic) == NULL) {
    return bl_why_set(why, BL_ERR_NO_TOPIC, "recall failed, the topic[%.*s] not exist",
                      BL_FMT(recall->topic));
  }
  bl_err err = bl_retention_may_send(broker->retention, why);
  if (err != BL_OK) return err;
  bl_buf_init(&scratch, 0);
  if (!bl_recall_parse(recall->handle, &scratch, &handle)) {
    err = bl_why_set(why, BL_ERR_NOT_ALLOWED, "recall handle is invalid");
  } else {
    err = check(broker, recall, &handle, why);
  }
  if (err == BL_OK) err = store(broker, recall, &handle, arena, out_end, why);
  if (err == BL_OK) *out_key = bl_arena_copy(arena, handle.uniq_key);
  bl_buf_fini(&scratch);
  return err;
}
