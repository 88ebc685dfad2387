/* Operators list, count, cancel and move what waits, over restarts and losses of power. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/broker_testlib.h"
#include "broker/delay/delay.h"
#include "broker/delay/operate.h"
#include "store/timers/pending_internal.h"
#include "wire/properties.h"

#define STEPS_MAX 100000
#define ROWS_MAX 4096

static struct bt bt;
static char text[1 << 20];
static size_t text_len;
static struct row {
  int64_t due_ms, log_offset;
  char key[64];
  bool is_recall;
} rows[ROWS_MAX];
static int row_count;

static int setup(void **state) {
  (void)state;
  bt_start(&bt);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  bt_stop(&bt);
  return 0;
}

static int64_t now(void) {
  return bt.clock.now_wall_ms;
}

static void send_at(const char *topic, const char *key, int64_t due_ms) {
  char properties[256];
  snprintf(properties, sizeof(properties), "UNIQ_KEY\1%s\2KEYS\1k-%s\2TIMER_DELIVER_MS\1%lld\2",
           key, key, (long long)due_ms);
  bt_send(&bt, topic, 1, properties, 10);
}

static void on_row(void *context, const struct bl_delay_row *row) {
  (void)context;
  struct row *to = &rows[row_count++];
  *to = (struct row){
      .due_ms = row->due_ms, .log_offset = row->log_offset, .is_recall = row->is_recall};
  snprintf(to->key, sizeof(to->key), "%.*s", BL_FMT(row->uniq_key));
  text_len += (size_t)snprintf(text + text_len, sizeof(text) - text_len, "%.*s/%d/%.*s/%.*s/%u ",
                               BL_FMT(row->topic), row->queue_id, BL_FMT(row->uniq_key),
                               BL_FMT(row->keys), row->body_bytes);
}

static void on_bucket(void *context, int64_t start_ms, int64_t count) {
  int64_t *sum = context;
  *sum += count;
  text_len += (size_t)snprintf(text + text_len, sizeof(text) - text_len, "%lld:%lld ",
                               (long long)start_ms, (long long)count);
}

/* All pages. */
static void list(const char *topic, int64_t bucket_ms, int64_t *sum) {
  struct bl_delay_list l = {.ask = {.after = {INT64_MIN, -1}, .until_ms = INT64_MAX}};
  row_count = 0;
  text_len = 0;
  text[0] = '\0';
  *sum = 0;
  for (int steps = 0; !l.end; steps++) {
    struct bl_pending_ask ask = l.ask;
    l = (struct bl_delay_list){.broker = bt.broker,
                               .ask = ask,
                               .topic = bl_slice_text(topic),
                               .bucket_ms = bucket_ms,
                               .on_row = on_row,
                               .on_bucket = on_bucket,
                               .context = sum};
    while (bl_delay_list_step(&l) != BL_DELAY_ENDED) {
      assert_true(++steps < STEPS_MAX);
      bt_pass(&bt, 0);
    }
    assert_int_equal(l.err, BL_OK);
    bl_delay_list_fini(&l);
  }
}

static void expect_rows(const char *topic, const char *expected) {
  int64_t sum;
  list(topic, 0, &sum);
  assert_string_equal(text, expected);
}

static struct bl_delay_change change_of(const char *topic, const char *key, int64_t due_ms) {
  return (struct bl_delay_change){.broker = bt.broker,
                                  .topic = bl_slice_text(topic),
                                  .uniq_key = bl_slice_text(key),
                                  .moves = due_ms > 0,
                                  .new_due_ms = due_ms,
                                  .born_host = bt.broker->store_host};
}

static void run(struct bl_delay_change *c) {
  for (int i = 0; bl_delay_change_step(c) != BL_DELAY_ENDED; i++) {
    assert_true(i < STEPS_MAX);
    bt_pass(&bt, 0);
  }
}

