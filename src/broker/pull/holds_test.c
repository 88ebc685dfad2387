/* Held pulls: what changes while they wait, what they may keep, what a message costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/broker_testlib.h"

static struct bt bt;
static int answers;
static int32_t last_code;
static int32_t last_messages;
static int64_t last_next;
static int64_t last_ns;        /* when the last was given */
static int at_once;            /* answers between two looks at the clock, but for the first */
static size_t last_kept_bytes; /* of the expression that the pull came with */
/* A group as heartbeats make it, without its members. */
static struct bl_member_group group;

/* Time passes when it is looked at. */
static int64_t ticking(const struct bl_clock *clock) {
  return ++BL_CONTAINER(clock, struct bl_clock_fake, clock)->now_mono_ns;
}

static void on_answer(struct bl_broker *broker, const struct bl_ticket *ticket,
                      const struct bl_pull *pull, const struct bl_pulled *pulled,
                      const struct bl_why *why) {
  (void)broker;
  (void)ticket;
  (void)why;
  answers++;
  if (bt.clock.now_mono_ns == last_ns) at_once++;
  last_ns = bt.clock.now_mono_ns;
  last_code = pulled->code;
  last_messages = pulled->message_count;
  last_next = pulled->next_offset;
  last_kept_bytes = pull->subscription.len + pull->expression_type.len;
}

static void forget_subscription(void) {
  bl_subscription_free(bl_map_remove(&group.subscriptions, BL_SLICE("T")));
}

static void subscribe(const char *expression, int64_t version) {
  struct bl_subscription *subscription = NULL;
  forget_subscription();
  assert_int_equal(bl_subscription_new(BL_SLICE("T"), bl_slice_text(expression), BL_SLICE("TAG"),
                                       version, &subscription),
                   BL_OK);
  bl_map_put(&group.subscriptions, subscription->topic, subscription);
}

static int set_up(void **state) {
  (void)state;
  answers = 0;
  bt_start(&bt);
  bt.broker->holds.answer = on_answer;
  group =
      (struct bl_member_group){.name = BL_SLICE("CG"), .is_consumer = true, .model = BL_CLUSTERING};
  bl_map_init(&group.subscriptions);
  bl_map_put(&bt.broker->members.consumers, group.name, &group);
  bt_send(&bt, "T", 0, "TAGS\1a\2", 64);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  bl_map_remove(&bt.broker->members.consumers, group.name);
  forget_subscription();
  bl_map_fini(&group.subscriptions);
  bt_stop(&bt);
  return 0;
}

static struct bl_pull pull_of(int64_t offset) {
  return (struct bl_pull){.group = BL_SLICE("CG"),
                          .topic = BL_SLICE("T"),
                          .offset = offset,
                          .max_count = 32,
                          .suspend_ms = 60000,
                          .peer = "127.0.0.1:5"};
}

static struct bl_pull pull_with(const char *expression, const char *type) {
  struct bl_pull pull = pull_of(1);
  pull.sys_flag = BL_PULL_SUBSCRIPTION;
  pull.subscription = bl_slice_text(expression);
  pull.expression_type = bl_slice_text(type);
  return pull;
}

/* At the end of the queue. RETURNS whether it is held. */
static bool park(const struct bl_pull *pull) {
  struct bl_pulled pulled;
  struct bl_cold_place cold;
  struct bl_why why = {{0}};
  struct bl_ticket ticket = {.conn_id = 1, .opaque = 1};
  struct bl_arena *arena = bl_broker_arena(bt.broker);
  assert_int_equal(bl_broker_pull(bt.broker, pull, true, arena, &pulled, &cold, &why), BL_OK);
  assert_true(pulled.none_yet);
  return bl_holds_park(bt.broker, &ticket, pull, pulled.queue);
}

static void expect_answer(int32_t code, int32_t messages, int64_t next) {
  assert_int_equal(answers, 1);
  assert_int_equal(last_code, code);
  assert_int_equal(last_messages, messages);
  assert_int_equal(last_next, next);
  answers = 0;
}

/* Its client knows the old tags only: it would drop what it is given and commit behind it. */
static void a_changed_subscription_gives_nothing(void **state) {
  (void)state;
  subscribe("a", 1);
  struct bl_pull pull = pull_of(1);
  assert_true(park(&pull));
  bt_send(&bt, "T", 0, "TAGS\1b\2", 64);
  assert_int_equal(answers, 0);
  subscribe("b", 2);
  bt_send(&bt, "T", 0, "TAGS\1c\2", 64); /* woken by whatever comes */
  expect_answer(19, 0, 1);
  /* Asked again, it is given what was kept from the old one. */
  struct bl_pulled pulled;
  struct bl_cold_place cold;
  struct bl_why why = {{0}};
  assert_int_equal(
      bl_broker_pull(bt.broker, &pull, true, bl_broker_arena(bt.broker), &pulled, &cold, &why),
      BL_OK);
  assert_int_equal(pulled.message_count, 1);
  assert_int_equal(bt.broker->holds.count, 0);
}

/* The same when it is the time that is over, or the same tags are there with a newer version. */
static void a_changed_subscription_at_the_deadline(void **state) {
  (void)state;
  subscribe("a", 1);
  struct bl_pull pull = pull_of(1);
  assert_true(park(&pull));
  bt_send(&bt, "T", 0, "TAGS\1b\2", 64);
  subscribe("b", 2);
  assert_int_equal(answers, 0);
  bt_pass(&bt, 60001);
  expect_answer(19, 0, 1);
  assert_int_equal(bt.broker->holds.count, 0);
}

