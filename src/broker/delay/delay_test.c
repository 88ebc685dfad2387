#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/broker_testlib.h"
#include "broker/delay/delay.h"
#include "broker/send/put.h"
#include "store/timers/pending_internal.h"
#include "wire/properties.h"

static struct bt bt;

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

static bl_err try_send(const char *topic, int32_t queue_id, const char *properties,
                       const char *body, struct bl_sent *sent, struct bl_why *why) {
  struct bl_send send = {.topic = bl_slice_text(topic),
                         .default_topic = BL_SLICE("TBW102"),
                         .default_queues = 4,
                         .queue_id = queue_id,
                         .properties = bl_slice_text(properties),
                         .body = bl_slice_text(body),
                         .born_host = bt.broker->store_host,
                         .max_reconsume_times = -1,
                         .peer = ""};
  bl_err err = bl_broker_send(bt.broker, &send, sent, why);
  bt_settle(&bt);
  return err;
}

static void send_text(const char *topic, int32_t queue_id, const char *properties,
                      const char *body) {
  struct bl_sent sent;
  struct bl_why why = {{0}};
  if (try_send(topic, queue_id, properties, body, &sent, &why) != BL_OK) fail_msg("%s", why.text);
}

static const char *timer(const char *name, int64_t value) {
  static char text[4][64];
  static int next;
  char *to = text[next++ % 4];
  snprintf(to, 64, "%s\1%lld\2", name, (long long)value);
  return to;
}

static int64_t count_of(const char *topic, int32_t queue_id) {
  struct bl_queue *queue = bl_queues_find(bt.broker->queues, bl_slice_text(topic), queue_id);
  return queue != NULL ? bl_queue_max_offset(queue) : 0;
}

static char record_bytes[1 << 16];

static struct bl_record record_at(const char *topic, int32_t queue_id, int64_t offset) {
  struct bl_queue_entry entry;
  struct bl_record record;
  uint32_t count = 0;
  struct bl_queue *queue = bl_queues_find(bt.broker->queues, bl_slice_text(topic), queue_id);
  assert_non_null(queue);
  assert_int_equal(bl_queue_read_blocking(queue, offset, &entry, 1, &count), BL_OK);
  assert_int_equal(count, 1);
  assert_int_equal(
      bl_store_read_blocking(bt.broker->store, entry.log_offset, entry.size_bytes, record_bytes),
      BL_OK);
  assert_int_equal(
      bl_record_decode(bl_slice_of(record_bytes, entry.size_bytes), BL_RECORD_CHECKED, &record),
      BL_OK);
  return record;
}

static void expect_property(const struct bl_record *record, const char *name, const char *value) {
  struct bl_slice got = bl_properties_get(record->properties, bl_slice_text(name));
  if (value == NULL ? got.ptr != NULL : !bl_slice_is(got, value))
    fail_msg("%s is %.*s, not %s", name, BL_FMT(got), value != NULL ? value : "absent");
}

/* One millisecond after another, so that nothing is passed over. */
static void pass_ms(int64_t ms) {
  for (int64_t i = 0; i < ms; i++) bt_pass(&bt, 1);
}

static void a_timer_is_delivered_at_its_millisecond(void **state) {
  (void)state;
  send_text("T", 2, timer("TIMER_DELAY_MS", 30), "x");
  assert_int_equal(count_of("rmq_sys_wheel_timer", 0), 1);
  pass_ms(29);
  assert_int_equal(count_of("T", 2), 0);
  pass_ms(1);
  assert_int_equal(count_of("T", 2), 1);
  pass_ms(2000);
  assert_int_equal(count_of("T", 2), 1);
  struct bl_record record = record_at("T", 2, 0);
  assert_true(bl_slice_is(record.body, "x"));
  expect_property(&record, "REAL_TOPIC", "T");
  expect_property(&record, "REAL_QID", "2");
  expect_property(&record, "TIMER_DELAY_MS", "30");
  expect_property(&record, "TIMER_OUT_MS", "1700000000000");
  expect_property(&record, "BOLIDE_DUE_MS", NULL);
}

