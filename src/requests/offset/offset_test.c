/* 14, 15, 29 to 32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "requests/admin_testlib.h"

static struct at at;

static int set_up(void **state) {
  (void)state;
  at_start(&at);
  at_topic(&at, "T", 1);
  at_join(&at, "CG", "T");
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  at_stop(&at);
  return 0;
}

static const struct at_answer *commit(const char *topic, const char *group, const char *queue,
                                      const char *offset) {
  return at_call(&at, 15, NULL, "topic", topic, "consumerGroup", group, "queueId", queue,
                 "commitOffset", offset, NULL);
}

static const struct at_answer *query(const char *group, const char *set_zero) {
  return at_call(&at, 14, NULL, "topic", "T", "consumerGroup", group, "queueId", "0",
                 "setZeroIfNotFound", set_zero, NULL);
}

static void expect_offset(const struct at_answer *answer, const char *offset) {
  at_expect(&at, answer, 0, NULL);
  if (!bl_slice_is(at_field(answer, "offset"), offset)) {
    fail_msg("offset %.*s, not %s", BL_FMT(at_field(answer, "offset")), offset);
  }
}

static void commits_are_kept(void **state) {
  (void)state;
  at_expect(&at, commit("T", "CG", "0", "7"), 0, NULL);
  expect_offset(query("CG", "true"), "7");
  at_expect(&at, commit("T", "CG", "0", "3"), 0, NULL);
  at_expect(&at, commit("T", "CG", "9", "4"), 0, NULL); /* the topic may have shrunk */
  at_restart(&at);
  expect_offset(query("CG", "true"), "3");
  assert_int_equal(bl_offsets_committed(&at.broker->offsets, BL_SLICE("T"), BL_SLICE("CG"), 9), 4);
}

static void commits_that_cannot_be(void **state) {
  (void)state;
  at_expect(&at, commit("T", "NONE", "0", "7"), 26, "Group NONE not exist!");
  at_expect(&at, commit("NONE", "NONE", "0", "7"), 26, "Group NONE not exist!");
  at_expect(&at, commit("NONE", "CG", "0", "7"), 17, "Topic NONE not exist!");
  at_expect(&at, commit("T", "CG", "-1", "7"), 29, NULL);
  at_expect(&at, commit("T", "CG", "2000000000", "7"), 29, NULL);
  at.broker->offsets.slots_max = 4;
  at_expect(&at, commit("T", "CG", "5", "7"), 1,
            "the broker keeps the offsets of 4 queues already, the most it may");
}

static void a_deleted_topic_takes_its_offsets_along(void **state) {
  (void)state;
  int64_t end;
  at_expect(&at, commit("T", "CG", "0", "7"), 0, NULL);
  assert_int_equal(bl_broker_delete_topic(at.broker, BL_SLICE("T"), &end), BL_OK);
  assert_null(bl_offsets_find(&at.broker->offsets, BL_SLICE("T"), BL_SLICE("CG")));
  at_run(&at, 5);
  at_restart(&at);
  assert_null(bl_offsets_find(&at.broker->offsets, BL_SLICE("T"), BL_SLICE("CG")));
}

static void a_young_queue_begins_at_zero(void **state) {
  (void)state;
  at_expect(&at, query("CG", "true"), 22,
            "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first");
  at_send(&at, "T", 0, "k", "x");
  expect_offset(query("CG", "true"), "0");
  at_expect(&at, query("CG", "false"), 22,
            "Not found, do not set to zero, maybe this group boot first");
  at_expect(&at, commit("T", "CG", "0", "5"), 0, NULL);
  at_expect(&at, commit("T", "CG", "0", "-1"), 0, NULL);
  expect_offset(query("CG", "true"), "0");
}

/* A queue whose first entries went to the disk is young still, also after a start. */
static void a_young_queue_is_read_again_after_a_start(void **state) {
  (void)state;
  struct bl_sent sent;
  struct bl_why why;
  struct bl_send send = {
      .topic = BL_SLICE("T"), .body = BL_SLICE("x"), .max_reconsume_times = -1, .peer = ""};
  send.born_host = at.broker->store_host;
  for (int i = 0; i < 5000; i++) {
    assert_int_equal(bl_broker_send(at.broker, &send, &sent, &why), BL_OK);
    if (i % 1000 == 0) at_run(&at, 1);
  }
  at_run(&at, 20);
  at_restart(&at);
  expect_offset(query("CG", "true"), "0");
  at.never_cached = true; /* the entry has to come from the disk: the call is parked for it */
  at_restart(&at);
  struct bl_queue *queue = bl_queues_find(at.broker->queues, BL_SLICE("T"), 0);
  struct bl_queue_entry entry;
  uint32_t count;
  assert_int_equal(bl_queue_read(queue, 0, &entry, 1, &count), BL_ERR_COLD);
  expect_offset(query("CG", "true"), "0");
}

