/* Consumer offsets: commits, what goes into the log, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "broker/offset/offsets.h"

#define T BL_SLICE("T")
#define G BL_SLICE("G")

static struct bl_clock_fake clock_fake;
static struct bl_offsets offsets;
static struct bl_arena arena;

static int set_up(void **state) {
  (void)state;
  bl_clock_fake_init(&clock_fake, 1700000000000);
  bl_offsets_init(&offsets, &clock_fake.clock);
  bl_arena_init(&arena);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  bl_offsets_fini(&offsets);
  bl_arena_fini(&arena);
  return 0;
}

static void commit(int32_t queue_id, int64_t offset) {
  assert_int_equal(bl_offsets_commit(&offsets, T, G, queue_id, offset), BL_OK);
}

/* The next record of changed offsets; NULL without. */
static const char *taken(size_t max_bytes) {
  struct bl_buf out;
  bl_buf_init(&out, 1 << 20);
  bool any = bl_offsets_take_changed(&offsets, &out, max_bytes);
  const char *text = any ? bl_arena_copy(&arena, bl_buf_slice(&out)).ptr : NULL;
  assert_false(out.failed);
  bl_buf_fini(&out);
  return text;
}

static void only_changes_are_logged(void **state) {
  (void)state;
  assert_null(taken(1000));
  commit(0, 5);
  commit(2, 7);
  assert_string_equal(taken(1000), "{\"offsetTable\":{\"T@G\":{0:5,1:-1,2:7}}}");
  assert_null(taken(1000));
  commit(0, 5);
  assert_null(taken(1000));
  commit(2, 6); /* back: administrators do */
  assert_string_equal(taken(1000), "{\"offsetTable\":{\"T@G\":{2:6}}}");
  assert_int_equal(bl_offsets_committed(&offsets, T, G, 2), 6);
  assert_int_equal(bl_offsets_committed(&offsets, T, G, 1), BL_OFFSET_NONE);
  assert_int_equal(bl_offsets_committed(&offsets, T, G, -1), BL_OFFSET_NONE);
  assert_int_equal(bl_offsets_committed(&offsets, T, G, 100000), BL_OFFSET_NONE);
}

static void a_negative_commit_takes_it_away(void **state) {
  (void)state;
  commit(0, 5);
  assert_non_null(taken(1000));
  commit(0, -7);
  assert_int_equal(bl_offsets_committed(&offsets, T, G, 0), BL_OFFSET_NONE);
  assert_string_equal(taken(1000), "{\"offsetTable\":{\"T@G\":{0:-1}}}");
}

static void impossible_commits_are_refused(void **state) {
  (void)state;
  char name[700];
  memset(name, 'x', sizeof(name));
  assert_int_equal(bl_offsets_commit(&offsets, T, G, -1, 1), BL_ERR_PARAMETER);
  assert_int_equal(bl_offsets_commit(&offsets, T, G, BL_OFFSET_QUEUES_MAX, 1), BL_ERR_PARAMETER);
  assert_int_equal(bl_offsets_commit(&offsets, T, BL_SLICE(""), 0, 1), BL_ERR_PARAMETER);
  assert_int_equal(bl_offsets_commit(&offsets, bl_slice_of(name, 700), G, 0, 1), BL_ERR_PARAMETER);
  offsets.slots_max = 8;
  commit(3, 1);
  assert_int_equal(bl_offsets_commit(&offsets, T, BL_SLICE("G2"), 100, 1), BL_ERR_FULL);
  assert_null(bl_offsets_find(&offsets, T, BL_SLICE("G2")));
  bl_offsets_note_pull(&offsets, T, BL_SLICE("G2"), 100, 1);
  assert_int_equal(bl_offsets_pulled(&offsets, T, BL_SLICE("G2"), 100), BL_OFFSET_NONE);
  /* What is forgotten makes room. */
  commit(7, 1);
  assert_int_equal(bl_offsets_forget(&offsets, BL_SLICE("T@G")), 1);
  assert_int_equal(bl_offsets_commit(&offsets, T, BL_SLICE("G2"), 7, 1), BL_OK);
}

static void pulls_are_no_commits(void **state) {
  (void)state;
  bl_offsets_note_pull(&offsets, T, G, 1, 9);
  assert_int_equal(bl_offsets_pulled(&offsets, T, G, 1), 9);
  assert_int_equal(bl_offsets_pulled(&offsets, T, G, 0), BL_OFFSET_NONE);
  assert_int_equal(bl_offsets_committed(&offsets, T, G, 1), BL_OFFSET_NONE);
  assert_null(taken(1000));
}

