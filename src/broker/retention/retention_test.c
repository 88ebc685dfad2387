/* The rules by which files of the log go, on a fake disk and a fake clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "broker/register/register.h"
#include "broker/retention/retention_testlib.h"

#define SEGMENT RT_MIB
#define HOUR RT_HOUR

static bl_err send(struct rt *rt, const char *topic, uint32_t bytes, struct bl_why *why) {
  struct bl_sent sent;
  return rt_send(rt, topic, 0, bytes, &sent, why);
}

/* Until the log ends in that file. */
static void fill(struct rt *w, int files) {
  struct bl_why why;
  while (bl_store_marks(w->broker->store).appended < (int64_t)files * SEGMENT - SEGMENT / 2) {
    bl_err err = send(w, "Topic", 60000, &why);
    if (err != BL_OK && err != BL_ERR_BUSY) fail_msg("%s", why.text);
    rt_settle(w);
  }
  bl_store_snapshot_now(w->broker->store);
  rt_settle(w);
}

static int first_file(struct rt *w) {
  return (int)(bl_store_marks(w->broker->store).min_offset / SEGMENT);
}

static void old_files_go_in_their_hour(void **state) {
  (void)state;
  struct rt w;
  rt_begin(&w);
  fill(&w, 5);
  rt_pass(&w, 30 * 60000);
  fill(&w, 6);
  rt_pass(&w, 4 * HOUR); /* 02:43 */
  assert_int_equal(first_file(&w), 0);
  rt_pass(&w, HOUR + 16 * 60000); /* 03:59 */
  assert_int_equal(first_file(&w), 0);
  rt_pass(&w, 2 * 60000);              /* 04:01 */
  assert_int_equal(first_file(&w), 4); /* the file that is written and the one before stay */
  assert_int_equal(w.broker->retention->removed_files, 4);
  assert_int_equal(w.broker->retention->removed_bytes, 4 * SEGMENT);
  rt_end(&w);
}

static void young_files_stay(void **state) {
  (void)state;
  struct rt w;
  rt_begin(&w);
  rt_set(&w, "fileReservedTime", "20");
  fill(&w, 3);
  rt_pass(&w, 4 * HOUR);
  fill(&w, 6);
  rt_pass(&w, 14 * HOUR); /* past 04 and 16: only 18 hours */
  assert_int_equal(first_file(&w), 0);
  bl_retention_delete_now(w.broker->retention);
  rt_pass(&w, 60000);
  assert_int_equal(first_file(&w), 0);
  rt_pass(&w, 3 * HOUR);
  bl_retention_delete_now(w.broker->retention);
  rt_pass(&w, 60000);
  assert_int_equal(first_file(&w), 2); /* the third has a record of 4 hours later behind it */
  rt_end(&w);
}

static void who_asks_need_not_wait_for_the_hour(void **state) {
  (void)state;
  struct rt w;
  rt_begin(&w);
  fill(&w, 5);
  rt_pass(&w, 2 * HOUR); /* 00:13 */
  fill(&w, 6);
  assert_int_equal(first_file(&w), 0);
  bl_retention_delete_now(w.broker->retention);
  rt_pass(&w, 100);
  assert_true(first_file(&w) > 0);
  rt_end(&w);
}

static void a_clock_that_jumps_deletes_nothing(void **state) {
  (void)state;
  struct rt w;
  rt_begin(&w);
  rt_set(&w, "deleteWhen", "0;1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;21;22;23");
  rt_set(&w, "fileReservedTime", "3");
  fill(&w, 6);
  const int64_t jumps[] = {HOUR, 24 * HOUR, -HOUR, -24 * HOUR, 3650 * 24 * HOUR, -RT_START};
  int64_t passed_ms = 0;
  for (int i = 0; i < 6; i++) {
    rt_pass_as(&w, 600000, 600000 + jumps[i]);
    rt_pass_as(&w, 600000, 600000 - jumps[i]);
    passed_ms += 1200000;
    if (first_file(&w) != 0) fail_msg("jump %d", i);
  }
  assert_true(passed_ms < 3 * HOUR);
  /* Real time does. */
  rt_pass(&w, HOUR + 60000);
  assert_int_equal(first_file(&w), 4);
  rt_end(&w);
}

