/* Transactions against a list of what was asked and answered, over restarts and power losses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/broker_testlib.h"
#include "broker/query/read.h"
#include "broker/transaction/transaction.h"
#include "store/queues/driver_testlib.h"
#include "wire/properties.h"

enum { HALVES_MAX = 4000 };

/* What is known of a half message: what was answered, and so must last. */
struct known {
  int64_t log_offset;
  int64_t queue_offset;
  enum { OPEN, COMMITTED, ROLLED_BACK } state;
  bool tried; /* an end was asked for whose answer did not come: either may be */
};

static struct bt bt;
static struct known known[HALVES_MAX];
static int known_count;

static int setup(void **state) {
  (void)state;
  bt_start(&bt);
  known_count = 0;
  return 0;
}

static int teardown(void **state) {
  (void)state;
  bt_stop(&bt);
  return 0;
}

/* A half message whose body is its number. false: refused. */
static bool send_half(const char *properties) {
  char text[256];
  char body[16];
  struct bl_sent sent;
  struct bl_why why = {{0}};
  snprintf(text, sizeof(text), "TRAN_MSG\001true\2PGROUP\001Shop\2%s", properties);
  snprintf(body, sizeof(body), "%d", known_count);
  struct bl_send send = {.topic = BL_SLICE("Orders"),
                         .default_topic = BL_SLICE("TBW102"),
                         .default_queues = 4,
                         .queue_id = 1,
                         .properties = bl_slice_text(text),
                         .body = bl_slice_text(body),
                         .born_ms = bt.clock.now_wall_ms,
                         .born_host = bt.broker->store_host,
                         .max_reconsume_times = -1,
                         .peer = ""};
  if (bl_broker_send(bt.broker, &send, &sent, &why) != BL_OK) return false;
  known[known_count++] =
      (struct known){.log_offset = sent.log_offset, .queue_offset = sent.queue_offset};
  return true;
}

static bl_err end_half(int half, bool commit, bool from_check) {
  struct bl_transaction_end end = {.group = BL_SLICE("Shop"),
                                   .half_log_offset = known[half].log_offset,
                                   .half_queue_offset = known[half].queue_offset,
                                   .commit = commit,
                                   .from_check = from_check};
  struct bl_why why = {{0}};
  struct bl_arena arena;
  struct bl_record record;
  struct bl_slice bytes;
  struct bl_cold_place cold;
  int64_t end_offset;
  bl_arena_init(&arena);
  bl_err err = bl_query_record(bt.broker, end.half_log_offset, &arena, &record, &bytes, &cold);
  err = bl_transaction_end(bt.broker->transactions, &end, err == BL_OK ? &record : NULL,
                           &end_offset, &why);
  bl_arena_fini(&arena);
  return err;
}

static int64_t count_of(const char *topic, int32_t queue_id) {
  struct bl_queue *queue = bl_queues_find(bt.broker->queues, bl_slice_text(topic), queue_id);
  return queue != NULL ? bl_queue_max_offset(queue) : 0;
}

/* How often each half's message is in its topic. */
static void count_delivered(int *out_counts) {
  char bytes[4096];
  memset(out_counts, 0, sizeof(int) * HALVES_MAX);
  for (int64_t at = 0; at < count_of("Orders", 1); at++) {
    struct bl_queue_entry entry;
    struct bl_record record;
    uint32_t count = 0;
    int64_t number;
    struct bl_queue *queue = bl_queues_find(bt.broker->queues, BL_SLICE("Orders"), 1);
    assert_int_equal(bl_queue_read_blocking(queue, at, &entry, 1, &count), BL_OK);
    assert_int_equal(count, 1);
    assert_true(entry.size_bytes <= sizeof(bytes));
    assert_int_equal(
        bl_store_read_blocking(bt.broker->store, entry.log_offset, entry.size_bytes, bytes), BL_OK);
    assert_int_equal(
        bl_record_decode(bl_slice_of(bytes, entry.size_bytes), BL_RECORD_CHECKED, &record), BL_OK);
    assert_true(bl_slice_i64(record.body, &number) && number >= 0 && number < HALVES_MAX);
    assert_int_equal(record.prepared_offset, known[number].log_offset);
    out_counts[number]++;
  }
}

