/* Pulls of what is on the disk only: they are parked, bounded, and answered truthfully. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "broker/broker_testlib.h"

#define MESSAGES 2000
#define BODY_BYTES 1000

static struct bt bt;
static int answers;
static int32_t last_code;
static int32_t last_messages;
static int64_t last_next;
static char last_why[sizeof(((struct bl_why *)NULL)->text)];
static int opaques[256]; /* answers by opaque */

static void on_answer(struct bl_broker *broker, const struct bl_ticket *ticket,
                      const struct bl_pull *pull, const struct bl_pulled *pulled,
                      const struct bl_why *why) {
  (void)broker;
  answers++;
  opaques[ticket->opaque]++;
  last_code = pulled->code;
  last_messages = pulled->message_count;
  last_next = pulled->next_offset;
  memcpy(last_why, why->text, sizeof(last_why));
  /* Whole records, each with the next offset. */
  int64_t offset = pull->offset;
  for (uint32_t i = 0; i < pulled->body_count; i++) {
    struct bl_slice left = pulled->bodies[i];
    while (left.len > 0) {
      struct bl_record record;
      uint32_t size = bl_load_u32(left.ptr);
      assert_true(size <= left.len);
      assert_int_equal(bl_record_decode(bl_slice_of(left.ptr, size), BL_RECORD_CHECKED, &record),
                       BL_OK);
      assert_int_equal(record.queue_offset, offset++);
      left = bl_slice_from(left, size);
    }
  }
  if (pulled->code == 0) assert_int_equal(offset, pulled->next_offset);
}

static int set_up(void **state) {
  (void)state;
  bt_start(&bt);
  for (int i = 0; i < MESSAGES; i++) bt_send(&bt, "T", i % 2, "", BODY_BYTES);
  bt_cold(&bt);
  bt.broker->holds.answer = on_answer;
  answers = 0;
  memset(opaques, 0, sizeof(opaques));
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  bt_stop(&bt);
  return 0;
}

static struct bl_pull pull_of(int64_t offset) {
  return (struct bl_pull){.group = BL_SLICE("CG"),
                          .topic = BL_SLICE("T"),
                          .offset = offset,
                          .max_count = 32,
                          .sys_flag = BL_PULL_SUBSCRIPTION,
                          .subscription = BL_SLICE("*"),
                          .peer = "127.0.0.1:5"};
}

/* As the handler does. RETURNS whether it was parked. */
static bool start_pull(const struct bl_pull *pull, uint64_t conn_id, int opaque) {
  struct bl_pulled pulled;
  struct bl_cold_place cold;
  struct bl_why why = {{0}};
  struct bl_ticket ticket = {.conn_id = conn_id, .opaque = opaque};
  bl_err err =
      bl_broker_pull(bt.broker, pull, true, bl_broker_arena(bt.broker), &pulled, &cold, &why);
  if (err == BL_ERR_COLD) {
    assert_true(bl_holds_warm(bt.broker, &ticket, pull, pulled.queue, &cold));
    return true;
  }
  assert_int_equal(err, BL_OK);
  on_answer(bt.broker, &ticket, pull, &pulled, &why);
  return false;
}

static void pull_all(int64_t count, int parked_max) {
  int64_t next = 0;
  int parked = 0;
  while (next < count) {
    struct bl_pull pull = pull_of(next);
    int before = answers;
    parked += start_pull(&pull, 1, 1);
    bt_settle(&bt);
    assert_int_equal(answers, before + 1);
    assert_int_equal(last_code, 0);
    assert_true(last_next > next);
    next = last_next;
  }
  /* What follows was read ahead. */
  assert_in_range(parked, 2, parked_max);
  assert_int_equal(bt.broker->holds.count, 0);
}

static void all_of_a_queue_in_order(void **state) {
  (void)state;
  pull_all(MESSAGES / 2, 12);
}

/* Files that were filled by this process: it knows where their records end. */
static void over_the_ends_of_files(void **state) {
  (void)state;
  for (int i = 0; i < 3 * MESSAGES; i++) bt_send(&bt, "T", i % 2, "", BODY_BYTES);
  bl_disk_fake_set_cold(bt.fake);
  pull_all(2 * MESSAGES, 40);
}

/* The system keeps no page in memory: every pull goes to the disk, and ends. */
static void a_system_that_forgets_at_once(void **state) {
  (void)state;
  int64_t next = 0;
  while (next < MESSAGES / 2) {
    bl_disk_fake_set_cold(bt.fake);
    for (int i = 0; i < 4; i++) bt_pass(&bt, 1000); /* what was read ahead goes, too */
    struct bl_pull pull = pull_of(next);
    int before = answers;
    start_pull(&pull, 1, 1);
    bt_settle(&bt);
    assert_int_equal(answers, before + 1);
    assert_int_equal(last_code, 0);
    next = last_next + 100;
  }
}

static void a_connection_has_its_share(void **state) {
  (void)state;
  for (int i = 0; i < 40; i++) {
    struct bl_pull pull = pull_of(i * 20);
    assert_true(start_pull(&pull, 7, i));
  }
  assert_int_equal(bt.broker->holds.reading, BL_COLD_READING_PER_CONN);
  assert_int_equal(bt.broker->holds.cold_waiting, 40 - BL_COLD_READING_PER_CONN);
  assert_int_equal(bt.broker->holds.cold_waits, 40 - BL_COLD_READING_PER_CONN);
  struct bl_pull other = pull_of(500);
  other.queue_id = 1;
  assert_true(start_pull(&other, 8, 100));
  assert_int_equal(bt.broker->holds.reading, BL_COLD_READING_PER_CONN + 1);
  bt_settle(&bt);
  for (int i = 0; i < 40; i++) assert_int_equal(opaques[i], 1);
  assert_int_equal(opaques[100], 1);
  assert_int_equal(bt.broker->holds.count, 0);
  assert_int_equal(bt.broker->holds.cold_waiting, 0);
}