/* RETURNS how many; asserts the error when none. */
static int change(const char *topic, const char *key, int64_t due_ms, bl_err err) {
  struct bl_delay_change c = change_of(topic, key, due_ms);
  run(&c);
  bt_settle(&bt);
  int changed = c.changed;
  if (c.err != err) fail_msg("%s: %s %s", key, bl_err_name(c.err), c.why.text);
  if (err != BL_OK) assert_true(c.why.text[0] != '\0');
  bl_delay_change_fini(&c);
  return changed;
}

static int64_t count_of(const char *topic) {
  struct bl_queue *queue = bl_queues_find(bt.broker->queues, bl_slice_text(topic), 1);
  return queue != NULL ? bl_queue_max_offset(queue) : 0;
}

static int64_t waiting(void) {
  struct bl_pending_stats stats;
  bl_pending_stats(bt.broker->pending, &stats);
  return stats.count;
}

static void rows_come_by_due_time(void **state) {
  (void)state;
  int64_t sum;
  send_at("T", "B", now() + 20000);
  send_at("U", "C", now() + 3600000);
  bt_send(&bt, "T", 1, "UNIQ_KEY\1A\2DELAY\0013\2", 7);
  expect_rows(NULL, "T/1/A//7 T/1/B/k-B/10 U/1/C/k-C/10 ");
  expect_rows("U", "U/1/C/k-C/10 ");
  expect_rows("Nobody", "");
  list(NULL, 0, &sum);
  assert_int_equal(rows[0].due_ms, now() + 10000);
  bt_restart(&bt);
  bt_cold(&bt);
  expect_rows(NULL, "T/1/A//7 T/1/B/k-B/10 U/1/C/k-C/10 ");
  bt_pass(&bt, 10000);
  bt_pass(&bt, 1);
  expect_rows(NULL, "T/1/B/k-B/10 U/1/C/k-C/10 ");
}

/* From heaps, sealed heaps and files alike. */
static void many_pages(void **state) {
  (void)state;
  char key[32];
  int64_t sum;
  bl_pending__set_seal_entries(bt.broker->pending, 100);
  for (int i = 0; i < 3000; i++) {
    snprintf(key, sizeof(key), "K%d", i);
    send_at(i % 3 == 0 ? "T" : "U", key, now() + 3600000 + (i * 7919 % 3000) * 1000);
  }
  struct bl_pending_stats stats;
  bl_pending_stats(bt.broker->pending, &stats);
  assert_true(stats.files > 1);
  list(NULL, 0, &sum);
  assert_int_equal(row_count, 3000);
  for (int i = 1; i < row_count; i++) assert_true(rows[i - 1].due_ms < rows[i].due_ms);
  list("T", 0, &sum);
  assert_int_equal(row_count, 1000);
  list(NULL, 3600000, &sum);
  assert_int_equal(sum, 3000);
  list("T", 60000, &sum);
  assert_int_equal(sum, 1000);
  for (int i = 0; i < 3000; i += 2) {
    snprintf(key, sizeof(key), "K%d", i);
    assert_int_equal(change(i % 3 == 0 ? "T" : "U", key, 0, BL_OK), 1);
  }
  assert_int_equal(waiting(), 1500);
  list(NULL, 0, &sum);
  assert_int_equal(row_count, 1500);
  for (int i = 0; i < row_count; i++)
    assert_non_null(strpbrk(rows[i].key + strlen(rows[i].key) - 1, "13579"));
  list(NULL, 86400000, &sum);
  assert_int_equal(sum, 1500);
  bt_restart(&bt);
  list(NULL, 0, &sum);
  assert_int_equal(row_count, 1500);
  bt_pass(&bt, 3600000 + 3000000);
  for (int i = 0; i < 200; i++) bt_pass(&bt, 1);
  assert_int_equal(count_of("T") + count_of("U"), 1500);
  assert_int_equal(waiting(), 0);
}

