/* Pulls with an SQL92 expression: what they give, where they go on, what wakes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "broker/broker_testlib.h"

static struct bt bt;
static int answers;
static int32_t last_code;
static int32_t last_messages;
static int64_t last_next;
static int64_t last_first; /* queue offset of the first message */
static int64_t step_ns;    /* time passes when it is looked at */

static int64_t ticking(const struct bl_clock *clock) {
  struct bl_clock_fake *fake = BL_CONTAINER(clock, struct bl_clock_fake, clock);
  return fake->now_mono_ns += step_ns;
}

static void on_answer(struct bl_broker *broker, const struct bl_ticket *ticket,
                      const struct bl_pull *pull, const struct bl_pulled *pulled,
                      const struct bl_why *why) {
  (void)broker;
  (void)ticket;
  (void)pull;
  (void)why;
  answers++;
  last_code = pulled->code;
  last_messages = pulled->message_count;
  last_next = pulled->next_offset;
  last_first = -1;
  int32_t found = 0;
  for (uint32_t i = 0; i < pulled->body_count; i++) {
    struct bl_slice left = pulled->bodies[i];
    while (left.len > 0) {
      struct bl_record record;
      assert_int_equal(bl_record_decode(left, BL_RECORD_CHECKED, &record), BL_OK);
      if (last_first < 0) last_first = record.queue_offset;
      found++;
      left = bl_slice_from(left, record.size_bytes);
    }
  }
  assert_int_equal(found, last_messages);
}

static int set_up(void **state) {
  (void)state;
  step_ns = 0;
  answers = 0;
  bt_start(&bt);
  bt.broker->holds.answer = on_answer;
  bt.clock.clock.mono_ns = ticking;
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  step_ns = 0;
  bt_stop(&bt);
  return 0;
}

static void send(const char *topic, int count, const char *properties) {
  for (int i = 0; i < count; i++) bt_send(&bt, topic, 0, properties, 64);
}

#define EU "n\0017\002region\001eu\002"
#define US "n\0017\002region\001us\002"

static struct bl_pull pull_of(const char *topic, int64_t offset, const char *expression) {
  return (struct bl_pull){.group = BL_SLICE("CG"),
                          .topic = bl_slice_text(topic),
                          .offset = offset,
                          .max_count = 32,
                          .sys_flag = BL_PULL_SUBSCRIPTION,
                          .suspend_ms = 60000,
                          .subscription = bl_slice_text(expression),
                          .expression_type = BL_SLICE("SQL92"),
                          .peer = "127.0.0.1:5"};
}

/* As the handler does. RETURNS whether it waits. */
static bool start_pull(struct bl_pull *pull) {
  struct bl_pulled pulled;
  struct bl_cold_place cold;
  struct bl_why why = {{0}};
  struct bl_ticket ticket = {.conn_id = 1, .opaque = 1};
  struct bl_arena *arena = bl_broker_arena(bt.broker);
  bl_err err = bl_broker_pull(bt.broker, pull, true, arena, &pulled, &cold, &why);
  if (err == BL_ERR_COLD) {
    bl_pull_go_on(pull, &pulled);
    assert_true(bl_holds_warm(bt.broker, &ticket, pull, pulled.queue, &cold));
    return true;
  }
  assert_int_equal(err, BL_OK);
  if (pulled.more) {
    bl_pull_go_on(pull, &pulled);
    assert_true(bl_holds_go_on(bt.broker, &ticket, pull, pulled.queue));
    return true;
  }
  if (pulled.none_yet) {
    assert_true(bl_holds_park(bt.broker, &ticket, pull, pulled.queue));
    return true;
  }
  on_answer(bt.broker, &ticket, pull, &pulled, &why);
  return false;
}

static void expect(const char *topic, int64_t offset, const char *expression, int32_t code,
                   int32_t messages, int64_t next) {
  struct bl_pull pull = pull_of(topic, offset, expression);
  int before = answers;
  start_pull(&pull);
  bt_settle(&bt);
  assert_int_equal(answers, before + 1);
  assert_int_equal(last_code, code);
  assert_int_equal(last_messages, messages);
  assert_int_equal(last_next, next);
}

