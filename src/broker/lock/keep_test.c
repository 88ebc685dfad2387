/* Queue locks through restarts of the broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "broker/broker_testlib.h"

#define G BL_SLICE("G")
#define A BL_SLICE("127.0.0.1@a")
#define B BL_SLICE("127.0.0.1@\"b\"")

static struct bt bt;

static int set_up(void **state) {
  (void)state;
  bt_start(&bt);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  bt_stop(&bt);
  return 0;
}

/* As 41 and 42 do. */
static bool take(const char *topic, int32_t queue_id, struct bl_slice client_id) {
  bool taken = bl_locks_take(bt.broker, G, bl_slice_text(topic), queue_id, client_id);
  bl_broker_log_locks(bt.broker, G, client_id, false);
  bt_settle(&bt);
  return taken;
}

static void give(const char *topic, int32_t queue_id, struct bl_slice client_id) {
  bl_locks_give(bt.broker, G, bl_slice_text(topic), queue_id, client_id);
  bl_broker_log_locks(bt.broker, G, client_id, true);
  bt_settle(&bt);
}

static void a_holder_stays_one(void **state) {
  (void)state;
  assert_true(take("T", 0, A));
  assert_true(take("T", 1, B));
  assert_true(take("T", 2, B));
  give("T", 2, B);
  bt_restart(&bt);
  assert_false(take("T", 0, B));
  assert_false(take("T", 1, A));
  assert_true(take("T", 0, A));
  assert_true(take("T", 1, B));
  assert_true(take("T", 2, A));
  assert_true(bl_locks_any(bt.broker, G));
  /* From the file, too, when the log's records are behind its snapshot. */
  bt_pass(&bt, 5000);
  bt_restart(&bt);
  bt_restart(&bt);
  assert_false(take("T", 2, B));
  assert_true(take("T", 1, B));
}

static void who_does_not_come_back_loses_it(void **state) {
  (void)state;
  assert_true(take("T", 0, A));
  bt_restart(&bt);
  assert_false(take("T", 0, B));
  bt_pass(&bt, BL_LOCK_LEASE_MS - 1);
  assert_false(take("T", 0, B));
  bt_pass(&bt, 1);
  assert_true(take("T", 0, B));
}

static void time_without_a_broker_counts(void **state) {
  (void)state;
  assert_true(take("T", 0, A));
  bt_restart(&bt);
  /* Nothing was said for that long: the last holder may have been renewed shortly after it was. */
  bt.clock.now_wall_ms += BL_LOCK_LEASE_MS + BL_LOCK_ALIVE_MS;
  bl_locks_resume(&bt.broker->locks,
                  bt.clock.now_wall_ms - BL_LOCK_LEASE_MS - BL_LOCK_ALIVE_MS + 1000);
  assert_false(take("T", 0, B));
  bt_pass(&bt, 1000);
  assert_true(take("T", 0, B));
  bl_locks_resume(&bt.broker->locks, 0);
  assert_true(take("T", 0, A));
  /* A clock that went back is no longer lease. */
  bl_locks_resume(&bt.broker->locks, bt.clock.now_wall_ms + 3600000);
  bt_pass(&bt, BL_LOCK_LEASE_MS);
  assert_true(take("T", 0, B));
}

static void renewals_are_said_now_and_then(void **state) {
  (void)state;
  struct bl_buf out;
  bl_buf_init(&out, 1000);
  struct bl_locks *locks = &bt.broker->locks;
  assert_true(take("T", 0, A));
  assert_true(bl_locks_take(bt.broker, G, BL_SLICE("T"), 0, A));
  assert_false(bl_locks_write_changes(locks, A, false, &out));
  bt_pass(&bt, BL_LOCK_ALIVE_MS);
  assert_false(bl_locks_write_changes(locks, A, true, &out));
  assert_true(bl_locks_write_changes(locks, A, false, &out));
  assert_true(bl_slice_is(bl_buf_slice(&out),
                          "{\"clientId\":\"127.0.0.1@a\",\"given\":false,\"queues\":[]}"));
  assert_false(bl_locks_write_changes(locks, A, false, &out));
  bl_buf_fini(&out);
}