/* Messages come between the steps, each before all others, and move those in the heap about. */
static void the_heap_changes_meanwhile(void **state) {
  (void)state;
  enum { COUNT = 1500 };
  static bool seen[COUNT];
  char key[32];
  int64_t base = now() + 3600000;
  for (int i = 0; i < COUNT; i++) {
    snprintf(key, sizeof(key), "K%d", i);
    send_at("T", key, base + (i * 7919 % COUNT));
  }
  struct bl_pending_ask ask = {
      .after = {INT64_MIN, -1}, .until_ms = INT64_MAX, .max = BL_PENDING_LOOK_MAX};
  struct bl_pending_look *look = bl_pending_look_new(bt.broker->pending, &ask);
  assert_null(bl_pending_look_new(bt.broker->pending, &ask));
  enum bl_pending_look_step step;
  for (int i = 1; (step = bl_pending_look_step(look)) != BL_PENDING_LOOK_DONE; i++) {
    if (step == BL_PENDING_LOOK_WAIT) bt_settle(&bt);
    for (int j = 0; j < 20 && i < 20; j++) send_at("T", "early", base - i * 20 - j);
  }
  const struct bl_pending_entry *entries;
  uint32_t count;
  struct bl_pending_place place;
  bool end;
  assert_int_equal(bl_pending_look_result(look, &entries, &count, &place, &end), BL_OK);
  assert_true(end);
  memset(seen, 0, sizeof(seen));
  for (uint32_t i = 0; i < count; i++) {
    if (i > 0) assert_true(bl_pending__compare(&entries[i - 1], &entries[i]) < 0);
    if (entries[i].due_ms >= base) seen[entries[i].due_ms - base] = true;
  }
  for (int i = 0; i < COUNT; i++)
    if (!seen[i]) fail_msg("%d is missing", i);
  bl_pending_look_free(look);
}

static void what_is_cancelled_does_not_come(void **state) {
  (void)state;
  send_at("T", "A", now() + 20000);
  send_at("T", "B", now() + 20000);
  bt_send(&bt, "T", 1, "UNIQ_KEY\1L\2DELAY\0014\2", 7);
  assert_int_equal(change("T", "A", 0, BL_OK), 1);
  assert_int_equal(change("T", "A", 0, BL_ERR_NOT_FOUND), 0);
  assert_int_equal(change("T", "L", 0, BL_OK), 1);
  assert_int_equal(change("T", "X", 0, BL_ERR_NOT_FOUND), 0);
  assert_int_equal(change("Nobody", "A", 0, BL_ERR_NO_TOPIC), 0);
  assert_int_equal(waiting(), 1);
  assert_int_equal(bl_delay_stats(bt.broker->delay)->dropped, 2);
  bt_restart(&bt);
  assert_int_equal(waiting(), 1);
  expect_rows(NULL, "T/1/B/k-B/10 ");
  for (int i = 0; i < 40; i++) bt_pass(&bt, 1000);
  assert_int_equal(count_of("T"), 1);
  assert_int_equal(change("T", "B", 0, BL_ERR_NOT_FOUND), 0);
}

static void by_log_offset(void **state) {
  (void)state;
  int64_t sum;
  send_at("T", "A", now() + 20000);
  send_at("T", "A", now() + 30000);
  list(NULL, 0, &sum);
  struct bl_delay_change c = change_of("T", NULL, 0);
  c.log_offset = rows[1].log_offset + 1;
  run(&c);
  assert_int_equal(c.err, BL_ERR_NOT_FOUND);
  bl_delay_change_fini(&c);
  c = change_of("T", NULL, 0);
  c.log_offset = rows[1].log_offset;
  run(&c);
  assert_int_equal(c.changed, 1);
  bl_delay_change_fini(&c);
  bt_settle(&bt);
  list(NULL, 0, &sum);
  assert_int_equal(row_count, 1);
  assert_int_equal(rows[0].due_ms, now() + 20000);
  /* All copies of a key. */
  send_at("T", "A", now() + 40000);
  assert_int_equal(change("T", "A", 0, BL_OK), 2);
  assert_int_equal(waiting(), 0);
}

