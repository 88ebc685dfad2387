/* Sends that were stored before, on a broker without a network. */
#include "broker/dedup/duplicate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "broker/broker_testlib.h"
#include "os/entropy.h"

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

/* One try; the log is not written before bt_settle. */
static bl_err try_send(struct bt *bt, const char *topic, int queue, const char *properties,
                       struct bl_slice body, bool batch, struct bl_sent *out_sent) {
  struct bl_why why = {{0}};
  struct bl_send send = {.producer_group = BL_SLICE("PG"),
                         .topic = bl_slice_text(topic),
                         .default_topic = BL_SLICE("TBW102"),
                         .default_queues = 4,
                         .queue_id = queue,
                         .properties = bl_slice_text(properties),
                         .body = body,
                         .batch = batch,
                         .born_host = bt->broker->store_host,
                         .max_reconsume_times = -1,
                         .peer = ""};
  return bl_broker_send(bt->broker, &send, out_sent, &why);
}

static struct bl_sent send(struct bt *bt, const char *topic, int queue, const char *properties) {
  struct bl_sent sent;
  bl_err err = try_send(bt, topic, queue, properties, BL_SLICE("body"), false, &sent);
  for (int i = 0; err == BL_ERR_COLD && i < 10; i++) {
    bt_settle(bt);
    err = try_send(bt, topic, queue, properties, BL_SLICE("body"), false, &sent);
  }
  assert_int_equal(err, BL_OK);
  bt_settle(bt);
  return sent;
}

static void same(const struct bl_sent *a, const struct bl_sent *b) {
  assert_true(b->duplicate);
  assert_int_equal(a->queue_id, b->queue_id);
  assert_int_equal(a->queue_offset, b->queue_offset);
  assert_int_equal(a->log_offset, b->log_offset);
}

static int64_t stored(struct bt *bt) {
  return bl_store_marks(bt->broker->store).appended;
}

static void test_retried(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"dedup.window\":\"10m\"}");
  make_topic(&bt, "u", "{\"dedup.window\":\"10m\"}");
  make_topic(&bt, "plain", "{}");
  struct bl_sent first = send(&bt, "t", 2, "UNIQ_KEY\1a\2");
  int64_t end = stored(&bt);
  struct bl_sent again = send(&bt, "t", 3, "UNIQ_KEY\1a\2");
  same(&first, &again);
  assert_int_equal(stored(&bt), end);
  assert_false(send(&bt, "t", 2, "UNIQ_KEY\1b\2").duplicate);
  assert_false(send(&bt, "u", 2, "UNIQ_KEY\1a\2").duplicate);
  assert_false(send(&bt, "plain", 2, "UNIQ_KEY\1a\2").duplicate);
  assert_false(send(&bt, "plain", 2, "UNIQ_KEY\1a\2").duplicate);
  assert_false(send(&bt, "t", 2, "").duplicate);
  assert_false(send(&bt, "t", 2, "").duplicate);
  bt_pass(&bt, 599000);
  again = send(&bt, "t", 0, "UNIQ_KEY\1a\2");
  same(&first, &again);
  bt_pass(&bt, 30000);
  assert_false(send(&bt, "t", 0, "UNIQ_KEY\1a\2").duplicate);
  bt_stop(&bt);
}

/* The first is not durable: the answer waits for it, and for nothing else. */
static void test_not_durable_yet(void **state) {
  struct bt bt;
  struct bl_sent first;
  struct bl_sent again;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"dedup.window\":\"10m\"}");
  assert_int_equal(try_send(&bt, "t", 0, "UNIQ_KEY\1a\2", BL_SLICE("x"), false, &first), BL_OK);
  int64_t end = stored(&bt);
  assert_int_equal(try_send(&bt, "t", 0, "UNIQ_KEY\1a\2", BL_SLICE("x"), false, &again),
                   BL_ERR_COLD);
  assert_int_equal(again.look.bytes, 0);
  assert_int_equal(stored(&bt), end);
  bt_settle(&bt);
  assert_int_equal(try_send(&bt, "t", 0, "UNIQ_KEY\1a\2", BL_SLICE("x"), false, &again), BL_OK);
  same(&first, &again);
  bt_stop(&bt);
}