static void a_start_in_another_year_waits(void **state) {
  (void)state;
  struct rt w;
  rt_begin(&w);
  rt_set(&w, "deleteWhen", "0;1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;21;22;23");
  fill(&w, 6);
  rt_close(&w);
  w.clock.now_wall_ms += 365 * 24 * HOUR;
  rt_open(&w);
  rt_pass(&w, 50 * 60000);
  assert_int_equal(first_file(&w), 0);
  rt_pass(&w, 20 * 60000); /* it said the same for an hour */
  assert_int_equal(first_file(&w), 4);
  rt_end(&w);
}

/* Makes the disk that full. */
static void use_percent(struct rt *w, int percent) {
  int64_t total;
  int64_t left;
  bl_disk_fake_set_free(w->fake, 0);
  struct bl_disk *disk = bl_disk_fake_disk(w->fake);
  assert_int_equal(disk->ops->space(disk, "/", &total, &left), BL_OK);
  bl_disk_fake_set_free(w->fake, total * (100 - percent) / percent);
}

static void a_full_disk_takes_the_old_ones_at_any_hour(void **state) {
  (void)state;
  struct rt w;
  rt_begin(&w);
  fill(&w, 6);
  use_percent(&w, 70);
  rt_pass(&w, 2 * HOUR);
  assert_int_equal(first_file(&w), 0);
  use_percent(&w, 77);
  rt_pass(&w, 60000);
  assert_int_equal(first_file(&w), 1); /* then it is not that full any more */
  rt_end(&w);
}

static void a_fuller_one_takes_the_young_ones_as_few_as_possible(void **state) {
  (void)state;
  struct rt w;
  struct bl_why why = {""};
  rt_begin(&w);
  rt_set(&w, "diskSpaceEnoughBytes", "1000");
  fill(&w, 8);
  use_percent(&w, 88);
  rt_pass(&w, 60000);
  assert_int_equal(first_file(&w), 0); /* so many free bytes are said to be enough */
  rt_set(&w, "diskSpaceEnoughBytes", "0");
  rt_set(&w, "cleanFileForciblyEnable", "false");
  rt_pass(&w, 60000);
  assert_int_equal(first_file(&w), 0);
  assert_int_equal(send(&w, "Topic", 10, &why), BL_OK);
  rt_set(&w, "cleanFileForciblyEnable", "true");
  rt_pass(&w, 60000);
  assert_int_equal(first_file(&w), 1);
  assert_true(w.broker->retention->used_percent <= 85);
  rt_end(&w);
}

static void the_fullest_refuses_sends_and_takes_them_again(void **state) {
  (void)state;
  struct rt w;
  struct bl_why why = {""};
  rt_begin(&w);
  rt_set(&w, "diskSpaceEnoughBytes", "0");
  rt_set(&w, "cleanFileForciblyEnable", "false");
  fill(&w, 3);
  use_percent(&w, 92);
  rt_pass(&w, 10000);
  assert_int_equal(send(&w, "Topic", 10, &why), BL_ERR_NOT_AVAILABLE);
  assert_non_null(strstr(why.text, "/data/store is 9"));
  assert_non_null(strstr(why.text, "diskSpaceWarningLevelRatio=90"));
  struct bl_topic *topic;
  struct bl_topic_change change = {.name = BL_SLICE("Made"), .perm = 6};
  int64_t at;
  assert_int_equal(bl_broker_put_topic(w.broker, &change, &topic, &at), BL_OK);
  use_percent(&w, 80);
  rt_pass(&w, 1000);
  assert_int_equal(send(&w, "Topic", 10, &why), BL_OK);
  rt_end(&w);
}