static void an_end_counts_once(void **state) {
  (void)state;
  int counts[HALVES_MAX];
  for (int i = 0; i < 3; i++) assert_true(send_half(""));
  bt_settle(&bt);
  assert_int_equal(count_of("Orders", 1), 0);
  assert_int_equal(end_half(0, true, false), BL_OK);
  assert_int_equal(end_half(0, true, false), BL_OK); /* in the same turn */
  assert_int_equal(end_half(0, false, false), BL_ERR_EXISTS);
  assert_int_equal(end_half(1, false, false), BL_OK);
  assert_int_equal(end_half(1, true, false), BL_ERR_EXISTS);
  bt_settle(&bt);
  for (int again = 0; again < 2; again++) {
    assert_int_equal(end_half(0, true, false), BL_OK);
    assert_int_equal(end_half(1, true, false), BL_ERR_EXISTS);
    bt_settle(&bt);
    count_delivered(counts);
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 0);
    assert_int_equal(count_of(BL_HALF_OP_TOPIC, 0), 2);
    bt_restart(&bt);
  }
  const struct bl_transaction_stats *stats = bl_transaction_stats(bt.broker->transactions);
  assert_int_equal(stats->repeated, 0); /* since the start */
}

static void rounds_give_up_and_tell_where_to_go_on(void **state) {
  (void)state;
  bt.settings.transaction_check_max = 2;
  assert_true(send_half(""));
  assert_true(send_half(""));
  bt_settle(&bt);
  assert_int_equal(end_half(0, true, false), BL_OK);
  bt_settle(&bt);
  bt_pass(&bt, bt.settings.transaction_interval_ms); /* 30 s: older than 6 */
  const struct bl_transaction_stats *stats = bl_transaction_stats(bt.broker->transactions);
  assert_int_equal(stats->rounds, 1);
  assert_int_equal(stats->checks_unasked, 1); /* nobody is there */
  struct bl_offsets *offsets = &bt.broker->offsets;
  assert_int_equal(
      bl_offsets_committed(offsets, BL_SLICE(BL_HALF_TOPIC), BL_SLICE(BL_TRANSACTION_GROUP), 0), 1);
  for (int i = 0; i < 2; i++) bt_pass(&bt, bt.settings.transaction_interval_ms);
  assert_int_equal(stats->discarded, 1);
  assert_int_equal(count_of(BL_TRANSACTION_DISCARD_TOPIC, 0), 1);
  assert_int_equal(end_half(1, true, false), BL_ERR_EXISTS);
  bt_pass(&bt, bt.settings.transaction_interval_ms);
  assert_int_equal(stats->discarded, 1);
  assert_int_equal(
      bl_offsets_committed(offsets, BL_SLICE(BL_HALF_TOPIC), BL_SLICE(BL_TRANSACTION_GROUP), 0), 2);
  assert_int_equal(
      bl_offsets_committed(offsets, BL_SLICE(BL_HALF_OP_TOPIC), BL_SLICE(BL_TRANSACTION_GROUP), 0),
      2);
}

/* What RocketMQ's broker says of a half that it stored again, a sender does not. */
static void a_sender_moves_no_half(void **state) {
  (void)state;
  struct bl_halves_stats stats;
  char properties[64];
  assert_true(send_half(""));
  bt_settle(&bt);
  snprintf(properties, sizeof(properties),
           "TRAN_PREPARED_QUEUE_OFFSET\001%lld\2TRANSACTION_CHECK_TIMES\00115\2",
           (long long)known[0].queue_offset);
  assert_true(send_half(properties));
  bt_settle(&bt);
  bl_halves_stats(bt.broker->halves, &stats);
  assert_int_equal(stats.open, 2);
  assert_int_equal(bl_halves_find(bt.broker->halves, known[1].log_offset)->checks, 0);
  assert_int_equal(end_half(0, true, false), BL_OK);
  assert_int_equal(end_half(1, true, false), BL_OK);
  bt_settle(&bt);
  assert_int_equal(count_of("Orders", 1), 2);
}

/* Given up while the disk fails, the message would be nowhere. */
static void it_is_not_given_up_while_the_disk_fails(void **state) {
  (void)state;
  struct bl_halves_stats stats;
  assert_true(send_half(""));
  bt_settle(&bt);
  bt_send(&bt, "Big", 0, "", 60000);
  bt_cold(&bt);
  bt.settings.transaction_check_max = 1;
  bl_disk_fake_fail(bt.fake, BL_FAKE_READ, "commitlog", 0, -1, BL_ERR_IO);
  for (int i = 0; i < 100; i++) bt_pass(&bt, 5000);
  bl_halves_stats(bt.broker->halves, &stats);
  assert_int_equal(stats.open, 1);
  bl_disk_fake_fail(bt.fake, BL_FAKE_READ, "commitlog", -1, 0, BL_OK);
  for (int i = 0; i < 40; i++) bt_pass(&bt, 5000);
  assert_int_equal(count_of(BL_TRANSACTION_DISCARD_TOPIC, 0), 1);
  bl_halves_stats(bt.broker->halves, &stats);
  assert_int_equal(stats.open, 0);
}

