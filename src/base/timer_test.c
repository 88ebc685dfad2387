#include "base/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

struct probe {
  struct bl_timer timer;
  struct bl_timers *timers;
  int64_t fired_ms;
  int64_t again_after_ms; /* 0: does not set itself again */
  bool at_once;
  int fired;
};

static int64_t last_deadline_ms;

static void on_fire(struct bl_timer *timer, int64_t now_ms) {
  struct probe *probe = (struct probe *)(void *)timer;
  assert_int_equal(timer->place, 0);
  assert_true(timer->deadline_ms <= now_ms);
  assert_true(timer->deadline_ms >= last_deadline_ms);
  last_deadline_ms = timer->deadline_ms;
  probe->fired++;
  probe->fired_ms = now_ms;
  if (probe->at_once) {
    bl_timer_set(probe->timers, timer, now_ms);
  } else if (probe->again_after_ms != 0) {
    bl_timer_set(probe->timers, timer, now_ms + probe->again_after_ms);
  }
}

static struct probe probe_of(struct bl_timers *timers) {
  last_deadline_ms = INT64_MIN;
  return (struct probe){.timer.fire = on_fire, .timers = timers};
}

static void none_set_means_no_deadline(void **state) {
  (void)state;
  struct bl_timers timers;
  bl_timers_init(&timers);
  struct probe a = probe_of(&timers);
  assert_int_equal(bl_timers_wait_ms(&timers, 0), -1);
  assert_int_equal(bl_timers_run(&timers, INT64_MAX, 10), 0);
  bl_timer_cancel(&timers, &a.timer);
  bl_timers_fini(&timers);
}

static void fires_at_the_deadline_and_not_before(void **state) {
  (void)state;
  struct bl_timers timers;
  bl_timers_init(&timers);
  struct probe a = probe_of(&timers);
  bl_timer_set(&timers, &a.timer, 100);
  assert_int_equal(bl_timers_wait_ms(&timers, 40), 60);
  assert_int_equal(bl_timers_run(&timers, 99, 10), 0);
  assert_int_equal(bl_timers_wait_ms(&timers, 100), 0);
  assert_int_equal(bl_timers_wait_ms(&timers, 101), 0);
  assert_int_equal(bl_timers_run(&timers, 100, 10), 1);
  assert_int_equal(a.fired_ms, 100);
  assert_int_equal(bl_timers_run(&timers, 200, 10), 0);
  bl_timers_fini(&timers);
}

static void setting_again_moves_both_ways(void **state) {
  (void)state;
  struct bl_timers timers;
  bl_timers_init(&timers);
  struct probe a = probe_of(&timers);
  struct probe b = probe_of(&timers);
  bl_timer_set(&timers, &a.timer, 100);
  bl_timer_set(&timers, &b.timer, 200);
  bl_timer_set(&timers, &a.timer, 300);
  assert_int_equal(bl_timers_wait_ms(&timers, 0), 200);
  bl_timer_set(&timers, &a.timer, 50);
  assert_int_equal(bl_timers_wait_ms(&timers, 0), 50);
  assert_int_equal(timers.count, 2);
  bl_timer_cancel(&timers, &a.timer);
  assert_int_equal(bl_timers_wait_ms(&timers, 0), 200);
  bl_timers_fini(&timers);
  assert_int_equal(b.timer.place, 0);
}

static void a_timer_may_set_itself_again_and_the_limit_ends_the_run(void **state) {
  (void)state;
  struct bl_timers timers;
  bl_timers_init(&timers);
  struct probe a = probe_of(&timers);
  a.again_after_ms = 10;
  bl_timer_set(&timers, &a.timer, 0);
  assert_int_equal(bl_timers_run(&timers, 0, 100), 1);
  assert_int_equal(bl_timers_wait_ms(&timers, 0), 10);
  a.at_once = true;
  assert_int_equal(bl_timers_run(&timers, 10, 7), 7);
  assert_int_equal(a.fired, 8);
  assert_int_equal(bl_timers_wait_ms(&timers, 10), 0);
  bl_timers_fini(&timers);
}

static void far_deadlines_do_not_wrap_around(void **state) {
  (void)state;
  struct bl_timers timers;
  bl_timers_init(&timers);
  struct probe a = probe_of(&timers);
  bl_timer_set(&timers, &a.timer, INT64_MAX);
  assert_true(bl_timers_wait_ms(&timers, -5) == INT64_MAX);
  assert_int_equal(bl_timers_run(&timers, INT64_MAX - 1, 10), 0);
  bl_timers_fini(&timers);
}

static void many_fire_in_order_and_each_once(void **state) {
  (void)state;
  enum { COUNT = 2000 };
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  srand(seed);
  static struct probe probes[COUNT];
  struct bl_timers timers;
  bl_timers_init(&timers);
  for (int i = 0; i < COUNT; i++) {
    probes[i] = probe_of(&timers);
    bl_timer_set(&timers, &probes[i].timer, rand() % 1000);
  }
  bool cancelled[COUNT] = {false};
  for (int i = 0; i < COUNT; i++) {
    int k = rand() % COUNT;
    cancelled[k] = rand() % 2 == 0;
    if (cancelled[k]) {
      bl_timer_cancel(&timers, &probes[k].timer);
    } else {
      bl_timer_set(&timers, &probes[k].timer, rand() % 1000);
    }
  }
  for (int64_t now_ms = 0; now_ms < 1000; now_ms++) {
    while (bl_timers_run(&timers, now_ms, 3) > 0) assert_true(true);
    assert_true(bl_timers_wait_ms(&timers, now_ms) != 0);
  }
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(probes[i].fired, cancelled[i] ? 0 : 1);
    if (!cancelled[i]) assert_int_equal(probes[i].fired_ms, probes[i].timer.deadline_ms);
  }
  assert_int_equal(timers.count, 0);
  bl_timers_fini(&timers);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(none_set_means_no_deadline),
      cmocka_unit_test(fires_at_the_deadline_and_not_before),
      cmocka_unit_test(setting_again_moves_both_ways),
      cmocka_unit_test(a_timer_may_set_itself_again_and_the_limit_ends_the_run),
      cmocka_unit_test(far_deadlines_do_not_wrap_around),
      cmocka_unit_test(many_fire_in_order_and_each_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