static void patterns_forget(void **state) {
  (void)state;
  const char *const topics[] = {"A", "A", "B", "B"};
  const char *const groups[] = {"X", "Y", "X", "Y"};
  for (int i = 0; i < 4; i++) {
    assert_int_equal(
        bl_offsets_commit(&offsets, bl_slice_text(topics[i]), bl_slice_text(groups[i]), 0, i),
        BL_OK);
  }
  assert_int_equal(bl_offsets_forget(&offsets, BL_SLICE("@")), 0);
  assert_int_equal(bl_offsets_forget(&offsets, BL_SLICE("A@X")), 1);
  assert_int_equal(bl_offsets_forget(&offsets, BL_SLICE("B@")), 2);
  assert_int_equal(bl_offsets_forget(&offsets, BL_SLICE("@X")), 0);
  /* What went before it was logged is not logged. */
  assert_string_equal(taken(1000), "{\"offsetTable\":{\"A@Y\":{0:1}}}");
}

/* Cutting rows loses nothing: what the records say, applied in order, is the table. */
static void records_give_the_table_again(void **state) {
  (void)state;
  struct bl_offsets replayed;
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  bl_offsets_init(&replayed, &clock_fake.clock);
  for (int i = 0; i < 3000; i++) {
    char group[16];
    snprintf(group, sizeof(group), "G%d", rand_r(&seed) % 3);
    int64_t offset = rand_r(&seed) % 5 - 1;
    assert_int_equal(
        bl_offsets_commit(&offsets, T, bl_slice_text(group), rand_r(&seed) % 300, offset), BL_OK);
    if (rand_r(&seed) % 10 != 0 && i != 2999) continue;
    const char *text;
    do {
      text = taken(200);
      const struct bl_json *root;
      if (text == NULL) break;
      assert_true(strlen(text) < 300);
      assert_int_equal(bl_json_parse(bl_slice_text(text), BL_JSON_DIALECT, &arena, &root, NULL),
                       BL_OK);
      bl_offsets_apply(&replayed, BL_SLICE("*"), root, 0);
    } while (i == 2999 || rand_r(&seed) % 3 != 0);
  }
  for (int g = 0; g < 3; g++) {
    char group[16];
    snprintf(group, sizeof(group), "G%d", g);
    for (int32_t id = 0; id < 300; id++) {
      assert_int_equal(bl_offsets_committed(&replayed, T, bl_slice_text(group), id),
                       bl_offsets_committed(&offsets, T, bl_slice_text(group), id));
    }
  }
  bl_offsets_fini(&replayed);
}

static void a_foreign_file_replaces_all(void **state) {
  (void)state;
  const struct bl_json *root;
  struct bl_why why;
  commit(0, 5);
  assert_int_equal(
      bl_json_parse(BL_SLICE("{\"offsetTable\":{\"T@H\":{0:3,99999:1,x:2},\"bad\":{0:1}}}"),
                    BL_JSON_DIALECT, &arena, &root, NULL),
      BL_OK);
  assert_int_equal(bl_offsets_replace(&offsets, root, &why), BL_OK);
  assert_int_equal(bl_offsets_committed(&offsets, T, G, 0), BL_OFFSET_NONE);
  assert_int_equal(bl_offsets_committed(&offsets, T, BL_SLICE("H"), 0), 3);
  assert_int_equal(offsets.table.map.count, 1);
  assert_null(taken(1000));
  assert_int_equal(bl_json_parse(BL_SLICE("{}"), BL_JSON_DIALECT, &arena, &root, NULL), BL_OK);
  assert_int_equal(bl_offsets_replace(&offsets, root, &why), BL_ERR_FORMAT);
  assert_int_equal(bl_offsets_committed(&offsets, T, BL_SLICE("H"), 0), 3);
}

static int64_t pending(int32_t queue_id) {
  return bl_offsets_pending_reset(&offsets, T, G, queue_id);
}