static void more_bytes_than_are_kept_go(void **state) {
  (void)state;
  struct rt w;
  rt_begin(&w);
  rt_set(&w, "retentionBytes", "3000000");
  fill(&w, 8);
  rt_pass(&w, 10000);
  /* 7.5 files: what lies 3,000,000 bytes before the end is in the fifth. */
  assert_int_equal(first_file(&w), 4);
  rt_end(&w);
}

static void not_more_than_a_batch_goes_at_once(void **state) {
  (void)state;
  struct rt w;
  rt_begin(&w);
  rt_set(&w, "retentionBytes", "1");
  rt_set(&w, "deleteFileBatchMax", "2");
  fill(&w, 8);
  rt_pass(&w, 10000);
  int after = first_file(&w);
  rt_pass(&w, 10000);
  assert_int_equal(first_file(&w), after + 2);
  rt_end(&w);
}

static void a_topic_that_keeps_longer_holds_its_file(void **state) {
  (void)state;
  struct rt w;
  struct bl_why why;
  struct bl_topic *topic;
  int64_t at;
  rt_begin(&w);
  struct bl_topic_change change = {.name = BL_SLICE("Kept"),
                                   .perm = 6,
                                   .read_queues = 1,
                                   .write_queues = 1,
                                   .attributes = BL_SLICE("{\"retention.ms\":\"36000000\"}")};
  assert_int_equal(bl_broker_put_topic(w.broker, &change, &topic, &at), BL_OK);
  fill(&w, 3);
  assert_int_equal(send(&w, "Kept", 100, &why), BL_OK);
  fill(&w, 7);
  rt_close(&w); /* attributes are known again after a start */
  rt_open(&w);
  rt_pass(&w, 2 * HOUR);
  bl_retention_delete_now(w.broker->retention);
  rt_pass(&w, 60000);
  assert_int_equal(first_file(&w), 2);
  assert_int_equal(w.broker->retention->pinned_bytes, 4 * SEGMENT);
  /* Not even when the disk is full. */
  rt_set(&w, "diskSpaceEnoughBytes", "0");
  use_percent(&w, 99);
  rt_pass(&w, 60000);
  assert_int_equal(first_file(&w), 2);
  rt_pass(&w, 9 * HOUR);
  assert_true(first_file(&w) > 2);
  assert_int_equal(w.broker->retention->pinned_bytes, 0);
  rt_end(&w);
}

static void a_stopped_store_is_registered_without_writing(void **state) {
  (void)state;
  struct rt w;
  struct bl_why why;
  struct bl_buf body;
  rt_begin(&w);
  fill(&w, 1);
  const struct bl_topic *topic = bl_topics_find(&w.broker->topics, BL_SLICE("Topic"));
  assert_int_equal(bl_registrar_perm(w.broker, topic), BL_PERM_READ | BL_PERM_WRITE);
  int64_t version = w.broker->topics.table.version.counter;
  bl_disk_fake_fail(w.fake, BL_FAKE_SYNC, "commitlog", 0, -1, BL_ERR_IO);
  bl_disk_fake_fail(w.fake, BL_FAKE_WRITE, "commitlog", 0, -1, BL_ERR_IO);
  assert_int_equal(send(&w, "Topic", 10, &why), BL_OK);
  rt_settle(&w);
  assert_int_equal(send(&w, "Topic", 10, &why), BL_ERR_NOT_AVAILABLE);
  assert_int_equal(bl_registrar_perm(w.broker, topic), BL_PERM_READ);
  assert_int_equal(w.broker->topics.table.version.counter, version + 1);
  bl_buf_init(&body, RT_MIB);
  bl_registrar_write_body(w.broker, &body);
  bl_buf_put_char(&body, '\0');
  assert_non_null(strstr(body.data, "\"perm\":4"));
  assert_null(strstr(body.data, "\"perm\":6"));
  bl_buf_fini(&body);
  rt_end(&w);
}

