/* Transactions: a half message is stored where no consumer sees it; its producer commits it or
 * rolls it back, or is asked what became of it. Which halves are open is known by src/store/halves.
 *
 * A commit is one record, which names its half; what the log says is what happened. An end that is
 * repeated changes nothing, and a different one after it is refused. Thread: core.
 * Source: apache/rocketmq EndTransactionProcessor, TransactionalMessageServiceImpl,
 * TransactionalMessageBridge.
 *
 * Files in reading order: half.c, end.c, check.c, transaction.c. */
#ifndef BOLIDE_BROKER_TRANSACTION_TRANSACTION_H
#define BOLIDE_BROKER_TRANSACTION_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/halves/halves.h"
#include "wire/record.h"

struct bl_broker;
struct bl_delay_ask;
struct bl_queue;
struct bl_topic;
struct bl_transactions;

#define BL_TRANSACTION_GROUP "CID_RMQ_SYS_TRANS"
#define BL_TRANSACTION_DISCARD_TOPIC "TRANS_CHECK_MAX_TIME_TOPIC"

/* After the store was opened. RETURNS OWNED. BORROWS. */
struct bl_transactions *bl_transactions_new(struct bl_broker *broker, struct bl_halves *halves);
/* No round is begun any more. Accepts NULL. */
void bl_transactions_stop(struct bl_transactions *transactions);
/* After bl_transactions_stop and the end of the pool's jobs. Accepts NULL. */
void bl_transactions_free(struct bl_transactions *transactions);
/* Part of every turn, before the store's. true: more to do. */
bool bl_transactions_turn(struct bl_transactions *transactions);

/* A message that its producer will commit or roll back becomes a half message: `record`, whose
 * topic and queue are the real ones and whose properties are in `properties` without those in
 * `ask`, is made one of the half topic. A delay counts from the commit on. */
void bl_transaction_make_half(const struct bl_delay_ask *ask, struct bl_slice uniq_key,
                              struct bl_record *record, struct bl_buf *properties);

struct bl_transaction_end {
  struct bl_slice group; /* of the producer */
  int64_t half_log_offset;
  int64_t half_queue_offset;
  bool commit; /* false: rollback */
  bool from_check;
};
/* What is known without reading the record. BL_OK: *out_needed says whether the record at
 * half_log_offset must be read, and bl_transaction_end called with it; else the end is the same as
 * before, and *out_end the log offset to wait for. BL_ERR_BUSY: try again next turn.
 * BL_ERR_EXISTS 1: it ended the other way; BL_ERR_NOT_ALLOWED 604: too late, the broker asks;
 * BL_ERR_NOT_AVAILABLE 14. `why` is the remark. */
BL_MUST_CHECK bl_err bl_transaction_look(struct bl_transactions *transactions,
                                         const struct bl_transaction_end *end, bool *out_needed,
                                         int64_t *out_end, struct bl_why *why);
/* Ends it. `half`: what is stored at end->half_log_offset; NULL: nothing that can be read.
 * *out_end: the log offset to wait for. Errors as bl_transaction_look and bl_broker_put, and
 * BL_ERR_SYSTEM 1: no half message of that group and offset. */
BL_MUST_CHECK bl_err bl_transaction_end(struct bl_transactions *transactions,
                                        const struct bl_transaction_end *end,
                                        const struct bl_record *half, int64_t *out_end,
                                        struct bl_why *why);

/* A message that was given up (BL_TRANSACTION_DISCARD_TOPIC) is asked for again from the beginning.
 * BL_ERR_SYSTEM 1: it is none; else as bl_broker_put. */
BL_MUST_CHECK bl_err bl_transaction_resume(struct bl_transactions *transactions,
                                           const struct bl_record *given_up, int64_t *out_end,
                                           struct bl_why *why);

struct bl_transaction_stats {
  int64_t rounds;
  int64_t checks;         /* asked of a producer */
  int64_t checks_unasked; /* nobody of the group was there */
  int64_t discarded;
  int64_t repeated; /* ends that had happened already */
  int64_t refused;  /* the other end came after */
};
const struct bl_transaction_stats *bl_transaction_stats(const struct bl_transactions *transactions);

#endif
