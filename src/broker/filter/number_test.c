/* Numbers as Java reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "broker/filter/number.h"

static void whole_ones(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool is_int;
    bool is_long;
    int64_t value;
  } rows[] = {
      {"0", true, true, 0},
      {"-0", true, true, 0},
      {"+7", true, true, 7},
      {"007", true, true, 7},
      {"2147483647", true, true, 2147483647},
      {"2147483648", false, true, 2147483648},
      {"-2147483648", true, true, -2147483648LL},
      {"-2147483649", false, true, -2147483649LL},
      {"9223372036854775807", false, true, INT64_MAX},
      {"-9223372036854775808", false, true, INT64_MIN},
      {"9223372036854775808", false, false, 0},
      {"", false, false, 0},
      {"-", false, false, 0},
      {" 7", false, false, 0},
      {"7 ", false, false, 0},
      {"7.0", false, false, 0},
      {"7L", false, false, 0},
      {"0x7", false, false, 0},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    int64_t value = 0;
    assert_int_equal(bl_filter_read_int(bl_slice_text(rows[i].text), &value), rows[i].is_int);
    if (rows[i].is_int) assert_int_equal(value, rows[i].value);
    assert_int_equal(bl_filter_read_long(bl_slice_text(rows[i].text), &value), rows[i].is_long);
    if (rows[i].is_long) assert_int_equal(value, rows[i].value);
  }
}

static void doubles(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double value;
  } good[] = {
      {"0", 0},
      {"-0.0", -0.0},
      {".5", 0.5},
      {"5.", 5},
      {"5.e1", 50},
      {"  5\t\n", 5},
      {"5d", 5},
      {"5F", 5},
      {"1e3D", 1000},
      {"+1E+3", 1000},
      {"0.1", 0.1},
      {"123456789012345678", 123456789012345678.0},
      {"9007199254740993", 9007199254740992.0},
      {"9007199254740993.0000000000000000000000000000000001", 9007199254740994.0},
      {"1.7976931348623157e308", 1.7976931348623157e308},
      {"4.9e-324", 4.9e-324},
      {"2e-324", 0},
      {"0x1p4", 16},
      {"0X.8P1f", 1},
      {"0x1.p-1", 0.5},
      {"000000000000000000000000000000001e-2", 0.01},
      {"0e99999999999999999999", 0},
  };
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    double value = 99;
    assert_true(bl_filter_read_double(bl_slice_text(good[i].text), &value));
    if (memcmp(&value, &good[i].value, sizeof(value)) != 0)
      fail_msg("%s: %.17g, not %.17g", good[i].text, value, good[i].value);
  }
  static const char *const infinite[] = {"Infinity", " +Infinity ", "1e309",
                                         "1e99999999999999999999"};
  for (size_t i = 0; i < 4; i++) {
    double value = 0;
    assert_true(bl_filter_read_double(bl_slice_text(infinite[i]), &value));
    assert_true(value > 1.7976931348623157e308);
  }
  static const char *const bad[] = {"",     " ",     ".",    "+",        "e1",  "1e",     "1e+",
                                    "1 2",  "1.5.2", "inf",  "infinity", "nan", "0x10",   "0x1p",
                                    "0xp1", "1dd",   "1d f", "--1",      "1,5", "0x1p1x", "NaNd"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    double value;
    if (bl_filter_read_double(bl_slice_text(bad[i]), &value)) fail_msg("'%s' is read", bad[i]);
  }
  double value;
  assert_false(bl_filter_read_double((struct bl_slice){NULL, 0}, &value));
  assert_true(bl_filter_read_double(BL_SLICE("-NaN"), &value) && value != value);
}

/* Digits far behind those that a double holds still decide. */
static void long_texts(void **state) {
  (void)state;
  char text[2100];
  double value;
  memset(text, '0', sizeof(text));
  memcpy(text, "0.", 2);
  text[2000] = '1';
  assert_true(bl_filter_read_double(bl_slice_of(text, 2001), &value) && value == 0);
  /* 2^53 + 1 is a tie; something far behind it decides. */
  memcpy(text, "9007199254740993.", 17);
  assert_true(bl_filter_read_double(bl_slice_of(text, 1999), &value));
  assert_true(value == 9007199254740992.0);
  assert_true(bl_filter_read_double(bl_slice_of(text, 2001), &value));
  assert_true(value == 9007199254740994.0);
  memset(text, '1', sizeof(text));
  assert_true(bl_filter_read_double(bl_slice_of(text, 308), &value) && value < 1.2e307);
  assert_true(bl_filter_read_double(bl_slice_of(text, 2000), &value) && value > 1e308);
}

static void random_ones_are_read_as_strtod_does(void **state) {
  (void)state;
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  srand(seed);
  for (int i = 0; i < 20000; i++) {
    char text[64];
    int whole = rand() % 20;
    int part = rand() % 20;
    size_t len = 0;
    for (int k = 0; k <= whole; k++) text[len++] = (char)('0' + rand() % 10);
    text[len++] = '.';
    for (int k = 0; k < part; k++) text[len++] = (char)('0' + rand() % 10);
    len += (size_t)snprintf(text + len, sizeof(text) - len, "e%d", rand() % 640 - 330);
    double value;
    assert_true(bl_filter_read_double(bl_slice_of(text, len), &value));
    double want = strtod(text, NULL);
    if (memcmp(&value, &want, sizeof(value)) != 0)
      fail_msg("%s: %.17g, not %.17g", text, value, want);
  }
}

static void order_of_doubles(void **state) {
  (void)state;
  double nan = strtod("nan", NULL);
  double inf = strtod("inf", NULL);
  const double sorted[] = {-inf, -1, -0.0, 0.0, 4.9e-324, 1, inf, nan};
  for (int i = 0; i < 8; i++) {
    for (int k = 0; k < 8; k++) {
      int order = bl_filter_compare_doubles(sorted[i], sorted[k]);
      assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whole_ones),       cmocka_unit_test(doubles),
      cmocka_unit_test(long_texts),       cmocka_unit_test(random_ones_are_read_as_strtod_does),
      cmocka_unit_test(order_of_doubles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
