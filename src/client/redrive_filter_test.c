/* Which dead letters are taken, and with which properties they go back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/redrive_internal.h"
#include "wire/properties.h"

#define LETTER                                                                                     \
  "KEYS\1a bc d\2TAGS\1T\2UNIQ_KEY\1U1\2ORIGIN_MESSAGE_ID\1O1\2RETRY_TOPIC\1Orders\2WAIT\1false"   \
  "\2DELAY\1-1\2REAL_TOPIC\1x\2TIMER_OUT_MS\1"                                                     \
  "5\2own\1 v \2"

static const struct bl_record letter = {.store_ms = 1000,
                                        .properties = {LETTER, sizeof(LETTER) - 1}};

static bool takes(const char *key, const char *tag, int64_t from_ms, int64_t until_ms) {
  struct bl_redrive_filter filter = {.key = bl_slice_text(key),
                                     .tag = bl_slice_text(tag),
                                     .from_ms = from_ms,
                                     .until_ms = until_ms};
  return bl_redrive__takes(&filter, &letter);
}

static void filters_take_what_fits(void **state) {
  (void)state;
  assert_true(takes(NULL, NULL, 0, 0));
  assert_true(takes("a", NULL, 0, 0));
  assert_true(takes("bc", NULL, 0, 0));
  assert_true(takes("d", "T", 1000, 1001));
  assert_true(takes("a bc d", NULL, 0, 0));
  assert_true(takes("U1", NULL, 0, 0));
  assert_true(takes("O1", NULL, 0, 0));
  assert_false(takes("b", NULL, 0, 0));
  assert_false(takes("a", "t", 0, 0));
  assert_false(takes(NULL, NULL, 1001, 0));
  assert_false(takes(NULL, NULL, 0, 1000));
  struct bl_record bare = {.store_ms = 1};
  struct bl_redrive_filter filter = {.key = BL_SLICE("a")};
  assert_false(bl_redrive__takes(&filter, &bare));
  filter = (struct bl_redrive_filter){.tag = BL_SLICE("T")};
  assert_false(bl_redrive__takes(&filter, &bare));
}

static void a_letter_says_where_it_came_from(void **state) {
  (void)state;
  assert_true(bl_slice_is(bl_redrive__origin(&letter), "Orders"));
  struct bl_record other = {.properties = BL_SLICE("DLQ_ORIGIN_TOPIC\1Y\2")};
  assert_true(bl_slice_is(bl_redrive__origin(&other), "Y"));
  struct bl_record none = {.properties = BL_SLICE("KEYS\1Y\2")};
  assert_null(bl_redrive__origin(&none).ptr);
}

static void properties_of_deliveries_stay_behind(void **state) {
  (void)state;
  struct bl_buf out;
  bl_buf_init(&out, 1000);
  bl_redrive__properties(&letter, &out);
  struct bl_slice text = bl_buf_slice(&out);
  assert_true(bl_slice_is(text, "KEYS\1a bc d\2TAGS\1T\2ORIGIN_MESSAGE_ID\1O1\2own\1 v \2"));
  bl_buf_clear(&out);
  struct bl_record first = {.properties = BL_SLICE("UNIQ_KEY\1U1\2POP_CK\1z\2")};
  bl_redrive__properties(&first, &out);
  text = bl_buf_slice(&out);
  assert_true(bl_slice_is(text, "ORIGIN_MESSAGE_ID\1U1\2"));
  bl_buf_fini(&out);
}

static void every_filter_has_its_group(void **state) {
  (void)state;
  struct bl_arena arena;
  bl_arena_init(&arena);
  const struct bl_redrive_filter filters[] = {{.from_ms = 0},
                                              {.key = BL_SLICE("a")},
                                              {.tag = BL_SLICE("a")},
                                              {.key = BL_SLICE("a"), .tag = BL_SLICE("a")},
                                              {.key = BL_SLICE("a 1:a")},
                                              {.from_ms = 1},
                                              {.until_ms = 1}};
  size_t count = sizeof(filters) / sizeof(filters[0]);
  assert_true(bl_slice_is(bl_redrive_group(BL_SLICE("G"), &filters[0], &arena), "redrive_G"));
  for (size_t i = 0; i < count; i++) {
    struct bl_slice one = bl_redrive_group(BL_SLICE("G"), &filters[i], &arena);
    assert_int_equal(one.len, i == 0 ? 9 : 18);
    for (size_t j = 0; j < i; j++) {
      assert_false(bl_slice_eq(one, bl_redrive_group(BL_SLICE("G"), &filters[j], &arena)));
    }
  }
  bl_arena_fini(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(filters_take_what_fits),
      cmocka_unit_test(a_letter_says_where_it_came_from),
      cmocka_unit_test(properties_of_deliveries_stay_behind),
      cmocka_unit_test(every_filter_has_its_group),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
