#include "broker/retry/retry.h"

#include <stdio.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/retention/retention.h"
#include "broker/retry/policy.h"
#include "broker/send/light.h"
#include "broker/send/put.h"
#include "broker/ttl/ttl.h"
#include "wire/properties.h"

#define FAQ "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
#define NUMBER_BYTES 24

/* What becomes of the message. */
struct plan {
  const struct bl_group *group;
  struct bl_topic *topic;
  int32_t queue_id;
  bool dead;
  int32_t level;    /* of the delay; 0: by delay_ms */
  int64_t delay_ms; /* 0: none */
};

static bl_err topic_error(struct bl_broker *broker, bl_err err, struct bl_slice prefix,
                          struct bl_slice group, struct bl_why *why) {
  if (err == BL_ERR_NO_SPACE || (err == BL_ERR_NOT_AVAILABLE && bl_store_full(broker->store, NULL)))
    return bl_retention_full(broker->retention, err, why);
  int shown = (int)(group.len < 128 ? group.len : 128);
  return bl_why_set(why, err, "topic[%.*s%.*s] cannot be made: %s", BL_FMT(prefix), shown,
                    group.ptr, bl_err_text(err));
}

/* The topic that the retries of the group are in. */
static bl_err open_retry_topic(struct bl_broker *broker, const struct bl_send_back *back,
                               int32_t queues, struct bl_topic **out_topic, struct bl_why *why) {
  if (BL_RETRY_PREFIX.len + back->group.len > BL_TOPIC_SPECIAL_BYTES_MAX)
    return topic_error(broker, BL_ERR_PARAMETER, BL_RETRY_PREFIX, back->group, why);
  bl_err err = bl_retention_may_send(broker->retention, why);
  if (err != BL_OK) return err;
  struct bl_topic *topic =
      bl_broker_retry_topic(broker, back->group, queues, false, back->unit_mode);
  if (topic == NULL)
    return topic_error(broker, BL_ERR_NOT_AVAILABLE, BL_RETRY_PREFIX, back->group, why);
  if ((topic->perm & BL_PERM_WRITE) == 0) {
    return bl_why_set(why, BL_ERR_NO_PERMISSION, "the topic[%.*s] sending message is forbidden",
                      BL_FMT(topic->name));
  }
  *out_topic = topic;
  return BL_OK;
}

static bl_err check(struct bl_broker *broker, const struct bl_send_back *back, bool *out_ignored,
                    struct plan *plan, struct bl_why *why) {
  int shown = (int)(back->group.len < 128 ? back->group.len : 128);
  *out_ignored = false;
  plan->group = bl_broker_group(broker, back->group);
  if (plan->group == NULL) {
    return bl_why_set(why, BL_ERR_NO_GROUP, "subscription group not exist, %.*s " FAQ, shown,
                      back->group.ptr);
  }
  if ((broker->settings->broker_permission & BL_PERM_WRITE) == 0) {
    return bl_why_set(why, BL_ERR_NO_PERMISSION, "the broker[%s] sending message is forbidden",
                      broker->settings->broker_ip1);
  }
  if (plan->group->retry_queues <= 0) {
    *out_ignored = true;
    return BL_OK;
  }
  int32_t queues = plan->group->retry_queues < BL_TOPIC_QUEUES_MAX ? plan->group->retry_queues
                                                                   : BL_TOPIC_QUEUES_MAX;
  return open_retry_topic(broker, back, queues, &plan->topic, why);
}

bl_err bl_retry_check(struct bl_broker *broker, const struct bl_send_back *back, bool *out_ignored,
                      struct bl_why *why) {
  struct plan plan = {.group = NULL};
  return check(broker, back, out_ignored, &plan, why);
}

/* Any queue of the retry topic that its consumers read: RocketMQ also takes those that the group
 * was given later and the topic has not. */
static int32_t choose_queue(struct bl_broker *broker, const struct plan *plan) {
  int32_t queues = plan->topic->read_queues < plan->group->retry_queues ? plan->topic->read_queues
                                                                        : plan->group->retry_queues;
  return queues > 1 ? (int32_t)bl_broker_random(broker, (uint32_t)queues) : 0;
}

static bl_err make_plan(struct bl_broker *broker, const struct bl_send_back *back,
                        const struct bl_record *origin, struct plan *plan, struct bl_why *why) {
  int32_t limit = back->has_max_times ? back->max_times : plan->group->retry_max_times;
  plan->dead = back->delay_level < 0 || origin->reconsume_times >= limit;
  if (plan->dead) {
    bl_err err = bl_broker_dead_letter_topic(broker, back->group, &plan->topic);
    if (err != BL_OK) return topic_error(broker, err, BL_DLQ_PREFIX, back->group, why);
    plan->queue_id = 0;
    return BL_OK;
  }
  plan->queue_id = choose_queue(broker, plan);
  if (back->delay_level == 0 && bl_retry_policy_is_set(plan->group->retry_policy)) {
    plan->delay_ms = bl_retry_policy_delay_ms(plan->group->retry_policy, origin->reconsume_times);
    return BL_OK;
  }
  int64_t by_count = (int64_t)BL_RETRY_LEVEL_FIRST + origin->reconsume_times;
  plan->level = back->delay_level > 0  ? back->delay_level
                : by_count < INT32_MAX ? (int32_t)by_count
                                       : INT32_MAX;
  return BL_OK;
}

