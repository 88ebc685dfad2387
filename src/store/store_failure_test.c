/* What the store does when the disk fails, and when it is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/store_testlib.h"

static void check_stopped(struct st *st, int64_t acked) {
  struct bl_why why = {""};
  assert_true(bl_store_failed(st->store, &why));
  assert_non_null(strstr(why.text, "the log stopped"));
  assert_int_equal(st->acked, acked);
  assert_int_equal(st_append(st, 10), BL_ERR_NOT_AVAILABLE);
  assert_int_equal(bl_store_can_append(st->store, 10), BL_ERR_NOT_AVAILABLE);
  struct bl_store_marks marks = bl_store_marks(st->store);
  assert_int_equal(marks.visible, marks.flushed);
  char byte;
  assert_int_equal(bl_store_read(st->store, marks.flushed, 1, &byte), BL_ERR_NOT_FOUND);
}

static void a_failed_write_stops_the_store(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  for (int i = 0; i < 5; i++) st_send(&st, 100);
  st_settle(&st);
  bl_disk_fake_fail(st.fake, BL_FAKE_WRITE, "commitlog", 0, 1, BL_ERR_IO);
  for (int i = 0; i < 3; i++) st_send(&st, 100);
  st_settle(&st);
  assert_int_equal(st.refused, 3);
  assert_int_equal(st.refused_err, BL_ERR_SYSTEM);
  check_stopped(&st, 5);
  st_check_prefix(&st, 5);
  st_close(&st);
  st_open(&st); /* the disk works again */
  assert_false(bl_store_failed(st.store, NULL));
  st_check_prefix(&st, 5);
  st_fini(&st);
}

static void a_failed_sync_is_never_followed_by_belief(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  for (int i = 0; i < 5; i++) st_send(&st, 100);
  st_settle(&st);
  bl_disk_fake_fail(st.fake, BL_FAKE_SYNC, "commitlog", 0, 1, BL_ERR_IO);
  for (int i = 0; i < 3; i++) st_send(&st, 100);
  st_settle(&st);
  int64_t syncs = bl_disk_fake_count(st.fake, BL_FAKE_SYNC);
  assert_int_equal(st.refused, 3);
  assert_int_equal(st.refused_err, BL_ERR_SYSTEM);
  check_stopped(&st, 5);
  st_pass(&st, 60000);
  assert_int_equal(bl_disk_fake_count(st.fake, BL_FAKE_SYNC), syncs);
  assert_true(st.notes > 0);
  assert_non_null(strstr(st.note, "store."));
  st_close(&st);
  /* What the kernel holds reads well but is not on the disk: opening must write it again before it
   * is believed, else the power loss that follows takes messages that consumers were shown. */
  st_open(&st);
  int64_t count = st_check_prefix(&st, 5);
  st_power_loss(&st, 1);
  st_open(&st);
  st_check_prefix(&st, count);
  st_fini(&st);
}

static void async_flush_shows_nothing_more_after_a_failed_sync(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.settings.flush_mode = BL_FLUSH_ASYNC;
  st_open(&st);
  st_send(&st, 100);
  st_settle(&st);
  st_pass(&st, 500);
  st_send(&st, 100);
  st_settle(&st);
  assert_int_equal(st.acked, 2);
  bl_disk_fake_fail(st.fake, BL_FAKE_SYNC, "commitlog", 0, -1, BL_ERR_IO);
  st_pass(&st, 500);
  check_stopped(&st, 2);
  struct bl_store_marks marks = bl_store_marks(st.store);
  assert_true(marks.flushed > 0 && marks.flushed < marks.written);
  st_fini(&st);
}

static void a_write_that_fails_during_a_sync_spoils_that_sync_too(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_send(&st, 100);
  bl_store_end_turn(st.store); /* sync under way */
  bl_disk_fake_fail(st.fake, BL_FAKE_WRITE, "commitlog", 0, 1, BL_ERR_IO);
  st_send(&st, 100);
  st_settle(&st);
  assert_int_equal(st.refused, 2);
  assert_int_equal(bl_store_marks(st.store).flushed, 0);
  check_stopped(&st, 0);
  st_fini(&st);
}