static void an_unchanged_one_gives_it(void **state) {
  (void)state;
  subscribe("a||b", 1);
  struct bl_pull pull = pull_of(1);
  assert_true(park(&pull));
  bt_send(&bt, "T", 0, "TAGS\1b\2", 64);
  expect_answer(0, 1, 2);
}

/* The group does not want the topic any more, or is gone: the pull is told so by the next message.
 */
static void a_dropped_subscription_is_told(void **state) {
  (void)state;
  subscribe("a", 1);
  struct bl_pull pull = pull_of(1);
  assert_true(park(&pull));
  forget_subscription();
  bt_send(&bt, "T", 0, "TAGS\1b\2", 64);
  expect_answer(24, 0, 0);
}

/* A header holds a megabyte; without the flag its expression means nothing. */
static void an_expression_without_its_flag_is_not_kept(void **state) {
  (void)state;
  subscribe("a", 1);
  char *text = malloc(1 << 20);
  memset(text, 'x', 1 << 20);
  struct bl_pull pull = pull_of(1);
  pull.subscription = bl_slice_of(text, 1 << 20);
  pull.expression_type = bl_slice_of(text, 1 << 20);
  assert_true(park(&pull));
  free(text);
  bt_send(&bt, "T", 0, "TAGS\1a\2", 64);
  expect_answer(0, 1, 2);
  assert_int_equal(last_kept_bytes, 0);
}

static void expressions_of_holds_are_bounded(void **state) {
  (void)state;
  struct bl_holds *holds = &bt.broker->holds;
  struct bl_pull pull = pull_with("nothing||of||these", "TAG");
  assert_true(park(&pull));
  int64_t each = holds->filter_bytes;
  assert_true(each > 0);
  holds->filter_bytes_max = 3 * each;
  assert_true(park(&pull));
  assert_true(park(&pull));
  assert_false(park(&pull));
  assert_int_equal(holds->refused, 1);
  /* Those of the group are not counted: all holds share them. */
  subscribe("nothing", 1);
  struct bl_pull shared = pull_of(1);
  assert_true(park(&shared));
  bt_pass(&bt, 60001);
  assert_int_equal(answers, 4);
  assert_int_equal(holds->filter_bytes, 0);
  assert_true(park(&pull));
}

/* Whose turn does not come is woken, and looks by itself, within its time. */
static void a_message_is_not_compared_with_every_expression(void **state) {
  (void)state;
  enum { HOLDS = BL_HOLDS_COMPARED_MAX + 5 };
  for (int i = 0; i < HOLDS; i++) {
    char expression[64];
    snprintf(expression, sizeof(expression), "region = 'r%d'", i);
    struct bl_pull pull = pull_with(expression, "SQL92");
    assert_true(park(&pull));
  }
  bt_send(&bt, "T", 0, "region\1nowhere\2", 64);
  assert_int_equal(answers, 5);
  assert_int_equal(last_code, 20);
  assert_int_equal(last_next, 2);
  assert_int_equal(bt.broker->holds.count, BL_HOLDS_COMPARED_MAX);
}

/* As many as there are of one expression cost one look. */
static void holds_of_one_expression_are_one(void **state) {
  (void)state;
  for (int i = 0; i < 2 * BL_HOLDS_COMPARED_MAX; i++) {
    struct bl_pull pull = pull_with("region = 'eu'", "SQL92");
    assert_true(park(&pull));
  }
  bt_send(&bt, "T", 0, "region\1us\2", 64);
  assert_int_equal(answers, 0);
  bt_send(&bt, "T", 0, "region\1eu\2", 64);
  assert_int_equal(answers, 2 * BL_HOLDS_COMPARED_MAX);
}

/* Records of files are copied and checked: a few such answers are a turn. */
static void large_answers_look_at_the_clock(void **state) {
  (void)state;
  subscribe("*", 1);
  for (int i = 0; i < 6; i++) {
    struct bl_pull pull = pull_of(1);
    assert_true(park(&pull));
  }
  bt.clock.clock.mono_ns = ticking;
  at_once = 0;
  bt_send(&bt, "T", 0, "", 40 << 10);
  assert_int_equal(answers, 6);
  assert_int_equal(at_once, 0);
}

/* Whatever a client says how long it waits. */
static void a_wait_of_any_length(void **state) {
  (void)state;
  subscribe("*", 1);
  struct bl_pull pull = pull_of(0);
  struct bl_ticket ticket = {.conn_id = 1, .opaque = 1};
  pull.suspend_ms = INT64_MAX;
  assert_true(bl_holds_go_on(bt.broker, &ticket, &pull, bt_queue(&bt, "T", 0)));
  bt_settle(&bt);
  expect_answer(0, 1, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_changed_subscription_gives_nothing),
      TEST(a_changed_subscription_at_the_deadline),
      TEST(an_unchanged_one_gives_it),
      TEST(a_dropped_subscription_is_told),
      TEST(an_expression_without_its_flag_is_not_kept),
      TEST(expressions_of_holds_are_bounded),
      TEST(a_message_is_not_compared_with_every_expression),
      TEST(holds_of_one_expression_are_one),
      TEST(large_answers_look_at_the_clock),
      TEST(a_wait_of_any_length),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
