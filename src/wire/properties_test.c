#include "wire/properties.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void pairs_are_read_in_order(void **state) {
  (void)state;
  struct bl_slice rest = BL_SLICE(
      "a\x01"
      "1\x02"
      "bb\x01"
      "22\x02"
      "c\x01"
      "3");
  struct bl_slice name;
  struct bl_slice value;
  static const char *const expected[][2] = {{"a", "1"}, {"bb", "22"}, {"c", "3"}};
  for (size_t i = 0; i < 3; i++) {
    assert_true(bl_properties_next(&rest, &name, &value));
    assert_true(bl_slice_is(name, expected[i][0]));
    assert_true(bl_slice_is(value, expected[i][1]));
  }
  assert_false(bl_properties_next(&rest, &name, &value));
  assert_false(bl_properties_next(&rest, &name, &value));
}

/* MessageDecoder#string2messageProperties skips all of these. */
static void what_is_no_pair_is_skipped(void **state) {
  (void)state;
  static const struct bl_slice cases[] = {
      {NULL, 0},         BL_SLICE(""),          BL_SLICE("\x02"),  BL_SLICE("\x02\x02\x02"),
      BL_SLICE("\x01"),  BL_SLICE("\x01\x02"),  BL_SLICE("a"),     BL_SLICE("a\x02"),
      BL_SLICE("a\x01"), BL_SLICE("a\x01\x02"), BL_SLICE("\x01v"), BL_SLICE("\x01v\x02"),
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_slice rest = cases[i];
    struct bl_slice name;
    struct bl_slice value;
    assert_false(bl_properties_next(&rest, &name, &value));
  }
  struct bl_slice found =
      bl_properties_get(BL_SLICE("x\x02\x01y\x02k\x01v\x02z\x01"), BL_SLICE("k"));
  assert_true(bl_slice_is(found, "v"));
}

static void a_value_may_hold_the_name_separator(void **state) {
  (void)state;
  struct bl_slice found = bl_properties_get(BL_SLICE("k\x01"
                                                     "a\x01"
                                                     "b\x02"),
                                            BL_SLICE("k"));
  assert_true(bl_slice_eq(found, BL_SLICE("a\x01"
                                          "b")));
}

static void of_two_pairs_the_last_counts_as_in_a_java_map(void **state) {
  (void)state;
  struct bl_slice both = BL_SLICE(
      "k\x01"
      "1\x02j\x01x\x02k\x01"
      "2\x02");
  assert_true(bl_slice_is(bl_properties_get(both, BL_SLICE("k")), "2"));
}

static void what_is_not_there_is_absent(void **state) {
  (void)state;
  assert_null(bl_properties_get(BL_SLICE("key\x01v\x02"), BL_SLICE("ke")).ptr);
  assert_null(bl_properties_get(BL_SLICE("key\x01v\x02"), BL_SLICE("keys")).ptr);
  assert_null(bl_properties_get(BL_SLICE("key\x01v\x02"), BL_SLICE("v")).ptr);
  assert_null(bl_properties_get((struct bl_slice){NULL, 0}, BL_SLICE("k")).ptr);
}

static void pairs_are_put_and_left_out(void **state) {
  (void)state;
  struct bl_buf out;
  bl_buf_init(&out, 0);
  bl_properties_put(&out, BL_SLICE("a"), BL_SLICE("1"));
  bl_properties_put(&out, BL_SLICE("b"), BL_SLICE("2"));
  assert_true(bl_slice_eq(bl_buf_slice(&out), BL_SLICE("a\x01"
                                                       "1\x02"
                                                       "b\x01"
                                                       "2\x02")));
  bl_buf_clear(&out);
  bl_properties_put_without(&out,
                            BL_SLICE("k\x01"
                                     "1\x02"
                                     "a\x01"
                                     "2\x02k\x01"
                                     "3\x02"
                                     "b\x01"
                                     "4"),
                            BL_SLICE("k"));
  assert_true(bl_slice_eq(bl_buf_slice(&out), BL_SLICE("a\x01"
                                                       "2\x02"
                                                       "b\x01"
                                                       "4\x02")));
  bl_buf_clear(&out);
  bl_properties_put_without(&out, BL_SLICE("k\x01v"), BL_SLICE("k"));
  assert_int_equal(out.len, 0);
  bl_buf_fini(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pairs_are_read_in_order),
      cmocka_unit_test(what_is_no_pair_is_skipped),
      cmocka_unit_test(a_value_may_hold_the_name_separator),
      cmocka_unit_test(of_two_pairs_the_last_counts_as_in_a_java_map),
      cmocka_unit_test(what_is_not_there_is_absent),
      cmocka_unit_test(pairs_are_put_and_left_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
