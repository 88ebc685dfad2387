/* What a start makes of the files and the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "store/meta/meta_testlib.h"
#include "store/queues/driver_testlib.h"

static void an_empty_store_starts_with_empty_tables(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  assert_int_equal(f->tables[0].value[0], 0);
  assert_int_equal(mt_stats_of(f).recovered_tables, 0);
  assert_int_equal(mt_stats_of(f).foreign_tables, 0);
}

static void without_a_snapshot_the_log_has_everything(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  mt_change(f, 0, 1, 5);
  mt_change(f, 1, 2, 6);
  mt_change(f, 0, 1, 0);
  mt_change(f, 0, 3, 8);
  mt_restart(f);
  assert_int_equal(f->tables[0].value[1], 0);
  assert_int_equal(f->tables[0].value[3], 8);
  assert_int_equal(f->tables[1].value[2], 6);
  assert_int_equal(mt_stats_of(f).applied_records, 4);
}

static void a_snapshot_shortens_the_replay(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  mt_change(f, 0, 1, 5);
  mt_change(f, 1, 2, 6);
  assert_int_equal(mt_snapshot(f), BL_OK);
  mt_change(f, 0, 1, 9);
  mt_restart(f);
  assert_int_equal(mt_stats_of(f).applied_records, 1);
  assert_int_equal(mt_stats_of(f).foreign_tables, 0);
  assert_int_equal(f->tables[0].value[1], 9);
  assert_int_equal(f->tables[1].value[2], 6);
  /* Nothing changed: the second snapshot writes no table and moves the offset. */
  int64_t writes = bl_disk_fake_count(f->fake, BL_FAKE_WRITE);
  assert_int_equal(mt_snapshot(f), BL_OK);
  assert_true(bl_disk_fake_count(f->fake, BL_FAKE_WRITE) > writes);
  writes = bl_disk_fake_count(f->fake, BL_FAKE_WRITE);
  assert_int_equal(mt_snapshot(f), BL_OK);
  assert_int_equal(bl_disk_fake_count(f->fake, BL_FAKE_WRITE), writes + 2); /* it and its .bak */
  mt_restart(f);
  assert_int_equal(mt_stats_of(f).applied_records, 0);
  assert_int_equal(f->tables[0].value[1], 9);
}

static void live_records_are_not_applied_twice(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  mt_change(f, 0, 1, 5);
  f->tables[0].value[1] = 6; /* as if the owner went on before the record became visible */
  mt_show(f, 0);
  assert_int_equal(f->tables[0].value[1], 6);
}

static void a_foreign_file_wins_whole(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  mt_change(f, 0, 1, 5);
  mt_change(f, 1, 1, 7);
  assert_int_equal(mt_snapshot(f), BL_OK);
  mt_change(f, 0, 2, 6); /* after our last snapshot; the other program read the log, or did not */
  mt_change(f, 1, 2, 8);
  mt_write_file(f, "/store/config/topics.json", "{\n\tvalues:{n4:44}\n}");
  mt_restart(f);
  assert_int_equal(mt_stats_of(f).foreign_tables, 1);
  assert_int_equal(f->tables[0].value[1], 0);
  assert_int_equal(f->tables[0].value[2], 0);
  assert_int_equal(f->tables[0].value[4], 44);
  assert_int_equal(f->tables[1].value[1], 7);
  assert_int_equal(f->tables[1].value[2], 8);
  /* What we write from here on counts, also when the next snapshot never comes. */
  mt_change(f, 0, 5, 55);
  mt_restart(f);
  assert_int_equal(mt_stats_of(f).foreign_tables, 0);
  assert_int_equal(f->tables[0].value[2], 0);
  assert_int_equal(f->tables[0].value[4], 44);
  assert_int_equal(f->tables[0].value[5], 55);
}

