/* What became of halves that nobody ended: their producers are asked, every round, until there were
 * enough rounds. RocketMQ stores a half again each time it asks, to count; here the table counts.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "broker/send/put.h"
#include "broker/transaction/transaction_internal.h"
#include "remoting/remoting.h"
#include "wire/headers.h"
#include "wire/msgid.h"
#include "wire/properties.h"

#define CHECK_TRANSACTION_STATE 39
/* About 100 us. */
#define LOOKS_PER_TURN 4096
#define ASKED_PER_TURN 32
#define HOUR_MS 3600000LL
/* An op record that names one half, and what the names of topics may differ. */
#define OP_RECORD_BYTES 1024

static struct bl_log_limit discard_limit = {.per_second = 1};
static struct bl_log_limit unreadable_limit = {.per_second = 1};

static bool is_ending(const struct bl_transactions *transactions, int64_t log_offset) {
  struct bl_slice key = bl_slice_of((const char *)&log_offset, sizeof(log_offset));
  return bl_map_get(&transactions->endings, key) != NULL;
}

/* TransactionalMessageServiceImpl#check. */
static bool is_due(const struct bl_transactions *transactions, const struct bl_half *half) {
  int64_t age_ms = bl_transaction__age_ms(transactions, half);
  if (half->immunity_s >= 0) return age_ms > (int64_t)half->immunity_s * 1000;
  return age_ms < 0 || age_ms > transactions->broker->settings->transaction_timeout_ms;
}

/* Its file would be gone, but for it. */
static bool is_over(const struct bl_transactions *transactions, const struct bl_half *half) {
  int64_t reserved_ms = transactions->broker->settings->file_reserved_hours * HOUR_MS;
  return bl_transaction__age_ms(transactions, half) > reserved_ms;
}

static bool is_given_up(const struct bl_transactions *transactions, const struct bl_half *half) {
  return half->checks >= transactions->broker->settings->transaction_check_max ||
         is_over(transactions, half);
}

/* One producer of the group, another each time. */
static struct bl_client *next_producer(struct bl_transactions *transactions,
                                       struct bl_slice group_name) {
  struct bl_member_group *group = bl_members_producers(transactions->broker, group_name);
  if (group == NULL || bl_list_empty(&group->members)) return NULL;
  struct bl_list *node = bl_list_take_first(&group->members);
  bl_list_add_last(&group->members, node);
  return BL_CONTAINER(node, struct bl_member, in_group)->client;
}

/* All but what says how often was asked. */
static void put_unasked(struct bl_buf *out, struct bl_slice properties) {
  struct bl_slice name;
  struct bl_slice value;
  while (bl_properties_next(&properties, &name, &value)) {
    bool ours =
        bl_slice_eq(name, BL_PROP_TRAN_CHECK_TIMES) || bl_slice_is(name, BL_RECORD_CRC_PROPERTY);
    if (!ours) bl_properties_put(out, name, value);
  }
}

/* The message under its real name, with how often was asked. */
static struct bl_slice body_of(struct bl_transactions *transactions, const struct bl_record *stored,
                               const struct bl_half *half, struct bl_arena *arena) {
  struct bl_buf *properties = &transactions->properties;
  struct bl_record record = *stored;
  bl_buf_clear(properties);
  put_unasked(properties, stored->properties);
  bl_properties_put_i64(properties, BL_PROP_TRAN_CHECK_TIMES, half->checks);
  if (properties->failed) return (struct bl_slice){NULL, 0};
  record.properties = bl_buf_slice(properties);
  record.with_crc = false;
  record.topic = bl_properties_get(stored->properties, BL_PROP_REAL_TOPIC);
  if (!bl_slice_i32(bl_properties_get(stored->properties, BL_PROP_REAL_QUEUE), &record.queue_id))
    return (struct bl_slice){NULL, 0};
  char *bytes = bl_arena_take(arena, bl_record_size(&record));
  bl_record_encode(&record, bytes);
  return bl_slice_of(bytes, record.size_bytes);
}

