#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void order_is_by_byte_then_length(void **state) {
  (void)state;
  static const struct {
    const char *a;
    const char *b;
    int sign;
  } cases[] = {
      {"", "", 0},    {"", "a", -1},     {"a", "", 1},        {"a", "a", 0},
      {"a", "b", -1}, {"a", "ab", -1},   {"ab", "a", 1},      {"b", "ab", 1},
      {"Z", "a", -1}, {"z", "\x80", -1}, {"\xff", "\x01", 1},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int order = bl_slice_cmp(bl_slice_text(cases[i].a), bl_slice_text(cases[i].b));
    assert_int_equal((order > 0) - (order < 0), cases[i].sign);
  }
  assert_int_equal(bl_slice_cmp(bl_slice_text(NULL), bl_slice_text(NULL)), 0);
  assert_true(bl_slice_cmp(bl_slice_text(NULL), BL_SLICE("a")) < 0);
}

static void cut_gives_parts_then_the_absent_slice(void **state) {
  (void)state;
  struct bl_slice rest = BL_SLICE("a,,b,");
  assert_true(bl_slice_is(bl_slice_cut(&rest, ','), "a"));
  assert_true(bl_slice_is(bl_slice_cut(&rest, ','), ""));
  assert_true(bl_slice_is(bl_slice_cut(&rest, ','), "b"));
  assert_non_null(rest.ptr); /* an empty part follows the last separator */
  struct bl_slice last = bl_slice_cut(&rest, ',');
  assert_non_null(last.ptr);
  assert_int_equal(last.len, 0);
  assert_null(rest.ptr);
  assert_null(bl_slice_cut(&rest, ',').ptr);
}

static void trim_takes_blanks_and_tabs_only(void **state) {
  (void)state;
  static const char *const cases[][2] = {{"", ""},          {"  \t", ""}, {"a", "a"},
                                         {" a b\t", "a b"}, {"\ta", "a"}, {"\na ", "\na"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_true(bl_slice_is(bl_slice_trim(bl_slice_text(cases[i][0])), cases[i][1]));
  }
}

static void numbers_keep_to_their_range(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool ok64;
    bool ok32;
    int64_t value;
  } cases[] = {
      {"", false, false, 0},
      {"-", false, false, 0},
      {"+", false, false, 0},
      {"0", true, true, 0},
      {"-0", true, true, 0},
      {"+7", true, true, 7},
      {"007", true, true, 7},
      {" 7", false, false, 0},
      {"7 ", false, false, 0},
      {"7a", false, false, 0},
      {"--7", false, false, 0},
      {"1.0", false, false, 0},
      {"/", false, false, 0},
      {":", false, false, 0},
      {"2147483647", true, true, INT32_MAX},
      {"2147483648", true, false, 2147483648},
      {"-2147483648", true, true, INT32_MIN},
      {"-2147483649", true, false, -2147483649},
      {"9223372036854775807", true, false, INT64_MAX},
      {"9223372036854775808", false, false, 0},
      {"-9223372036854775808", true, false, INT64_MIN},
      {"-9223372036854775809", false, false, 0},
      {"92233720368547758070", false, false, 0},
      {"18446744073709551616", false, false, 0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int64_t value64 = 99;
    int32_t value32 = 99;
    assert_int_equal(bl_slice_i64(bl_slice_text(cases[i].text), &value64), cases[i].ok64);
    assert_int_equal(bl_slice_i32(bl_slice_text(cases[i].text), &value32), cases[i].ok32);
    assert_true(value64 == (cases[i].ok64 ? cases[i].value : 99));
    assert_true(value32 == (cases[i].ok32 ? cases[i].value : 99));
  }
  int64_t value;
  assert_false(bl_slice_i64(bl_slice_text(NULL), &value));
}

static void only_the_word_true_is_true(void **state) {
  (void)state;
  assert_true(bl_slice_bool(BL_SLICE("true")));
  assert_true(bl_slice_bool(BL_SLICE("TrUe")));
  static const char *const others[] = {"", "tru", "truee", "false", "1", "yes", " true", "\x14rue"};
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
    assert_false(bl_slice_bool(bl_slice_text(others[i])));
  }
  assert_false(bl_slice_bool(bl_slice_text(NULL)));
}

static void absent_and_empty_are_equal_in_bytes(void **state) {
  (void)state;
  assert_true(bl_slice_eq(bl_slice_text(NULL), BL_SLICE("")));
  assert_true(bl_slice_starts(BL_SLICE("ab"), BL_SLICE("a")));
  assert_false(bl_slice_starts(BL_SLICE("a"), BL_SLICE("ab")));
  assert_true(bl_slice_is(bl_slice_from(BL_SLICE("abc"), 1), "bc"));
  assert_int_equal(bl_slice_from(BL_SLICE("abc"), 4).len, 0);
  assert_null(bl_slice_from(bl_slice_text(NULL), 4).ptr);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(order_is_by_byte_then_length),
      cmocka_unit_test(cut_gives_parts_then_the_absent_slice),
      cmocka_unit_test(trim_takes_blanks_and_tabs_only),
      cmocka_unit_test(numbers_keep_to_their_range),
      cmocka_unit_test(only_the_word_true_is_true),
      cmocka_unit_test(absent_and_empty_are_equal_in_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