static void a_level_waits_its_time(void **state) {
  (void)state;
  send_text("T", 1, "DELAY\0013\2TAGS\1a\2", "x");
  assert_int_equal(count_of("SCHEDULE_TOPIC_XXXX", 2), 1);
  bt_pass(&bt, 9999);
  assert_int_equal(count_of("T", 1), 0);
  bt_pass(&bt, 1);
  assert_int_equal(count_of("T", 1), 1);
  struct bl_record record = record_at("T", 1, 0);
  expect_property(&record, "TAGS", "a");
  expect_property(&record, "DELAY", "3");
  /* More than there are is the last. */
  send_text("T", 1, "DELAY\00199\2", "x");
  assert_int_equal(count_of("SCHEDULE_TOPIC_XXXX", 17), 1);
}

static void what_cannot_be(void **state) {
  (void)state;
  static const struct {
    const char *properties;
    bl_err err;
    const char *text;
  } rows[] = {
      {"TIMER_DELAY_SEC\1x\2", BL_ERR_MESSAGE_ILLEGAL, "TIMER_DELAY_SEC=x is not a number"},
      {"TIMER_DELAY_MS\1-1\2", BL_ERR_MESSAGE_ILLEGAL, "is negative"},
      {"TIMER_DELAY_SEC\1-5\2", BL_ERR_MESSAGE_ILLEGAL, "is negative"},
      {"TIMER_DELAY_SEC\0019223372036854775807\2", BL_ERR_MESSAGE_ILLEGAL, "is too large"},
      {"TIMER_DELAY_MS\0019223372036854775807\2", BL_ERR_MESSAGE_ILLEGAL, "is too large"},
      {"TIMER_DELAY_MS\1922337203685477580700\2", BL_ERR_MESSAGE_ILLEGAL, "is not a number"},
      {"TIMER_DELIVER_MS\0019223372036854775807\2", BL_ERR_MESSAGE_ILLEGAL, "is too far ahead"},
      {"TIMER_DELAY_SEC\001315360001\2", BL_ERR_MESSAGE_ILLEGAL, "max delay 315360000000ms"},
      {"DELAY\1three\2", BL_ERR_MESSAGE_ILLEGAL, "the delay level three is not a number"},
      {"TIMER_DELIVER_MS\0015\2TIMER_DEL_UNIQKEY\1T+k\2", BL_ERR_MESSAGE_ILLEGAL, "is over"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct bl_sent sent;
    struct bl_why why = {{0}};
    int64_t end = bl_store_marks(bt.broker->store).appended;
    if (i == 0) send_text("T", 0, "", "first"); /* the topic */
    if (i == 0) end = bl_store_marks(bt.broker->store).appended;
    assert_int_equal(try_send("T", 0, rows[i].properties, "x", &sent, &why), rows[i].err);
    if (strstr(why.text, rows[i].text) == NULL) fail_msg("%s: %s", rows[i].text, why.text);
    assert_int_equal(bl_store_marks(bt.broker->store).appended, end);
  }
  bt.settings.timer_enable = false;
  struct bl_sent sent;
  struct bl_why why = {{0}};
  assert_int_equal(try_send("T", 0, timer("TIMER_DELAY_MS", 5), "x", &sent, &why), BL_ERR_SYSTEM);
}

static void what_is_over_goes_at_once(void **state) {
  (void)state;
  send_text("T", 0, timer("TIMER_DELIVER_MS", 5), "x");
  send_text("T", 0, timer("TIMER_DELIVER_MS", -5), "x");
  send_text("T", 0, timer("TIMER_DELAY_MS", 0), "x");
  send_text("T", 0, timer("TIMER_DELIVER_MS", bt.clock.now_wall_ms), "x");
  assert_int_equal(count_of("T", 0), 4);
  /* What was delayed before, too. */
  send_text("T", 0, "TIMER_DELAY_MS\00150000\2TIMER_OUT_MS\0011\2", "x");
  assert_int_equal(count_of("T", 0), 5);
  assert_int_equal(count_of("rmq_sys_wheel_timer", 0), 0);
}

static void in_order_of_time_then_of_sending(void **state) {
  (void)state;
  int64_t at = bt.clock.now_wall_ms + 500;
  send_text("T", 0, timer("TIMER_DELIVER_MS", at + 1), "d");
  send_text("T", 0, timer("TIMER_DELIVER_MS", at), "a");
  send_text("T", 0, timer("TIMER_DELIVER_MS", at), "b");
  send_text("T", 0, timer("TIMER_DELIVER_MS", at), "c");
  bt_pass(&bt, 600);
  for (int i = 0; i < 4; i++) {
    struct bl_record record = record_at("T", 0, i);
    assert_int_equal(record.body.ptr[0], "abcd"[i]);
  }
}

static void restarts_lose_nothing_and_double_nothing(void **state) {
  (void)state;
  for (int i = 0; i < 20; i++) {
    send_text("T", 0, timer("TIMER_DELAY_MS", 100 * (20 - i)), "x");
    if (i % 5 == 4) {
      bl_store_snapshot_now(bt.broker->store);
      bt_settle(&bt);
    }
  }
  for (int i = 0; i < 20; i++) {
    bt_pass(&bt, 100);
    assert_int_equal(count_of("T", 0), i + 1);
    bt_restart(&bt);
    assert_int_equal(count_of("T", 0), i + 1);
  }
  bt_pass(&bt, 10000);
  bt_restart(&bt);
  bt_pass(&bt, 10000);
  assert_int_equal(count_of("T", 0), 20);
}

static void a_clock_that_jumps(void **state) {
  (void)state;
  send_text("T", 0, timer("TIMER_DELAY_MS", 3600000), "x");
  bt.clock.now_wall_ms += 7200000;
  bt_pass(&bt, 9000);
  assert_int_equal(count_of("T", 0), 0);
  bt.clock.now_wall_ms -= 7200000; /* it was a mistake */
  bt_pass(&bt, 60000);
  assert_int_equal(count_of("T", 0), 0);
  bt.clock.now_wall_ms += 7200000; /* it was not */
  for (int i = 0; i < 12; i++) bt_pass(&bt, 1000);
  assert_int_equal(count_of("T", 0), 1);
  /* Back: not before the clock says so. */
  send_text("T", 0, timer("TIMER_DELAY_MS", 1000), "x");
  bt.clock.now_wall_ms -= 5000;
  bt_pass(&bt, 5999);
  assert_int_equal(count_of("T", 0), 1);
  bt_pass(&bt, 1);
  assert_int_equal(count_of("T", 0), 2);
}

static void a_cancelled_message_does_not_come(void **state) {
  (void)state;
  int64_t at = bt.clock.now_wall_ms + 5500;
  char properties[128];
  snprintf(properties, sizeof(properties), "UNIQ_KEY\1K1\2%s", timer("TIMER_DELIVER_MS", at));
  send_text("T", 0, properties, "x");
  snprintf(properties, sizeof(properties), "UNIQ_KEY\1K2\2%s", timer("TIMER_DELIVER_MS", at));
  send_text("T", 0, properties, "y");
  snprintf(properties, sizeof(properties), "UNIQ_KEY\1K1\2TIMER_DEL_UNIQKEY\1T+K1\2%s",
           timer("TIMER_DELIVER_MS", at / 1000 * 1000 + 1));
  send_text("T", 0, properties, "0");
  bt_restart(&bt);
  bt_pass(&bt, 5499);
  bt_restart(&bt);
  bt_pass(&bt, 5000);
  assert_int_equal(count_of("T", 0), 1);
  assert_int_equal(record_at("T", 0, 0).body.ptr[0], 'y');
  bt_restart(&bt);
  bt_pass(&bt, 5000);
  assert_int_equal(count_of("T", 0), 1);
}

/* What waits for years does not keep the log: it is appended again, and comes once. */
static void far_messages_move_on(void **state) {
  (void)state;
  const int64_t year_ms = 365ll * 86400000;
  int64_t at = bt.clock.now_wall_ms + year_ms;
  bt.settings.retention_bytes = 2 << 20;
  char properties[128];
  for (int i = 0; i < 30; i++) {
    snprintf(properties, sizeof(properties), "UNIQ_KEY\1F%d\2%s", i,
             timer("TIMER_DELIVER_MS", at + i));
    send_text("T", 0, properties, "far");
  }
  snprintf(properties, sizeof(properties), "UNIQ_KEY\1C\2TIMER_DEL_UNIQKEY\1T+F7\2%s",
           timer("TIMER_DELIVER_MS", (at + 6) / 1000 * 1000 + 1));
  send_text("T", 0, properties, "0");
  for (int round = 0; round < 6; round++) {
    for (int i = 0; i < 60; i++) bt_send(&bt, "Big", 0, "", 60000);
    for (int i = 0; i < 30; i++) bt_pass(&bt, 5000);
    if (round == 3) bt_restart(&bt);
    if (round == 3) bt.settings.retention_bytes = 2 << 20;
  }
  assert_true(bl_store_marks(bt.broker->store).min_offset > 8 << 20);
  const struct bl_delay_stats *stats = bl_delay_stats(bt.broker->delay);
  assert_true(stats->rolled >= 31);
  assert_int_equal(stats->lost, 0);
  bt_pass(&bt, at - bt.clock.now_wall_ms - 1);
  for (int i = 0; i < 12; i++) bt_pass(&bt, 0);
  assert_int_equal(count_of("T", 0), 0);
  for (int i = 0; i < 40; i++) bt_pass(&bt, 1);
  assert_int_equal(count_of("T", 0), 29);
  assert_int_equal(bl_delay_stats(bt.broker->delay)->cancelled, 1);
  struct bl_record record = record_at("T", 0, 0);
  assert_true(bl_slice_is(record.body, "far"));
  expect_property(&record, "UNIQ_KEY", "F0");
  struct bl_pending_stats pending;
  bl_pending_stats(bt.broker->pending, &pending);
  assert_int_equal(pending.count, 0);
}

/* Its record cannot be read while the disk fails: it waits, and the others do not wait for it. */
static void a_disk_that_fails_for_a_while_loses_nothing(void **state) {
  (void)state;
  struct bl_pending_stats pending;
  send_text("T", 0, timer("TIMER_DELAY_MS", 90000), "old");
  bt_send(&bt, "Big", 0, "", 60000);
  bt_cold(&bt);
  bl_disk_fake_fail(bt.fake, BL_FAKE_READ, "commitlog", 0, -1, BL_ERR_IO);
  for (int i = 0; i < 95; i++) bt_pass(&bt, 1000);
  assert_int_equal(count_of("T", 0), 0);
  send_text("T", 1, timer("TIMER_DELAY_MS", 500), "new");
  pass_ms(500);
  assert_int_equal(count_of("T", 1), 1);
  bl_pending_stats(bt.broker->pending, &pending);
  assert_int_equal(pending.count, 1);
  bl_disk_fake_fail(bt.fake, BL_FAKE_READ, "commitlog", -1, 0, BL_OK);
  for (int i = 0; i < 6; i++) bt_pass(&bt, 1000);
  assert_int_equal(count_of("T", 0), 1);
  assert_int_equal(bl_delay_stats(bt.broker->delay)->lost, 0);
  for (int i = 0; i < 10; i++) bt_pass(&bt, 1000);
  bt_restart(&bt);
  bt_pass(&bt, 1000);
  assert_int_equal(count_of("T", 0), 1);
}

/* It is in the snapshot while it waits for the disk, and not given up before an hour. */
static void what_is_put_off_survives_a_crash(void **state) {
  (void)state;
  send_text("T", 0, timer("TIMER_DELAY_MS", 90000), "x");
  bt_send(&bt, "Big", 0, "", 60000);
  bt_cold(&bt);
  bl_disk_fake_fail(bt.fake, BL_FAKE_READ, "commitlog", 0, -1, BL_ERR_IO);
  for (int i = 0; i < 92; i++) bt_pass(&bt, 1000);
  bt_send(&bt, "Other", 0, "", 10);
  bl_store_snapshot_now(bt.broker->store);
  bt_settle(&bt);
  bl_disk_fake_fail(bt.fake, BL_FAKE_READ, "commitlog", -1, 0, BL_OK);
  bl_disk_fake_kill(bt.fake);
  bt_reopen_after_crash(&bt);
  for (int i = 0; i < 7; i++) bt_pass(&bt, 1000);
  assert_int_equal(count_of("T", 0), 1);
}

/* What others send and is not durable yet holds no delivery up. */
static void it_goes_while_others_send(void **state) {
  (void)state;
  bt.settings.ring_bytes = 4 << 20;
  bt_restart(&bt);
  send_text("Big", 0, "", "");
  send_text("T", 0, timer("TIMER_DELAY_MS", 1000), "x");
  char *body = calloc(1, 60000);
  struct bl_sent sent;
  struct bl_why why = {{0}};
  struct bl_send send = {.topic = BL_SLICE("Big"),
                         .body = bl_slice_of(body, 60000),
                         .born_host = bt.broker->store_host,
                         .max_reconsume_times = -1,
                         .peer = ""};
  bt.clock.now_mono_ns += 1000000000;
  bt.clock.now_wall_ms += 1000;
  for (int i = 0; i < 20; i++) {
    assert_int_equal(bl_broker_send(bt.broker, &send, &sent, &why), BL_OK);
    bl_worker_drain(bt.pool);
  }
  struct bl_store_marks marks = bl_store_marks(bt.broker->store);
  assert_true(marks.appended - marks.visible > 1 << 20);
  bl_broker_turn(bt.broker);
  assert_int_equal(bl_delay_stats(bt.broker->delay)->delivered, 1);
  free(body);
  bt_settle(&bt);
}

/* A commit that is delivered later is no commit of another half message. */
static void a_commit_names_its_half_when_it_is_delivered(void **state) {
  (void)state;
  struct bl_buf properties;
  struct bl_why why;
  struct bl_delay_ask ask = {.delay_ms = BL_SLICE("50")};
  struct bl_record record = {.topic = BL_SLICE("T"),
                             .sys_flag = BL_SYS_COMMIT,
                             .prepared_offset = 4711,
                             .born_host = bt.broker->store_host,
                             .store_host = bt.broker->store_host,
                             .body = BL_SLICE("x")};
  bl_buf_init(&properties, 1000);
  assert_int_equal(bl_broker_put(bt.broker, &record, &properties, &ask, &why), BL_OK);
  bl_buf_fini(&properties);
  bt_settle(&bt);
  pass_ms(60);
  record = record_at("T", 0, 0);
  assert_int_equal(record.prepared_offset, 4711);
}

/* While bytes of what is due soon fill the memory there is nothing to do but wait. */
static void full_memory_is_no_reason_to_be_awake(void **state) {
  (void)state;
  bt.settings.timer_memory_bytes = 100000;
  for (int i = 0; i < 40; i++) {
    char properties[64];
    snprintf(properties, sizeof(properties), "%s",
             timer("TIMER_DELIVER_MS", bt.clock.now_wall_ms + 120000 + i));
    bt_send(&bt, "T", 0, properties, 10000);
  }
  bt_restart(&bt);
  bt_pass(&bt, 119500);
  for (int i = 0; i < 10; i++) bt_pass(&bt, 0);
  assert_true(bl_timers_wait_ms(&bt.timers, bl_clock_mono_ms(&bt.clock.clock)) > 0);
  for (int i = 0; i < 700; i++) bt_pass(&bt, 1);
  assert_int_equal(count_of("T", 0), 40);
}

/* The times of many are in files, which are damaged: they are looked up in the log, some a turn. */
static void damaged_files_of_times_lose_and_double_nothing(void **state) {
  (void)state;
  struct bl_arena arena;
  const char *const *names;
  size_t count;
  bl_pending__set_seal_entries(bt.broker->pending, 500);
  for (int i = 0; i < 1700; i++) {
    char properties[64];
    snprintf(properties, sizeof(properties), "%s",
             timer("TIMER_DELIVER_MS", 1700000100000 + (i * 7919) % 1700));
    send_text("T", 0, properties, "x");
  }
  bl_store_snapshot_now(bt.broker->store);
  bt_settle(&bt);
  bl_arena_init(&arena);
  assert_int_equal(bt.disk->ops->list(bt.disk, "/data/store/bolide/timers", &arena, &names, &count),
                   BL_OK);
  assert_true(count > 1);
  for (size_t i = 0; i < 2; i++) {
    char path[128];
    int file;
    snprintf(path, sizeof(path), "/data/store/bolide/timers/%s", names[i]);
    assert_int_equal(bt.disk->ops->open(bt.disk, path, BL_OPEN_WRITE, &file, NULL), BL_OK);
    assert_int_equal(bt.disk->ops->write(bt.disk, file, "bad", 3, 4096 + 500), BL_OK);
    bt.disk->ops->close(bt.disk, file);
  }
  bl_arena_fini(&arena);
  bt_pass(&bt, 1700000100000 - 1000 - bt.clock.now_wall_ms);
  for (int i = 0; i < 20; i++) bt_pass(&bt, 0);
  assert_int_equal(count_of("T", 0), 0);
  for (int i = 0; i < 2800; i++) bt_pass(&bt, 1);
  assert_int_equal(count_of("T", 0), 1700);
  bt_restart(&bt);
  bt_pass(&bt, 5000);
  assert_int_equal(count_of("T", 0), 1700);
}

static void levels_are_read(void **state) {
  (void)state;
  int64_t levels[BL_PENDING_LEVELS_MAX];
  int count;
  struct bl_why why;
  assert_int_equal(bl_delay_levels_parse(BL_SLICE("1s 2m  3h 4d"), levels, &count, &why), BL_OK);
  assert_int_equal(count, 4);
  assert_int_equal(levels[0], 1000);
  assert_int_equal(levels[1], 120000);
  assert_int_equal(levels[2], 10800000);
  assert_int_equal(levels[3], 345600000);
  static const char *const bad[] = {
      "", " ", "1", "s", "1x", "-1s", "99999999999999999999s", "9223372036854775807d"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    assert_int_equal(bl_delay_levels_parse(bl_slice_text(bad[i]), levels, &count, &why),
                     BL_ERR_USAGE);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_timer_is_delivered_at_its_millisecond, setup, teardown),
      cmocka_unit_test_setup_teardown(a_level_waits_its_time, setup, teardown),
      cmocka_unit_test_setup_teardown(what_cannot_be, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_over_goes_at_once, setup, teardown),
      cmocka_unit_test_setup_teardown(in_order_of_time_then_of_sending, setup, teardown),
      cmocka_unit_test_setup_teardown(restarts_lose_nothing_and_double_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(a_clock_that_jumps, setup, teardown),
      cmocka_unit_test_setup_teardown(a_cancelled_message_does_not_come, setup, teardown),
      cmocka_unit_test_setup_teardown(far_messages_move_on, setup, teardown),
      cmocka_unit_test_setup_teardown(a_disk_that_fails_for_a_while_loses_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_put_off_survives_a_crash, setup, teardown),
      cmocka_unit_test_setup_teardown(it_goes_while_others_send, setup, teardown),
      cmocka_unit_test_setup_teardown(a_commit_names_its_half_when_it_is_delivered, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(full_memory_is_no_reason_to_be_awake, setup, teardown),
      cmocka_unit_test_setup_teardown(damaged_files_of_times_lose_and_double_nothing, setup,
                                      teardown),
      cmocka_unit_test(levels_are_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