static void files_of_a_java_store_are_taken_over(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(f->disk->ops->make_dir(f->disk, "/store/config", NULL), BL_OK);
  mt_write_file(f, "/store/config/topics.json", "{\"values\":{\"n1\":11,},}");
  assert_int_equal(mt_start(f, &why), BL_OK);
  assert_int_equal(f->tables[0].value[1], 11);
  assert_int_equal(mt_stats_of(f).foreign_tables, 1);
}

static void a_damaged_file_is_replaced_by_its_previous(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  mt_change(f, 0, 1, 5);
  assert_int_equal(mt_snapshot(f), BL_OK);
  mt_change(f, 0, 2, 6);
  assert_int_equal(mt_snapshot(f), BL_OK);
  mt_change(f, 0, 3, 7);
  static const char *const damages[] = {"", "{\"values\":{\"n1\":5", "[]"};
  for (int i = 0; i < 3; i++) {
    mt_write_file(f, "/store/config/topics.json", damages[i]);
    mt_restart(f);
    assert_int_equal(mt_stats_of(f).recovered_tables, 1);
    assert_int_equal(mt_stats_of(f).applied_records, 2);
    assert_int_equal(f->tables[0].value[1], 5);
    assert_int_equal(f->tables[0].value[2], 6);
    assert_int_equal(f->tables[0].value[3], 7);
  }
  /* The damaged one does not become the previous one. */
  assert_int_equal(mt_snapshot(f), BL_OK);
  mt_write_file(f, "/store/config/topics.json", "");
  mt_restart(f);
  assert_int_equal(mt_stats_of(f).applied_records, 2);
  assert_int_equal(f->tables[0].value[3], 7);
}

static void with_both_damaged_the_log_has_it(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  mt_change(f, 0, 1, 5);
  assert_int_equal(mt_snapshot(f), BL_OK);
  mt_change(f, 0, 2, 6);
  assert_int_equal(mt_snapshot(f), BL_OK);
  mt_write_file(f, "/store/config/topics.json", "{");
  mt_write_file(f, "/store/config/topics.json.bak", "{");
  mt_restart(f);
  assert_int_equal(mt_stats_of(f).recovered_tables, 1);
  assert_int_equal(f->tables[0].value[1], 5);
  assert_int_equal(f->tables[0].value[2], 6);
  /* Removed is damaged, too, never "delete all". */
  assert_int_equal(f->disk->ops->remove(f->disk, "/store/config/topics.json"), BL_OK);
  assert_int_equal(f->disk->ops->remove(f->disk, "/store/config/topics.json.bak"), BL_OK);
  mt_restart(f);
  assert_int_equal(f->tables[0].value[2], 6);
}

static void an_unreadable_file_stops_the_start(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  mt_change(f, 0, 1, 5);
  assert_int_equal(mt_snapshot(f), BL_OK);
  bl_meta_free(f->meta);
  mt_open_meta(f);
  bl_disk_fake_fail(f->fake, BL_FAKE_READ, "topics.json", 0, 1, BL_ERR_IO);
  int64_t covered;
  assert_int_equal(f->follower->ops->load(f->follower, &covered, &why), BL_ERR_IO);
  assert_non_null(strstr(why.text, "topics.json"));
}

static void a_damaged_covered_file_is_replaced_by_its_previous(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  mt_change(f, 0, 1, 5);
  assert_int_equal(mt_snapshot(f), BL_OK);
  mt_change(f, 0, 2, 6);
  mt_write_file(f, "/store/bolide/meta.covered", "bolide-meta-covered 1\ngeneration topic 0 1 1\n");
  mt_restart(f);
  assert_int_equal(mt_stats_of(f).foreign_tables, 0);
  assert_int_equal(f->tables[0].value[1], 5);
  assert_int_equal(f->tables[0].value[2], 6);
  mt_write_file(f, "/store/bolide/meta.covered", "bolide-meta-covered 2\nend 2045222645\n");
  bl_meta_free(f->meta);
  mt_open_meta(f);
  int64_t covered;
  assert_int_equal(f->follower->ops->load(f->follower, &covered, &why), BL_ERR_VERSION);
  assert_non_null(strstr(why.text, "version 2"));
  assert_non_null(strstr(why.text, "version 1"));
}