static void what_matches_is_given(void **state) {
  (void)state;
  for (int i = 0; i < 100; i++) send("T", 1, i % 10 == 3 ? EU : US);
  expect("T", 0, "n > 5 AND region = 'eu'", 0, 10, 100);
  assert_int_equal(last_first, 3);
  expect("T", 4, "n > 5 AND region = 'eu'", 0, 9, 100);
  assert_int_equal(last_first, 13);
  expect("T", 0, "n > 7 AND region = 'eu'", 20, 0, 100);
  expect("T", 0, "region <> 'eu'", 0, 32, 36);
  expect("T", 0, "region IS NULL", 20, 0, 100);
  expect("T", 0, "region > 5", 20, 0, 100); /* a text that is no number */
  assert_int_equal(bt.broker->filters.compiled, 5);
}

static void limits_of_an_answer(void **state) {
  (void)state;
  send("T", 10, US);
  send("T", 40, EU);
  struct bl_pull pull = pull_of("T", 0, "region = 'eu'");
  pull.max_count = 5;
  assert_false(start_pull(&pull));
  assert_int_equal(last_messages, 5);
  assert_int_equal(last_first, 10);
  assert_int_equal(last_next, 15);
  pull.max_count = 32;
  pull.max_bytes = 100; /* the first is given whatever its length */
  assert_false(start_pull(&pull));
  assert_int_equal(last_messages, 1);
  assert_int_equal(last_next, 11);
}

/* As many are looked at as Java looks at in one pull, however many turns it takes. */
static void a_long_search_is_cut_by_turns(void **state) {
  (void)state;
  send("T", 1500, US);
  send("T", 1, EU);
  struct bl_pull pull = pull_of("T", 0, "region = 'eu'");
  step_ns = 20000;
  assert_true(start_pull(&pull));
  assert_int_equal(answers, 0);
  assert_in_range(bt.broker->stats.filter_looked, 64, 320);
  assert_in_range(pull.scanned, 64, 320);
  int turns = 0;
  for (; answers == 0 && turns < 100; turns++) {
    int64_t looked = bt.broker->stats.filter_looked;
    bl_broker_turn(bt.broker);
    assert_in_range(bt.broker->stats.filter_looked - looked, 0, 320);
  }
  assert_in_range(turns, 2, 50);
  assert_int_equal(last_code, 20);
  assert_int_equal(last_messages, 0);
  assert_in_range(last_next, 800, 1056);
  assert_true(bt.broker->stats.filter_cuts > 1);
  /* The rest: what is found by then is the answer. */
  pull = pull_of("T", last_next, "region = 'eu'");
  answers = 0;
  start_pull(&pull);
  for (turns = 0; answers == 0 && turns < 100; turns++) bl_broker_turn(bt.broker);
  assert_int_equal(last_code, 0);
  assert_int_equal(last_first, 1500);
  assert_int_equal(bt.broker->holds.count, 0);
}

/* When time is over, what was found is an answer. */
static void found_ones_do_not_wait_for_the_end(void **state) {
  (void)state;
  send("T", 1, EU);
  send("T", 799, US);
  struct bl_pull pull = pull_of("T", 0, "region = 'eu'");
  step_ns = 50000;
  assert_false(start_pull(&pull));
  assert_int_equal(last_code, 0);
  assert_int_equal(last_messages, 1);
  assert_in_range(last_next, 32, 256);
}

/* One that takes as long as many others is not let go on as far. */
static void a_long_expression_is_cut_sooner(void **state) {
  (void)state;
  enum { PARTS = 350 };
  char *text = malloc(PARTS * 24);
  size_t len = 0;
  for (int i = 0; i < PARTS; i++)
    len += (size_t)snprintf(text + len, 24, "%sregion = 'r%d'", i > 0 ? " OR " : "", i);
  send("T", 40, US);
  struct bl_pull pull = pull_of("T", 0, text);
  step_ns = 200000;
  assert_true(start_pull(&pull));
  assert_int_equal(pull.scanned, 1);
  for (int turns = 0; answers == 0 && turns < 100; turns++) bl_broker_turn(bt.broker);
  assert_int_equal(last_code, 20);
  assert_int_equal(last_next, 40);
  free(text);
}

static void many_at_once_share_a_turn(void **state) {
  (void)state;
  send("T", 800, US);
  step_ns = 20000;
  for (int i = 0; i < 20; i++) {
    struct bl_pull pull = pull_of("T", 0, "region = 'eu'");
    assert_true(start_pull(&pull));
    /* When the turn's share is used up, each has one look at the clock. */
    if (i > 10) assert_int_equal(pull.scanned, 32);
  }
  for (int turns = 0; answers < 20 && turns < 1000; turns++) bl_broker_turn(bt.broker);
  assert_int_equal(answers, 20);
  assert_int_equal(last_next, 800);
}