static void waiting_after_the_failure_ends_at_the_next_turn(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  bl_disk_fake_fail(st.fake, BL_FAKE_SYNC, "commitlog", 0, 1, BL_ERR_IO);
  st_send(&st, 100);
  bl_store_end_turn(st.store);
  st_send(&st, 100); /* the sync runs, nobody knows yet */
  bl_worker_drain(st.flush);
  assert_int_equal(st.refused, 0);
  bl_store_end_turn(st.store);
  assert_int_equal(st.refused, 2);
  st_fini(&st);
}

static void no_folder_sync_no_ack(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  bl_disk_fake_fail(st.fake, BL_FAKE_SYNC_DIR, "commitlog", 0, 1, BL_ERR_IO);
  st_send(&st, 100);
  st_settle(&st);
  check_stopped(&st, 0);
  st_fini(&st);
}

static void a_full_disk_refuses_and_recovers_by_itself(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  bl_disk_fake_set_free(st.fake, 1000);
  bl_err err = BL_OK;
  while (err == BL_OK) {
    err = st_append(&st, 1000);
    st_settle(&st);
  }
  assert_int_equal(err, BL_ERR_NO_SPACE);
  assert_int_equal(st.acked, st.next);
  /* The current file was used up, but for what is kept for metadata. */
  assert_in_range(bl_store_marks(st.store).appended, 65536 * 3 / 4 - 2000, 65536 * 3 / 4);
  st_pass(&st, 1000);
  assert_int_equal(st_append(&st, 1000), BL_ERR_NO_SPACE);
  assert_false(bl_store_failed(st.store, NULL));
  st_check_prefix(&st, st.next); /* reads go on */
  bl_disk_fake_set_free(st.fake, 10 << 20);
  st_pass(&st, 999);
  assert_int_equal(st_append(&st, 1000), BL_ERR_NO_SPACE);
  st_pass(&st, 1);
  assert_int_equal(st_append(&st, 1000), BL_OK);
  st_settle(&st);
  assert_int_equal(st.acked, st.next);
  st_close(&st);
  st_open(&st);
  st_check_prefix(&st, st.next);
  st_fini(&st);
}

static void opening_on_a_full_disk_says_so(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  bl_disk_fake_set_free(st.fake, 1000);
  struct bl_why why = {""};
  assert_int_equal(st_try_open(&st, &why), BL_ERR_NO_SPACE);
  assert_non_null(strstr(why.text, "65536"));
  bl_disk_fake_set_free(st.fake, -1);
  st_open(&st);
  st_fini(&st);
}

static void a_segment_that_cannot_be_made_is_tried_again(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  bl_disk_fake_fail(st.fake, BL_FAKE_RENAME, "spare", 0, 2, BL_ERR_IO);
  while (st_append(&st, 1000) == BL_OK) st_settle(&st);
  assert_int_equal(st_append(&st, 1000), BL_ERR_NOT_AVAILABLE);
  st_pass(&st, 1000);
  assert_int_equal(st_append(&st, 1000), BL_ERR_NOT_AVAILABLE);
  st_pass(&st, 1000);
  assert_int_equal(st_append(&st, 1000), BL_OK);
  st_fini(&st);
}

static void a_failed_snapshot_is_tried_again(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_send(&st, 100);
  st_settle(&st);
  bl_disk_fake_fail(st.fake, BL_FAKE_WRITE, "toy.snapshot", 0, 1, BL_ERR_NO_SPACE);
  st_pass(&st, 30000);
  assert_int_equal(st.toy.snapshots_failed, 1);
  assert_int_equal(st.toy.snapshots_done, 0);
  st_pass(&st, 30000);
  assert_int_equal(st.toy.snapshots_done, 1);
  st_fini(&st);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_failed_write_stops_the_store),
      cmocka_unit_test(a_failed_sync_is_never_followed_by_belief),
      cmocka_unit_test(async_flush_shows_nothing_more_after_a_failed_sync),
      cmocka_unit_test(a_write_that_fails_during_a_sync_spoils_that_sync_too),
      cmocka_unit_test(waiting_after_the_failure_ends_at_the_next_turn),
      cmocka_unit_test(no_folder_sync_no_ack),
      cmocka_unit_test(a_full_disk_refuses_and_recovers_by_itself),
      cmocka_unit_test(opening_on_a_full_disk_says_so),
      cmocka_unit_test(a_segment_that_cannot_be_made_is_tried_again),
      cmocka_unit_test(a_failed_snapshot_is_tried_again),
  };
  return st_run(tests, sizeof(tests) / sizeof(tests[0]));
}
