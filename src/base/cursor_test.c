#include "base/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void reads_are_big_endian_and_in_turn(void **state) {
  (void)state;
  static const char bytes[] =
      "\xfe\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"
      "ab";
  struct bl_cursor cursor = bl_cursor_of(bl_slice_of(bytes, sizeof(bytes) - 1));
  assert_int_equal(bl_cursor_u8(&cursor), 0xfe);
  assert_int_equal(bl_cursor_u16(&cursor), 0x0102);
  assert_int_equal(bl_cursor_u32(&cursor), 0x03040506);
  assert_true(bl_cursor_u64(&cursor) == 0x0708090a0b0c0d0eull);
  assert_int_equal(bl_cursor_left(&cursor), 2);
  struct bl_slice rest = bl_cursor_bytes(&cursor, 2);
  assert_ptr_equal(rest.ptr, bytes + 15);
  assert_int_equal(rest.len, 2);
  assert_false(cursor.failed);
}

static void no_bytes_at_the_end_are_there(void **state) {
  (void)state;
  struct bl_cursor cursor = bl_cursor_of(bl_slice_text(NULL));
  assert_non_null(bl_cursor_bytes(&cursor, 0).ptr);
  assert_false(cursor.failed);
  assert_int_equal(bl_cursor_left(&cursor), 0);
}

static void a_read_past_the_end_fails_all_that_follow(void **state) {
  (void)state;
  static const struct {
    size_t have;
    size_t want;
  } cases[] = {{0, 1}, {1, 2}, {3, 4}, {7, 8}, {0, 8}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_cursor cursor = bl_cursor_of(bl_slice_of("\1\2\3\4\5\6\7\10", cases[i].have));
    uint64_t got = 0;
    if (cases[i].want == 1) got = bl_cursor_u8(&cursor);
    if (cases[i].want == 2) got = bl_cursor_u16(&cursor);
    if (cases[i].want == 4) got = bl_cursor_u32(&cursor);
    if (cases[i].want == 8) got = bl_cursor_u64(&cursor);
    assert_int_equal(got, 0);
    assert_true(cursor.failed);
    assert_int_equal(bl_cursor_u8(&cursor), 0);
    assert_int_equal(bl_cursor_left(&cursor), 0);
    assert_null(bl_cursor_bytes(&cursor, 0).ptr);
  }
}

static void a_length_from_outside_cannot_wrap_around(void **state) {
  (void)state;
  struct bl_cursor cursor = bl_cursor_of(BL_SLICE("abc"));
  assert_null(bl_cursor_bytes(&cursor, SIZE_MAX).ptr);
  assert_true(cursor.failed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_are_big_endian_and_in_turn),
      cmocka_unit_test(no_bytes_at_the_end_are_there),
      cmocka_unit_test(a_read_past_the_end_fails_all_that_follow),
      cmocka_unit_test(a_length_from_outside_cannot_wrap_around),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
