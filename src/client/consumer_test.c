#include "client/consumer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/fake_testlib.h"

#define GROUP "CG"

struct got {
  int count;
  int stop_after; /* 0: never */
  bool keep_open; /* messages are not done */
  int left;
  bl_err left_err;
  int failures;
  struct bl_consumer_queue *queue; /* of the last message */
  int64_t offset;
  char bodies[64][16];
};

static struct bl_fake fake; /* large */

static bool on_message(void *context, struct bl_consumer_queue *queue,
                       const struct bl_message *message) {
  struct got *got = context;
  if (got->count < 64) {
    snprintf(got->bodies[got->count], sizeof(got->bodies[0]), "%.*s", BL_FMT(message->body));
  }
  got->count++;
  got->queue = queue;
  got->offset = message->queue_offset;
  if (!got->keep_open) bl_consumer_done(queue, message->queue_offset + 1);
  return got->stop_after == 0 || got->count < got->stop_after;
}

static void on_failure(void *context, bl_err err, const char *sentence) {
  (void)err;
  (void)sentence;
  ((struct got *)context)->failures++;
}

static struct bl_consumer *start(struct got *got, const char *group, enum bl_consumer_from from) {
  struct bl_consumer_settings settings;
  bl_consumer_settings_default(&settings);
  settings.topic = BL_SLICE("T");
  settings.group = bl_slice_text(group);
  settings.from = from;
  settings.on_message = on_message;
  settings.on_failure = on_failure;
  settings.context = got;
  return bl_consumer_new(fake.client, &settings);
}

static void on_left(void *context, bl_err err) {
  struct got *got = context;
  got->left = 1;
  got->left_err = err;
}

static void leave(struct bl_consumer *consumer, struct got *got) {
  bl_consumer_leave(consumer, on_left, got);
  assert_true(bl_fake_run_until(&fake, &got->left, 1));
}

static void end(struct bl_consumer *consumer) {
  bl_consumer_free(consumer);
  bl_fake_fini(&fake);
}

static void without_a_group_everything_is_read_and_nothing_is_kept(void **state) {
  (void)state;
  struct got got = {.count = 0};
  bl_fake_init(&fake, "T", 3);
  for (int i = 0; i < 50; i++) bl_fake_store(&fake, i % 3, "x");
  struct bl_consumer *consumer = start(&got, NULL, BL_FROM_EARLIEST);
  assert_true(bl_fake_run_until(&fake, &got.count, 50));
  bl_fake_store(&fake, 1, "late");
  assert_true(bl_fake_run_until(&fake, &got.count, 51));
  assert_string_equal(got.bodies[50], "late");
  leave(consumer, &got);
  assert_int_equal(fake.heartbeats, 0);
  assert_int_equal(fake.leaves, 0);
  for (int i = 0; i < 3; i++) assert_int_equal(fake.queues[i].committed, -1);
  end(consumer);
}

static void latest_begins_at_the_end(void **state) {
  (void)state;
  struct got got = {.count = 0};
  bl_fake_init(&fake, "T", 1);
  bl_fake_store(&fake, 0, "old");
  struct bl_consumer *consumer = start(&got, NULL, BL_FROM_LATEST);
  assert_true(bl_fake_run_until(&fake, &fake.pulls, 1));
  bl_fake_store(&fake, 0, "new");
  assert_true(bl_fake_run_until(&fake, &got.count, 1));
  assert_string_equal(got.bodies[0], "new");
  end(consumer);
}

static void a_group_goes_on_where_it_stands(void **state) {
  (void)state;
  struct got got = {.count = 0};
  bl_fake_init(&fake, "T", 2);
  bl_fake_store(&fake, 0, "done");
  bl_fake_store(&fake, 0, "open");
  bl_fake_store(&fake, 1, "first");
  fake.queues[0].committed = 1;
  struct bl_consumer *consumer = start(&got, GROUP, BL_FROM_EARLIEST);
  assert_true(bl_fake_run_until(&fake, &got.count, 2));
  bl_fake_run_ms(&fake, 50);
  assert_int_equal(got.count, 2);
  assert_true(strcmp(got.bodies[0], "done") != 0 && strcmp(got.bodies[1], "done") != 0);
  leave(consumer, &got);
  assert_int_equal(got.left_err, BL_OK);
  assert_int_equal(fake.queues[0].committed, 2);
  assert_int_equal(fake.queues[1].committed, 1);
  assert_int_equal(fake.leaves, 1);
  end(consumer);
}

static void only_what_is_done_is_committed(void **state) {
  (void)state;
  struct got got = {.keep_open = true};
  bl_fake_init(&fake, "T", 1);
  for (int i = 0; i < 10; i++) bl_fake_store(&fake, 0, "x");
  struct bl_consumer *consumer = start(&got, GROUP, BL_FROM_EARLIEST);
  assert_true(bl_fake_run_until(&fake, &got.count, 10));
  bl_consumer_done(got.queue, 4);
  bl_consumer_done(got.queue, 3);  /* nothing goes back */
  bl_consumer_done(got.queue, 11); /* or to what was never given */
  leave(consumer, &got);
  assert_int_equal(fake.queues[0].committed, 4);
  end(consumer);
}

