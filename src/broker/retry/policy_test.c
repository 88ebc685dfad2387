/* Retry policies of groups: what RocketMQ's classes compute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/retry/policy.h"

#define EXPONENTIAL(initial, max, multiplier)                                                      \
  "{\"type\":\"EXPONENTIAL\",\"exponentialRetryPolicy\":{\"initial\":" initial ",\"max\":" max     \
  ",\"multiplier\":" multiplier "}}"
#define CUSTOMIZED(next) "{\"type\":\"CUSTOMIZED\",\"customizedRetryPolicy\":{\"next\":" next "}}"

static void expect(const char *policy, bool set, int32_t times, int64_t delay_ms) {
  struct bl_slice text = bl_slice_text(policy);
  int64_t got = bl_retry_policy_delay_ms(text, times);
  if (got != delay_ms) {
    fail_msg("%s after %d: %lld, not %lld", policy, times, (long long)got, (long long)delay_ms);
  }
  assert_int_equal(bl_retry_policy_is_set(text), set);
}

static void without_a_policy_levels_count(void **state) {
  (void)state;
  static const char *const none[] = {"",
                                     "{}",
                                     "not json",
                                     "[]",
                                     "{\"type\":\"CUSTOMIZED\"}",
                                     "{\"type\":\"EXPONENTIAL\"}",
                                     CUSTOMIZED("[]"),
                                     CUSTOMIZED("7")};
  for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
    expect(none[i], false, 0, 10000);
    expect(none[i], false, 1, 30000);
    expect(none[i], false, 15, 7200000);
    expect(none[i], false, 16, 7200000);
    expect(none[i], false, INT32_MAX, 7200000);
    expect(none[i], false, -1, 10000);
  }
  assert_false(bl_retry_policy_is_set((struct bl_slice){NULL, 0}));
}

static void exponential_grows_to_its_bound(void **state) {
  (void)state;
  const char *policy = EXPONENTIAL("5000", "7200000", "2");
  expect(policy, true, 0, 5000);
  expect(policy, true, 1, 10000);
  expect(policy, true, 10, 5120000);
  expect(policy, true, 11, 7200000);
  expect(policy, true, INT32_MAX, 7200000);
  expect("{\"type\":\"EXPONENTIAL\",\"exponentialRetryPolicy\":{}}", true, 1, 10000);
  expect(EXPONENTIAL("7", "100", "1"), true, 20, 7);
  expect(EXPONENTIAL("7", "3", "2"), true, 0, 3);
  expect(EXPONENTIAL("-7", "100", "2"), true, 3, 0);
  expect(EXPONENTIAL("9000000000000000000", "9223372036854775807", "9000000000000000000"), true, 5,
         INT64_MAX);
}

static void a_list_begins_with_its_third_entry(void **state) {
  (void)state;
  const char *policy = CUSTOMIZED("[1,2,300,400]");
  expect(policy, true, 0, 300);
  expect(policy, true, 1, 400);
  expect(policy, true, 2, 400);
  expect(policy, true, INT32_MAX, 400);
  expect(CUSTOMIZED("[9]"), true, 0, 9);
  expect(CUSTOMIZED("[1,1,-5]"), true, 0, 0);
  expect(CUSTOMIZED("[1,1,\"x\"]"), true, 0, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_a_policy_levels_count),
      cmocka_unit_test(exponential_grows_to_its_bound),
      cmocka_unit_test(a_list_begins_with_its_third_entry),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
