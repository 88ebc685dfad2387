#include "client/producer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/fake_testlib.h"

struct results {
  int stored;
  int failed;
  int32_t code;
  char sentence[400];
  char last_offset_id[40];
  int done; /* stored or failed */
  int left;
};

static struct bl_fake fake; /* large */

static void on_result(void *context, const struct bl_send_result *result) {
  struct results *results = context;
  results->done++;
  results->code = result->code;
  if (result->err != BL_OK) {
    results->failed++;
    snprintf(results->sentence, sizeof(results->sentence), "%s", result->sentence);
    return;
  }
  results->stored++;
  assert_int_equal(result->msg_id.len, 32);
  snprintf(results->last_offset_id, sizeof(results->last_offset_id), "%.*s",
           BL_FMT(result->offset_msg_id));
  char expected[40];
  snprintf(expected, sizeof(expected), "ID%lld", (long long)result->queue_offset);
  assert_string_equal(results->last_offset_id, expected);
}

static struct bl_producer *start(struct results *results) {
  struct bl_producer_settings settings;
  bl_producer_settings_default(&settings);
  memset(results, 0, sizeof(*results));
  settings.group = BL_SLICE("PG");
  settings.on_result = on_result;
  settings.context = results;
  return bl_producer_new(fake.client, &settings);
}

static void send_number(struct bl_producer *producer, const char *topic, int32_t queue_id,
                        int number) {
  char text[16];
  snprintf(text, sizeof(text), "%d", number);
  struct bl_send send = {
      .topic = bl_slice_text(topic), .body = bl_slice_text(text), .queue_id = queue_id};
  assert_int_equal(bl_producer_send(producer, &send, NULL), BL_OK);
}

static void end(struct bl_producer *producer) {
  bl_producer_free(producer);
  bl_fake_fini(&fake);
}

static void one_message_goes_alone(void **state) {
  (void)state;
  struct results results;
  bl_fake_init(&fake, "T", 1);
  struct bl_producer *producer = start(&results);
  send_number(producer, "T", -1, 7);
  assert_int_equal(bl_producer_pending(producer), 1);
  assert_true(bl_fake_run_until(&fake, &results.done, 1));
  assert_int_equal(results.stored, 1);
  assert_int_equal(fake.batches, 0);
  assert_true(bl_slice_is(fake.queues[0].bodies[0], "7"));
  assert_int_equal(bl_producer_pending(producer), 0);
  end(producer);
}

static void a_topic_that_does_not_exist_takes_the_default_route(void **state) {
  (void)state;
  struct results results;
  bl_fake_init(&fake, NULL, 8);
  struct bl_producer *producer = start(&results);
  for (int i = 0; i < 40; i++) {
    send_number(producer, "New", -1, i);
    assert_true(bl_fake_run_until(&fake, &results.done, i + 1));
  }
  for (int i = 0; i < 4; i++) assert_int_equal(fake.queues[i].count, 10); /* in turn */
  for (int i = 4; i < 8; i++) assert_int_equal(fake.queues[i].count, 0);  /* 4 queues at most */
  end(producer);
}

static void many_messages_go_in_batches_and_in_order(void **state) {
  (void)state;
  struct results results;
  bl_fake_init(&fake, "T", 4);
  struct bl_producer *producer = start(&results);
  for (int i = 0; i < 10000; i++) send_number(producer, "T", -1, i);
  assert_true(bl_fake_run_until(&fake, &results.done, 10000));
  assert_int_equal(results.stored, 10000);
  assert_true(fake.sends < 20);
  for (int q = 0; q < 4; q++) {
    int64_t last = -1;
    for (int64_t i = 0; i < fake.queues[q].count; i++) {
      int64_t number;
      assert_true(bl_slice_i64(fake.queues[q].bodies[i], &number));
      assert_true(number > last);
      last = number;
    }
  }
  end(producer);
}

static void one_queue_keeps_the_order_over_retries(void **state) {
  (void)state;
  struct results results;
  bl_fake_init(&fake, "T", 4);
  fake.fail_sends = 1;
  fake.fail_code = 2;
  fake.drop_sends = 1;
  struct bl_producer *producer = start(&results);
  for (int i = 0; i < 5000; i++) send_number(producer, "T", 2, i);
  assert_true(bl_fake_run_until(&fake, &results.done, 5000));
  assert_int_equal(results.stored, 5000);
  assert_int_equal(fake.queues[2].count, 5000);
  for (int i = 0; i < 5000; i++) {
    char text[16];
    snprintf(text, sizeof(text), "%d", i);
    assert_true(bl_slice_is(fake.queues[2].bodies[i], text));
  }
  end(producer);
}

