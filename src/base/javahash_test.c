#include "base/javahash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Expected values were printed by Java 17: new String(bytes, UTF_8).hashCode(). */
static void hashes_are_those_of_java(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int32_t hash;
  } cases[] = {
      {"", 0},
      {"a", 97},
      {"TagA", 2598919},
      {"%RETRY%group", 995971261},
      {"polygenelubricants", INT32_MIN},
      {"\xc3\xa9", 233},
      {"\xdf\xbf\xe0\xa0\x80", 65505},
      {"\xe4\xb8\xad\xe6\x96\x87", 646394},
      {"\xef\xbf\xbf", 65535},
      {"\xf0\x9f\x98\x80", 1772899},
      {"\xf4\x8f\xbf\xbf", 1803232},
      {"\xff", 65533},
      {"\xc0\xaf", 2097056},
      {"\xc2", 65533},
      {"\xe4\xb8", 65533},
      {"\xe4"
       "a",
       2031620},
      {"\xed\xa0\x80", 65533},
      {"\xe0\x80\x80", 65074269},
      {"\xed\xa0", 65533},
      {"\xf0\x9f\x98", 65533},
      {"\xf4\x90\x80\x80", 2017367872},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(bl_javahash(bl_slice_text(cases[i].text)), cases[i].hash);
  }
  assert_int_equal(bl_javahash(bl_slice_text(NULL)), 0);
  assert_int_equal(bl_javahash(bl_slice_of("\0a", 2)), 'a');
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(hashes_are_those_of_java)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
