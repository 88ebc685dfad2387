/* What one record says of itself does not go into the next: copies, and what senders forge. */
#include "broker/send/put.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/broker_testlib.h"
#include "broker/retry/retry.h"
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

static bl_err try_send(struct bt *bt, struct bl_send *send, struct bl_sent *out_sent) {
  struct bl_why why = {{0}};
  send->producer_group = BL_SLICE("PG");
  send->default_topic = BL_SLICE("TBW102");
  send->default_queues = 4;
  send->born_host = bt->broker->store_host;
  send->peer = "";
  bl_err err = bl_broker_send(bt->broker, send, out_sent, &why);
  bt_settle(bt);
  return err;
}

static void pass(struct bt *bt, int seconds) {
  for (int i = 0; i < seconds; i++) bt_pass(bt, 1000);
}

static int64_t count_of(struct bt *bt, const char *topic, int queue_id) {
  const struct bl_queue *queue = bl_queues_find(bt->broker->queues, bl_slice_text(topic), queue_id);
  return queue == NULL ? 0 : bl_queue_max_offset(queue);
}

/* RETURNS the bytes, OWNED: the record borrows them. */
static char *read_first(struct bt *bt, const char *topic, struct bl_record *out_record) {
  struct bl_queue_entry entry;
  uint32_t entries;
  struct bl_queue *queue = bl_queues_find(bt->broker->queues, bl_slice_text(topic), 0);
  assert_non_null(queue);
  assert_int_equal(bl_queue_read_blocking(queue, 0, &entry, 1, &entries), BL_OK);
  assert_int_equal(entries, 1);
  char *bytes = malloc(entry.size_bytes);
  assert_int_equal(
      bl_store_read_blocking(bt->broker->store, entry.log_offset, entry.size_bytes, bytes), BL_OK);
  assert_int_equal(
      bl_record_decode(bl_slice_of(bytes, entry.size_bytes), BL_RECORD_CHECKED, out_record), BL_OK);
  return bytes;
}

static void put_message(struct bl_buf *out, const char *properties) {
  size_t len = strlen(properties);
  bl_buf_put_u32(out, (uint32_t)(22 + 4 + len));
  bl_buf_put_u32(out, 0);
  bl_buf_put_u32(out, 0);
  bl_buf_put_u32(out, 0);
  bl_buf_put_u32(out, 4);
  bl_buf_put_text(out, "body");
  bl_buf_put_u16(out, (uint16_t)len);
  bl_buf_put(out, properties, len);
}

/* Properties in a batch are stored as they come: one that takes a timer away is not. */
static void a_batch_takes_no_timer_away(void **state) {
  struct bt bt;
  struct bl_sent sent;
  struct bl_buf body;
  char mark[100];
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{}");
  int64_t due_ms = bl_clock_wall_ms(&bt.clock.clock) + 5000;
  struct bl_send delayed = {.topic = BL_SLICE("t"),
                            .properties = BL_SLICE("TIMER_DELAY_MS\1"
                                                   "5000\2"),
                            .body = BL_SLICE("later")};
  assert_int_equal(try_send(&bt, &delayed, &sent), BL_OK);
  snprintf(mark, sizeof(mark), "BOLIDE_TIMER\1%lld,%lld\2k\1v\2", (long long)sent.log_offset,
           (long long)due_ms);
  bl_buf_init(&body, 0);
  put_message(&body, "k\1v\2");
  put_message(&body, mark);
  struct bl_send batch = {.topic = BL_SLICE("t"), .batch = true, .body = bl_buf_slice(&body)};
  int64_t before = bl_store_marks(bt.broker->store).appended;
  assert_int_equal(try_send(&bt, &batch, &sent), BL_ERR_MESSAGE_ILLEGAL);
  assert_int_equal(bl_store_marks(bt.broker->store).appended, before);
  bl_buf_clear(&body);
  put_message(&body, "BOLIDE_TIMERS\1v\2");
  batch.body = bl_buf_slice(&body);
  assert_int_equal(try_send(&bt, &batch, &sent), BL_OK);
  pass(&bt, 20);
  assert_int_equal(count_of(&bt, "t", 0), 2);
  bl_buf_fini(&body);
  bt_stop(&bt);
}