static void what_is_moved_comes_then_and_once(void **state) {
  (void)state;
  int64_t at = now() + 50000;
  send_at("T", "A", now() + 20000);
  send_at("T", "B", now() + 3600000);
  bt_send(&bt, "T", 1, "UNIQ_KEY\1L\2DELAY\0013\2", 7);
  assert_int_equal(change("T", "A", at, BL_OK), 1);
  assert_int_equal(change("T", "L", at + 1, BL_OK), 1);
  assert_int_equal(change("T", "B", now() - 5, BL_OK), 1); /* at once */
  bt_pass(&bt, 1);
  assert_int_equal(count_of("T"), 1);
  assert_int_equal(change("T", "A", INT64_MAX, BL_ERR_MESSAGE_ILLEGAL), 0);
  assert_int_equal(waiting(), 2);
  bt_restart(&bt);
  assert_int_equal(waiting(), 2);
  expect_rows(NULL, "T/1/A/k-A/10 T/1/L//7 ");
  assert_int_equal(rows[0].due_ms, at);
  bt_pass(&bt, at - now() - 1);
  assert_int_equal(count_of("T"), 1);
  bt_pass(&bt, 1);
  assert_int_equal(count_of("T"), 2);
  bt_pass(&bt, 1);
  assert_int_equal(count_of("T"), 3);
  bt_restart(&bt);
  for (int i = 0; i < 70; i++) bt_pass(&bt, 1000);
  assert_int_equal(count_of("T"), 3);
  assert_int_equal(waiting(), 0);
}

/* Its time comes while the operator looks: it is delivered, or changed, never both. */
static void a_race_with_delivery(void **state) {
  (void)state;
  for (int before = 0; before < 12; before++) {
    char key[32];
    int64_t there = count_of("T");
    snprintf(key, sizeof(key), "R%d", before);
    send_at("T", key, now() + 2);
    struct bl_delay_change c = change_of("T", key, now() + 10);
    bool done = false;
    for (int i = 0; i < before && !done; i++) {
      done = bl_delay_change_step(&c) == BL_DELAY_ENDED;
      bl_worker_drain(bt.pool);
    }
    bt_pass(&bt, 2);
    run(&c);
    bool moved = c.changed == 1;
    bl_delay_change_fini(&c);
    assert_int_equal(count_of("T") - there, moved ? 0 : 1);
    bt_pass(&bt, 20);
    assert_int_equal(count_of("T") - there, 1);
  }
}

static void recalled_messages_stay_recalled(void **state) {
  (void)state;
  char properties[256];
  int64_t at = (now() / 1000 + 20) * 1000 + 500;
  send_at("T", "A", at);
  snprintf(properties, sizeof(properties),
           "UNIQ_KEY\1A\2TIMER_DEL_UNIQKEY\1T+A\2TIMER_DELIVER_MS\1%lld\2",
           (long long)(at / 1000 * 1000 + 1));
  bt_send(&bt, "T", 0, properties, 1);
  assert_int_equal(change("T", "A", at + 60000, BL_ERR_NOT_ALLOWED), 0);
  int64_t sum;
  list("T", 0, &sum);
  assert_int_equal(row_count, 2);
  assert_true(rows[0].is_recall);
  assert_string_equal(rows[0].key, "A");
  assert_int_equal(change("T", "A", 0, BL_OK), 1);
  bt_pass(&bt, 80000);
  assert_int_equal(count_of("T"), 0);
}