static void a_record_of_a_later_version_stops_the_start(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  mt_change(f, 0, 1, 5);
  f->log[0].version = "2";
  bl_meta_free(f->meta);
  mt_open_meta(f);
  assert_int_equal(mt_start(f, &why), BL_ERR_VERSION);
  assert_non_null(strstr(why.text, "log offset 0 has version 2"));
}

static void strange_records_are_skipped(void **state) {
  struct mt *f = *state;
  bl_driver_load(f->follower);
  static const struct {
    const char *properties;
    const char *body;
    int skipped;
  } cases[] = {
      {"TAGS\x01"
       "zebra\x02"
       "BOLIDE_V\x01"
       "1\x02"
       "BOLIDE_OP\x01put\x02"
       "BOLIDE_NAME\x01n1\x02",
       "{}", 1},
      {"TAGS\x01topic\x02"
       "BOLIDE_OP\x01put\x02"
       "BOLIDE_NAME\x01n1\x02",
       "{}", 1},
      {"TAGS\x01topic\x02"
       "BOLIDE_V\x01"
       "1\x02"
       "BOLIDE_OP\x01put\x02",
       "{}", 1},
      {"TAGS\x01topic\x02"
       "BOLIDE_V\x01"
       "1\x02"
       "BOLIDE_OP\x01turn\x02"
       "BOLIDE_NAME\x01n1\x02",
       "{}", 1},
      {"TAGS\x01topic\x02"
       "BOLIDE_V\x01"
       "1\x02"
       "BOLIDE_OP\x01put\x02"
       "BOLIDE_NAME\x01n1\x02",
       "{", 1},
      {"", "", 1},
      {"TAGS\x01topic\x02"
       "BOLIDE_V\x01"
       "1\x02"
       "BOLIDE_OP\x01put\x02"
       "BOLIDE_NAME\x01n1\x02",
       "{\"value\":3}", 0},
  };
  int skipped = 0;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_record record = {
        .topic = BL_SLICE(BL_META_TOPIC),
        .log_offset = (int64_t)i,
        .properties = bl_slice_text(cases[i].properties),
        .body = bl_slice_text(cases[i].body),
    };
    f->follower->ops->on_record(f->follower, &record);
    skipped += cases[i].skipped;
    assert_int_equal(mt_stats_of(f).skipped_records, skipped);
  }
  assert_int_equal(f->tables[0].value[1], 3);
  struct bl_record message = {.topic = BL_SLICE("T"), .properties = BL_SLICE("TAGS\x01topic\x02")};
  f->follower->ops->on_record(f->follower, &message);
  assert_int_equal(mt_stats_of(f).skipped_records, skipped);
}

static void a_log_that_lost_its_end_does_not_hide_what_follows(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  mt_change(f, 0, 1, 5);
  for (int i = 0; i < 10; i++) mt_change(f, 1, 1, i + 1);
  assert_int_equal(mt_snapshot(f), BL_OK);
  bl_meta_free(f->meta);
  f->log_count = 3; /* somebody cut it */
  mt_open_meta(f);
  assert_int_equal(bl_driver_load(f->follower), 11 * MT_RECORD_BYTES);
  f->follower->ops->discard(f->follower);
  for (int i = 0; i < f->log_count; i++) mt_show(f, i);
  assert_int_equal(bl_meta_replay_done(f->meta, mt_log_end(f), &why), BL_OK);
  assert_int_equal(f->tables[0].value[1], 5);
  assert_int_equal(f->tables[1].value[1], 10);
  mt_change(f, 1, 1, 77);
  mt_change(f, 2, 2, 88);
  mt_restart(f);
  assert_int_equal(f->tables[0].value[1], 5);
  assert_int_equal(f->tables[1].value[1], 77);
  assert_int_equal(f->tables[2].value[2], 88);
  assert_int_equal(mt_stats_of(f).foreign_tables, 0);
}