static void immunity_is_kept(void **state) {
  (void)state;
  assert_true(send_half("CHECK_IMMUNITY_TIME_IN_SECONDS\00145\2"));
  bt_settle(&bt);
  const struct bl_transaction_stats *stats = bl_transaction_stats(bt.broker->transactions);
  bt_pass(&bt, 30000);
  assert_int_equal(stats->checks_unasked, 0);
  bt_pass(&bt, 30000);
  assert_int_equal(stats->checks_unasked, 1);
  assert_int_equal(end_half(0, true, false), BL_ERR_NOT_ALLOWED);
  assert_int_equal(end_half(0, true, true), BL_OK);
}

/* What was answered lasts, and nothing is there twice. */
static void compare(void) {
  int counts[HALVES_MAX];
  count_delivered(counts);
  for (int i = 0; i < known_count; i++) {
    struct known *half = &known[i];
    assert_true(counts[i] <= 1);
    if (half->state == COMMITTED) assert_int_equal(counts[i], 1);
    if (half->state == ROLLED_BACK) assert_int_equal(counts[i], 0);
    if (half->state != OPEN || !half->tried) continue;
    if (counts[i] == 1) half->state = COMMITTED;
  }
}

static void random_ends(uint64_t *seed, int steps) {
  for (int i = 0; i < steps; i++) {
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z ^= z >> 27;
    if (known_count < HALVES_MAX && (z % 3 == 0 || known_count == 0)) {
      send_half("");
      continue;
    }
    int half = (int)((z >> 8) % (uint64_t)known_count);
    bool commit = (z >> 3) % 2 == 0;
    bl_err err = end_half(half, commit, false);
    if (err == BL_OK) known[half].tried = true;
    if (err == BL_OK && known[half].state != OPEN)
      assert_int_equal(known[half].state, commit ? COMMITTED : ROLLED_BACK);
  }
}

/* Halves whose send was not answered are there or not; none of those that are may be committed by
 * what comes, so they are rolled back. */
static void forget_unanswered(int from) {
  for (int64_t at = from; at < count_of(BL_HALF_TOPIC, 0) && at < HALVES_MAX; at++) {
    struct bl_queue_entry entry;
    uint32_t count = 0;
    struct bl_queue *queue = bl_queues_find(bt.broker->queues, BL_SLICE(BL_HALF_TOPIC), 0);
    assert_int_equal(bl_queue_read_blocking(queue, at, &entry, 1, &count), BL_OK);
    known[known_count++] = (struct known){
        .log_offset = entry.log_offset, .queue_offset = entry.queue_offset, .tried = true};
    bl_err err = end_half(known_count - 1, false, true);
    assert_true(err == BL_OK || err == BL_ERR_EXISTS);
    known[known_count - 1].state = err == BL_OK ? ROLLED_BACK : COMMITTED;
  }
  bt_settle(&bt);
}

static void random_histories_over_power_losses(void **state) {
  (void)state;
  uint64_t seed = 20261123;
  print_message("seed %llu\n", (unsigned long long)seed);
  for (int round = 0; round < 40; round++) {
    random_ends(&seed, 60);
    bt_settle(&bt);
    /* All of it was answered: what each half is now, it stays. */
    for (int i = 0; i < known_count; i++) {
      if (known[i].state != OPEN || !known[i].tried) continue;
      known[i].state = end_half(i, true, true) == BL_OK ? COMMITTED : ROLLED_BACK;
    }
    bt_settle(&bt);
    compare();
    if (round % 4 == 1) bl_store_snapshot_now(bt.broker->store);
    int before = known_count;
    if (round % 2 == 0) {
      struct bl_driver_crash crash;
      bl_driver_crash_after(&crash, bt.fake, (int64_t)(seed >> 8) % 6, seed);
      for (int i = 0; i < 20 && !crash.happened; i++) { /* not answered before the power goes */
        random_ends(&seed, 8);
        bt_settle(&bt);
      }
      bl_disk_fake_on_op(bt.fake, NULL, NULL);
      bt_power_loss(&bt, seed);
      /* Sends that were not answered may be lost: their numbers are used again. */
      known_count = before;
      int64_t stored = count_of(BL_HALF_TOPIC, 0);
      for (int i = 0; i < known_count; i++) assert_true(known[i].queue_offset < stored);
      forget_unanswered(before);
    } else {
      bt_restart(&bt);
    }
    compare();
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(an_end_counts_once, setup, teardown),
      cmocka_unit_test_setup_teardown(rounds_give_up_and_tell_where_to_go_on, setup, teardown),
      cmocka_unit_test_setup_teardown(a_sender_moves_no_half, setup, teardown),
      cmocka_unit_test_setup_teardown(it_is_not_given_up_while_the_disk_fails, setup, teardown),
      cmocka_unit_test_setup_teardown(immunity_is_kept, setup, teardown),
      cmocka_unit_test_setup_teardown(random_histories_over_power_losses, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