static void ask(struct bl_transactions *transactions, const struct bl_record *stored,
                const struct bl_half *half, struct bl_arena *arena) {
  struct bl_broker *broker = transactions->broker;
  struct bl_slice group = bl_halves_name(transactions->halves, half->group);
  struct bl_client *client = next_producer(transactions, group);
  struct bl_slice body = body_of(transactions, stored, half, arena);
  if (client == NULL || body.ptr == NULL) {
    transactions->stats.checks_unasked++;
    return;
  }
  char id[BL_MSGID_TEXT_MAX];
  struct bl_slice uniq_key = bl_properties_get(stored->properties, BL_PROP_UNIQ_KEY);
  struct bl_check_transaction_header header = {.half_queue_offset = half->queue_offset,
                                               .half_log_offset = half->log_offset};
  BL_SET(&header, check_transaction, topic, BL_SLICE(BL_HALF_TOPIC));
  BL_SET(&header, check_transaction, msg_id, uniq_key);
  BL_SET(&header, check_transaction, transaction_id, uniq_key);
  BL_SET(&header, check_transaction, offset_msg_id,
         bl_slice_of(id, bl_msgid_text(&stored->store_host, half->log_offset, id)));
  BL_SET(&header, check_transaction, broker_name, bl_slice_text(broker->settings->broker_name));
  struct bl_outgoing outgoing = {.code = CHECK_TRANSACTION_STATE,
                                 .table = &bl_check_transaction_table,
                                 .header = &header,
                                 .body = body};
  if (bl_remoting_send(broker->remoting, client->conn_id, &outgoing) == BL_OK) {
    transactions->stats.checks++;
  } else {
    transactions->stats.checks_unasked++;
  }
}

/* DefaultTransactionalMessageCheckListener#resolveDiscardMsg. */
static void give_up(struct bl_transactions *transactions, const struct bl_record *stored,
                    const struct bl_half *half) {
  struct bl_broker *broker = transactions->broker;
  struct bl_buf *properties = &transactions->properties;
  struct bl_why why;
  int64_t end;
  char body[32];
  int64_t queue_offset = half->queue_offset;
  int len = snprintf(body, sizeof(body), "%" PRId64 ",", queue_offset);
  struct bl_topic_change change = {.name = BL_SLICE(BL_TRANSACTION_DISCARD_TOPIC),
                                   .read_queues = 1,
                                   .write_queues = 1,
                                   .perm = BL_PERM_READ | BL_PERM_WRITE};
  struct bl_topic *topic = bl_topics_find(&broker->topics, change.name);
  bl_err err = topic != NULL ? BL_OK : bl_broker_put_topic(broker, &change, &topic, &end);
  /* Both or none, so that it is moved once. */
  if (err == BL_OK && stored != NULL)
    err = bl_store_can_append(broker->store, (int64_t)stored->size_bytes + OP_RECORD_BYTES);
  if (err == BL_OK && stored != NULL) {
    bl_buf_clear(properties);
    bl_properties_put_without(properties, stored->properties, BL_SLICE(BL_RECORD_CRC_PROPERTY));
    struct bl_record record = bl_transaction__copy(transactions, stored, change.name, 0);
    err = bl_broker_put(broker, &record, properties, NULL, &why);
  }
  if (err == BL_OK)
    err = bl_transaction__put_op(transactions, bl_slice_of(body, (size_t)len), &end, &why);
  if (err != BL_OK) return; /* in the next round */
  transactions->stats.discarded++;
  bl_log_limited(&discard_limit, BL_LOG_WARN, "broker", "transaction.given_up",
                 "half_queue_offset=%" PRId64 " group=%.*s topic=%.*s moved_to=%s", queue_offset,
                 BL_FMT(bl_halves_name(transactions->halves, half->group)),
                 BL_FMT(bl_halves_name(transactions->halves, half->topic)),
                 stored != NULL ? BL_TRANSACTION_DISCARD_TOPIC : "nowhere, it cannot be read");
}

static void on_read(struct bl_record_fetch *fetch) {
  struct bl_transaction_read *read = BL_CONTAINER(fetch, struct bl_transaction_read, fetch);
  struct bl_transactions *transactions = read->transactions;
  const struct bl_half *half = bl_halves_find(transactions->halves, fetch->log_offset);
  bool open = half != NULL && half->state == BL_HALF_OPEN && !transactions->closing &&
              !is_ending(transactions, half->log_offset);
  const struct bl_record *stored = fetch->err == BL_OK ? &fetch->record : NULL;
  if (open && stored == NULL) {
    bl_log_limited(&unreadable_limit, BL_LOG_ERROR, "broker", "transaction.unreadable",
                   "log_offset=%" PRId64 " error=%s", fetch->log_offset, bl_err_name(fetch->err));
  }
  /* An error of the disk may pass: then it is asked for in a later round. */
  bool gone = fetch->err == BL_ERR_NOT_FOUND || fetch->err == BL_ERR_CRC;
  bool waits = stored == NULL && !gone && open && !is_over(transactions, half);
  if (open && !waits && is_given_up(transactions, half)) {
    give_up(transactions, stored, half);
  } else if (open && stored != NULL) {
    ask(transactions, stored, half, &fetch->arena);
  }
  bl_record_fetch_fini(fetch);
  read->open = false;
  transactions->reading--;
}