static const struct at_answer *search(const char *queue, int64_t time_ms, const char *boundary) {
  char text[32];
  snprintf(text, sizeof(text), "%lld", (long long)time_ms);
  return at_call(&at, 29, NULL, "topic", "T", "queueId", queue, "timestamp", text, "boundaryType",
                 boundary, NULL);
}

static int64_t store_ms(int64_t offset) {
  struct bl_queue *queue = bl_queues_find(at.broker->queues, BL_SLICE("T"), 0);
  struct bl_queue_entry entry;
  struct bl_record record;
  uint32_t count = 0;
  char bytes[1024];
  assert_int_equal(bl_queue_read(queue, offset, &entry, 1, &count), BL_OK);
  assert_int_equal(bl_store_read(at.broker->store, entry.log_offset, entry.size_bytes, bytes),
                   BL_OK);
  assert_int_equal(
      bl_record_decode(bl_slice_of(bytes, entry.size_bytes), BL_RECORD_CHECKED, &record), BL_OK);
  return record.store_ms;
}

static void offsets_are_found_by_time(void **state) {
  (void)state;
  expect_offset(search("0", 5, "LOWER"), "0");
  for (int i = 0; i < 3; i++) {
    at_send(&at, "T", 0, "k", "x");
    at_run(&at, 4);
  }
  int64_t first = store_ms(0);
  int64_t middle = store_ms(1);
  int64_t last = store_ms(2);
  assert_true(first + 1 < middle && middle + 1 < last);
  const struct {
    int64_t time_ms;
    const char *lower;
    const char *upper;
  } rows[] = {
      {first - 1, "0", "0"},  {first, "0", "0"}, {first + 1, "1", "0"}, {middle, "1", "1"},
      {middle + 1, "2", "1"}, {last, "2", "2"},  {last + 1, "3", "2"},  {INT64_MAX, "3", "2"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    expect_offset(search("0", rows[i].time_ms, "LOWER"), rows[i].lower);
    expect_offset(search("0", rows[i].time_ms, "UPPER"), rows[i].upper);
  }
  expect_offset(search("1", first, "LOWER"), "0");
}

static void ends_of_a_queue(void **state) {
  (void)state;
  expect_offset(at_call(&at, 30, NULL, "topic", "T", "queueId", "0", NULL), "0");
  const struct at_answer *answer = at_call(&at, 32, NULL, "topic", "T", "queueId", "0", NULL);
  assert_true(bl_slice_is(at_field(answer, "timestamp"), "-1"));
  at_send(&at, "T", 0, "k", "x");
  at_send(&at, "T", 0, "k", "x");
  expect_offset(at_call(&at, 30, NULL, "topic", "T", "queueId", "0", NULL), "2");
  expect_offset(at_call(&at, 30, NULL, "topic", "T", "queueId", "0", "committed", "false", NULL),
                "2");
  expect_offset(at_call(&at, 31, NULL, "topic", "T", "queueId", "0", NULL), "0");
  char text[32];
  snprintf(text, sizeof(text), "%lld", (long long)store_ms(0));
  answer = at_call(&at, 32, NULL, "topic", "T", "queueId", "0", NULL);
  assert_true(bl_slice_is(at_field(answer, "timestamp"), text));
}

/* Metadata goes into the smallest log that there may be: the longest group, and deletions. */
static void metadata_fits_a_small_log(void **state) {
  (void)state;
  char *text = malloc(65000);
  struct bl_group like;
  struct bl_group *group;
  int64_t end;
  at.settings.ring_bytes = 1 << 20;
  at_restart(&at);
  memset(text, 'x', 65000);
  memcpy(text, "{\"k\":\"", 6);
  memcpy(text + 64998, "\"}", 2);
  bl_group_default(&like, BL_SLICE("BIG"));
  like.attributes = bl_slice_of(text, 65000);
  like.retry_policy = like.attributes;
  assert_int_equal(bl_broker_put_group(at.broker, &like, &group, &end), BL_OK);
  at_run(&at, 20);
  assert_int_equal(bl_broker_delete_topic(at.broker, BL_SLICE("T"), &end), BL_OK);
  at_run(&at, 20);
  at_restart(&at);
  group = bl_groups_find(&at.broker->groups, BL_SLICE("BIG"));
  assert_non_null(group);
  assert_int_equal(group->attributes.len, 65000);
  assert_null(bl_topics_find(&at.broker->topics, BL_SLICE("T")));
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(commits_are_kept, set_up, tear_down),
      cmocka_unit_test_setup_teardown(commits_that_cannot_be, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_deleted_topic_takes_its_offsets_along, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_young_queue_begins_at_zero, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_young_queue_is_read_again_after_a_start, set_up, tear_down),
      cmocka_unit_test_setup_teardown(offsets_are_found_by_time, set_up, tear_down),
      cmocka_unit_test_setup_teardown(ends_of_a_queue, set_up, tear_down),
      cmocka_unit_test_setup_teardown(metadata_fits_a_small_log, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