static void a_moved_message_leaves_its_timer_behind(void **state) {
  struct bt bt;
  struct bl_record record;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"message.ttl\":\"5s\",\"ttl.topic\":\"late\"}");
  bt_send(&bt, "t", 0,
          "k\1v\2TIMER_DELAY_MS\1"
          "2000\2",
          10);
  pass(&bt, 40);
  free(read_first(&bt, "t", &record));
  char *bytes = read_first(&bt, "late", &record);
  assert_non_null(bl_properties_get(record.properties, BL_SLICE("k")).ptr);
  assert_null(bl_properties_get(record.properties, BL_SLICE(BL_PENDING_MARK)).ptr);
  assert_null(bl_properties_get(record.properties, BL_SLICE(BL_PENDING_DUE)).ptr);
  free(bytes);
  bt_stop(&bt);
}

/* An orderly consumer sends what it gave up on, with all its properties. */
static void a_dead_letter_is_in_no_light_queue(void **state) {
  static const char *const names[] = {"INNER_MULTI_DISPATCH\1%LMQ%a\2", "__LITE_TOPIC\1room\2"};
  struct bt bt;
  struct bl_group like;
  struct bl_group *group;
  struct bl_sent sent;
  int64_t end;
  (void)state;
  bt_start(&bt);
  bl_group_default(&like, BL_SLICE("CG"));
  assert_int_equal(bl_broker_put_group(bt.broker, &like, &group, &end), BL_OK);
  assert_non_null(bl_broker_retry_topic(bt.broker, BL_SLICE("CG"), 1, false, false));
  for (size_t i = 0; i < 2; i++) {
    struct bl_send send = {.topic = BL_SLICE("%RETRY%CG"),
                           .properties = bl_slice_text(names[i]),
                           .reconsume_times = 17,
                           .max_reconsume_times = 16,
                           .body = BL_SLICE("body")};
    assert_int_equal(try_send(&bt, &send, &sent), BL_OK);
  }
  assert_int_equal(count_of(&bt, "%DLQ%CG", 0), 2);
  assert_int_equal(count_of(&bt, "%LMQ%a", 0), 0);
  assert_int_equal(bl_queues_light_count(bt.broker->queues), 0);
  bt_stop(&bt);
}

static void a_dead_letter_does_not_expire(void **state) {
  struct bt bt;
  struct bl_group like;
  struct bl_group *group;
  struct bl_record origin;
  struct bl_record letter;
  struct bl_why why;
  int64_t end;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{\"message.ttl\":\"1h\"}");
  bl_group_default(&like, BL_SLICE("CG"));
  assert_int_equal(bl_broker_put_group(bt.broker, &like, &group, &end), BL_OK);
  bt_send(&bt, "t", 0, "k\1v\2", 10);
  char *bytes = read_first(&bt, "t", &origin);
  assert_non_null(bl_properties_get(origin.properties, BL_SLICE("__EXPIRES_AT")).ptr);
  struct bl_send_back back = {.group = BL_SLICE("CG"), .delay_level = -1};
  assert_int_equal(bl_retry_store(bt.broker, &back, &origin, &end, &why), BL_OK);
  bt_settle(&bt);
  free(bytes);
  bytes = read_first(&bt, "%DLQ%CG", &letter);
  assert_null(bl_properties_get(letter.properties, BL_SLICE("__EXPIRES_AT")).ptr);
  assert_non_null(bl_properties_get(letter.properties, BL_SLICE("k")).ptr);
  free(bytes);
  bt_stop(&bt);
}

