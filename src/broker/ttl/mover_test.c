/* Expired messages go to the topic that ttl.topic names, once. SEED=n repeats the random run. */
#include "broker/ttl/mover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/broker_testlib.h"
#include "os/entropy.h"
#include "wire/properties.h"

static void kill_it(struct bt *bt) {
  bl_disk_fake_kill(bt->fake);
  bt_reopen_after_crash(bt);
}

static void make_topic(struct bt *bt, const char *name, const char *attributes) {
  struct bl_topic_change change = {.name = bl_slice_text(name),
                                   .read_queues = 4,
                                   .write_queues = 4,
                                   .perm = 6,
                                   .attributes = bl_slice_text(attributes)};
  struct bl_topic *topic;
  int64_t end;
  assert_int_equal(bl_broker_put_topic(bt->broker, &change, &topic, &end), BL_OK);
  bt_settle(bt);
}

static int64_t count(struct bt *bt, const char *topic, int queue) {
  if (bl_topics_find(&bt->broker->topics, bl_slice_text(topic)) == NULL) return 0;
  return bl_queue_max_offset(bt_queue(bt, topic, queue));
}

static void commit(struct bt *bt, const char *topic, const char *group, int64_t offset) {
  assert_int_equal(bl_offsets_commit(&bt->broker->offsets, bl_slice_text(topic),
                                     bl_slice_text(group), 0, offset),
                   BL_OK);
}

static void pass(struct bt *bt, int seconds) {
  for (int i = 0; i < seconds; i++) bt_pass(bt, 1000);
}

static void test_moved_once(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"message.ttl\":\"10s\",\"ttl.topic\":\"late\"}");
  bt_send(&bt, "t", 0, "UNIQ_KEY\1a\2KEYS\1k\2", 100);
  bt_send(&bt, "t", 2, "", 100);
  pass(&bt, 9);
  assert_int_equal(count(&bt, "late", 0), 0);
  pass(&bt, 3);
  assert_int_equal(count(&bt, "late", 0), 1);
  assert_int_equal(count(&bt, "late", 2), 1);
  bt_restart(&bt);
  pass(&bt, 20);
  assert_int_equal(count(&bt, "late", 0), 1);
  assert_int_equal(count(&bt, "late", 2), 1);
  struct bl_queue_entry entry;
  uint32_t entries;
  assert_int_equal(bl_queue_read_blocking(bt_queue(&bt, "late", 0), 0, &entry, 1, &entries), BL_OK);
  char *bytes = malloc(entry.size_bytes);
  assert_int_equal(
      bl_store_read_blocking(bt.broker->store, entry.log_offset, entry.size_bytes, bytes), BL_OK);
  struct bl_record record;
  assert_int_equal(
      bl_record_decode(bl_slice_of(bytes, entry.size_bytes), BL_RECORD_CHECKED, &record), BL_OK);
  assert_int_equal(record.body.len, 100);
  assert_true(bl_slice_is(bl_properties_get(record.properties, BL_PROP_KEYS), "k"));
  assert_true(bl_slice_is(bl_properties_get(record.properties, BL_PROP_UNIQ_KEY), "a"));
  assert_null(bl_properties_get(record.properties, BL_SLICE("__EXPIRES_AT")).ptr);
  assert_true(bl_slice_starts(bl_properties_get(record.properties, BL_SLICE(BL_EXPIRY_MARK)),
                              BL_SLICE("t@0@0@")));
  free(bytes);
  bt_stop(&bt);
}

/* Short ones are not held up by long ones before them. */
static void test_own_ends(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"message.ttl\":\"1h\",\"ttl.topic\":\"late\"}");
  bt_send(&bt, "t", 0, "", 10);
  bt_send(&bt, "t", 0,
          "__TTL_MS\1"
          "5000\2",
          10);
  pass(&bt, 7);
  assert_int_equal(count(&bt, "late", 0), 1);
  bt_stop(&bt);
}