static void test_restart(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"dedup.window\":\"10m\"}");
  struct bl_sent first = send(&bt, "t", 2, "UNIQ_KEY\1a\2");
  bt_restart(&bt);
  struct bl_sent again = send(&bt, "t", 3, "UNIQ_KEY\1a\2");
  same(&first, &again);
  bt_pass(&bt, 700000);
  bt_restart(&bt);
  assert_false(send(&bt, "t", 3, "UNIQ_KEY\1a\2").duplicate);
  bt_stop(&bt);
}

/* The record is on the disk only: it is read, and compared. */
static void test_cold(void **state) {
  struct bt bt;
  struct bl_sent first;
  struct bl_sent again;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"dedup.window\":\"10m\"}");
  first = send(&bt, "t", 2, "UNIQ_KEY\1a\2");
  for (int i = 0; i < 40; i++) bt_send(&bt, "plain", 0, "", 60000); /* out of the ring */
  bt_cold(&bt);
  assert_int_equal(try_send(&bt, "t", 0, "UNIQ_KEY\1a\2", BL_SLICE("x"), false, &again),
                   BL_ERR_COLD);
  assert_true(again.look.bytes > 0);
  assert_int_equal(again.look.log_offset, first.log_offset);
  bt_stop(&bt);
}

static void put_message(struct bl_buf *out, const char *key) {
  char properties[64];
  int len = key[0] != '\0' ? snprintf(properties, sizeof(properties), "UNIQ_KEY\1%s\2", key) : 0;
  bl_buf_put_u32(out, (uint32_t)(4 + 4 + 4 + 4 + 4 + 4 + 2 + len));
  bl_buf_put_u32(out, 0);
  bl_buf_put_u32(out, 0);
  bl_buf_put_u32(out, 0);
  bl_buf_put_u32(out, 4);
  bl_buf_put(out, "body", 4);
  bl_buf_put_u16(out, (uint16_t)len);
  bl_buf_put(out, properties, (size_t)len);
}

static struct bl_sent send_batch(struct bt *bt, const char *topic, const char *keys) {
  struct bl_buf body;
  struct bl_sent sent;
  char key[2] = {0};
  bl_buf_init(&body, 0);
  for (const char *at = keys; *at != '\0'; at++) {
    key[0] = *at == '-' ? '\0' : *at;
    put_message(&body, key);
  }
  assert_int_equal(try_send(bt, topic, 1, "UNIQ_KEY\1batch\2", bl_buf_slice(&body), true, &sent),
                   BL_OK);
  bt_settle(bt);
  bl_buf_fini(&body);
  return sent;
}

/* Each message counts by itself: what is missing is completed. */
static void test_batches(void **state) {
  struct bt bt;
  int64_t offsets[4];
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"dedup.window\":\"10m\"}");
  struct bl_sent first = send_batch(&bt, "t", "abc");
  assert_int_equal(first.count, 3);
  memcpy(offsets, first.log_offsets, 3 * sizeof(int64_t));
  int64_t end = stored(&bt);
  struct bl_sent again = send_batch(&bt, "t", "abc");
  assert_true(again.duplicate);
  assert_int_equal(again.count, 3);
  assert_memory_equal(again.log_offsets, offsets, 3 * sizeof(int64_t));
  assert_int_equal(again.queue_offset, first.queue_offset);
  assert_int_equal(stored(&bt), end);
  struct bl_sent more = send_batch(&bt, "t", "bd");
  assert_false(more.duplicate);
  assert_int_equal(more.count, 2);
  assert_int_equal(more.queue_offset, first.queue_offset + 1);
  assert_int_equal(more.log_offsets[0], offsets[1]);
  assert_true(more.log_offsets[1] >= end);
  struct bl_sent one = send(&bt, "t", 0, "UNIQ_KEY\1d\2");
  assert_true(one.duplicate);
  assert_int_equal(one.queue_offset, 3);
  assert_int_equal(send_batch(&bt, "t", "--").count, 2);
  bt_stop(&bt);
}

