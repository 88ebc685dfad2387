#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/retention/sure_clock.h"

#define CONFIRM 3600000ll
#define DAY 86400000ll
#define START 1700000000000ll

struct step {
  int64_t mono_ms; /* that passes */
  int64_t wall_ms; /* what the wall clock says then, from START */
  int64_t sure_ms; /* what is expected, from START */
};

static void check(int64_t from_ms, const struct step *steps, int count) {
  struct bl_sure_clock sure;
  int64_t mono_ms = 5000;
  bl_sure_clock_init(&sure, START + from_ms, mono_ms);
  for (int i = 0; i < count; i++) {
    mono_ms += steps[i].mono_ms;
    int64_t now_ms = bl_sure_clock_now(&sure, START + steps[i].wall_ms, mono_ms, CONFIRM);
    if (now_ms != START + steps[i].sure_ms)
      fail_msg("step %d: %lld, not %lld", i, (long long)(now_ms - START),
               (long long)steps[i].sure_ms);
  }
}
#define CHECK(from_ms, ...)                                                                        \
  do {                                                                                             \
    const struct step steps[] = {__VA_ARGS__};                                                     \
    check(from_ms, steps, (int)(sizeof(steps) / sizeof(steps[0])));                                \
  } while (0)

static void it_follows_a_clock_that_is_right(void **state) {
  (void)state;
  CHECK(0, {10000, 10000, 10000}, {10000, 20500, 20500}, {10000, 30100, 30100});
}

static void a_jump_ahead_must_last(void **state) {
  (void)state;
  CHECK(0, {10000, DAY, 10000}, {10000, DAY + 10000, 20000},
        {CONFIRM - 20000, DAY + CONFIRM - 10000, CONFIRM}, {10000, DAY + CONFIRM, DAY + CONFIRM});
}

static void a_jump_that_is_taken_back_costs_nothing(void **state) {
  (void)state;
  CHECK(0, {10000, DAY, 10000}, {CONFIRM / 2, DAY + CONFIRM / 2, 10000 + CONFIRM / 2},
        {10000, CONFIRM / 2 + 20000, CONFIRM / 2 + 20000},
        /* the next one begins anew */
        {CONFIRM / 2, DAY, CONFIRM + 20000}, {10000, DAY + 10000, CONFIRM + 30000});
}

static void a_second_jump_begins_anew(void **state) {
  (void)state;
  CHECK(0, {10000, DAY, 10000}, {CONFIRM - 1000, 2 * DAY, CONFIRM + 9000},
        {CONFIRM - 1000, 2 * DAY + CONFIRM - 1000, 2 * CONFIRM + 8000},
        {1000, 2 * DAY + CONFIRM, 2 * DAY + CONFIRM});
}

static void it_goes_back_at_once(void **state) {
  (void)state;
  CHECK(0, {10000, -DAY, -DAY}, {10000, -START, -START}, {10000, 30000, 10000 - START});
}

static void it_begins_at_the_newest_record(void **state) {
  (void)state;
  CHECK(-3 * DAY, {0, 0, -3 * DAY}, {CONFIRM - 1, CONFIRM - 1, -3 * DAY + CONFIRM - 1},
        {1, CONFIRM, CONFIRM});
  /* Records from a time that has not come yet. */
  CHECK(3 * DAY, {0, 0, 0}, {10000, 10000, 10000});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_follows_a_clock_that_is_right),
      cmocka_unit_test(a_jump_ahead_must_last),
      cmocka_unit_test(a_jump_that_is_taken_back_costs_nothing),
      cmocka_unit_test(a_second_jump_begins_anew),
      cmocka_unit_test(it_goes_back_at_once),
      cmocka_unit_test(it_begins_at_the_newest_record),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
