/* Subscriptions: tags and their hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/javahash.h"
#include "broker/members/subscription.h"

static struct bl_subscription *make(const char *expression, const char *type) {
  struct bl_subscription *subscription = NULL;
  bl_err err = bl_subscription_new(BL_SLICE("T"), bl_slice_text(expression), bl_slice_text(type), 1,
                                   &subscription);
  return err == BL_OK ? subscription : NULL;
}

static int64_t code(const char *tag) {
  return bl_javahash(bl_slice_text(tag));
}

static void tags_match_by_hash(void **state) {
  (void)state;
  struct bl_subscription *s = make(" TagA|| TagB ||", "TAG");
  assert_non_null(s);
  assert_int_equal(s->tag_count, 2);
  assert_true(bl_subscription_matches(s, code("TagA")));
  assert_true(bl_subscription_matches(s, code("TagB")));
  assert_false(bl_subscription_matches(s, code("TagC")));
  assert_false(bl_subscription_matches(s, 0));
  assert_string_equal(s->expression.ptr, " TagA|| TagB ||");
  bl_subscription_free(s);
  /* One bar is a part of the tag. */
  s = make("a|b", NULL);
  assert_int_equal(s->tag_count, 1);
  assert_true(bl_subscription_matches(s, code("a|b")));
  bl_subscription_free(s);
  /* Different texts with one hash: both are given, the client looks at the text. */
  s = make("Aa", "TAG");
  assert_true(bl_subscription_matches(s, code("BB")));
  bl_subscription_free(s);
}

static void many_tags_are_searched(void **state) {
  (void)state;
  struct bl_subscription *s = make("a || b || c || d || e || f || g || \xc3\xa9", "TAG");
  const char *const tags[] = {"a", "b", "c", "d", "e", "f", "g", "\xc3\xa9"};
  for (int i = 0; i < 8; i++) assert_true(bl_subscription_matches(s, code(tags[i])));
  assert_false(bl_subscription_matches(s, code("h")));
  bl_subscription_free(s);
}

static void all_is_all(void **state) {
  (void)state;
  const char *const texts[] = {"*", "", NULL};
  for (int i = 0; i < 3; i++) {
    struct bl_subscription *s = make(texts[i], NULL);
    assert_true(s->all && bl_subscription_is_tag(s));
    assert_true(bl_subscription_matches(s, 12345));
    bl_subscription_free(s);
  }
}

/* Java's trim takes every control character; parts that are blank are no tags. */
static void blanks_around_tags(void **state) {
  (void)state;
  struct bl_subscription *s = make("\n TagA\t||\rTagB", "TAG");
  assert_true(bl_subscription_matches(s, code("TagA")));
  assert_true(bl_subscription_matches(s, code("TagB")));
  bl_subscription_free(s);
  const char *const none[] = {" ", " || ||", "|| "};
  for (int i = 0; i < 3; i++) {
    s = make(none[i], "TAG");
    assert_non_null(s);
    assert_int_equal(s->tag_count, 0);
    assert_false(bl_subscription_matches(s, 0));
    bl_subscription_free(s);
  }
  s = make("|||", "TAG"); /* nothing, and a bar */
  assert_true(bl_subscription_matches(s, code("|")));
  bl_subscription_free(s);
}

static struct bl_filter_cache cache;

static void expressions_are_compiled(void **state) {
  (void)state;
  struct bl_why why = {{0}};
  bl_filter_cache_init(&cache);
  struct bl_subscription *s = make("a > 1", "SQL92");
  assert_null(s->filter);
  assert_int_equal(bl_subscription_compile(s, &cache, &why), BL_OK);
  assert_true(bl_filter_matches(s->filter, BL_SLICE("a\0012")));
  /* The index alone excludes nothing. */
  assert_true(!s->all && bl_subscription_matches(s, 0));
  bl_subscription_free(s);
  s = make("a >", "SQL92");
  assert_int_equal(bl_subscription_compile(s, &cache, &why), BL_ERR_SUBSCRIPTION_PARSE);
  assert_null(s->filter);
  assert_non_null(strstr(why.text, "at character 4"));
  assert_int_equal(cache.refused, 1);
  /* Nobody asks why: it is known. */
  assert_int_equal(bl_subscription_compile(s, &cache, NULL), BL_ERR_SUBSCRIPTION_PARSE);
  assert_int_equal(cache.refused, 1);
  bl_subscription_free(s);
  const char *const wrong[] = {"*", "", NULL};
  for (int i = 0; i < 3; i++) {
    s = make(wrong[i], "SQL92");
    assert_false(s->all);
    assert_int_equal(bl_subscription_compile(s, &cache, &why), BL_ERR_SUBSCRIPTION_PARSE);
    bl_subscription_free(s);
  }
  s = make("a", "SQL99");
  assert_int_equal(bl_subscription_compile(s, &cache, &why), BL_ERR_SUBSCRIPTION_PARSE);
  assert_non_null(strstr(why.text, "SQL99 is not known; use TAG or SQL92"));
  bl_subscription_free(s);
  s = make("a", "TAG");
  assert_int_equal(bl_subscription_compile(s, &cache, &why), BL_OK);
  assert_null(s->filter);
  bl_subscription_free(s);
  bl_filter_cache_fini(&cache);
}

static void bad_ones_are_refused(void **state) {
  (void)state;
  assert_null(make("||", "TAG"));
  assert_null(make("||||", "TAG"));
  char *text = malloc(BL_SUBSCRIPTION_BYTES_MAX + 2);
  memset(text, 'a', BL_SUBSCRIPTION_BYTES_MAX + 1);
  text[BL_SUBSCRIPTION_BYTES_MAX + 1] = '\0';
  assert_null(make(text, "TAG"));
  /* One tag more than there may be. */
  for (int i = 0; i <= BL_SUBSCRIPTION_TAGS_MAX; i++) memcpy(text + i * 3, "a||", 3);
  text[(BL_SUBSCRIPTION_TAGS_MAX + 1) * 3] = '\0';
  assert_null(make(text, "TAG"));
  text[BL_SUBSCRIPTION_TAGS_MAX * 3] = '\0';
  struct bl_subscription *s = make(text, "TAG");
  assert_non_null(s);
  bl_subscription_free(s);
  free(text);
  s = make("a > 1", "SQL92");
  assert_false(bl_subscription_is_tag(s));
  bl_subscription_free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tags_match_by_hash),
      cmocka_unit_test(many_tags_are_searched),
      cmocka_unit_test(all_is_all),
      cmocka_unit_test(blanks_around_tags),
      cmocka_unit_test(expressions_are_compiled),
      cmocka_unit_test(bad_ones_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
