/* What the files of the transactions share; nobody else includes it. */
#ifndef BOLIDE_BROKER_TRANSACTION_TRANSACTION_INTERNAL_H
#define BOLIDE_BROKER_TRANSACTION_TRANSACTION_INTERNAL_H

#include "base/map.h"
#include "base/timer.h"
#include "broker/broker.h"
#include "broker/query/read.h"
#include "broker/transaction/transaction.h"

/* Half messages that are read for a check at a time. */
#define BL_TRANSACTION_READS_MAX 32

/* An end that is in the log and that the halves do not know of yet. */
struct bl_transaction_ending {
  struct bl_list node;
  int64_t half_log_offset;
  int64_t end_offset;
  bool commit;
};

struct bl_transaction_read {
  struct bl_record_fetch fetch;
  struct bl_transactions *transactions;
  bool open;
};

struct bl_transactions {
  struct bl_broker *broker;
  struct bl_halves *halves;
  struct bl_map endings; /* half log offset -> struct bl_transaction_ending */
  struct bl_list ending_order;
  struct bl_buf op_body; /* queue offsets of halves for the next op record */
  struct bl_timer timer;
  bool closing;
  bool in_round;
  int64_t round_at;     /* log offset of the last half that was looked at */
  int64_t reclaimed_at; /* start: commits without an op record are named up to here */
  struct bl_transaction_read reads[BL_TRANSACTION_READS_MAX];
  int reading;
  struct bl_buf properties;
  struct bl_transaction_stats stats;
};

/* transaction.c */
/* The record of a half goes on as one of `topic`: a view in which the caller changes what differs.
 */
struct bl_record bl_transaction__copy(const struct bl_transactions *transactions,
                                      const struct bl_record *half, struct bl_slice topic,
                                      int32_t queue_id);
/* An op record that names these halves: "12,13,". *out_end. Errors of bl_broker_put. */
bl_err bl_transaction__put_op(struct bl_transactions *transactions, struct bl_slice body,
                              int64_t *out_end, struct bl_why *why);

/* end.c: how old it is; born_ms is the sender's and may be anything */
int64_t bl_transaction__age_ms(const struct bl_transactions *transactions,
                               const struct bl_half *half);

/* check.c */
void bl_transaction__round_timer(struct bl_timer *timer, int64_t now_ms);
/* A part of the round. true: more. */
bool bl_transaction__round_step(struct bl_transactions *transactions);

#endif
