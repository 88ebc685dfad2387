#include "cli/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void expect_line(struct bl_lines *lines, const char *text) {
  struct bl_slice line;
  assert_int_equal(bl_lines_next(lines, &line), BL_OK);
  assert_int_equal(line.len, strlen(text));
  assert_memory_equal(line.ptr, text, line.len);
}

static void expect_err(struct bl_lines *lines, bl_err err) {
  struct bl_slice line;
  assert_int_equal(bl_lines_next(lines, &line), err);
}

static void lines_are_put_together_from_pieces(void **state) {
  (void)state;
  struct bl_lines lines;
  bl_lines_init(&lines, 100);
  expect_err(&lines, BL_ERR_SHORT);
  bl_lines_put(&lines, BL_SLICE("one\ntw"));
  expect_line(&lines, "one");
  expect_err(&lines, BL_ERR_SHORT);
  bl_lines_put(&lines, BL_SLICE("o"));
  expect_err(&lines, BL_ERR_SHORT);
  bl_lines_put(&lines, BL_SLICE("\n\n\r\nlast"));
  expect_line(&lines, "two");
  expect_line(&lines, "");
  expect_line(&lines, "\r");
  expect_err(&lines, BL_ERR_SHORT);
  bl_lines_end(&lines);
  expect_line(&lines, "last");
  expect_err(&lines, BL_ERR_CLOSED);
  assert_int_equal(lines.count, 5);
  bl_lines_fini(&lines);
}

static void a_last_new_line_begins_no_line(void **state) {
  (void)state;
  struct bl_lines lines;
  bl_lines_init(&lines, 100);
  bl_lines_put(&lines, BL_SLICE("a\n"));
  bl_lines_end(&lines);
  expect_line(&lines, "a");
  expect_err(&lines, BL_ERR_CLOSED);
  bl_lines_fini(&lines);
}

static void any_other_byte_is_kept(void **state) {
  (void)state;
  struct bl_lines lines;
  struct bl_slice line;
  bl_lines_init(&lines, 100);
  bl_lines_put(&lines, BL_SLICE("a\0b\xff\n"));
  assert_int_equal(bl_lines_next(&lines, &line), BL_OK);
  assert_int_equal(line.len, 4);
  assert_memory_equal(line.ptr, "a\0b\xff", 4);
  bl_lines_fini(&lines);
}

static void the_length_is_bounded_with_and_without_an_end(void **state) {
  (void)state;
  static const char *const inputs[] = {"1234\n", "1234", "12345678"};
  for (size_t i = 0; i < 3; i++) {
    struct bl_lines lines;
    bl_lines_init(&lines, 3);
    bl_lines_put(&lines, BL_SLICE("123\n"));
    bl_lines_put(&lines, bl_slice_text(inputs[i]));
    expect_line(&lines, "123");
    expect_err(&lines, BL_ERR_FULL);
    expect_err(&lines, BL_ERR_FULL);
    bl_lines_fini(&lines);
  }
}

/* Random lines in random pieces come out as they went in. */
static void pieces_do_not_matter(void **state) {
  (void)state;
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  srand(seed);
  struct bl_buf text = {0};
  for (int i = 0; i < 2000; i++) {
    for (int n = rand() % 40; n > 0; n--) bl_buf_put_char(&text, (char)('a' + rand() % 26));
    bl_buf_put_char(&text, '\n');
  }
  struct bl_lines lines;
  struct bl_buf back = {0};
  bl_lines_init(&lines, 100);
  size_t at = 0;
  bl_err err = BL_OK;
  while (err != BL_ERR_CLOSED) {
    size_t piece = (size_t)(rand() % 300);
    if (piece > text.len - at) piece = text.len - at;
    bl_lines_put(&lines, bl_slice_of(text.data + at, piece));
    at += piece;
    if (at == text.len) bl_lines_end(&lines);
    struct bl_slice line;
    for (int n = rand() % 20; n >= 0 && (err = bl_lines_next(&lines, &line)) == BL_OK; n--) {
      bl_buf_put_slice(&back, line);
      bl_buf_put_char(&back, '\n');
    }
  }
  assert_true(bl_slice_eq(bl_buf_slice(&back), bl_buf_slice(&text)));
  bl_lines_fini(&lines);
  bl_buf_fini(&back);
  bl_buf_fini(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_are_put_together_from_pieces),
      cmocka_unit_test(a_last_new_line_begins_no_line),
      cmocka_unit_test(any_other_byte_is_kept),
      cmocka_unit_test(the_length_is_bounded_with_and_without_an_end),
      cmocka_unit_test(pieces_do_not_matter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
