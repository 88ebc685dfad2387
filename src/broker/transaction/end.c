#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "broker/send/put.h"
#include "broker/transaction/transaction_internal.h"
#include "wire/properties.h"

static struct bl_log_limit refused_limit = {.per_second = 1};

static struct bl_slice key_of(const int64_t *log_offset) {
  return bl_slice_of((const char *)log_offset, sizeof(*log_offset));
}

static void note_ending(struct bl_transactions *transactions, int64_t half_log_offset, bool commit,
                        int64_t end_offset) {
  struct bl_transaction_ending *ending = malloc(sizeof(*ending));
  BL_ASSERT(ending != NULL);
  *ending = (struct bl_transaction_ending){
      .half_log_offset = half_log_offset, .end_offset = end_offset, .commit = commit};
  bl_map_put(&transactions->endings, key_of(&half_log_offset), ending);
  bl_list_add_last(&transactions->ending_order, &ending->node);
}

/* The end that is there already. */
static bl_err again(struct bl_transactions *transactions, const struct bl_transaction_end *end,
                    bool was_commit, struct bl_why *why) {
  if (end->commit == was_commit) {
    transactions->stats.repeated++;
    return BL_OK;
  }
  transactions->stats.refused++;
  bl_log_limited(&refused_limit, BL_LOG_WARN, "broker", "transaction.refused",
                 "half_log_offset=%" PRId64 " group=%.*s asked=%s was=%s", end->half_log_offset,
                 (int)(end->group.len < 128 ? end->group.len : 128), end->group.ptr,
                 end->commit ? "commit" : "rollback", was_commit ? "commit" : "rollback");
  return bl_why_set(why, BL_ERR_EXISTS, "the transaction was %s before, and cannot be %s now",
                    was_commit ? "committed" : "rolled back",
                    end->commit ? "committed" : "rolled back");
}

int64_t bl_transaction__age_ms(const struct bl_transactions *transactions,
                               const struct bl_half *half) {
  int64_t age_ms;
  if (!__builtin_sub_overflow(bl_clock_wall_ms(transactions->broker->clock), half->born_ms,
                              &age_ms))
    return age_ms;
  return half->born_ms < 0 ? INT64_MAX : INT64_MIN;
}

/* EndTransactionProcessor#rejectCommitOrRollback. */
static bool is_too_late(const struct bl_transactions *transactions, const struct bl_half *half,
                        const struct bl_transaction_end *end) {
  if (end->from_check || half->immunity_s < 0) return false;
  int64_t age_ms = bl_transaction__age_ms(transactions, half);
  return age_ms > (int64_t)half->immunity_s * 1000;
}

bl_err bl_transaction_look(struct bl_transactions *transactions,
                           const struct bl_transaction_end *end, bool *out_needed, int64_t *out_end,
                           struct bl_why *why) {
  struct bl_broker *broker = transactions->broker;
  *out_needed = false;
  *out_end = 0;
  if (bl_store_failed(broker->store, NULL))
    return bl_why_set(why, BL_ERR_NOT_AVAILABLE, "the store stopped after an error of its disk");
  const struct bl_transaction_ending *ending =
      bl_map_get(&transactions->endings, key_of(&end->half_log_offset));
  if (ending != NULL) {
    *out_end = ending->end_offset;
    return again(transactions, end, ending->commit, why);
  }
  struct bl_half *half = bl_halves_find(transactions->halves, end->half_log_offset);
  if (half == NULL) {
    /* Its record may not have been shown yet: an answer to its send overtook that. */
    bool may_come = end->half_log_offset >= bl_halves_seen_to(transactions->halves) &&
                    end->half_log_offset < bl_store_marks(broker->store).appended;
    *out_needed = true;
    return may_come ? bl_why_set(why, BL_ERR_BUSY, "the half message is not durable yet") : BL_OK;
  }
  if (half->state != BL_HALF_OPEN)
    return again(transactions, end, half->state == BL_HALF_COMMITTED, why);
  if (is_too_late(transactions, half, end)) {
    return bl_why_set(why, BL_ERR_NOT_ALLOWED,
                      "the time in which only the producer decides is over "
                      "(CHECK_IMMUNITY_TIME_IN_SECONDS=%d); the broker asks",
                      half->immunity_s);
  }
  *out_needed = true;
  return BL_OK;
}