/* A key goes with its message. */
static void test_deleted_topic(void **state) {
  struct bt bt;
  int64_t end;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"dedup.window\":\"10m\"}");
  send(&bt, "t", 2, "UNIQ_KEY\1a\2");
  assert_int_equal(bl_broker_delete_topic(bt.broker, BL_SLICE("t"), &end), BL_OK);
  bt_settle(&bt);
  make_topic(&bt, "t", "{\"dedup.window\":\"10m\"}");
  assert_false(send(&bt, "t", 2, "UNIQ_KEY\1a\2").duplicate);
  assert_true(send(&bt, "t", 2, "UNIQ_KEY\1a\2").duplicate);
  bt_stop(&bt);
}

/* A delayed one counts from its send on, before and after it is delivered. */
static void test_delayed(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"dedup.window\":\"10m\"}");
  struct bl_sent first = send(&bt, "t", 2,
                              "UNIQ_KEY\1a\2TIMER_DELAY_MS\1"
                              "5000\2");
  assert_true(first.delayed);
  struct bl_sent again = send(&bt, "t", 2,
                              "UNIQ_KEY\1a\2TIMER_DELAY_MS\1"
                              "5000\2");
  same(&first, &again);
  assert_true(again.delayed);
  assert_int_equal(again.recall_ms, first.recall_ms);
  for (int i = 0; i < 20; i++) bt_pass(&bt, 1000);
  assert_int_equal(bl_queue_max_offset(bt_queue(&bt, "t", 2)), 1); /* delivered, once */
  again = send(&bt, "t", 2,
               "UNIQ_KEY\1a\2TIMER_DELAY_MS\1"
               "5000\2");
  same(&first, &again);
  bt_stop(&bt);
}

static void on_reply(void *context, const struct bl_reply_result *result) {
  *(struct bl_reply_result *)context = *result;
}

/* A reply that is pushed again is stored once. */
static void test_reply(void **state) {
  struct bt bt;
  struct bl_reply_result results[2];
  struct bl_why why;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"dedup.window\":\"10m\"}");
  memset(results, 0, sizeof(results));
  for (int i = 0; i < 2; i++) {
    struct bl_send reply = {.topic = BL_SLICE("t"),
                            .default_topic = BL_SLICE("TBW102"),
                            .queue_id = 1,
                            .properties = BL_SLICE("UNIQ_KEY\1a\2"),
                            .body = BL_SLICE("reply"),
                            .born_host = bt.broker->store_host,
                            .max_reconsume_times = -1,
                            .peer = ""};
    assert_int_equal(bl_reply_start(bt.broker, &reply, on_reply, &results[i], &why), BL_OK);
    bt_pass(&bt, 100);
  }
  assert_true(results[0].stored && results[1].stored);
  assert_int_equal(results[0].log_offset, results[1].log_offset);
  assert_int_equal(bl_queue_max_offset(bt_queue(&bt, "t", 1)), 1);
  bt_stop(&bt);
}

/* Two keys with one hash: the record decides. */
static void test_collision(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"dedup.window\":\"10m\"}");
  struct bl_sent first = send(&bt, "t", 0, "UNIQ_KEY\1a\2");
  uint64_t hash = bl_dedup_hash(bt.broker->dedup, BL_SLICE("t"), BL_SLICE("b"));
  bl_dedup_add(bt.broker->dedup, hash, first.log_offset, 600000);
  struct bl_sent other = send(&bt, "t", 0, "UNIQ_KEY\1b\2");
  assert_false(other.duplicate);
  struct bl_sent again = send(&bt, "t", 0, "UNIQ_KEY\1b\2");
  same(&other, &again);
  bt_stop(&bt);
}

