#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void bytes_become_upper_case_digits(void **state) {
  (void)state;
  char text[9] = "--------";
  bl_hex_encode(bl_slice_text(NULL), text);
  assert_string_equal(text, "--------");
  bl_hex_encode(bl_slice_of("\x00\x0f\xf0\xff", 4), text);
  assert_string_equal(text, "000FF0FF");
}

static void digits_of_either_case_become_bytes(void **state) {
  (void)state;
  unsigned char bytes[4] = {1, 1, 1, 1};
  assert_true(bl_hex_decode(BL_SLICE(""), bytes));
  assert_int_equal(bytes[0], 1);
  assert_true(bl_hex_decode(BL_SLICE("00aBFf9A"), bytes));
  assert_memory_equal(bytes, "\x00\xab\xff\x9a", 4);
}

static void other_text_is_refused(void **state) {
  (void)state;
  static const char *const cases[] = {"0",  "000", "0g", "g0", "0/", "0:", "0@",
                                      "0G", "0`",  " 0", "0 ", "-1", "0x"};
  unsigned char bytes[4];
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_false(bl_hex_decode(bl_slice_text(cases[i]), bytes));
  }
}

static void every_byte_comes_back(void **state) {
  (void)state;
  for (int i = 0; i < 256; i++) {
    char byte = (char)i, back, text[2];
    bl_hex_encode(bl_slice_of(&byte, 1), text);
    assert_true(bl_hex_decode(bl_slice_of(text, 2), &back));
    assert_int_equal(back, byte);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_become_upper_case_digits),
      cmocka_unit_test(digits_of_either_case_become_bytes),
      cmocka_unit_test(other_text_is_refused),
      cmocka_unit_test(every_byte_comes_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
