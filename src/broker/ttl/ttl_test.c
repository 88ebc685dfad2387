/* Messages that expire: what a send notes, what a pull passes over. */
#include "broker/ttl/ttl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/broker_testlib.h"
#include "broker/query/read.h"
#include "wire/properties.h"

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

static struct bl_pulled pull(struct bt *bt, const char *topic, int64_t offset) {
  struct bl_pulled pulled;
  struct bl_cold_place cold;
  struct bl_why why = {{0}};
  struct bl_pull pull = {.group = BL_SLICE("g"),
                         .topic = bl_slice_text(topic),
                         .queue_id = 0,
                         .offset = offset,
                         .max_count = 32,
                         .sys_flag = BL_PULL_SUBSCRIPTION,
                         .subscription = BL_SLICE("*"),
                         .peer = ""};
  assert_int_equal(
      bl_broker_pull(bt->broker, &pull, true, bl_broker_arena(bt->broker), &pulled, &cold, &why),
      BL_OK);
  return pulled;
}

/* What is readable from the offset on, over as many pulls as it takes. */
static int count(struct bt *bt, const char *topic, int64_t offset) {
  int messages = 0;
  for (;;) {
    struct bl_pulled pulled = pull(bt, topic, offset);
    messages += pulled.message_count;
    if (pulled.none_yet || pulled.next_offset == offset) return messages;
    offset = pulled.next_offset;
  }
}

static void test_topic(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"message.ttl\":\"10s\"}");
  bt_send(&bt, "t", 0, "", 10);
  bt_pass(&bt, 6000);
  bt_send(&bt, "t", 0, "", 10);
  assert_int_equal(count(&bt, "t", 0), 2);
  bt_pass(&bt, 5000);
  struct bl_pulled pulled = pull(&bt, "t", 0);
  assert_int_equal(pulled.code, 0);
  assert_int_equal(pulled.message_count, 1);
  assert_int_equal(pulled.next_offset, 2);
  bt_restart(&bt);
  assert_int_equal(count(&bt, "t", 0), 1);
  bt_pass(&bt, 5000);
  pulled = pull(&bt, "t", 0); /* as if a filter did not want them */
  assert_int_equal(pulled.code, 20);
  assert_string_equal(pulled.status, "NO_MATCHED_MESSAGE");
  assert_int_equal(pulled.next_offset, 2);
  assert_int_equal(bt.broker->stats.ttl_passed > 0, 1);
  bt_stop(&bt);
}

/* The first message with an end of its own makes the topic one that is looked at, for good. */
static void test_own(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{}");
  bt_send(&bt, "t", 0, "", 10);
  assert_false(bl_topic_expires(bl_topics_find(&bt.broker->topics, BL_SLICE("t"))));
  bt_send(&bt, "t", 0,
          "__TTL_MS\1"
          "3000\2",
          10);
  bt_send(&bt, "t", 0,
          "__TTL_MS\1"
          "9000\2",
          10);
  assert_int_equal(count(&bt, "t", 0), 3);
  bt_restart(&bt);
  bt_pass(&bt, 4000);
  assert_int_equal(count(&bt, "t", 0), 2);
  bt_pass(&bt, 6000);
  assert_int_equal(count(&bt, "t", 0), 1);
  bt_stop(&bt);
}

static bl_err send_with(struct bt *bt, const char *topic, const char *properties) {
  struct bl_sent sent;
  struct bl_why why = {{0}};
  struct bl_send send = {.producer_group = BL_SLICE("PG"),
                         .topic = bl_slice_text(topic),
                         .default_topic = BL_SLICE("TBW102"),
                         .default_queues = 4,
                         .properties = bl_slice_text(properties),
                         .body = BL_SLICE("x"),
                         .born_host = bt->broker->store_host,
                         .max_reconsume_times = -1,
                         .peer = ""};
  return bl_broker_send(bt->broker, &send, &sent, &why);
}

static void test_bad_values(void **state) {
  static const char *const bad[] = {"__TTL_MS\1x\2",
                                    "__TTL_MS\1"
                                    "0\2",
                                    "__TTL_MS\1-5\2",
                                    "__TTL_MS\1"
                                    "99999999999999999999\2",
                                    "__TTL_MS\1"
                                    "315360000001\2"};
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"message.ttl\":\"10s\"}");
  int64_t end = bl_store_marks(bt.broker->store).appended;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_int_equal(send_with(&bt, "t", bad[i]), BL_ERR_MESSAGE_ILLEGAL);
  assert_int_equal(bl_store_marks(bt.broker->store).appended, end);
  bt_stop(&bt);
}

/* An end that a client forwards with all other properties is not the message's. */
static void test_forwarded(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"ttl.property\":\"true\"}");
  bt_send(&bt, "t", 0,
          "__EXPIRES_AT\1"
          "1\2",
          10);
  assert_int_equal(count(&bt, "t", 0), 1);
  bt_stop(&bt);
}

/* Of a delayed message it counts from the time it is due. */
static void test_delayed(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"message.ttl\":\"10s\"}");
  bt_send(&bt, "t", 0,
          "TIMER_DELAY_MS\1"
          "20000\2",
          10);
  for (int i = 0; i < 25; i++) bt_pass(&bt, 1000);
  assert_int_equal(count(&bt, "t", 0), 1);
  bt_pass(&bt, 8000);
  assert_int_equal(count(&bt, "t", 0), 0);
  bt_stop(&bt);
}

/* A consumer that sends it for itself, with all properties: the end stays what it was. */
static void test_retry(void **state) {
  struct bt bt;
  struct bl_group group = {.name = BL_SLICE("g"), .retry_max_times = 16, .retry_queues = 1};
  char properties[64];
  (void)state;
  bt_start(&bt);
  (void)group;
  make_topic(&bt, "%RETRY%g", "{}");
  (void)bl_broker_group(bt.broker, BL_SLICE("g"));
  snprintf(properties, sizeof(properties),
           "__TTL_MS\1"
           "10000\2__EXPIRES_AT\1%lld\2",
           (long long)bt.clock.now_wall_ms + 5000);
  bt_send(&bt, "%RETRY%g", 0, properties, 10);
  assert_int_equal(count(&bt, "%RETRY%g", 0), 1);
  bt_pass(&bt, 6000);
  assert_int_equal(count(&bt, "%RETRY%g", 0), 0);
  bt_stop(&bt);
}

/* Other topics are not looked at. */
static void test_others_cost_nothing(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{}");
  for (int i = 0; i < 10; i++) bt_send(&bt, "t", 0, "A\1B\2", 10);
  assert_int_equal(count(&bt, "t", 0), 10);
  assert_int_equal(bt.broker->stats.filter_looked, 0);
  bt_stop(&bt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_topic),
      cmocka_unit_test(test_own),
      cmocka_unit_test(test_bad_values),
      cmocka_unit_test(test_forwarded),
      cmocka_unit_test(test_delayed),
      cmocka_unit_test(test_retry),
      cmocka_unit_test(test_others_cost_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