static void test_consumed_in_time(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"message.ttl\":\"10s\",\"ttl.topic\":\"late\"}");
  for (int i = 0; i < 4; i++) bt_send(&bt, "t", 0, "", 10);
  commit(&bt, "t", "g1", 3);
  commit(&bt, "t", "g2", 2);
  commit(&bt, "other", "g3", 0);
  pass(&bt, 14);
  assert_int_equal(count(&bt, "late", 0), 2);
  assert_int_equal(bt.broker->mover.consumed, 2);
  bt_stop(&bt);
}

/* Nobody wants them any more. */
static void test_attribute_taken_away(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"message.ttl\":\"10s\",\"ttl.topic\":\"late\"}");
  bt_send(&bt, "t", 0, "", 10);
  make_topic(&bt, "t", "{\"message.ttl\":\"10s\"}");
  pass(&bt, 14);
  assert_int_equal(count(&bt, "late", 0), 0);
  struct bl_expiry_stats stats;
  bl_expiry_stats(bt.broker->expiry, &stats);
  assert_int_equal(stats.waiting, 0);
  bt_stop(&bt);
}

/* More than may wait: the others come when there is room, late, and each once. */
static void test_over_the_limit(void **state) {
  struct bt bt;
  struct bl_expiry_stats stats;
  (void)state;
  bt_start(&bt);
  bt.settings.ttl_waiting_max = 8;
  bt_restart(&bt);
  make_topic(&bt, "t", "{\"message.ttl\":\"10s\",\"ttl.topic\":\"late\"}");
  for (int i = 0; i < 100; i++) bt_send(&bt, "t", 0, "", 10);
  bl_expiry_stats(bt.broker->expiry, &stats);
  assert_int_equal(stats.waiting, 8);
  assert_true(stats.late);
  bt_restart(&bt);
  for (int i = 0; i < 60 && count(&bt, "late", 0) < 100; i++) pass(&bt, 1);
  pass(&bt, 10);
  assert_int_equal(count(&bt, "late", 0), 100);
  bl_expiry_stats(bt.broker->expiry, &stats);
  assert_int_equal(stats.waiting, 0);
  assert_false(stats.late);
  bt_stop(&bt);
}

/* Restarts and deaths at any time: in the end each has one copy. */
static void test_random(void **state) {
  const char *seed = getenv("SEED");
  uint64_t random = seed != NULL ? strtoull(seed, NULL, 10) : bl_entropy_u64() | 1;
  struct bt bt;
  int sent = 0;
  (void)state;
  print_message("SEED=%llu\n", (unsigned long long)random);
  bt_start(&bt);
  make_topic(&bt, "t", "{\"message.ttl\":\"20s\",\"ttl.topic\":\"late\"}");
  for (int i = 0; i < 600; i++) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    uint64_t what = random >> 20;
    char properties[40] = "";
    if (what % 3 == 0)
      snprintf(properties, sizeof(properties), "__TTL_MS\1%d\2", (int)(what / 3 % 30000) + 1);
    if (what % 100 < 80) {
      bt_send(&bt, "t", 0, properties, 10);
      sent++;
    } else if (what % 100 < 92) {
      bt_pass(&bt, (int64_t)(what / 100 % 3000));
    } else if (what % 100 < 94) {
      bl_store_snapshot_now(bt.broker->store);
      bt_settle(&bt);
    } else {
      /* In the middle of a move, at times: its copy is appended, and nothing of it written. */
      bt.clock.now_wall_ms += 2000;
      bt.clock.now_mono_ns += 2000 * 1000000ll;
      for (int n = (int)(what / 100 % 3); n > 0; n--) (void)bl_broker_turn(bt.broker);
      if (what % 100 < 96) bt_power_loss(&bt, what);
      if (what % 100 == 96) bt_restart(&bt);
      if (what % 100 > 96) kill_it(&bt);
    }
  }
  pass(&bt, 60);
  assert_int_equal(count(&bt, "late", 0), sent);
  bt_stop(&bt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_moved_once),       cmocka_unit_test(test_own_ends),
      cmocka_unit_test(test_consumed_in_time), cmocka_unit_test(test_attribute_taken_away),
      cmocka_unit_test(test_over_the_limit),   cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