/* Retention asks what of the log is needed: records behind a .bak are, so that it can stand in; and
 * a .bak does not get old. */
static void a_previous_file_needs_the_log_behind_it_and_is_renewed(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  mt_change(f, 0, 1, 5);
  assert_int_equal(mt_snapshot(f), BL_OK);
  int64_t first = mt_log_end(f);
  mt_change(f, 0, 1, 6);
  assert_int_equal(mt_snapshot(f), BL_OK);
  assert_int_equal(f->follower->ops->needs_from(f->follower), first);
  /* Much of the log later nothing else has changed. */
  int64_t later = mt_log_end(f) + (2 << 20);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, later), BL_OK);
  assert_int_equal(f->follower->ops->needs_from(f->follower), later);
  bl_meta_free(f->meta);
  mt_write_file(f, "/store/config/topics.json", "{damaged");
  f->log_count = 0; /* the files with the records are gone */
  mt_open_meta(f);
  assert_int_equal(bl_driver_load(f->follower), later);
  assert_int_equal(f->tables[0].value[1], 6);
  assert_int_equal(bl_meta_replay_done(f->meta, later, &why), BL_OK);
}

static void a_snapshot_given_up_halfway_leaks_nothing(void **state) {
  struct mt *f = *state;
  struct bl_why why;
  assert_int_equal(mt_start(f, &why), BL_OK);
  struct bl_snapshot half;
  bl_driver_begin(&half, 0);
  for (int i = 0; i < MT_NAMES + 2; i++)
    assert_true(f->follower->ops->snapshot_step(f->follower, &half));
  assert_int_equal(f->tables[1].cursors, 1);
  f->follower->ops->snapshot_done(f->follower, &half, BL_ERR_IO);
  assert_int_equal(f->tables[1].cursors, 0);
  bl_driver_drop(&half);
  mt_change(f, 0, 1, 5);
  assert_int_equal(mt_snapshot(f), BL_OK);
  mt_restart(f);
  assert_int_equal(f->tables[0].value[1], 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(an_empty_store_starts_with_empty_tables, mt_setup,
                                      mt_teardown),
      cmocka_unit_test_setup_teardown(without_a_snapshot_the_log_has_everything, mt_setup,
                                      mt_teardown),
      cmocka_unit_test_setup_teardown(a_snapshot_shortens_the_replay, mt_setup, mt_teardown),
      cmocka_unit_test_setup_teardown(live_records_are_not_applied_twice, mt_setup, mt_teardown),
      cmocka_unit_test_setup_teardown(a_foreign_file_wins_whole, mt_setup, mt_teardown),
      cmocka_unit_test_setup_teardown(files_of_a_java_store_are_taken_over, mt_setup, mt_teardown),
      cmocka_unit_test_setup_teardown(a_damaged_file_is_replaced_by_its_previous, mt_setup,
                                      mt_teardown),
      cmocka_unit_test_setup_teardown(with_both_damaged_the_log_has_it, mt_setup, mt_teardown),
      cmocka_unit_test_setup_teardown(an_unreadable_file_stops_the_start, mt_setup, mt_teardown),
      cmocka_unit_test_setup_teardown(a_damaged_covered_file_is_replaced_by_its_previous, mt_setup,
                                      mt_teardown),
      cmocka_unit_test_setup_teardown(a_record_of_a_later_version_stops_the_start, mt_setup,
                                      mt_teardown),
      cmocka_unit_test_setup_teardown(strange_records_are_skipped, mt_setup, mt_teardown),
      cmocka_unit_test_setup_teardown(a_log_that_lost_its_end_does_not_hide_what_follows, mt_setup,
                                      mt_teardown),
      cmocka_unit_test_setup_teardown(a_previous_file_needs_the_log_behind_it_and_is_renewed,
                                      mt_setup, mt_teardown),
      cmocka_unit_test_setup_teardown(a_snapshot_given_up_halfway_leaks_nothing, mt_setup,
                                      mt_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
