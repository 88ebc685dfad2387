#include "cli/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void times_are_read(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t ms;
  } cases[] = {
      {"0", 0},
      {"1795376889312", 1795376889312},
      {"1970-01-01T00:00:00Z", 0},
      {"2000-02-29T12:00:00Z", 951825600000},
      {"2000-03-01T00:00Z", 951868800000},
      {"2026-11-22T20:15:30.250Z", 1795378530250},
      {"2026-11-22T20:15:30.2Z", 1795378530200},
      {"2026-11-22 20:15:30.250999Z", 1795378530250},
      {"2026-11-22T21:15:30+01:00", 1795378530000},
      {"2026-11-22T15:45:30-0430", 1795378530000},
      {"2100-03-01T00:00:00Z", 4107542400000},
      {"2026-11-22T20:15:30", 1795378530000}, /* local, which is UTC here */
      {"2026-11-22", 1795305600000},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int64_t ms = -1;
    assert_true(bl_when_parse(bl_slice_text(cases[i].text), &ms));
    assert_int_equal(ms, cases[i].ms);
  }
}

static void what_is_no_time_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {"",
                                      "-5",
                                      "yesterday",
                                      "2026-13-01",
                                      "2026-1-01",
                                      "2026-11-22T",
                                      "2026-11-22T24:00",
                                      "2026-11-22x",
                                      "2026-11-22T20:15:30.",
                                      "2026-11-22T20:15Zx",
                                      "2026-11-22T20:15+1"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    int64_t ms;
    assert_false(bl_when_parse(bl_slice_text(texts[i]), &ms));
  }
}

int main(void) {
  setenv("TZ", "UTC", 1);
  tzset();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(times_are_read),
      cmocka_unit_test(what_is_no_time_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