static void a_queue_has_its_share(void **state) {
  (void)state;
  for (int i = 0; i < 20; i++) {
    struct bl_pull pull = pull_of(i * 20);
    assert_true(start_pull(&pull, 10 + (uint64_t)i, i));
  }
  assert_int_equal(bt.broker->holds.reading, BL_COLD_READING_PER_QUEUE);
  bt_settle(&bt);
  for (int i = 0; i < 20; i++) assert_int_equal(opaques[i], 1);
}

/* Without the pool's jobs no byte comes. */
static void a_disk_that_gives_nothing(void **state) {
  (void)state;
  for (int i = 0; i < 12; i++) {
    struct bl_pull pull = pull_of(i * 20);
    assert_true(start_pull(&pull, 7, i));
  }
  bt.clock.now_mono_ns += (int64_t)(BL_COLD_WAIT_MS - 1) * 1000000;
  bl_timers_run(&bt.timers, bl_clock_mono_ms(&bt.clock.clock), 100);
  bl_broker_turn(bt.broker);
  assert_int_equal(answers, 0);
  bt.clock.now_mono_ns += 2000000;
  bl_timers_run(&bt.timers, bl_clock_mono_ms(&bt.clock.clock), 100);
  bl_broker_turn(bt.broker);
  assert_int_equal(answers, 12);
  assert_int_equal(last_code, 2);
  assert_non_null(strstr(last_why, "the disk did not give the messages within 5000 ms"));
  assert_int_equal(bt.broker->holds.cold_late, 12);
  bt_settle(&bt); /* the reads end after all */
  assert_int_equal(answers, 12);
  assert_int_equal(bt.broker->holds.count, 0);
  struct bl_pull pull = pull_of(0);
  start_pull(&pull, 7, 1);
  bt_settle(&bt);
  assert_int_equal(last_code, 0);
}

static void a_disk_that_refuses(void **state) {
  (void)state;
  struct bl_pull pull = pull_of(0);
  assert_true(start_pull(&pull, 1, 1));
  bl_disk_fake_fail(bt.fake, BL_FAKE_READ, "commitlog", 0, -1, BL_ERR_IO);
  bt_settle(&bt);
  assert_int_equal(answers, 1);
  assert_int_equal(last_code, bl_err_code(BL_ERR_IO));
  assert_string_equal(last_why, bl_err_text(BL_ERR_IO));
  bl_disk_fake_fail(bt.fake, BL_FAKE_READ, "", -1, 0, BL_OK);
  bt_pass(&bt, 2000);
  start_pull(&pull, 1, 2);
  bt_settle(&bt);
  assert_int_equal(last_code, 0);
}

static void a_connection_that_goes(void **state) {
  (void)state;
  for (int i = 0; i < 20; i++) {
    struct bl_pull pull = pull_of(i * 20);
    assert_true(start_pull(&pull, 7, i));
  }
  bl_holds_conn_closed(bt.broker, 7);
  assert_int_equal(bt.broker->holds.cold_waiting, 0);
  bt_settle(&bt);
  assert_int_equal(answers, 0);
  assert_int_equal(bt.broker->holds.count, 0);
}

static void a_broker_that_closes(void **state) {
  (void)state;
  for (int i = 0; i < 20; i++) {
    struct bl_pull pull = pull_of(i * 20);
    assert_true(start_pull(&pull, 7, i));
  }
  bl_broker_close(bt.broker); /* frees them all: a leak or a use after free fails the test */
  bt.broker = NULL;
  struct bl_broker_world world = {.settings = &bt.settings,
                                  .clock = &bt.clock.clock,
                                  .timers = &bt.timers,
                                  .disk = bt.disk,
                                  .flush_worker = bt.flush,
                                  .pool = bt.pool,
                                  .seed = 1};
  struct bl_why why;
  assert_int_equal(bl_broker_open(&world, &bt.broker, &why), BL_OK);
  bt.broker->holds.answer = on_answer;
}

/* A held pull that is woken by a message which by then is on the disk only. */
static void a_held_pull_that_is_cold_when_it_wakes(void **state) {
  (void)state;
  struct bl_pull pull = pull_of(MESSAGES / 2);
  pull.suspend_ms = 60000;
  struct bl_ticket ticket = {.conn_id = 3, .opaque = 9};
  assert_true(bl_holds_park(bt.broker, &ticket, &pull, bt_queue(&bt, "T", 0)));
  bl_holds_wake_topic(bt.broker, BL_SLICE("T"));
  bt_settle(&bt);
  assert_int_equal(answers, 1);
  assert_int_equal(last_code, 19);
  pull.offset = 17; /* as after a reset of the offset behind it */
  assert_true(bl_holds_park(bt.broker, &ticket, &pull, bt_queue(&bt, "T", 0)));
  bl_holds_wake_topic(bt.broker, BL_SLICE("T"));
  bl_broker_turn(bt.broker);
  assert_int_equal(answers, 1);
  assert_int_equal(bt.broker->holds.reading, 1);
  bt_settle(&bt);
  assert_int_equal(answers, 2);
  assert_int_equal(last_code, 0);
  assert_int_equal(last_messages, 32);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(all_of_a_queue_in_order),       TEST(over_the_ends_of_files),
      TEST(a_system_that_forgets_at_once), TEST(a_connection_has_its_share),
      TEST(a_queue_has_its_share),         TEST(a_disk_that_gives_nothing),
      TEST(a_disk_that_refuses),           TEST(a_connection_that_goes),
      TEST(a_broker_that_closes),          TEST(a_held_pull_that_is_cold_when_it_wakes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
