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
  bl_store_end_turn(st.store);
  if (st_write_mode == BL_WRITE_DIRECT) {
    bl_worker_drain(st.flush);
    bl_store_end_turn(st.store);
  } /* visible, not durable */
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

static void soon(struct st *st, int64_t delay_ms) {
  bl_store_snapshot_soon(st->store, &st->toy.follower, delay_ms);
}

static int64_t wait_ms(struct st *st) {
  return bl_timers_wait_ms(&st->timers, bl_clock_mono_ms(&st->clock.clock));
}

static void one_that_is_asked_for_comes_in_time(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_send(&st, 10);
  soon(&st, 200);
  st_settle(&st);
  st_pass(&st, 199);
  assert_int_equal(st.toy.snapshots_done, 0);
  st_pass(&st, 1);
  assert_int_equal(st.toy.snapshots_done, 1);
  st_pass(&st, 100000);
  assert_int_equal(st.toy.snapshots_done, 1);
  assert_int_equal(wait_ms(&st), -1);
  st_fini(&st);
}

static void the_earliest_of_several_counts_for_all(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_send(&st, 10);
  soon(&st, 5000);
  st_settle(&st);
  st_pass(&st, 100);
  soon(&st, 200);
  soon(&st, 5000);
  st_pass(&st, 199);
  assert_int_equal(st.toy.snapshots_done, 0);
  st_pass(&st, 1);
  assert_int_equal(st.toy.snapshots_done, 1);
  st_send(&st, 10);
  st_settle(&st);
  st_pass(&st, 10000); /* nobody asked since */
  assert_int_equal(st.toy.snapshots_done, 1);
  st_pass(&st, 20000); /* the round of every 30 s */
  assert_int_equal(st.toy.snapshots_done, 2);
  st_fini(&st);
}

static void nothing_new_needs_none_and_no_timer(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_send(&st, 10);
  soon(&st, 0);
  st_settle(&st);
  st_pass(&st, 40000); /* also the round that saw news before it */
  assert_int_equal(st.toy.snapshots_done, 1);
  soon(&st, 0);
  st_pass(&st, 2000);
  assert_int_equal(st.toy.snapshots_done, 1);
  assert_int_equal(wait_ms(&st), -1);
  assert_false(bl_store_end_turn(st.store));
  st_fini(&st);
}

/* The flush takes longer than the delay: the snapshot waits for what it was asked for. */
static void one_that_is_due_waits_for_the_record(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_send(&st, 10);
  bl_store_end_turn(st.store); /* written; the flush worker has it */
  soon(&st, 10);
  st.clock.now_mono_ns += 10 * 1000000;
  bl_timers_run(&st.timers, bl_clock_mono_ms(&st.clock.clock), 100);
  assert_false(bl_store_end_turn(st.store)); /* asleep until the flush ends */
  assert_int_equal(bl_worker_drain(st.pool), 0);
  assert_int_equal(st.toy.snapshots_done, 0);
  st_settle(&st);
  assert_int_equal(st.toy.snapshots_done, 1);
  st_kill(&st);
  st.toy.shown = 0;
  st_open(&st);
  assert_int_equal(st.toy.shown, 0); /* it covers the record */
  st_check_prefix(&st, 1);
  st_fini(&st);
}

/* A table holds what was appended, not only what is visible: no file says it before the log has it.
 */
static void what_was_appended_since_is_durable_before_the_files(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.toy.steps = 2;
  st_open(&st);
  st_send(&st, 10);
  st_settle(&st);
  soon(&st, 0);
  bl_timers_run(&st.timers, bl_clock_mono_ms(&st.clock.clock), 100);
  assert_true(bl_store_end_turn(st.store)); /* the first step */
  st_send(&st, 10);
  bl_store_end_turn(st.store);
  assert_int_equal(bl_worker_drain(st.pool), 0);
  assert_true(bl_worker_drain(st.flush) > 0);
  st_settle(&st);
  assert_int_equal(st.toy.snapshots_done, 1);
  st_fini(&st);
}

static void a_change_during_a_snapshot_gets_its_own(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_send(&st, 10);
  st_settle(&st);
  soon(&st, 0);
  bl_timers_run(&st.timers, bl_clock_mono_ms(&st.clock.clock), 100);
  bl_store_end_turn(st.store); /* the pool has it */
  st_send(&st, 10);
  soon(&st, 200);
  st_settle(&st);
  assert_int_equal(st.toy.snapshots_done, 1);
  st_pass(&st, 200);
  assert_int_equal(st.toy.snapshots_done, 2);
  st_kill(&st);
  st.toy.shown = 0;
  st_open(&st);
  assert_int_equal(st.toy.shown, 0);
  st_fini(&st);
}

static void the_others_keep_their_rounds(void **state) {
  (void)state;
  struct st st;
  struct st_toy other;
  st_init(&st);
  other = st.toy;
  other.disk = st.toy.disk = st.disk;
  st.toy.dir = ST_DIR;
  other.dir = ST_DIR "/other";
  struct bl_follower *followers[] = {&st.toy.follower, &other.follower};
  struct bl_why why;
  assert_int_equal(bl_store_open(&st.settings, st.disk, &st.clock.clock, &st.timers, st.flush,
                                 st.pool, followers, 2, &st.store, &why),
                   BL_OK);
  st_send(&st, 10);
  st_settle(&st);
  soon(&st, 200);
  st_pass(&st, 200);
  assert_int_equal(st.toy.snapshots_done, 1);
  assert_int_equal(other.snapshots_done, 0);
  st_send(&st, 10);
  st_settle(&st);
  soon(&st, 40000);
  st_pass(&st, 29800);
  assert_int_equal(st.toy.snapshots_done, 2);
  assert_int_equal(other.snapshots_done, 1);
  st_pass(&st, 40000); /* the round did what was asked for */
  assert_int_equal(st.toy.snapshots_done, 2);
  assert_int_equal(wait_ms(&st), -1);
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
      cmocka_unit_test(one_that_is_asked_for_comes_in_time),
      cmocka_unit_test(the_earliest_of_several_counts_for_all),
      cmocka_unit_test(nothing_new_needs_none_and_no_timer),
      cmocka_unit_test(one_that_is_due_waits_for_the_record),
      cmocka_unit_test(what_was_appended_since_is_durable_before_the_files),
      cmocka_unit_test(a_change_during_a_snapshot_gets_its_own),
      cmocka_unit_test(the_others_keep_their_rounds),
  };
  return st_run(tests, sizeof(tests) / sizeof(tests[0]));
}