static void retries_end_and_some_codes_have_none(void **state) {
  (void)state;
  static const struct {
    int code, sends;
  } cases[] = {{1, 3}, {2, 3}, {14, 3}, {16, 3}, {17, 3}, {13, 1}, {29, 1}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct results results;
    bl_fake_init(&fake, "T", 2);
    fake.fail_sends = 10;
    fake.fail_code = cases[i].code;
    struct bl_producer *producer = start(&results);
    send_number(producer, "T", -1, 1);
    assert_true(bl_fake_run_until(&fake, &results.done, 1));
    assert_int_equal(results.failed, 1);
    assert_int_equal(results.code, cases[i].code);
    assert_int_equal(fake.sends, cases[i].sends);
    assert_non_null(strstr(results.sentence, "spoiled"));
    end(producer);
  }
}

static void codes_10_to_12_mean_stored(void **state) {
  (void)state;
  assert_string_equal(bl_send_status(0), "SEND_OK");
  assert_string_equal(bl_send_status(10), "FLUSH_DISK_TIMEOUT");
  assert_string_equal(bl_send_status(11), "SLAVE_NOT_AVAILABLE");
  assert_string_equal(bl_send_status(12), "FLUSH_SLAVE_TIMEOUT");
}

static void the_window_and_the_sizes_are_kept(void **state) {
  (void)state;
  struct results results;
  struct bl_why why;
  static char body[BL_PRODUCER_BODY_BYTES_MAX + 1];
  bl_fake_init(&fake, "T", 1);
  struct bl_producer *producer = start(&results);
  struct bl_send send = {.topic = BL_SLICE("T"), .queue_id = -1, .body = BL_SLICE("")};
  assert_int_equal(bl_producer_send(producer, &send, &why), BL_ERR_MESSAGE_ILLEGAL);
  send.body = bl_slice_of(body, sizeof(body));
  assert_int_equal(bl_producer_send(producer, &send, &why), BL_ERR_MESSAGE_ILLEGAL);
  send.body = bl_slice_of(body, sizeof(body) - 1);
  int taken = 0;
  while (bl_producer_send(producer, &send, &why) == BL_OK) taken++;
  assert_int_equal(taken, 8); /* 32 MiB */
  assert_false(bl_producer_has_room(producer));
  assert_true(bl_fake_run_until(&fake, &results.done, taken));
  assert_int_equal(results.stored, taken);
  assert_true(bl_producer_has_room(producer));
  end(producer);
}

static void a_delayed_message_is_never_in_a_batch(void **state) {
  (void)state;
  struct results results;
  bl_fake_init(&fake, "T", 1);
  struct bl_producer *producer = start(&results);
  struct bl_send send = {.topic = BL_SLICE("T"), .queue_id = -1, .body = BL_SLICE("x")};
  for (int i = 0; i < 3; i++) {
    send.properties = BL_SLICE("");
    assert_int_equal(bl_producer_send(producer, &send, NULL), BL_OK);
    assert_int_equal(bl_producer_send(producer, &send, NULL), BL_OK);
    send.properties = BL_SLICE("DELAY\0013\002");
    assert_int_equal(bl_producer_send(producer, &send, NULL), BL_OK);
  }
  assert_true(bl_fake_run_until(&fake, &results.done, 9));
  assert_int_equal(fake.sends, 6);
  assert_int_equal(fake.batches, 3);
  end(producer);
}

static void on_left(void *context) {
  ((struct results *)context)->left = 1;
}

static void it_leaves(void **state) {
  (void)state;
  struct results results;
  bl_fake_init(&fake, "T", 1);
  struct bl_producer *producer = start(&results);
  send_number(producer, "T", -1, 1);
  assert_true(bl_fake_run_until(&fake, &results.done, 1));
  bl_producer_leave(producer, on_left, &results);
  assert_true(bl_fake_run_until(&fake, &results.left, 1));
  assert_int_equal(fake.leaves, 1);
  assert_int_equal(fake.heartbeats, 1);
  end(producer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_message_goes_alone),
      cmocka_unit_test(a_topic_that_does_not_exist_takes_the_default_route),
      cmocka_unit_test(many_messages_go_in_batches_and_in_order),
      cmocka_unit_test(one_queue_keeps_the_order_over_retries),
      cmocka_unit_test(retries_end_and_some_codes_have_none),
      cmocka_unit_test(codes_10_to_12_mean_stored),
      cmocka_unit_test(the_window_and_the_sizes_are_kept),
      cmocka_unit_test(a_delayed_message_is_never_in_a_batch),
      cmocka_unit_test(it_leaves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
