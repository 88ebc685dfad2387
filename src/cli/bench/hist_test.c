#include "cli/bench/hist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct bl_hist hist, other;

static void an_empty_one_says_zero(void **state) {
  (void)state;
  bl_hist_clear(&hist);
  assert_int_equal(bl_hist_percentile(&hist, 50), 0);
  assert_int_equal(bl_hist_percentile(&hist, 100), 0);
  assert_true(bl_hist_mean(&hist) == 0);
}

static void small_values_are_exact(void **state) {
  (void)state;
  bl_hist_clear(&hist);
  for (int64_t i = 1; i <= 1000; i++) bl_hist_add_many(&hist, i, 1);
  assert_int_equal(bl_hist_percentile(&hist, 50), 500);
  assert_int_equal(bl_hist_percentile(&hist, 99.9), 999);
  assert_int_equal(bl_hist_percentile(&hist, 100), 1000);
  assert_int_equal(bl_hist_percentile(&hist, 0), 1);
  assert_true(bl_hist_mean(&hist) == 500.5);
  assert_int_equal(hist.max, 1000);
}

/* Each place is used, without gaps and in order, and a value is known to one part in 1,024. */
static void places_follow_one_another(void **state) {
  (void)state;
  uint32_t last = bl_hist_place(0);
  assert_int_equal(last, 0);
  for (uint64_t v = 1; v < 1u << 20; v++) {
    uint32_t place = bl_hist_place(v);
    assert_true(place == last || place == last + 1);
    last = place;
  }
  assert_int_equal(bl_hist_place((1ull << BL_HIST_VALUE_BITS) - 1), BL_HIST_COUNTERS - 1);
  for (int bit = BL_HIST_EXACT_BITS; bit < BL_HIST_VALUE_BITS; bit++) {
    uint64_t v = (1ull << bit) + (1ull << (bit - 1)) + 12345 % (1ull << bit);
    bl_hist_clear(&hist);
    bl_hist_add_many(&hist, (int64_t)v, 1);
    bl_hist_add_many(&hist, (1ll << (BL_HIST_VALUE_BITS - 1)) + (1ll << 41), 1); /* a greater max */
    uint64_t known = bl_hist_percentile(&hist, 50);
    assert_true(known >= v && known - v <= v / 1024);
  }
}

static void nothing_is_out_of_range(void **state) {
  (void)state;
  bl_hist_clear(&hist);
  bl_hist_add_many(&hist, -5, 1);
  bl_hist_add_many(&hist, INT64_MAX, 2);
  assert_int_equal(hist.total, 3);
  assert_int_equal(bl_hist_percentile(&hist, 1), 0);
  assert_int_equal(bl_hist_percentile(&hist, 100), (1ull << BL_HIST_VALUE_BITS) - 1);
}

static void the_tail_is_not_lost(void **state) {
  (void)state;
  bl_hist_clear(&hist);
  bl_hist_add_many(&hist, 100000, 9990);
  bl_hist_add_many(&hist, 300000000, 10);
  assert_true(bl_hist_percentile(&hist, 99.9) < 101000);
  assert_true(bl_hist_percentile(&hist, 99.91) >= 299000000);
  assert_int_equal(bl_hist_percentile(&hist, 100), 300000000);
}

static void two_make_one(void **state) {
  (void)state;
  bl_hist_clear(&hist);
  bl_hist_clear(&other);
  struct bl_hist *whole = calloc(1, sizeof(*whole));
  assert_non_null(whole);
  uint64_t v = 88172645463325252ull;
  for (int i = 0; i < 20000; i++) {
    v ^= v << 13;
    v ^= v >> 7;
    v ^= v << 17;
    int64_t value = (int64_t)(v >> (24 + v % 30));
    bl_hist_add_many(i % 3 == 0 ? &hist : &other, value, 1);
    bl_hist_add_many(whole, value, 1);
  }
  bl_hist_merge(&hist, &other);
  assert_memory_equal(&hist, whole, sizeof(hist));
  free(whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_one_says_zero),    cmocka_unit_test(small_values_are_exact),
      cmocka_unit_test(places_follow_one_another), cmocka_unit_test(nothing_is_out_of_range),
      cmocka_unit_test(the_tail_is_not_lost),      cmocka_unit_test(two_make_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
