#include "base/crc32.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void known_values(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint32_t crc;
  } cases[] = {{"", 0}, {"a", 0xe8b7be43}, {"123456789", 0xcbf43926}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    size_t len = 0;
    while (cases[i].text[len] != '\0') len++;
    assert_int_equal(bl_crc32(0, cases[i].text, len), cases[i].crc);
  }
}

static void goes_on_from_a_result_so_far(void **state) {
  (void)state;
  uint32_t crc = bl_crc32(0, "1234", 4);
  crc = bl_crc32(crc, NULL, 0);
  crc = bl_crc32(crc, "56789", 5);
  assert_int_equal(crc, 0xcbf43926);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_values),
      cmocka_unit_test(goes_on_from_a_result_so_far),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
