/* Queue locks: leases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/broker.h"

#define G BL_SLICE("G")
#define T BL_SLICE("T")
#define A BL_SLICE("a")
#define B BL_SLICE("b")

static struct bl_clock_fake clock_fake;
static struct bl_broker *broker; /* its clock and its locks only */

static int set_up(void **state) {
  (void)state;
  bl_clock_fake_init(&clock_fake, 1700000000000);
  broker = calloc(1, sizeof(*broker));
  broker->clock = &clock_fake.clock;
  bl_locks_init(&broker->locks, &clock_fake.clock);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  bl_locks_fini(&broker->locks);
  free(broker);
  return 0;
}

static void pass_ms(int64_t ms) {
  clock_fake.now_mono_ns += ms * 1000000;
}

static void a_lease_ends_after_its_time(void **state) {
  (void)state;
  assert_true(bl_locks_take(broker, G, T, 0, A));
  assert_false(bl_locks_take(broker, G, T, 0, B));
  assert_true(bl_locks_take(broker, G, T, 1, B));
  assert_true(bl_locks_take(broker, BL_SLICE("G2"), T, 0, B));
  pass_ms(BL_LOCK_LEASE_MS - 1);
  assert_true(bl_locks_take(broker, G, T, 0, A)); /* renewed */
  pass_ms(1);
  assert_false(bl_locks_take(broker, G, T, 0, B));
  assert_true(bl_locks_take(broker, G, T, 1, A)); /* that one ended */
  pass_ms(BL_LOCK_LEASE_MS - 1);
  assert_true(bl_locks_take(broker, G, T, 0, B));
}

static void only_the_holder_gives_it_back(void **state) {
  (void)state;
  assert_true(bl_locks_take(broker, G, T, 0, A));
  bl_locks_give(broker, G, T, 0, B);
  bl_locks_give(broker, G, T, 1, A);
  bl_locks_give(broker, B, T, 0, A);
  assert_false(bl_locks_take(broker, G, T, 0, B));
  bl_locks_give(broker, G, T, 0, A);
  assert_int_equal(broker->locks.count, 0);
  assert_int_equal(broker->locks.groups.count, 0);
  assert_true(bl_locks_take(broker, G, T, 0, B));
}

static void a_group_knows_whether_it_has_any(void **state) {
  (void)state;
  assert_false(bl_locks_any(broker, G));
  assert_true(bl_locks_take(broker, G, T, 0, A));
  pass_ms(1000);
  assert_true(bl_locks_take(broker, G, T, 1, B));
  assert_true(bl_locks_any(broker, G));
  assert_false(bl_locks_any(broker, BL_SLICE("G2")));
  pass_ms(BL_LOCK_LEASE_MS - 1);
  assert_true(bl_locks_any(broker, G));
  pass_ms(1);
  assert_false(bl_locks_any(broker, G));
}

static void long_names_are_no_locks(void **state) {
  (void)state;
  char text[2000];
  memset(text, 'x', sizeof(text));
  assert_false(bl_locks_take(broker, G, bl_slice_of(text, 256), 0, A));
  assert_false(bl_locks_take(broker, bl_slice_of(text, 256), T, 0, A));
  assert_false(bl_locks_take(broker, G, T, 0, bl_slice_of(text, BL_CLIENT_ID_BYTES_MAX + 1)));
  bl_locks_give(broker, G, bl_slice_of(text, 2000), 0, A);
  assert_int_equal(broker->locks.count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_lease_ends_after_its_time, set_up, tear_down),
      cmocka_unit_test_setup_teardown(only_the_holder_gives_it_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_group_knows_whether_it_has_any, set_up, tear_down),
      cmocka_unit_test_setup_teardown(long_names_are_no_locks, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
