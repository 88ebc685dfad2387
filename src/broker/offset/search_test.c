/* Search by time against a model that looks at every message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/broker_testlib.h"
#include "broker/offset/search.h"

#define OFFSETS_MAX 4096

static struct bt bt;
/* The model: when the message at each offset of queue 0 was stored. */
static int64_t stored_ms[OFFSETS_MAX];
static int64_t offsets;
static int done_count;

static int set_up(void **state) {
  (void)state;
  bt_start(&bt);
  offsets = 0;
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  bt_stop(&bt);
  return 0;
}

static void note(uint32_t count) {
  for (uint32_t i = 0; i < count; i++) stored_ms[offsets++] = bt.clock.now_wall_ms;
}

static void send_one(uint32_t body_bytes) {
  bt_send(&bt, "T", 0, "", body_bytes);
  note(1);
}

static void on_done(struct bl_time_search *search) {
  (void)search;
  done_count++;
}

static struct bl_time_search run(struct bl_time_search search) {
  int before = done_count;
  search.broker = bt.broker;
  search.done = on_done;
  bl_time_search_start(&search);
  for (int i = 0; i < 1000 && done_count == before; i++) bt_settle(&bt);
  assert_int_equal(done_count, before + 1);
  assert_int_equal(search.err, BL_OK);
  return search;
}

static int64_t search_for(int64_t timestamp_ms, bool upper) {
  return run((struct bl_time_search){
                 .queue = bt_queue(&bt, "T", 0), .timestamp_ms = timestamp_ms, .upper = upper})
      .offset;
}

/* Source: apache/rocketmq ConsumeQueue#binarySearchInQueueByTime. */
static int64_t model(int64_t min, int64_t timestamp_ms, bool upper) {
  int64_t at = min;
  if (!upper) {
    while (at < offsets && stored_ms[at] < timestamp_ms) at++;
    return at;
  }
  while (at < offsets && stored_ms[at] <= timestamp_ms) at++;
  return at > min ? at - 1 : min;
}

static void check_all(int64_t min, int64_t every) {
  for (int64_t at = min; at < offsets; at += every) {
    for (int64_t t = stored_ms[at] - 1; t <= stored_ms[at] + 1; t++) {
      assert_int_equal(search_for(t, false), model(min, t, false));
      assert_int_equal(search_for(t, true), model(min, t, true));
    }
  }
  int64_t far[] = {
      0, -1, INT64_MIN, INT64_MAX, stored_ms[min] - 100000, stored_ms[offsets - 1] + 100000};
  for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
    assert_int_equal(search_for(far[i], false), model(min, far[i], false));
    assert_int_equal(search_for(far[i], true), model(min, far[i], true));
  }
}

static void every_time_of_a_queue(void **state) {
  (void)state;
  unsigned seed = 4711;
  print_message("seed %u\n", seed);
  srand(seed);
  for (int i = 0; i < 300; i++) {
    if (rand() % 3 == 0) bt_pass(&bt, rand() % 5 == 0 ? 1000 : 1 + rand() % 3);
    send_one((uint32_t)(rand() % 50));
  }
  check_all(0, 1);
}

static void one_message_and_none(void **state) {
  (void)state;
  bl_time_search_start(&(struct bl_time_search){.broker = bt.broker, .done = on_done});
  assert_int_equal(run((struct bl_time_search){.queue = NULL, .timestamp_ms = 5}).offset, 0);
  assert_int_equal(run((struct bl_time_search){.queue = NULL, .first_only = true}).store_ms, -1);
  send_one(10);
  check_all(0, 1);
  assert_int_equal(
      run((struct bl_time_search){.queue = bt_queue(&bt, "T", 0), .first_only = true}).store_ms,
      stored_ms[0]);
}

static void all_at_the_same_time(void **state) {
  (void)state;
  for (int i = 0; i < 40; i++) send_one(10);
  int64_t t = stored_ms[0];
  for (int64_t i = 0; i < offsets; i++) stored_ms[i] = t;
  assert_int_equal(search_for(t, false), 0);
  assert_int_equal(search_for(t, true), 39);
  assert_int_equal(search_for(t + 1, false), 40);
  assert_int_equal(search_for(t - 1, true), 0);
}

/* One record with several offsets: all of them have its time. */
static void batches(void **state) {
  (void)state;
  send_one(10);
  for (int i = 0; i < 60; i++) {
    if (i % 4 == 1) bt_pass(&bt, 2);
    if (i % 3 == 0) {
      send_one(10);
    } else {
      uint32_t count = (uint32_t)(1 + i % 7);
      bt_send_batch(&bt, "T", 0, count);
      note(count);
    }
  }
  check_all(0, 1);
}

/* Nothing is in memory: every probe is read from the disk, and the core waits for none. */
static void cold(void **state) {
  (void)state;
  for (int i = 0; i < 1500; i++) {
    if (i % 5 == 0) bt_pass(&bt, 3);
    send_one(2000);
  }
  check_all(0, 100);
  for (int round = 0; round < 3; round++) {
    bt_cold(&bt);
    int64_t at = 100 + round * 500;
    struct bl_cold_stats before, after;
    bl_store_cold_stats(bt.broker->store, &before);
    assert_int_equal(search_for(stored_ms[at], false), model(0, stored_ms[at], false));
    bl_store_cold_stats(bt.broker->store, &after);
    assert_in_range(after.reads - before.reads, 3, 30);
    assert_int_equal(search_for(stored_ms[at] + 1, true), model(0, stored_ms[at] + 1, true));
  }
  bt_cold(&bt);
  check_all(0, 300);
}

/* The disk refuses: the search ends with that, and not with an answer. */
static void a_disk_that_refuses(void **state) {
  (void)state;
  for (int i = 0; i < 300; i++) send_one(2000);
  bt_cold(&bt);
  bl_disk_fake_fail(bt.fake, BL_FAKE_READ, "commitlog", 0, -1, BL_ERR_IO);
  int before = done_count;
  struct bl_time_search search = {.broker = bt.broker,
                                  .queue = bt_queue(&bt, "T", 0),
                                  .timestamp_ms = stored_ms[5],
                                  .done = on_done};
  bl_time_search_start(&search);
  bt_settle(&bt);
  assert_int_equal(done_count, before + 1);
  assert_int_equal(search.err, BL_ERR_IO);
  bl_disk_fake_fail(bt.fake, BL_FAKE_READ, "", -1, 0, BL_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(every_time_of_a_queue),
      TEST(one_message_and_none),
      TEST(all_at_the_same_time),
      TEST(batches),
      TEST(cold),
      TEST(a_disk_that_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