/* What delivery adds for light queues has room, or the send is refused. */
static void a_delayed_message_for_many_light_queues_is_not_lost(void **state) {
  struct bt bt;
  struct bl_sent sent;
  struct bl_buf properties;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{}");
  bl_buf_init(&properties, 0);
  int accepted = 0;
  for (int fill = 10000; fill <= 32000; fill += 2000) {
    bl_buf_clear(&properties);
    bl_buf_put_text(&properties,
                    "TIMER_DELAY_MS\1"
                    "2000\2INNER_MULTI_DISPATCH\1");
    for (int i = 0; i < 1000; i++) bl_buf_printf(&properties, "%s%%LMQ%%%d", i > 0 ? "," : "", i);
    bl_buf_put_text(&properties, "\2k\1");
    while (properties.len < (size_t)fill) bl_buf_put_char(&properties, 'x');
    struct bl_send send = {
        .topic = BL_SLICE("t"), .properties = bl_buf_slice(&properties), .body = BL_SLICE("later")};
    bl_err err = try_send(&bt, &send, &sent);
    assert_true(err == BL_OK || err == BL_ERR_MESSAGE_ILLEGAL);
    accepted += err == BL_OK;
  }
  assert_in_range(accepted, 1, 11);
  pass(&bt, 20);
  assert_int_equal(bl_delay_stats(bt.broker->delay)->lost, 0);
  assert_int_equal(count_of(&bt, "t", 0), accepted);
  assert_int_equal(count_of(&bt, "%LMQ%999", 0), accepted);
  bl_buf_clear(&properties);
  bl_buf_put_text(&properties,
                  "DELAY\1"
                  "1\2INNER_MULTI_DISPATCH\1%LMQ%a,b\2");
  struct bl_send send = {.topic = BL_SLICE("t"), .properties = bl_buf_slice(&properties)};
  assert_int_equal(try_send(&bt, &send, &sent), BL_ERR_MESSAGE_ILLEGAL); /* as at once */
  bl_buf_fini(&properties);
  bt_stop(&bt);
}

static void a_delayed_message_keeps_its_light_topic(void **state) {
  struct bt bt;
  (void)state;
  bt_start(&bt);
  make_topic(&bt, "t", "{}");
  bt_send(&bt, "t", 0,
          "__LITE_TOPIC\1room\2TIMER_DELAY_MS\1"
          "2000\2",
          10);
  bt_send(&bt, "t", 0,
          "__LITE_TOPIC\1room\2DELAY\1"
          "1\2",
          10);
  pass(&bt, 20);
  assert_int_equal(count_of(&bt, "t", 0), 2);
  assert_int_equal(count_of(&bt, "%LMQ%$t$room", 0), 2);
  assert_int_equal(bl_queues_light_count(bt.broker->queues), 1);
  bt_stop(&bt);
}

/* Its time to live begins when it is due, not when its transaction does. */
static void a_delayed_half_message_does_not_expire_before_it_is_due(void **state) {
  static const char *const asks[] = {
      "TIMER_DELAY_MS\1"
      "60000\2",
      "DELAY\1"
      "5\2"};
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    struct bt bt;
    struct bl_record half;
    char properties[200];
    int64_t expires_ms;
    bt_start(&bt);
    make_topic(&bt, "t", "{}");
    int64_t now_ms = bl_clock_wall_ms(&bt.clock.clock);
    snprintf(properties, sizeof(properties),
             "TRAN_MSG\1true\2PGROUP\1PG\2__TTL_MS\1"
             "5000\2%s",
             asks[i]);
    bt_send(&bt, "t", 0, properties, 10);
    char *bytes = read_first(&bt, "RMQ_SYS_TRANS_HALF_TOPIC", &half);
    struct bl_slice text = bl_properties_get(half.properties, BL_SLICE("__EXPIRES_AT"));
    assert_true(bl_slice_i64(text, &expires_ms));
    assert_int_equal(expires_ms, now_ms + 60000 + 5000);
    free(bytes);
    bt_stop(&bt);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_batch_takes_no_timer_away),
      cmocka_unit_test(a_moved_message_leaves_its_timer_behind),
      cmocka_unit_test(a_dead_letter_is_in_no_light_queue),
      cmocka_unit_test(a_dead_letter_does_not_expire),
      cmocka_unit_test(a_delayed_message_keeps_its_light_topic),
      cmocka_unit_test(a_delayed_half_message_does_not_expire_before_it_is_due),
      cmocka_unit_test(a_delayed_message_for_many_light_queues_is_not_lost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
