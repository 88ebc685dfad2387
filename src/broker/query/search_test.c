/* Messages by key and time against a model, also a key that very many messages have, and cold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/broker_testlib.h"
#include "broker/query/search.h"

#define MESSAGES 1500

static struct bt bt;
static int64_t stored_ms[MESSAGES];
static int done_count;

static int set_up(void **state) {
  (void)state;
  bt_start(&bt);
  for (int i = 0; i < MESSAGES; i++) {
    char properties[64];
    if (i % 3 == 0) bt_pass(&bt, 2);
    snprintf(properties, sizeof(properties), "KEYS\1all  seven%d\2UNIQ_KEY\1U%d\2", i % 7, i);
    bt_send(&bt, "T", 0, properties, 20);
    stored_ms[i] = bt.clock.now_wall_ms;
  }
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  bt_stop(&bt);
  return 0;
}

static void on_done(struct bl_message_search *search) {
  (void)search;
  done_count++;
}

static void find(struct bl_message_search *search, const char *topic, const char *key,
                 int64_t begin_ms, int64_t end_ms, int32_t max) {
  int before = done_count;
  bl_message_search_start(search, bt.broker, bl_slice_text(topic), bl_slice_text(key), begin_ms,
                          end_ms, max, on_done);
  assert_int_equal(done_count, before);
  for (int i = 0; i < 10000 && done_count == before; i++) bt_pass(&bt, 1);
  assert_int_equal(done_count, before + 1);
  assert_int_equal(search->err, BL_OK);
}

/* every: one of so many messages has the key, from the first on. */
static void check(const char *key, int every, int64_t begin_ms, int64_t end_ms, int32_t max) {
  struct bl_message_search search;
  find(&search, "T", key, begin_ms, end_ms, max);
  uint32_t at = 0;
  for (int i = MESSAGES - 1; i >= 0 && at < (uint32_t)max; i--) {
    if (i % every != 0 || stored_ms[i] < begin_ms || stored_ms[i] > end_ms) continue;
    struct bl_record record;
    assert_true(at < search.found_count);
    assert_int_equal(bl_record_decode(search.found[at], BL_RECORD_CHECKED, &record), BL_OK);
    assert_int_equal(record.queue_offset, i);
    at++;
  }
  assert_int_equal(search.found_count, at);
  bl_message_search_fini(&search);
}

static void any_time(void **state) {
  (void)state;
  check("all", 1, 0, INT64_MAX, 32);
  check("all", 1, 0, INT64_MAX, 256);
  check("all", 1, 0, stored_ms[5], 32); /* behind more candidates than one round has */
  check("all", 1, stored_ms[4], stored_ms[9], 32);
  check("all", 1, stored_ms[700], stored_ms[720], 64);
  check("all", 1, stored_ms[700] + 1, stored_ms[700] + 1, 64);
  check("all", 1, 0, stored_ms[0] - 1, 64);
  check("all", 1, stored_ms[MESSAGES - 1] + 1, INT64_MAX, 64);
  check("all", 1, INT64_MIN, INT64_MAX, 0);
  check("seven0", 7, 0, stored_ms[100], 64);
  check("U0", MESSAGES, 0, INT64_MAX, 64);
}

static void nothing(void **state) {
  (void)state;
  static const char *const keys[] = {"", " ", "al", "alll", "all seven0", "U1500"};
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
    struct bl_message_search search;
    find(&search, "T", keys[i], 0, INT64_MAX, 32);
    assert_int_equal(search.found_count, 0);
    bl_message_search_fini(&search);
  }
  struct bl_message_search search;
  find(&search, "OTHER", "all", 0, INT64_MAX, 32);
  assert_int_equal(search.found_count, 0);
  bl_message_search_fini(&search);
}

static void cold(void **state) {
  (void)state;
  bt_cold(&bt);
  check("all", 1, 0, stored_ms[5], 32);
  bt_cold(&bt);
  check("seven0", 7, stored_ms[300], stored_ms[1000], 64);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(any_time), TEST(nothing), TEST(cold)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
