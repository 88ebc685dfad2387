#include "broker/transaction/transaction.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "broker/send/put.h"
#include "broker/transaction/transaction_internal.h"
#include "wire/properties.h"

/* Of the body of an op record: transactionOpMsgMaxSize. */
#define OP_BODY_BYTES 4096
#define OP_BACKLOG_BYTES (1 << 20)
#define RECLAIMED_PER_TURN 256

struct bl_record bl_transaction__copy(const struct bl_transactions *transactions,
                                      const struct bl_record *half, struct bl_slice topic,
                                      int32_t queue_id) {
  return (struct bl_record){.queue_id = queue_id,
                            .flag = half->flag,
                            .sys_flag = half->sys_flag & ~BL_SYS_TRANSACTION_MASK,
                            .reconsume_times = half->reconsume_times,
                            .born_ms = half->born_ms,
                            .born_host = half->born_host,
                            .store_host = transactions->broker->store_host,
                            .topic = topic,
                            .body = half->body};
}

bl_err bl_transaction__put_op(struct bl_transactions *transactions, struct bl_slice body,
                              int64_t *out_end, struct bl_why *why) {
  struct bl_broker *broker = transactions->broker;
  struct bl_buf *properties = &transactions->properties;
  char key[33];
  bl_uniqkey_next(&broker->uniqkeys, bl_clock_wall_ms(broker->clock), key);
  bl_buf_clear(properties);
  bl_properties_put(properties, BL_PROP_TAGS, BL_SLICE("d"));
  bl_properties_put(properties, BL_PROP_UNIQ_KEY, bl_slice_text(key));
  struct bl_record record = {.queue_id = BL_HALF_QUEUE_ID,
                             .born_ms = bl_clock_wall_ms(broker->clock),
                             .born_host = broker->store_host,
                             .store_host = broker->store_host,
                             .topic = BL_SLICE(BL_HALF_OP_TOPIC),
                             .body = body};
  bl_err err = bl_broker_put(broker, &record, properties, NULL, why);
  *out_end = record.log_offset + record.size_bytes;
  return err;
}

/* Commits of this turn: who reads the store with a Java broker sees that their halves ended. Their
 * own records say so, too, so this may wait for room. */
static void put_ops(struct bl_transactions *transactions) {
  struct bl_buf *ops = &transactions->op_body;
  struct bl_why why;
  int64_t end;
  while (ops->len > 0) {
    size_t len = ops->len < OP_BODY_BYTES ? ops->len : OP_BODY_BYTES;
    while (ops->data[len - 1] != ',') len--;
    bl_err err = bl_transaction__put_op(transactions, bl_slice_of(ops->data, len), &end, &why);
    if (err != BL_OK) break;
    bl_buf_drop_front(ops, len);
  }
  /* RocketMQ would ask for the oldest of them once more, if it ever reads this store. */
  if (ops->len > OP_BACKLOG_BYTES || ops->failed) bl_buf_clear(ops);
}

/* The halves know of these now. */
static void forget_endings(struct bl_transactions *transactions) {
  int64_t seen_to = bl_halves_seen_to(transactions->halves);
  while (!bl_list_empty(&transactions->ending_order)) {
    struct bl_transaction_ending *ending =
        BL_CONTAINER(transactions->ending_order.next, struct bl_transaction_ending, node);
    if (ending->end_offset > seen_to) return;
    int64_t key = ending->half_log_offset;
    bl_list_remove(&ending->node);
    bl_map_remove(&transactions->endings, bl_slice_of((const char *)&key, sizeof(key)));
    free(ending);
  }
}

/* After a start: commits whose op record a crash took. */
static void reclaim(struct bl_transactions *transactions) {
  for (int i = 0; i < RECLAIMED_PER_TURN; i++) {
    const struct bl_half *half =
        bl_halves_next_unnamed(transactions->halves, transactions->reclaimed_at);
    if (half == NULL) {
      transactions->reclaimed_at = INT64_MAX;
      return;
    }
    transactions->reclaimed_at = half->log_offset;
    bl_buf_printf(&transactions->op_body, "%" PRId64 ",", half->queue_offset);
  }
}

bool bl_transactions_turn(struct bl_transactions *transactions) {
  if (transactions->closing || bl_store_failed(transactions->broker->store, NULL)) return false;
  if (!bl_list_empty(&transactions->ending_order)) forget_endings(transactions);
  if (transactions->reclaimed_at != INT64_MAX) reclaim(transactions);
  if (transactions->op_body.len > 0) put_ops(transactions);
  bool more = transactions->in_round && bl_transaction__round_step(transactions);
  return more || transactions->reclaimed_at != INT64_MAX;
}

struct bl_transactions *bl_transactions_new(struct bl_broker *broker, struct bl_halves *halves) {
  struct bl_transactions *transactions = calloc(1, sizeof(*transactions));
  BL_ASSERT(transactions != NULL);
  transactions->broker = broker;
  transactions->halves = halves;
  transactions->reclaimed_at = -1;
  bl_map_init(&transactions->endings);
  bl_list_init(&transactions->ending_order);
  bl_buf_init(&transactions->op_body, 2 * OP_BACKLOG_BYTES);
  bl_buf_init(&transactions->properties, BL_RECORD_PROPERTIES_BYTES_MAX - BL_RECORD_CRC_BYTES - 1);
  for (int i = 0; i < BL_TRANSACTION_READS_MAX; i++)
    transactions->reads[i].transactions = transactions;
  /* What a Java broker dealt with before. */
  bl_halves_passed(halves, bl_offsets_committed(&broker->offsets, BL_SLICE(BL_HALF_TOPIC),
                                                BL_SLICE(BL_TRANSACTION_GROUP), BL_HALF_QUEUE_ID));
  transactions->timer.fire = bl_transaction__round_timer;
  bl_timer_set(broker->timers, &transactions->timer,
               bl_clock_mono_ms(broker->clock) + broker->settings->transaction_interval_ms);
  return transactions;
}

void bl_transactions_stop(struct bl_transactions *transactions) {
  if (transactions == NULL) return;
  put_ops(transactions);
  transactions->closing = true;
  bl_timer_cancel(transactions->broker->timers, &transactions->timer);
}

void bl_transactions_free(struct bl_transactions *transactions) {
  struct bl_list *node;
  if (transactions == NULL) return;
  BL_ASSERT(transactions->reading == 0);
  while ((node = bl_list_take_first(&transactions->ending_order)) != NULL)
    free(BL_CONTAINER(node, struct bl_transaction_ending, node));
  bl_map_fini(&transactions->endings);
  bl_buf_fini(&transactions->op_body);
  bl_buf_fini(&transactions->properties);
  free(transactions);
}

const struct bl_transaction_stats *bl_transaction_stats(
    const struct bl_transactions *transactions) {
  return &transactions->stats;
}
