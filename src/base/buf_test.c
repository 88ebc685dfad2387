#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_buf(const struct bl_buf *buf, const char *text) {
  assert_int_equal(buf->len, strlen(text));
  assert_true(bl_slice_is(bl_buf_slice(buf), text));
}

static void empty_allocates_nothing_and_has_a_slice(void **state) {
  (void)state;
  struct bl_buf buf;
  bl_buf_init(&buf, 0);
  bl_buf_put(&buf, NULL, 0);
  bl_buf_drop_front(&buf, 0);
  assert_null(buf.data);
  assert_non_null(bl_buf_slice(&buf).ptr);
  bl_buf_fini(&buf);
  struct bl_buf zeroed = {0};
  bl_buf_fini(&zeroed);
}

static void a_put_at_the_limit_fits_and_one_beyond_sticks(void **state) {
  (void)state;
  struct bl_buf buf;
  bl_buf_init(&buf, 4);
  bl_buf_put_text(&buf, "abc");
  bl_buf_put_char(&buf, 'd');
  assert_false(buf.failed);
  assert_true(buf.cap >= 4);
  bl_buf_put_char(&buf, 'e');
  assert_true(buf.failed);
  assert_buf(&buf, "abcd");

  bl_buf_clear(&buf);
  bl_buf_put_text(&buf, "abc");
  bl_buf_put_u16(&buf, 1); /* not even a part of it */
  assert_true(buf.failed);
  bl_buf_put_char(&buf, 'x'); /* would fit, but something before it is missing */
  assert_null(bl_buf_reserve(&buf, 0));
  assert_buf(&buf, "abc");
  bl_buf_fini(&buf);
  assert_false(buf.failed);
  assert_int_equal(buf.max_bytes, 4);
}

static void sizes_that_wrap_around_do_not_fit(void **state) {
  (void)state;
  struct bl_buf buf;
  bl_buf_init(&buf, 0);
  bl_buf_put_char(&buf, 'a');
  assert_null(bl_buf_reserve(&buf, SIZE_MAX));
  assert_true(buf.failed);
  bl_buf_clear(&buf);
  assert_null(bl_buf_reserve(&buf, (1ull << 31) + 1));
  bl_buf_fini(&buf);
}

static void growth_keeps_the_content(void **state) {
  (void)state;
  struct bl_buf buf;
  bl_buf_init(&buf, 0);
  for (uint32_t i = 0; i < 5000; i++) bl_buf_put_u32(&buf, i);
  assert_int_equal(buf.len, 20000);
  for (uint32_t i = 0; i < 5000; i++) {
    const unsigned char *at = (const unsigned char *)buf.data + (size_t)i * 4;
    assert_int_equal((uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3], i);
  }
  bl_buf_fini(&buf);
}

static void numbers_are_big_endian(void **state) {
  (void)state;
  struct bl_buf buf;
  bl_buf_init(&buf, 0);
  bl_buf_put_u8(&buf, 0xfe);
  bl_buf_put_u16(&buf, 0x0102);
  bl_buf_put_u32(&buf, 0x03040506);
  bl_buf_put_u64(&buf, 0x0708090a0b0c0d0e);
  static const unsigned char expected[] = {0xfe, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
  assert_int_equal(buf.len, sizeof(expected));
  assert_memory_equal(buf.data, expected, sizeof(expected));
  bl_buf_fini(&buf);
}

static void decimal_text_covers_the_range(void **state) {
  (void)state;
  static const struct {
    int64_t value;
    const char *text;
  } cases[] = {{0, "0"},
               {-1, "-1"},
               {9, "9"},
               {10, "10"},
               {INT64_MAX, "9223372036854775807"},
               {INT64_MIN, "-9223372036854775808"}};
  struct bl_buf buf;
  bl_buf_init(&buf, 0);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    bl_buf_clear(&buf);
    bl_buf_put_i64_text(&buf, cases[i].value);
    assert_buf(&buf, cases[i].text);
  }
  bl_buf_fini(&buf);
}

static void printf_takes_short_and_long_texts(void **state) {
  (void)state;
  static const int widths[] = {0, 1, 254, 255, 256, 257, 5000};
  struct bl_buf buf;
  bl_buf_init(&buf, 0);
  for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
    bl_buf_clear(&buf);
    bl_buf_put_char(&buf, '<');
    bl_buf_printf(&buf, "%*s", widths[i], widths[i] > 0 ? "x" : "");
    assert_int_equal(buf.len, 1 + widths[i]);
    if (widths[i] > 0) assert_int_equal(buf.data[buf.len - 1], 'x');
  }
  bl_buf_fini(&buf);
  bl_buf_init(&buf, 5);
  bl_buf_printf(&buf, "%d", 123456);
  assert_true(buf.failed);
  assert_int_equal(buf.len, 0);
  bl_buf_fini(&buf);
}

static void dropping_moves_the_rest_to_the_front(void **state) {
  (void)state;
  struct bl_buf buf;
  bl_buf_init(&buf, 0);
  bl_buf_put_text(&buf, "abcdef");
  bl_buf_drop_front(&buf, 2);
  assert_buf(&buf, "cdef");
  bl_buf_drop_front(&buf, 4);
  assert_buf(&buf, "");
  bl_buf_put_text(&buf, "x");
  assert_buf(&buf, "x");
  bl_buf_fini(&buf);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(empty_allocates_nothing_and_has_a_slice),
      cmocka_unit_test(a_put_at_the_limit_fits_and_one_beyond_sticks),
      cmocka_unit_test(sizes_that_wrap_around_do_not_fit),
      cmocka_unit_test(growth_keeps_the_content),
      cmocka_unit_test(numbers_are_big_endian),
      cmocka_unit_test(decimal_text_covers_the_range),
      cmocka_unit_test(printf_takes_short_and_long_texts),
      cmocka_unit_test(dropping_moves_the_rest_to_the_front),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