static void start_read(struct bl_transactions *transactions, int64_t log_offset) {
  int i = 0;
  while (transactions->reads[i].open) i++;
  BL_ASSERT(i < BL_TRANSACTION_READS_MAX);
  transactions->reads[i].open = true;
  transactions->reading++;
  bl_record_fetch_start(&transactions->reads[i].fetch, transactions->broker, log_offset, on_read);
}

static void check(struct bl_transactions *transactions, struct bl_half *half) {
  if (is_ending(transactions, half->log_offset)) return;
  bool given_up = is_given_up(transactions, half);
  if (!given_up && !is_due(transactions, half)) return;
  struct bl_slice group = bl_halves_name(transactions->halves, half->group);
  bool asked = bl_members_producers(transactions->broker, group) != NULL;
  if (!given_up) half->checks++;
  if (given_up || asked) {
    start_read(transactions, half->log_offset);
  } else {
    transactions->stats.checks_unasked++;
  }
}

/* Where a Java broker that reads this store goes on. */
static void end_round(struct bl_transactions *transactions) {
  struct bl_broker *broker = transactions->broker;
  int64_t half_offset;
  int64_t op_offset;
  transactions->in_round = false;
  bl_halves_done_to(transactions->halves, &half_offset, &op_offset);
  bl_err err = BL_OK;
  if (half_offset > 0) {
    err = bl_offsets_commit(&broker->offsets, BL_SLICE(BL_HALF_TOPIC),
                            BL_SLICE(BL_TRANSACTION_GROUP), BL_HALF_QUEUE_ID, half_offset);
  }
  if (err == BL_OK && op_offset > 0) {
    err = bl_offsets_commit(&broker->offsets, BL_SLICE(BL_HALF_OP_TOPIC),
                            BL_SLICE(BL_TRANSACTION_GROUP), BL_HALF_QUEUE_ID, op_offset);
  }
  if (err != BL_OK) {
    bl_log(BL_LOG_WARN, "broker", "transaction.offsets",
           "error=%s going_on=\"a Java broker on this store would ask for ended ones again\"",
           bl_err_name(err));
  }
  bl_timer_set(broker->timers, &transactions->timer,
               bl_clock_mono_ms(broker->clock) + broker->settings->transaction_interval_ms);
}

bool bl_transaction__round_step(struct bl_transactions *transactions) {
  for (int i = 0; i < ASKED_PER_TURN; i++) {
    if (transactions->reading == BL_TRANSACTION_READS_MAX)
      return false; /* their end makes a turn */
    int64_t reached;
    struct bl_half *half = bl_halves_next_open(transactions->halves, transactions->round_at,
                                               LOOKS_PER_TURN / ASKED_PER_TURN, &reached);
    if (reached == INT64_MAX && half == NULL) {
      if (transactions->reading == 0) end_round(transactions);
      return false;
    }
    transactions->round_at = reached;
    if (half != NULL) check(transactions, half);
  }
  return true;
}

void bl_transaction__round_timer(struct bl_timer *timer, int64_t now_ms) {
  struct bl_transactions *transactions = BL_CONTAINER(timer, struct bl_transactions, timer);
  (void)now_ms;
  transactions->stats.rounds++;
  transactions->in_round = true;
  transactions->round_at = -1;
}

bl_err bl_transaction_resume(struct bl_transactions *transactions, const struct bl_record *given_up,
                             int64_t *out_end, struct bl_why *why) {
  struct bl_buf *properties = &transactions->properties;
  if (!bl_slice_is(given_up->topic, BL_TRANSACTION_DISCARD_TOPIC)) {
    return bl_why_set(why, BL_ERR_SYSTEM,
                      "Put message back to RMQ_SYS_TRANS_HALF_TOPIC failed: the message is in "
                      "topic %.*s, not in " BL_TRANSACTION_DISCARD_TOPIC,
                      BL_FMT(given_up->topic));
  }
  bl_buf_clear(properties);
  put_unasked(properties, given_up->properties);
  bl_properties_put(properties, BL_PROP_TRAN_CHECK_TIMES, BL_SLICE("0"));
  struct bl_record record =
      bl_transaction__copy(transactions, given_up, BL_SLICE(BL_HALF_TOPIC), BL_HALF_QUEUE_ID);
  bl_err err = bl_broker_put(transactions->broker, &record, properties, NULL, why);
  *out_end = record.log_offset + record.size_bytes;
  return err;
}
