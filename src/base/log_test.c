#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static int64_t now_ms;
static char written[3 * BL_LOG_LINE_BYTES_MAX];
static size_t written_bytes;
static int written_lines;

static int64_t test_clock(void) {
  return now_ms;
}

static void test_sink(void *context, const char *line, size_t len) {
  assert_ptr_equal(context, written);
  assert_true(len > 0 && len <= BL_LOG_LINE_BYTES_MAX);
  assert_int_equal(line[len - 1], '\n');
  if (written_bytes + len < sizeof(written)) {
    memcpy(written + written_bytes, line, len);
    written_bytes += len;
  }
  written[written_bytes] = '\0';
  written_lines++;
}

static void forget(void) {
  written_bytes = 0;
  written_lines = 0;
  written[0] = '\0';
}

static int start(void **state) {
  (void)state;
  now_ms = 1795377662345;
  forget();
  bl_log_set_sink(test_sink, written);
  bl_log_set_clock(test_clock);
  bl_log_set_level(BL_LOG_INFO);
  return 0;
}

static void a_line_has_its_parts(void **state) {
  (void)state;
  bl_log(BL_LOG_INFO, "store", "recovered", "messages=%d ms=%lld", 5, 3ll);
  assert_string_equal(written, "2026-11-22T20:01:02.345Z INFO  store recovered messages=5 ms=3\n");
  forget();
  bl_log(BL_LOG_ERROR, "net", "stopped", "%s", "");
  assert_string_equal(written, "2026-11-22T20:01:02.345Z ERROR net stopped\n");
}

static void times_follow_the_calendar(void **state) {
  (void)state;
  static const struct {
    int64_t ms;
    const char *time;
  } cases[] = {
      {-1, "1970-01-01T00:00:00.000Z"},
      {0, "1970-01-01T00:00:00.000Z"},
      {68169599999, "1972-02-28T23:59:59.999Z"},
      {68169600000, "1972-02-29T00:00:00.000Z"},
      {951782400000, "2000-02-29T00:00:00.000Z"},
      {978220800000, "2000-12-31T00:00:00.000Z"},
      {4107542400000, "2100-03-01T00:00:00.000Z"},
      {INT64_MAX, "9999-12-31T23:59:59.999Z"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    forget();
    now_ms = cases[i].ms;
    bl_log(BL_LOG_INFO, "a", "b", "c=%d", 1);
    assert_memory_equal(written, cases[i].time, strlen(cases[i].time));
  }
  forget();
  bl_log_set_clock(NULL);
  bl_log(BL_LOG_WARN, "a", "b", "c=%d", 1);
  assert_string_equal(written, "- WARN  a b c=1\n");
}

static void levels_filter(void **state) {
  (void)state;
  for (int least = BL_LOG_DEBUG; least <= BL_LOG_OFF; least++) {
    forget();
    bl_log_set_level((enum bl_log_level)least);
    for (int level = BL_LOG_DEBUG; level < BL_LOG_OFF; level++) {
      bl_log((enum bl_log_level)level, "a", "b", "c=%d", 1);
      assert_int_equal(bl_log_on((enum bl_log_level)level), level >= least);
    }
    assert_int_equal(written_lines, BL_LOG_OFF - least);
  }
}

static void level_names_go_both_ways(void **state) {
  (void)state;
  enum bl_log_level level;
  for (int i = BL_LOG_DEBUG; i <= BL_LOG_OFF; i++) {
    assert_true(bl_log_level_of(bl_log_level_name((enum bl_log_level)i), &level));
    assert_int_equal(level, i);
  }
  assert_false(bl_log_level_of("", &level));
  assert_false(bl_log_level_of("INFO", &level));
}

static void values_cannot_begin_a_line(void **state) {
  (void)state;
  bl_log(BL_LOG_INFO, "a", "b", "topic=%s", "x\n2026 ERROR\r\x1b[0m\x7f\xc3\xa9");
  assert_int_equal(written_lines, 1);
  assert_non_null(strstr(written, "topic=x?2026 ERROR??[0m?\xc3\xa9\n"));
}

static void long_lines_are_cut(void **state) {
  (void)state;
  char text[2 * BL_LOG_LINE_BYTES_MAX];
  memset(text, 'x', sizeof(text));
  size_t head = strlen("2026-11-22T20:01:02.345Z INFO  a b ");
  size_t fits = BL_LOG_LINE_BYTES_MAX - head - 2;
  bl_log(BL_LOG_INFO, "a", "b", "%.*s", (int)fits, text);
  assert_int_equal(written_bytes, head + fits + 1);
  assert_null(strstr(written, "..."));
  forget();
  bl_log(BL_LOG_INFO, "a", "b", "%.*s", (int)fits + 1, text);
  assert_int_equal(written_bytes, head + fits + 1);
  assert_string_equal(written + written_bytes - 5, "x...\n");
}

static void a_limit_leaves_out_and_says_so(void **state) {
  (void)state;
  struct bl_log_limit limit = {.per_second = 2};
  for (int i = 0; i < 7; i++) bl_log_limited(&limit, BL_LOG_WARN, "net", "refused", "i=%d", i);
  assert_int_equal(written_lines, 2);
  assert_non_null(strstr(written, "i=1\n"));
  forget();
  now_ms += 1000;
  bl_log_limited(&limit, BL_LOG_WARN, "net", "refused", "i=%d", 7);
  assert_string_equal(written,
                      "2026-11-22T20:01:03.345Z WARN  net left_out event=refused lines=5\n"
                      "2026-11-22T20:01:03.345Z WARN  net refused i=7\n");
  forget();
  bl_log_limit_end(&limit); /* nothing was left out since */
  assert_int_equal(written_lines, 0);
  for (int i = 0; i < 3; i++) bl_log_limited(&limit, BL_LOG_WARN, "net", "refused", "i=%d", i);
  forget();
  bl_log_limit_end(&limit);
  bl_log_limit_end(&limit);
  assert_int_equal(written_lines, 1);
  assert_non_null(strstr(written, "lines=2"));
}

static void a_limit_of_zero_only_counts_and_filtered_lines_do_not(void **state) {
  (void)state;
  struct bl_log_limit limit = {.per_second = 0};
  bl_log_limited(&limit, BL_LOG_DEBUG, "net", "refused", "i=%d", 1);
  assert_int_equal(limit.left_out, 0);
  bl_log_limited(&limit, BL_LOG_WARN, "net", "refused", "i=%d", 1);
  assert_int_equal(written_lines, 0);
  bl_log_limit_end(&limit);
  assert_int_equal(written_lines, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(a_line_has_its_parts, start),
      cmocka_unit_test_setup(times_follow_the_calendar, start),
      cmocka_unit_test_setup(levels_filter, start),
      cmocka_unit_test_setup(level_names_go_both_ways, start),
      cmocka_unit_test_setup(values_cannot_begin_a_line, start),
      cmocka_unit_test_setup(long_lines_are_cut, start),
      cmocka_unit_test_setup(a_limit_leaves_out_and_says_so, start),
      cmocka_unit_test_setup(a_limit_of_zero_only_counts_and_filtered_lines_do_not, start),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