/* EndTransactionProcessor#checkPrepareMessage. */
static bl_err check_half(const struct bl_transaction_end *end, const struct bl_record *half,
                         struct bl_why *why) {
  if (half == NULL || !bl_slice_is(half->topic, BL_HALF_TOPIC))
    return bl_why_set(why, BL_ERR_SYSTEM, "Find prepared transaction message failed");
  if (!bl_slice_eq(bl_properties_get(half->properties, BL_PROP_PGROUP), end->group))
    return bl_why_set(why, BL_ERR_SYSTEM, "The producer group wrong");
  if (half->queue_offset != end->half_queue_offset)
    return bl_why_set(why, BL_ERR_SYSTEM, "The transaction state table offset wrong");
  return BL_OK;
}

/* The message as its consumers get it: what was stored without where it was for (as 5.5.0 has it).
 */
static bl_err put_commit(struct bl_transactions *transactions, const struct bl_record *half,
                         int64_t half_log_offset, int64_t *out_end, struct bl_why *why) {
  struct bl_buf *properties = &transactions->properties;
  struct bl_delay_ask ask = {.level = {NULL, 0}};
  struct bl_slice rest = half->properties;
  struct bl_slice name;
  struct bl_slice value;
  bl_buf_clear(properties);
  while (bl_properties_next(&rest, &name, &value)) {
    if (bl_put_is_of_one_record(name) || bl_delay_take(&ask, name, value)) continue;
    bl_properties_put(properties, name, value);
  }
  int32_t queue_id;
  if (ask.real_topic.len == 0 || !bl_slice_i32(ask.real_queue, &queue_id) || queue_id < 0 ||
      bl_topic_is_send_forbidden(ask.real_topic)) {
    return bl_why_set(why, BL_ERR_SYSTEM,
                      "the half message names no topic and queue that it could be for");
  }
  struct bl_record record = bl_transaction__copy(transactions, half, ask.real_topic, queue_id);
  ask.real_topic = ask.real_queue = (struct bl_slice){NULL, 0};
  record.sys_flag |= BL_SYS_COMMIT;
  record.prepared_offset = half_log_offset;
  bl_err err = bl_broker_put(transactions->broker, &record, properties, &ask, why);
  *out_end = record.log_offset + record.size_bytes;
  return err;
}

bl_err bl_transaction_end(struct bl_transactions *transactions,
                          const struct bl_transaction_end *end, const struct bl_record *half,
                          int64_t *out_end, struct bl_why *why) {
  bool needed;
  bl_err err = bl_transaction_look(transactions, end, &needed, out_end, why);
  if (err != BL_OK || !needed) return err;
  err = check_half(end, half, why);
  if (err != BL_OK) return err;
  const struct bl_half *known = bl_halves_find(transactions->halves, end->half_log_offset);
  if (known == NULL) {
    return bl_why_set(why, BL_ERR_SYSTEM,
                      "the transaction ended long ago; how is not known any more");
  }
  /* A Java broker may have stored it again: then that copy is the one that is open. */
  int64_t log_offset = known->log_offset;
  int64_t queue_offset = known->queue_offset;
  if (end->commit) {
    err = put_commit(transactions, half, log_offset, out_end, why);
    if (err == BL_OK) bl_buf_printf(&transactions->op_body, "%" PRId64 ",", queue_offset);
  } else {
    char body[32];
    int len = snprintf(body, sizeof(body), "%" PRId64 ",", queue_offset);
    err = bl_transaction__put_op(transactions, bl_slice_of(body, (size_t)len), out_end, why);
  }
  if (err != BL_OK) return err;
  note_ending(transactions, log_offset, end->commit, *out_end);
  if (log_offset != end->half_log_offset)
    note_ending(transactions, end->half_log_offset, end->commit, *out_end);
  return BL_OK;
}
