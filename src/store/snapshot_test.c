/* When snapshots of the followers are taken, and what they wait for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/store_testlib.h"

static void after_the_interval_and_only_when_something_changed(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_settle(&st);
  st_pass(&st, 100000);
  assert_int_equal(st.toy.snapshots_done, 0);
  st_send(&st, 10);
  st_settle(&st);
  st_pass(&st, 29999);
  assert_int_equal(st.toy.snapshots_done, 0);
  st_pass(&st, 1);
  assert_int_equal(st.toy.snapshots_done, 1);
  st_pass(&st, 100000);
  assert_int_equal(st.toy.snapshots_done, 1);
  st_fini(&st);
}

static void after_so_many_bytes(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.settings.snapshot_bytes = 10000;
  st_open(&st);
  for (int i = 0; i < 7; i++) st_send(&st, 1000);
  st_settle(&st);
  assert_int_equal(st.toy.snapshots_done, 0);
  for (int i = 0; i < 3; i++) st_send(&st, 1000);
  st_settle(&st);
  assert_int_equal(st.toy.snapshots_done, 1);
  for (int i = 0; i < 5; i++) st_send(&st, 1000);
  st_settle(&st);
  assert_int_equal(st.toy.snapshots_done, 1);
  st_fini(&st);
}

static void steps_take_one_turn_each(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.toy.steps = 4;
  st_open(&st);
  st_send(&st, 10);
  st_settle(&st);
  bl_store_snapshot_now(st.store);
  for (int i = 0; i < 3; i++) assert_true(bl_store_end_turn(st.store));
  assert_false(bl_store_end_turn(st.store)); /* the pool has it */
  assert_int_equal(st.toy.snapshots_done, 0);
  assert_int_equal(bl_worker_drain(st.pool), 1);
  assert_int_equal(st.toy.snapshots_done, 1);
  st_fini(&st);
}

static void nothing_is_written_before_the_log_is_durable(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.settings.flush_mode = BL_FLUSH_ASYNC;
  st_open(&st);
  st_send(&st, 10);
  bl_store_end_turn(st.store); /* visible, not durable */
  assert_int_equal(st.toy.shown, 1);
  bl_store_snapshot_now(st.store);
  bl_store_end_turn(st.store);
  assert_int_equal(bl_worker_drain(st.pool), 0);
  assert_int_equal(bl_worker_drain(st.flush), 1); /* asked for at once, not after the interval */
  bl_store_end_turn(st.store);
  assert_int_equal(bl_worker_drain(st.pool), 1);
  assert_int_equal(st.toy.snapshots_done, 1);
  st_fini(&st);
}

static void closing_takes_a_last_one(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.toy.steps = 3;
  st_open(&st);
  for (int i = 0; i < 9; i++) st_send(&st, 10);
  st_close(&st); /* nothing was even written before */
  assert_int_equal(st.acked, 9);
  assert_int_equal(st.toy.snapshots_done, 1);
  st.toy.shown = 0;
  st_open(&st);
  assert_int_equal(st.toy.shown, 0); /* nothing to replay */
  st_check_prefix(&st, 9);
  st_close(&st);
  assert_int_equal(st.toy.snapshots_done, 1); /* nothing new */
  st_fini(&st);
}

static void no_snapshot_of_a_log_that_failed(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_send(&st, 10);
  bl_store_end_turn(st.store);
  bl_disk_fake_fail(st.fake, BL_FAKE_SYNC, "commitlog", 0, -1, BL_ERR_IO);
  bl_store_snapshot_now(st.store);
  st_settle(&st);
  st_close(&st);
  assert_int_equal(st.toy.snapshots_done, 0);
  st_fini(&st);
}

static void the_pool_may_be_slow(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_send(&st, 10);
  st_settle(&st);
  bl_store_snapshot_now(st.store);
  bl_store_end_turn(st.store);
  for (int i = 0; i < 20; i++) { /* traffic goes on, one snapshot at a time */
    st_send(&st, 10);
    bl_store_snapshot_now(st.store);
    bl_store_end_turn(st.store);
    bl_worker_drain(st.flush);
  }
  assert_int_equal(st.toy.snapshots_done, 0);
  st_settle(&st);
  assert_int_equal(st.toy.snapshots_done, 2);
  st_kill(&st);
  st_open(&st);
  st_check_prefix(&st, 21);
  st_fini(&st);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(after_the_interval_and_only_when_something_changed),
      cmocka_unit_test(after_so_many_bytes),
      cmocka_unit_test(steps_take_one_turn_each),
      cmocka_unit_test(nothing_is_written_before_the_log_is_durable),
      cmocka_unit_test(closing_takes_a_last_one),
      cmocka_unit_test(no_snapshot_of_a_log_that_failed),
      cmocka_unit_test(the_pool_may_be_slow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