/* Cancelled in the heap, in a file otherwise: being appended again does not bring it back. */
static void rolling_brings_nothing_back(void **state) {
  (void)state;
  const int64_t year_ms = 365ll * 86400000;
  int64_t at = now() + year_ms;
  char key[32];
  bl_pending__set_seal_entries(bt.broker->pending, 30);
  bt.settings.retention_bytes = 2 << 20;
  for (int i = 0; i < 30; i++) {
    snprintf(key, sizeof(key), "F%d", i);
    send_at("T", key, at + i);
  }
  bt_settle(&bt);
  bl_pending__set_seal_entries(bt.broker->pending, 100000);
  for (int i = 0; i < 30; i += 3) {
    snprintf(key, sizeof(key), "F%d", i);
    assert_int_equal(change("T", key, 0, BL_OK), 1);
  }
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 60; i++) bt_send(&bt, "Big", 0, "", 60000);
    for (int i = 0; i < 30; i++) bt_pass(&bt, 5000);
  }
  assert_true(bl_store_marks(bt.broker->store).min_offset > 4 << 20);
  assert_true(bl_delay_stats(bt.broker->delay)->rolled >= 20);
  int64_t sum;
  list(NULL, 0, &sum);
  assert_int_equal(row_count, 20);
  bt_pass(&bt, at - now() + 1000);
  for (int i = 0; i < 20; i++) bt_pass(&bt, 1);
  assert_int_equal(count_of("T"), 20);
  assert_int_equal(waiting(), 0);
}

/* The power goes at any step of a move: the message waits for the one time or the other, once. */
static void power_goes_during_a_move(void **state) {
  (void)state;
  int at_new = 0;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    char key[32];
    int64_t old_ms = now() + 20000;
    int64_t new_ms = now() + 40000;
    int64_t there = count_of("T");
    snprintf(key, sizeof(key), "P%d", (int)seed);
    send_at("T", key, old_ms);
    struct bl_delay_change c = change_of("T", key, new_ms);
    for (uint64_t i = 0; i < seed % 12; i++) {
      if (bl_delay_change_step(&c) == BL_DELAY_ENDED) break;
      if (c.part < BL_DELAY_CHANGE_APPEND) bt_settle(&bt);
    }
    while (c.part < BL_DELAY_CHANGE_APPEND && seed % 2 == 0) {
      (void)bl_delay_change_step(&c);
      if (c.part < BL_DELAY_CHANGE_APPEND) bt_settle(&bt);
    }
    if (seed % 2 == 0) (void)bl_delay_change_step(&c); /* appended, not written */
    bool appended = c.changed == 1;
    if (seed % 4 == 0) bt_settle(&bt); /* durable */
    bool durable = appended && seed % 4 == 0;
    while (!bl_delay_change_may_free(&c)) bt_settle(&bt);
    bl_delay_change_fini(&c);
    bt_power_loss(&bt, seed);
    assert_int_equal(waiting(), 1);
    bt_pass(&bt, old_ms - now());
    for (int i = 0; i < 5; i++) bt_pass(&bt, 1);
    bool came = count_of("T") > there;
    if (durable) assert_false(came);
    if (!appended) assert_true(came);
    if (!came) at_new++;
    bt_pass(&bt, 20000);
    for (int i = 0; i < 5; i++) bt_pass(&bt, 1);
    assert_int_equal(count_of("T") - there, 1);
    assert_int_equal(waiting(), 0);
  }
  assert_true(at_new >= 15);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(rows_come_by_due_time, setup, teardown),
      cmocka_unit_test_setup_teardown(many_pages, setup, teardown),
      cmocka_unit_test_setup_teardown(the_heap_changes_meanwhile, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_cancelled_does_not_come, setup, teardown),
      cmocka_unit_test_setup_teardown(by_log_offset, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_moved_comes_then_and_once, setup, teardown),
      cmocka_unit_test_setup_teardown(a_race_with_delivery, setup, teardown),
      cmocka_unit_test_setup_teardown(recalled_messages_stay_recalled, setup, teardown),
      cmocka_unit_test_setup_teardown(rolling_brings_nothing_back, setup, teardown),
      cmocka_unit_test_setup_teardown(power_goes_during_a_move, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
