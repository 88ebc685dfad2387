#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void every_error_has_name_text_and_code(void **state) {
  (void)state;
  for (int i = 0; i < BL_ERR_COUNT; i++) {
    assert_true(strncmp(bl_err_name((bl_err)i), "BL_", 3) == 0);
    size_t len = strlen(bl_err_text((bl_err)i));
    assert_true(len > 0);
    assert_true(bl_err_text((bl_err)i)[len - 1] != '.');
    assert_int_equal(bl_err_code((bl_err)i) == 0, i == BL_OK);
  }
}

static void rows_agree_with_the_enum(void **state) {
  (void)state;
  assert_int_equal(BL_OK, 0);
  assert_string_equal(bl_err_name(BL_ERR_NO_TOPIC), "BL_ERR_NO_TOPIC");
  assert_string_equal(bl_err_text(BL_ERR_NO_TOPIC), "topic does not exist");
  assert_int_equal(bl_err_code(BL_ERR_NO_TOPIC), 17);
  assert_int_equal(bl_err_code(BL_ERR_GO_AWAY), 1500);
}

static void why_is_cut_and_always_ends(void **state) {
  (void)state;
  struct bl_why why;
  memset(&why, 'x', sizeof(why));
  assert_int_equal(bl_why_set(&why, BL_ERR_IO, "%d of %s", 7, "x"), BL_ERR_IO);
  assert_string_equal(why.text, "7 of x");

  char longer[2 * sizeof(why.text)];
  memset(longer, 'a', sizeof(longer) - 1);
  longer[sizeof(longer) - 1] = '\0';
  assert_int_equal(bl_why_set(&why, BL_ERR_FULL, "%s", longer), BL_ERR_FULL);
  assert_int_equal(strlen(why.text), sizeof(why.text) - 1);

  longer[sizeof(why.text) - 1] = '\0'; /* fits exactly */
  assert_int_equal(bl_why_set(&why, BL_ERR_FULL, "%s", longer), BL_ERR_FULL);
  assert_string_equal(why.text, longer);
}

static void a_prefix_may_go_before_its_own_text(void **state) {
  (void)state;
  struct bl_why why;
  bl_why_set(&why, BL_ERR_IO, "no such file");
  bl_why_set(&why, BL_ERR_IO, "topics.json: %s", why.text);
  assert_string_equal(why.text, "topics.json: no such file");
}

static void why_may_be_absent(void **state) {
  (void)state;
  assert_int_equal(bl_why_set(NULL, BL_ERR_IO, "%d", 7), BL_ERR_IO);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_error_has_name_text_and_code),
      cmocka_unit_test(rows_agree_with_the_enum),
      cmocka_unit_test(why_is_cut_and_always_ends),
      cmocka_unit_test(a_prefix_may_go_before_its_own_text),
      cmocka_unit_test(why_may_be_absent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