static void test_retry_topic_has_none(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "%RETRY%g", "{\"dedup.window\":\"10m\"}");
  assert_int_equal(bl_duplicate_window_ms(bt.broker, BL_SLICE("%RETRY%g")), 0);
  bt_stop(&bt);
}

/* After a failed log the duplicate of what is not known to be durable is not called stored. */
static void test_log_failed(void **state) {
  struct bt bt;
  struct bl_sent first;
  struct bl_sent again;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"dedup.window\":\"10m\"}");
  struct bl_sent good = send(&bt, "t", 0, "UNIQ_KEY\1good\2");
  assert_int_equal(try_send(&bt, "t", 0, "UNIQ_KEY\1a\2", BL_SLICE("x"), false, &first), BL_OK);
  bl_disk_fake_fail(bt.fake, BL_FAKE_WRITE, "commitlog", 0, -1, BL_ERR_IO);
  bt_settle(&bt);
  assert_true(bl_store_failed(bt.broker->store, NULL));
  assert_int_equal(try_send(&bt, "t", 0, "UNIQ_KEY\1a\2", BL_SLICE("x"), false, &again),
                   BL_ERR_SYSTEM);
  assert_int_equal(try_send(&bt, "t", 0, "UNIQ_KEY\1good\2", BL_SLICE("x"), false, &again), BL_OK);
  same(&good, &again);
  bt_stop(&bt);
}

/* Sends over deaths of process and machine: what was answered is known, whatever the snapshots
 * have; in the end each key is stored once. */
static void test_random_deaths(void **state) {
  const char *seed = getenv("SEED");
  uint64_t random = seed != NULL ? strtoull(seed, NULL, 10) : bl_entropy_u64() | 1;
  struct bt bt;
  char key[40];
  (void)state;
  print_message("SEED=%llu\n", (unsigned long long)random);
  bt_start(&bt);
  make_topic(&bt, "t", "{\"dedup.window\":\"10m\"}");
  static struct bl_sent answers[300];
  static bool answered[300];
  memset(answered, 0, sizeof(answered));
  for (int i = 0; i < 2000; i++) {
    struct bl_sent sent;
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    uint64_t what = random >> 20;
    uint64_t k = what / 100 % 300;
    snprintf(key, sizeof(key), "UNIQ_KEY\1k%d\2", (int)k);
    if (what % 100 < 70) {
      sent = send(&bt, "t", (int)(what / 7 % 4), key);
      assert_int_equal(sent.duplicate, answered[k]);
      if (answered[k]) same(&answers[k], &sent);
      answers[k] = sent;
      answered[k] = true;
    } else if (what % 100 < 85 && !answered[k]) {
      /* Nobody was told: it may or may not be there after a death. */
      (void)try_send(&bt, "t", 0, key, BL_SLICE("x"), false, &sent);
      if (what % 2 == 0) {
        bt_power_loss(&bt, what);
      } else {
        kill_it(&bt);
      }
      sent = send(&bt, "t", 1, key);
      answers[k] = sent;
      answered[k] = true;
    } else if (what % 100 < 88) {
      bl_store_snapshot_now(bt.broker->store);
      bt_settle(&bt);
    } else if (what % 100 < 90) {
      bt_restart(&bt);
    }
  }
  int64_t stored_count = 0;
  int64_t known = 0;
  for (int q = 0; q < 4; q++) stored_count += bl_queue_max_offset(bt_queue(&bt, "t", q));
  for (int k = 0; k < 300; k++) known += answered[k];
  assert_int_equal(stored_count, known);
  bt_stop(&bt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_retried),
      cmocka_unit_test(test_not_durable_yet),
      cmocka_unit_test(test_restart),
      cmocka_unit_test(test_cold),
      cmocka_unit_test(test_batches),
      cmocka_unit_test(test_deleted_topic),
      cmocka_unit_test(test_delayed),
      cmocka_unit_test(test_reply),
      cmocka_unit_test(test_retry_topic_has_none),
      cmocka_unit_test(test_log_failed),
      cmocka_unit_test(test_random_deaths),
      cmocka_unit_test(test_collision),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
