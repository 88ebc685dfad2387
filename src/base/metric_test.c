#include "base/metric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void an_empty_histogram_has_zeros(void **state) {
  (void)state;
  static struct bl_histogram histogram;
  assert_int_equal(bl_histogram_percentile_us(&histogram, 0), 0);
  assert_int_equal(bl_histogram_percentile_us(&histogram, 100), 0);
}

static void every_value_is_known_to_an_eighth(void **state) {
  (void)state;
  for (int bit = 0; bit < 32; bit++) {
    for (int around = -1; around <= 1; around++) {
      int64_t us = (int64_t)(1ull << bit) + around;
      struct bl_histogram histogram = {0};
      bl_histogram_record(&histogram, us);
      bl_histogram_record(&histogram, INT64_MAX); /* so that the bucket's end is not cut to it */
      uint64_t found = bl_histogram_percentile_us(&histogram, 50);
      assert_true(found >= (uint64_t)us);
      assert_true(found - (uint64_t)us <= (uint64_t)us / 8);
    }
  }
}

static void bucket_ends_grow_and_touch(void **state) {
  (void)state;
  for (size_t i = 0; i < BL_HISTOGRAM_BUCKETS; i++) {
    struct bl_histogram histogram = {0};
    uint64_t end_us = bl_histogram_bucket_end_us(i);
    bl_histogram_record(&histogram, (int64_t)end_us);
    assert_int_equal(histogram.counts[i], 1);
    bl_histogram_record(&histogram, (int64_t)end_us + 1);
    size_t next = i + 1 < BL_HISTOGRAM_BUCKETS ? i + 1 : i;
    assert_int_equal(histogram.counts[next], next == i ? 2 : 1);
  }
  assert_true(bl_histogram_bucket_end_us(BL_HISTOGRAM_BUCKETS - 1) == UINT32_MAX);
}

static void percentiles_follow_the_ranks(void **state) {
  (void)state;
  static struct bl_histogram histogram;
  for (int us = 1; us <= 100; us++) bl_histogram_record(&histogram, us);
  static const struct {
    double percent;
    uint64_t least;
  } cases[] = {{0, 1}, {1, 1}, {50, 50}, {99, 99}, {99.9, 100}, {100, 100}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uint64_t found = bl_histogram_percentile_us(&histogram, cases[i].percent);
    assert_true(found >= cases[i].least && found <= cases[i].least + cases[i].least / 8);
  }
  assert_int_equal(bl_histogram_percentile_us(&histogram, 100), 100);
  assert_int_equal(histogram.count, 100);
  assert_int_equal(histogram.sum_us, 5050);
}

static void extremes_are_counted(void **state) {
  (void)state;
  static struct bl_histogram histogram;
  bl_histogram_record(&histogram, INT64_MIN);
  bl_histogram_record(&histogram, -1);
  assert_int_equal(histogram.counts[0], 2);
  assert_int_equal(histogram.sum_us, 0);
  bl_histogram_record(&histogram, INT64_MAX);
  assert_int_equal(histogram.counts[BL_HISTOGRAM_BUCKETS - 1], 1);
  assert_true(bl_histogram_percentile_us(&histogram, 100) == INT64_MAX);
}

static void adding_is_like_recording_both(void **state) {
  (void)state;
  static struct bl_histogram a, b, both;
  for (int us = 0; us < 1000; us++) {
    bl_histogram_record(us % 3 == 0 ? &a : &b, us * us);
    bl_histogram_record(&both, us * us);
  }
  bl_histogram_add(&a, &b);
  assert_memory_equal(&a, &both, sizeof(a));
  bl_histogram_clear(&a);
  assert_int_equal(a.count, 0);
  assert_int_equal(bl_histogram_percentile_us(&a, 50), 0);
}

static void a_rate_needs_two_samples(void **state) {
  (void)state;
  static struct bl_rate rate;
  assert_true(bl_rate_per_second(&rate, 10) == 0);
  bl_rate_sample(&rate, 1000, 500);
  assert_true(bl_rate_per_second(&rate, 10) == 0);
  bl_rate_sample(&rate, 1000, 600); /* no time has passed */
  assert_true(bl_rate_per_second(&rate, 10) == 0);
  bl_rate_sample(&rate, 3000, 900); /* over what there is: 400 in two seconds */
  assert_true(bl_rate_per_second(&rate, 10) == 200);
  assert_true(bl_rate_per_second(&rate, 1) == 150);
}

static void a_rate_looks_back_as_far_as_asked(void **state) {
  (void)state;
  static struct bl_rate rate;
  int64_t total = 0;
  for (int second = 0; second < 2000; second++) {
    total += second < 1700 ? 10 : second < 1990 ? 100 : 1000;
    bl_rate_sample(&rate, second * 1000, total);
  }
  assert_true(bl_rate_per_second(&rate, 10) == 1000);
  assert_true(bl_rate_per_second(&rate, 60) == (50 * 100 + 10 * 1000) / 60.0);
  assert_true(bl_rate_per_second(&rate, 600) == (300 * 10 + 290 * 100 + 10 * 1000) / 600.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_histogram_has_zeros),
      cmocka_unit_test(every_value_is_known_to_an_eighth),
      cmocka_unit_test(bucket_ends_grow_and_touch),
      cmocka_unit_test(percentiles_follow_the_ranks),
      cmocka_unit_test(extremes_are_counted),
      cmocka_unit_test(adding_is_like_recording_both),
      cmocka_unit_test(a_rate_needs_two_samples),
      cmocka_unit_test(a_rate_looks_back_as_far_as_asked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
