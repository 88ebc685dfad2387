/* What came in the last minute, hour and day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "broker/broker_testlib.h"

static struct bl_series_pool pool;
static struct bl_series *series;
static struct bl_totals now;
static int64_t now_ms;

static int set_up(void **state) {
  (void)state;
  pool = (struct bl_series_pool){.count = 0};
  series = NULL;
  now = (struct bl_totals){0, 0, 0};
  now_ms = 1000000000;
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  bl_series_free(series);
  assert_int_equal(pool.count, 0);
  return 0;
}

/* So many messages come now, and the walk sees them. */
static void come(int64_t count) {
  now.calls++;
  now.count += count;
  now.bytes += count * 100;
  bl_series_note(&pool, &series, &now, now_ms);
}

static int64_t in(enum bl_window window) {
  return bl_series_window(series, window, &now, now_ms).sum.count;
}

static void nothing_has_no_series(void **state) {
  (void)state;
  bl_series_note(&pool, &series, &now, now_ms);
  assert_null(series);
}

static void windows_forget(void **state) {
  (void)state;
  come(5);
  assert_int_equal(in(BL_WINDOW_MINUTE), 5);
  assert_int_equal(in(BL_WINDOW_DAY), 5);
  now_ms += 61000;
  assert_int_equal(in(BL_WINDOW_MINUTE), 0);
  assert_int_equal(in(BL_WINDOW_HOUR), 5);
  come(7); /* after a gap: what was before it is not of this minute */
  assert_int_equal(in(BL_WINDOW_MINUTE), 7);
  assert_int_equal(in(BL_WINDOW_HOUR), 12);
  now_ms += 3600000;
  assert_int_equal(in(BL_WINDOW_MINUTE), 0);
  assert_int_equal(in(BL_WINDOW_HOUR), 0);
  assert_int_equal(in(BL_WINDOW_DAY), 12);
  now_ms += 86400000;
  assert_int_equal(in(BL_WINDOW_DAY), 0);
}

/* Ten a walk for two days: each window has what came in it, give or take a sample. */
static void steady_traffic(void **state) {
  (void)state;
  for (int i = 0; i < 2 * 8640; i++) {
    now_ms += 10000;
    come(10);
  }
  assert_in_range(in(BL_WINDOW_MINUTE), 60, 70);
  assert_in_range(in(BL_WINDOW_HOUR), 3600, 4200);
  assert_in_range(in(BL_WINDOW_DAY), 86400, 90000);
  struct bl_window_figures figures = bl_series_window(series, BL_WINDOW_MINUTE, &now, now_ms);
  assert_int_equal(figures.sum.count * 10000 / figures.span_ms, 10);
  assert_int_equal(figures.sum.bytes, figures.sum.count * 100);
}

static void there_are_so_many(void **state) {
  (void)state;
  struct bl_series *more = NULL;
  come(1);
  pool.count = BL_SERIES_MAX;
  bl_series_note(&pool, &more, &now, now_ms);
  assert_null(more);
  assert_int_equal(pool.refused, 1);
  pool.count = 1;
}

/* The walk over the broker's tables begins with traffic and ends without. */
static void a_broker_is_walked_while_messages_come(void **state) {
  (void)state;
  static struct bt bt;
  bt_start(&bt);
  struct bl_topic_change change = {
      .name = BL_SLICE("T"), .read_queues = 1, .write_queues = 1, .perm = 6};
  struct bl_topic *topic;
  int64_t end;
  assert_int_equal(bl_broker_put_topic(bt.broker, &change, &topic, &end), BL_OK);
  bt_send(&bt, "T", 0, NULL, 10);
  topic->put_count = 3;
  bt.broker->stats.put_count = 3;
  bt_settle(&bt);
  assert_null(topic->series);
  bt_pass(&bt, 10000);
  bt_settle(&bt);
  assert_non_null(topic->series);
  assert_int_equal(bt.broker->series.count, 1);
  bt_settle(&bt);
  assert_int_equal(bt.broker->series.timer.place, 0);
  bt_stop(&bt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(nothing_has_no_series, set_up, tear_down),
      cmocka_unit_test_setup_teardown(windows_forget, set_up, tear_down),
      cmocka_unit_test_setup_teardown(steady_traffic, set_up, tear_down),
      cmocka_unit_test_setup_teardown(there_are_so_many, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_broker_is_walked_while_messages_come, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
