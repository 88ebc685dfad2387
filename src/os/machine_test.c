/* Clock, ring memory, entropy and the facts about the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "os/clock.h"
#include "os/entropy.h"
#include "os/process.h"
#include "os/ringmem.h"

static void the_real_clock_goes_forward(void **state) {
  (void)state;
  const struct bl_clock *clock = bl_clock_real();
  int64_t before_ns = bl_clock_mono_ns(clock);
  assert_true(bl_clock_mono_ns(clock) >= before_ns);
  assert_true(bl_clock_wall_ms(clock) > 1600000000000);
  assert_in_range(bl_clock_mono_ms(clock) - before_ns / 1000000, 0, 60000);
}

static void the_fake_clock_stands_still(void **state) {
  (void)state;
  struct bl_clock_fake fake;
  bl_clock_fake_init(&fake, 1234);
  assert_int_equal(bl_clock_wall_ms(&fake.clock), 1234);
  int64_t before_ns = bl_clock_mono_ns(&fake.clock);
  assert_int_equal(bl_clock_mono_ns(&fake.clock), before_ns);
  fake.now_wall_ms = 5;
  fake.now_mono_ns += 7000000;
  assert_int_equal(bl_clock_wall_ms(&fake.clock), 5);
  assert_int_equal(bl_clock_mono_ms(&fake.clock), before_ns / 1000000 + 7);
}

static void both_halves_of_the_ring_are_the_same_bytes(void **state) {
  (void)state;
  size_t bytes = 65536;
  char *memory = bl_ringmem_new(bytes);
  assert_non_null(memory);
  memcpy(memory + bytes - 3, "abcdef", 6); /* across the seam */
  assert_memory_equal(memory, "def", 3);
  assert_memory_equal(memory + 2 * bytes - 3, "abc", 3);
  bl_ringmem_free(memory, bytes);
  bl_ringmem_free(NULL, bytes);
}

static void random_numbers_differ(void **state) {
  (void)state;
  assert_true(bl_entropy_u64() != bl_entropy_u64());
  char bytes[40] = {0};
  char zeros[40] = {0};
  bl_entropy_fill(bytes, sizeof(bytes));
  assert_memory_not_equal(bytes, zeros, sizeof(bytes));
}

static void the_process_knows_itself(void **state) {
  (void)state;
  assert_true(bl_process_pid() > 0);
  assert_true(bl_process_resident_bytes() > 100000);
  assert_true(bl_process_cpu_us() >= 0);
  uint8_t addr[4] = {0};
  bl_process_host_ipv4(addr);
  assert_true(addr[0] != 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_real_clock_goes_forward),
      cmocka_unit_test(the_fake_clock_stands_still),
      cmocka_unit_test(both_halves_of_the_ring_are_the_same_bytes),
      cmocka_unit_test(random_numbers_differ),
      cmocka_unit_test(the_process_knows_itself),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