static void it_stops_when_told_so(void **state) {
  (void)state;
  struct got got = {.stop_after = 5};
  bl_fake_init(&fake, "T", 2);
  for (int i = 0; i < 20; i++) bl_fake_store(&fake, i % 2, "x");
  struct bl_consumer *consumer = start(&got, GROUP, BL_FROM_EARLIEST);
  assert_true(bl_fake_run_until(&fake, &got.count, 5));
  bl_fake_run_ms(&fake, 100);
  assert_int_equal(got.count, 5);
  leave(consumer, &got);
  int64_t kept = fake.queues[0].committed + fake.queues[1].committed;
  assert_true(kept == 5 || kept == 4); /* 4: of one queue nothing was given, not even 0 is known */
  end(consumer);
}

static void messages_that_are_not_done_and_pauses_stop_the_pulls(void **state) {
  (void)state;
  struct got got = {.keep_open = true};
  bl_fake_init(&fake, "T", 1);
  for (int i = 0; i < 3000; i++) bl_fake_store(&fake, 0, "x");
  struct bl_consumer *consumer = start(&got, NULL, BL_FROM_EARLIEST);
  assert_true(bl_fake_run_until(&fake, &got.count, 1000));
  bl_fake_run_ms(&fake, 100);
  assert_true(got.count < 1000 + 32);
  int before = got.count;
  bl_consumer_pause(consumer, true);
  bl_consumer_done(got.queue, got.offset + 1);
  bl_fake_run_ms(&fake, 50);
  assert_int_equal(got.count, before);
  bl_consumer_pause(consumer, false);
  assert_true(bl_fake_run_until(&fake, &got.count, before + 1000));
  end(consumer);
}

/* Another member whose id sorts before ours takes the first half, and gives it back. */
static void queues_are_shared_with_other_members(void **state) {
  (void)state;
  struct got got = {.count = 0};
  bl_fake_init(&fake, "T", 4);
  struct bl_consumer *consumer = start(&got, GROUP, BL_FROM_EARLIEST);
  for (int i = 0; i < 4; i++) bl_fake_store(&fake, i, "1");
  assert_true(bl_fake_run_until(&fake, &got.count, 4));
  snprintf(fake.other_members[0], sizeof(fake.other_members[0]), "0.0.0.0@1");
  fake.other_member_count = 1;
  bl_fake_notify(&fake, "another group");
  bl_fake_notify(&fake, GROUP);
  bl_fake_run_ms(&fake, 100);
  for (int i = 0; i < 4; i++) assert_int_equal(fake.queues[i].committed, i < 2 ? 1 : -1);
  for (int i = 0; i < 4; i++) bl_fake_store(&fake, i, "2");
  assert_true(bl_fake_run_until(&fake, &got.count, 6));
  bl_fake_run_ms(&fake, 200);
  assert_int_equal(got.count, 6);
  fake.other_member_count = 0;
  bl_fake_notify(&fake, GROUP);
  assert_true(bl_fake_run_until(&fake, &got.count, 8));
  leave(consumer, &got);
  for (int i = 0; i < 4; i++) assert_int_equal(fake.queues[i].committed, 2);
  end(consumer);
}

static void it_waits_for_the_topic_and_fails_without_a_server(void **state) {
  (void)state;
  struct got got = {.count = 0};
  bl_fake_init(&fake, NULL, 1);
  struct bl_consumer *consumer = start(&got, NULL, BL_FROM_EARLIEST);
  bl_fake_run_ms(&fake, 100);
  assert_int_equal(got.failures, 0);
  fake.topic = "T";
  bl_fake_store(&fake, 0, "x");
  assert_true(bl_fake_run_until(&fake, &got.count, 1));
  end(consumer);

  bl_fake_init(&fake, "T", 1);
  bl_listener_close(fake.listener);
  consumer = start(&got, NULL, BL_FROM_EARLIEST);
  assert_true(bl_fake_run_until(&fake, &got.failures, 1));
  end(consumer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_a_group_everything_is_read_and_nothing_is_kept),
      cmocka_unit_test(latest_begins_at_the_end),
      cmocka_unit_test(a_group_goes_on_where_it_stands),
      cmocka_unit_test(only_what_is_done_is_committed),
      cmocka_unit_test(it_stops_when_told_so),
      cmocka_unit_test(messages_that_are_not_done_and_pauses_stop_the_pulls),
      cmocka_unit_test(queues_are_shared_with_other_members),
      cmocka_unit_test(it_waits_for_the_topic_and_fails_without_a_server),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