static void a_reset_is_taken_once(void **state) {
  (void)state;
  commit(0, 50);
  assert_int_equal(bl_offsets_reset(&offsets, T, G, 2, 7), BL_OK);
  assert_int_equal(bl_offsets_reset(&offsets, T, G, 2, 8), BL_OK);
  assert_int_equal(bl_offsets_reset(&offsets, T, G, 9, 1), BL_OK); /* more queues */
  assert_int_equal(offsets.resets, 2);
  assert_int_equal(pending(0), BL_OFFSET_NONE);
  assert_int_equal(pending(2), 8);
  assert_int_equal(pending(-1), BL_OFFSET_NONE);
  assert_int_equal(pending(100000), BL_OFFSET_NONE);
  assert_int_equal(bl_offsets_committed(&offsets, T, G, 2), 8);
  assert_int_equal(bl_offsets_take_reset(&offsets, T, G, 2), 8);
  assert_int_equal(bl_offsets_take_reset(&offsets, T, G, 2), BL_OFFSET_NONE);
  assert_int_equal(bl_offsets_take_reset(&offsets, T, G, 9), 1);
  assert_int_equal(offsets.resets, 0);
  assert_int_equal(bl_offsets_take_reset(&offsets, T, G, 9), BL_OFFSET_NONE);
}

static void bad_resets_change_nothing(void **state) {
  (void)state;
  assert_int_equal(bl_offsets_reset(&offsets, T, G, 0, -1), BL_ERR_PARAMETER);
  assert_int_equal(bl_offsets_reset(&offsets, T, G, -1, 5), BL_ERR_PARAMETER);
  assert_int_equal(bl_offsets_reset(&offsets, T, G, BL_OFFSET_QUEUES_MAX, 5), BL_ERR_PARAMETER);
  offsets.slots_max = 10;
  assert_int_equal(bl_offsets_reset(&offsets, T, G, 10, 5), BL_ERR_FULL);
  assert_int_equal(offsets.resets, 0);
  assert_int_equal(offsets.table.map.count, 0);
}

static void resets_go_with_their_rows(void **state) {
  (void)state;
  struct bl_why why;
  assert_int_equal(bl_offsets_reset(&offsets, T, G, 0, 7), BL_OK);
  assert_int_equal(bl_offsets_reset(&offsets, T, BL_SLICE("H"), 0, 7), BL_OK);
  assert_int_equal(bl_offsets_forget(&offsets, BL_SLICE("@G")), 1);
  assert_int_equal(offsets.resets, 1);
  assert_int_equal(bl_offsets_replace(&offsets, NULL, &why), BL_OK);
  assert_int_equal(offsets.resets, 0);
}

static void offsets_are_cloned(void **state) {
  (void)state;
  struct bl_slice h = BL_SLICE("H");
  commit(0, 5);
  commit(3, 9);
  assert_int_equal(bl_offsets_commit(&offsets, T, h, 1, 4), BL_OK);
  assert_int_equal(bl_offsets_commit(&offsets, T, h, 6, 4), BL_OK);
  assert_non_null(taken(1000));
  assert_int_equal(bl_offsets_clone(&offsets, T, G, h), BL_OK);
  assert_int_equal(bl_offsets_committed(&offsets, T, h, 0), 5);
  assert_int_equal(bl_offsets_committed(&offsets, T, h, 1), BL_OFFSET_NONE);
  assert_int_equal(bl_offsets_committed(&offsets, T, h, 3), 9);
  assert_int_equal(bl_offsets_committed(&offsets, T, h, 6), BL_OFFSET_NONE);
  assert_string_equal(taken(1000),
                      "{\"offsetTable\":{\"T@H\":{0:5,1:-1,2:-1,3:9,4:-1,5:-1,6:-1}}}");
  assert_int_equal(bl_offsets_clone(&offsets, T, BL_SLICE("NONE"), h), BL_OK);
  assert_int_equal(bl_offsets_clone(&offsets, T, G, BL_SLICE("")), BL_ERR_PARAMETER);
  assert_null(taken(1000));
  offsets.slots_max = offsets.slots;
  assert_int_equal(bl_offsets_clone(&offsets, T, G, BL_SLICE("I")), BL_ERR_FULL);
  assert_int_equal(bl_offsets_committed(&offsets, T, BL_SLICE("I"), 0), BL_OFFSET_NONE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(only_changes_are_logged, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_negative_commit_takes_it_away, set_up, tear_down),
      cmocka_unit_test_setup_teardown(impossible_commits_are_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(pulls_are_no_commits, set_up, tear_down),
      cmocka_unit_test_setup_teardown(patterns_forget, set_up, tear_down),
      cmocka_unit_test_setup_teardown(records_give_the_table_again, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_foreign_file_replaces_all, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_reset_is_taken_once, set_up, tear_down),
      cmocka_unit_test_setup_teardown(bad_resets_change_nothing, set_up, tear_down),
      cmocka_unit_test_setup_teardown(resets_go_with_their_rows, set_up, tear_down),
      cmocka_unit_test_setup_teardown(offsets_are_cloned, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