static void bad_files_and_records_are_no_locks(void **state) {
  (void)state;
  static const char *const records[] = {"{\"clientId\":\"c\",\"queues\":7}",
                                        "{\"queues\":[\"T@0\"]}", "[]", "{}",
                                        "{\"clientId\":\"c\",\"queues\":[{},\"\"]}"};
  struct bl_arena arena;
  const struct bl_json *json;
  struct bl_why why;
  struct bl_locks *locks = &bt.broker->locks;
  bl_arena_init(&arena);
  for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
    assert_int_equal(bl_json_parse(bl_slice_text(records[i]), BL_JSON_STRICT, &arena, &json, NULL),
                     BL_OK);
    bl_locks_apply(locks, G, json, 0);
    assert_int_equal(locks->count, 0);
  }
  assert_int_equal(
      bl_json_parse(BL_SLICE("{\"lockTable\":[]}"), BL_JSON_STRICT, &arena, &json, NULL), BL_OK);
  assert_int_equal(bl_locks_replace(locks, json, &why), BL_ERR_FORMAT);
  assert_int_equal(
      bl_json_parse(BL_SLICE("{\"lockTable\":{\"G\":{\"T@0\":\"c\",\"T@1\":7},\"H\":3}}"),
                    BL_JSON_STRICT, &arena, &json, NULL),
      BL_OK);
  assert_int_equal(bl_locks_replace(locks, json, &why), BL_OK);
  assert_int_equal(locks->count, 2);
  assert_int_equal(bl_locks_replace(locks, NULL, &why), BL_OK);
  assert_int_equal(locks->count, 0);
  bl_arena_fini(&arena);
}

static void many_locks_are_written_whole(void **state) {
  (void)state;
  char topic[16];
  for (int i = 0; i < 3000; i++) {
    snprintf(topic, sizeof(topic), "T%d", i % 10);
    assert_true(bl_locks_take(bt.broker, G, bl_slice_text(topic), i / 10, A));
  }
  bl_broker_log_locks(bt.broker, G, A, false);
  bt_settle(&bt);
  bt_restart(&bt);
  assert_int_equal(bt.broker->locks.count, 3000);
  assert_false(take("T9", 299, B));
}

/* A name goes into a record of the metadata as a property: with what ends one in it, it would say
 * more than a name, here that the record is of a version that no broker reads. */
static void names_say_nothing_else(void **state) {
  (void)state;
  struct bl_slice group = BL_SLICE(
      "G\2BOLIDE_V\001"
      "9");
  struct bl_slice light = BL_SLICE(
      "%LMQ%\2BOLIDE_V\001"
      "9");
  assert_false(bl_locks_take(bt.broker, group, BL_SLICE("T"), 0, A));
  bl_broker_log_locks(bt.broker, group, A, false);
  assert_null(bl_broker_group(bt.broker, light));
  assert_non_null(bl_broker_group(bt.broker, BL_SLICE("%LMQ%x")));
  bt_settle(&bt);
  bt_power_loss(&bt, 1);
  assert_true(take("T", 0, A));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_holder_stays_one, set_up, tear_down),
      cmocka_unit_test_setup_teardown(who_does_not_come_back_loses_it, set_up, tear_down),
      cmocka_unit_test_setup_teardown(time_without_a_broker_counts, set_up, tear_down),
      cmocka_unit_test_setup_teardown(renewals_are_said_now_and_then, set_up, tear_down),
      cmocka_unit_test_setup_teardown(bad_files_and_records_are_no_locks, set_up, tear_down),
      cmocka_unit_test_setup_teardown(many_locks_are_written_whole, set_up, tear_down),
      cmocka_unit_test_setup_teardown(names_say_nothing_else, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