static void a_hold_wakes_for_what_matches(void **state) {
  (void)state;
  send("T", 3, US);
  struct bl_pull one = pull_of("T", 3, "region = 'eu'");
  struct bl_pull two = pull_of("T", 3, "region = 'eu' AND n > 7");
  assert_true(start_pull(&one));
  assert_true(start_pull(&two));
  send("T", 5, US);
  bt_settle(&bt);
  assert_int_equal(answers, 0);
  send("T", 1, EU);
  bt_settle(&bt);
  assert_int_equal(answers, 1);
  assert_int_equal(last_messages, 1);
  assert_int_equal(last_first, 8);
  assert_int_equal(last_next, 9);
  assert_int_equal(bt.broker->holds.count, 1);
  /* Its time over, the other learns how far it was looked at. */
  bt_pass(&bt, 60001);
  bt_settle(&bt);
  assert_int_equal(answers, 2);
  assert_int_equal(last_code, 20);
  assert_int_equal(last_next, 9);
}

static void cold_ones_are_read_once(void **state) {
  (void)state;
  for (int i = 0; i < 600; i++) bt_send(&bt, "T", i % 3 == 0 ? 0 : 1, i == 540 ? EU : US, 3000);
  bt_cold(&bt);
  bt.broker->holds.answer = on_answer;
  struct bl_pull pull = pull_of("T", 0, "region = 'eu'");
  assert_true(start_pull(&pull));
  bt_settle(&bt);
  assert_int_equal(answers, 1);
  assert_int_equal(last_code, 0);
  assert_int_equal(last_messages, 1);
  assert_int_equal(last_first, 180);
  /* It went on where it waited. */
  assert_in_range(bt.broker->stats.filter_looked, 181, 200);
}

/* With filterSupportRetry the expression for the topic that a message came from counts. */
static void retry_topics(void **state) {
  (void)state;
  send("%RETRY%CG", 1, US "RETRY_TOPIC\001T\002");
  send("%RETRY%CG", 1, EU "RETRY_TOPIC\001T\002");
  send("%RETRY%CG", 1, US "RETRY_TOPIC\001OTHER\002");
  send("%RETRY%CG", 1, US);
  expect("%RETRY%CG", 0, "region = 'us'", 0, 3, 4);
  struct bl_member_group group = {.name = BL_SLICE("CG"), .is_consumer = true};
  struct bl_subscription *subscription = NULL;
  assert_int_equal(bl_subscription_new(BL_SLICE("T"), BL_SLICE("region = 'eu'"), BL_SLICE("SQL92"),
                                       1, &subscription),
                   BL_OK);
  assert_int_equal(bl_subscription_compile(subscription, &bt.broker->filters, NULL), BL_OK);
  bl_map_init(&group.subscriptions);
  bl_map_put(&group.subscriptions, subscription->topic, subscription);
  bl_map_put(&bt.broker->members.consumers, group.name, &group);
  bt.settings.filter_support_retry = true;
  expect("%RETRY%CG", 0, "region = 'nowhere'", 0, 3, 4);
  assert_int_equal(last_first, 1);
  bt.settings.filter_support_retry = false;
  expect("%RETRY%CG", 0, "region = 'nowhere'", 20, 0, 4);
  bl_map_remove(&bt.broker->members.consumers, group.name);
  bl_map_fini(&group.subscriptions);
  bl_subscription_free(subscription);
}

/* What the tag excludes is not given because its record is looked at for another reason. */
static void tags_where_messages_expire(void **state) {
  (void)state;
  for (int i = 0; i < 30; i++) send("T", 1, i % 3 == 0 ? "TAGS\1yes\2" : "TAGS\1no\2");
  bl_topics_find(&bt.broker->topics, BL_SLICE("T"))->features.ttl_own = true;
  struct bl_pull pull = pull_of("T", 0, "yes");
  pull.expression_type = BL_SLICE("TAG");
  assert_false(start_pull(&pull));
  assert_int_equal(last_code, 0);
  assert_int_equal(last_messages, 10);
  assert_in_range(last_next, 28, 30);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(what_matches_is_given),
      TEST(limits_of_an_answer),
      TEST(a_long_search_is_cut_by_turns),
      TEST(found_ones_do_not_wait_for_the_end),
      TEST(a_long_expression_is_cut_sooner),
      TEST(many_at_once_share_a_turn),
      TEST(a_hold_wakes_for_what_matches),
      TEST(cold_ones_are_read_once),
      TEST(retry_topics),
      TEST(tags_where_messages_expire),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
