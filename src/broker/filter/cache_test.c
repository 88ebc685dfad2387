/* Filters by their text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/filter/cache.h"

static struct bl_filter_cache cache;

static int set_up(void **state) {
  (void)state;
  bl_filter_cache_init(&cache);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  bl_filter_cache_fini(&cache);
  return 0;
}

static struct bl_filter *get(const char *text) {
  struct bl_filter *filter = NULL;
  assert_int_equal(bl_filter_cache_get(&cache, bl_slice_text(text), &filter, NULL), BL_OK);
  return filter;
}

static void one_text_is_compiled_once(void **state) {
  (void)state;
  struct bl_filter *first = get("a = 'x'");
  struct bl_filter *second = get("a = 'x'");
  assert_ptr_equal(first, second);
  assert_int_equal(cache.compiled, 1);
  bl_filter_free(first);
  bl_filter_free(second);
  bl_filter_free(get("a = 'y'"));
  assert_int_equal(cache.compiled, 2);
}

static void a_wrong_one_is_not_kept(void **state) {
  (void)state;
  struct bl_filter *filter = NULL;
  struct bl_why why = {{0}};
  assert_int_equal(bl_filter_cache_get(&cache, BL_SLICE("a >"), &filter, &why),
                   BL_ERR_SUBSCRIPTION_PARSE);
  assert_non_null(strstr(why.text, "at character 4"));
  assert_int_equal(cache.refused, 1);
  assert_int_equal(cache.by_text.count, 0);
}

static void the_least_recently_used_go(void **state) {
  (void)state;
  char text[64];
  struct bl_filter *held = get("kept = 'by its user'");
  struct bl_filter *used = get("a = 'used'");
  for (int i = 0; i < 3 * BL_FILTER_CACHE_COUNT_MAX; i++) {
    snprintf(text, sizeof(text), "a = '%d'", i);
    bl_filter_free(get(text));
    struct bl_filter *again = get("a = 'used'");
    assert_ptr_equal(again, used);
    bl_filter_free(again);
  }
  assert_int_equal(cache.by_text.count, BL_FILTER_CACHE_COUNT_MAX);
  bl_filter_free(used);
  /* It is gone from the cache, and still good. */
  assert_true(bl_filter_matches(held, BL_SLICE("kept\1by its user")));
  int64_t compiled = cache.compiled;
  struct bl_filter *anew = get("kept = 'by its user'");
  assert_int_equal(cache.compiled, compiled + 1);
  bl_filter_free(anew);
  bl_filter_free(held);
}

static void bytes_are_bounded(void **state) {
  (void)state;
  static char text[BL_FILTER_TEXT_BYTES_MAX + 1];
  for (int i = 0; i < 1000; i++) {
    memset(text, 'x', BL_FILTER_TEXT_BYTES_MAX);
    memcpy(text, "a = '", 5);
    text[BL_FILTER_TEXT_BYTES_MAX - 1] = '\'';
    text[5 + i % 26] = (char)(48 + i / 26);
    bl_filter_free(get(text));
    assert_true(cache.bytes <= BL_FILTER_CACHE_BYTES_MAX);
  }
  assert_in_range(cache.by_text.count, 50, 999);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(one_text_is_compiled_once, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_wrong_one_is_not_kept, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_least_recently_used_go, set_up, tear_down),
      cmocka_unit_test_setup_teardown(bytes_are_bounded, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