/* Removes the queue index, as somebody might who was told that it can be derived. */
static void lose_index(struct rt *w) {
  static const char *const folders[] = {"/data/store/bolide", "/data/store/bolide/index"};
  struct bl_disk *disk = bl_disk_fake_disk(w->fake);
  int removed = 0;
  for (int f = 0; f < 2; f++) {
    struct bl_arena arena;
    const char *const *names;
    size_t count = 0;
    bl_arena_init(&arena);
    assert_int_equal(disk->ops->list(disk, folders[f], &arena, &names, &count), BL_OK);
    for (size_t i = 0; i < count; i++) {
      if (f == 0 && strncmp(names[i], "queues", 6) != 0) continue;
      struct bl_slice path = bl_arena_printf(&arena, "%s/%s", folders[f], names[i]);
      if (disk->ops->remove(disk, path.ptr) == BL_OK) removed++;
    }
    bl_arena_fini(&arena);
  }
  assert_true(removed > 0);
}

static void a_queue_without_messages_goes_on_without_the_index(void **state) {
  (void)state;
  struct rt w;
  struct bl_why why;
  struct bl_sent sent;
  rt_begin(&w);
  rt_set(&w, "retentionBytes", "1");
  for (int i = 0; i < 10; i++) assert_int_equal(send(&w, "Idle", 100, &why), BL_OK);
  assert_int_equal(
      bl_offsets_commit(&w.broker->offsets, BL_SLICE("Idle"), BL_SLICE("Group"), 0, 10), BL_OK);
  assert_int_equal(
      bl_offsets_commit(&w.broker->offsets, BL_SLICE("Idle"), BL_SLICE("Mad"), 0, INT64_MAX),
      BL_OK);
  rt_pass(&w, 2000);
  fill(&w, 6);
  rt_pass(&w, 20000);
  assert_true(first_file(&w) > 2);
  struct bl_queue *queue = bl_queues_find(w.broker->queues, BL_SLICE("Idle"), 0);
  assert_int_equal(bl_queue_min_offset(queue), 10);
  rt_close(&w);
  lose_index(&w);
  rt_open(&w);
  queue = bl_queues_find(w.broker->queues, BL_SLICE("Idle"), 0);
  assert_non_null(queue);
  assert_int_equal(bl_queue_min_offset(queue), 10);
  assert_int_equal(bl_queue_max_offset(queue), 10);
  assert_int_equal(rt_send(&w, "Idle", 0, 100, &sent, &why), BL_OK);
  assert_int_equal(sent.queue_offset, 10);
  rt_settle(&w);
  assert_int_equal(bl_queue_max_offset(queue), 11);
  rt_close(&w);
  rt_open(&w);
  queue = bl_queues_find(w.broker->queues, BL_SLICE("Idle"), 0);
  assert_int_equal(bl_queue_min_offset(queue), 10);
  assert_int_equal(bl_queue_max_offset(queue), 11);
  rt_end(&w);
}

int main(void) {
  setenv("TZ", "UTC", 1);
  tzset();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(old_files_go_in_their_hour),
      cmocka_unit_test(young_files_stay),
      cmocka_unit_test(who_asks_need_not_wait_for_the_hour),
      cmocka_unit_test(a_clock_that_jumps_deletes_nothing),
      cmocka_unit_test(a_start_in_another_year_waits),
      cmocka_unit_test(a_full_disk_takes_the_old_ones_at_any_hour),
      cmocka_unit_test(a_fuller_one_takes_the_young_ones_as_few_as_possible),
      cmocka_unit_test(the_fullest_refuses_sends_and_takes_them_again),
      cmocka_unit_test(more_bytes_than_are_kept_go),
      cmocka_unit_test(not_more_than_a_batch_goes_at_once),
      cmocka_unit_test(a_topic_that_keeps_longer_holds_its_file),
      cmocka_unit_test(a_stopped_store_is_registered_without_writing),
      cmocka_unit_test(a_queue_without_messages_goes_on_without_the_index),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