/* What is said anew of each retry, belongs to the delivery that failed, or would show the message
 * to others than the group. A dead letter does not expire. */
static bool is_left_out(struct bl_slice name, bool dead) {
  return bl_put_is_of_one_record(name) || bl_slice_eq(name, BL_PROP_WAIT) ||
         bl_slice_eq(name, BL_PROP_LIGHT_NAMES) || bl_slice_eq(name, BL_PROP_DELAY) ||
         bl_slice_starts(name, BL_SLICE("TIMER_")) ||
         (dead && bl_slice_eq(name, BL_PROP_EXPIRES_AT));
}

/* The properties of the retry; those of its delay into *ask, as text in `number`. */
static void put_properties(const struct plan *plan, const struct bl_record *origin,
                           char number[NUMBER_BYTES], struct bl_delay_ask *ask,
                           struct bl_buf *out) {
  struct bl_slice rest = origin->properties;
  struct bl_slice name, value;
  bool has_topic = false;
  bool has_id = false;
  memset(ask, 0, sizeof(*ask));
  bl_buf_clear(out);
  while (bl_properties_next(&rest, &name, &value)) {
    if (is_left_out(name, plan->dead) || bl_delay_take(ask, name, value)) continue;
    has_topic = has_topic || bl_slice_eq(name, BL_PROP_RETRY_TOPIC);
    has_id = has_id || bl_slice_eq(name, BL_PROP_ORIGIN_MESSAGE_ID);
    bl_properties_put(out, name, value);
  }
  if (!has_topic) bl_properties_put(out, BL_PROP_RETRY_TOPIC, origin->topic);
  if (!has_id) {
    char id[BL_MSGID_TEXT_MAX];
    size_t len = bl_msgid_text(&origin->store_host, origin->log_offset, id);
    bl_properties_put(out, BL_PROP_ORIGIN_MESSAGE_ID, bl_slice_of(id, len));
  }
  bl_properties_put(out, BL_PROP_WAIT, BL_SLICE("false"));
  bool by_level = plan->dead || plan->level > 0;
  if (!by_level && plan->delay_ms == 0) return;
  int len = snprintf(number, NUMBER_BYTES, "%lld",
                     by_level ? (long long)plan->level : (long long)plan->delay_ms);
  *(by_level ? &ask->level : &ask->delay_ms) = bl_slice_of(number, (size_t)len);
}

/* Half messages, the metadata and outer records of batches are no consumer's to give back. */
static bl_err check_origin(const struct bl_send_back *back, const struct bl_record *origin,
                           struct bl_why *why) {
  int32_t transaction = origin->sys_flag & BL_SYS_TRANSACTION_MASK;
  bool given = (transaction == 0 || transaction == BL_SYS_COMMIT) &&
               !bl_topic_is_send_forbidden(origin->topic);
  if (!given) {
    return bl_why_set(why, BL_ERR_SYSTEM, "look message by offset failed, %lld",
                      (long long)back->log_offset);
  }
  if ((origin->sys_flag & BL_SYS_INNER_BATCH) != 0) {
    return bl_why_set(why, BL_ERR_MESSAGE_ILLEGAL,
                      "MESSAGE_ILLEGAL: a batch cannot be sent back; send its messages one by one");
  }
  return BL_OK;
}

static void start_record(const struct bl_broker *broker, const struct plan *plan,
                         const struct bl_record *origin, struct bl_record *record) {
  *record = *origin;
  record->topic = plan->topic->name;
  record->queue_id = plan->queue_id;
  record->reconsume_times = origin->reconsume_times + 1;
  record->store_host = broker->store_host;
  record->prepared_offset = 0;
}

static bl_err append(struct bl_broker *broker, const struct plan *plan,
                     const struct bl_record *origin, int64_t *out_end, struct bl_why *why) {
  struct bl_buf *properties = &broker->sends.properties;
  struct bl_delay_ask ask;
  struct bl_record record;
  char number[NUMBER_BYTES];
  put_properties(plan, origin, number, &ask, properties);
  start_record(broker, plan, origin, &record);
  bl_err err = bl_broker_put(broker, &record, properties, &ask, why);
  if (err != BL_OK) return err;
  *out_end = record.log_offset + record.size_bytes;
  *(plan->dead ? &broker->stats.dead_letters : &broker->stats.sent_back) += 1;
  return BL_OK;
}

bl_err bl_retry_store(struct bl_broker *broker, const struct bl_send_back *back,
                      const struct bl_record *origin, int64_t *out_end, struct bl_why *why) {
  struct plan plan = {.group = NULL};
  bool ignored;
  *out_end = 0;
  bl_err err = check(broker, back, &ignored, &plan, why);
  if (err != BL_OK || ignored) return err;
  BL_ASSERT(plan.group != NULL && plan.topic != NULL);
  err = check_origin(back, origin, why);
  if (err == BL_OK) err = make_plan(broker, back, origin, &plan, why);
  if (err == BL_OK) err = append(broker, &plan, origin, out_end, why);
  return err;
}
