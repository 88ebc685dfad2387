#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>

static void a_true_condition_goes_on_and_is_looked_at_once(void **state) {
  (void)state;
  int looks = 0;
  BL_ASSERT(++looks == 1);
  assert_int_equal(looks, 1);
}

/* Leaves the test with success, because nothing may follow a failed assertion. */
static void on_abort(int signal_number) {
  (void)signal_number;
  _Exit(0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_true_condition_goes_on_and_is_looked_at_once)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  if (failed != 0) return failed;
  signal(SIGABRT, on_abort);
  BL_ASSERT(failed != 0);
  return 1; /* it went on */
}
