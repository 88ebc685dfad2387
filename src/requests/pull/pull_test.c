/* Pulling: checks in order, the table of offsets, filters, holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "requests/admin_testlib.h"
#include "requests/pull/answer.h"

static struct at at;

static int set_up(void **state) {
  (void)state;
  at_start(&at);
  bl_pull_answers_attach(at.broker);
  at_topic(&at, "T", 2);
  at_join(&at, "CG", "T"); /* "a || b" with version 7 */
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  at_stop(&at);
  return 0;
}

static void send_tagged(const char *tag, int count) {
  char properties[64];
  struct bl_sent sent;
  struct bl_why why;
  snprintf(properties, sizeof(properties), "TAGS\1%s\2", tag);
  for (int i = 0; i < count; i++) {
    struct bl_send send = {.topic = BL_SLICE("T"),
                           .properties = bl_slice_text(properties),
                           .body = BL_SLICE("0123456789"),
                           .born_host = at.broker->store_host,
                           .max_reconsume_times = -1,
                           .peer = ""};
    assert_int_equal(bl_broker_send(at.broker, &send, &sent, &why), BL_OK);
  }
  const struct bl_queue *queue = bl_queues_find(at.broker->queues, BL_SLICE("T"), 0);
  while (bl_queue_max_offset(queue) < bl_queue_assigned_offset(queue)) at_run(&at, 1);
  at_run(&at, 5);
}

static struct bl_pull pull_of(int32_t queue_id, int64_t offset) {
  return (struct bl_pull){.group = BL_SLICE("CG"),
                          .topic = BL_SLICE("T"),
                          .queue_id = queue_id,
                          .offset = offset,
                          .max_count = 32,
                          .sys_flag = BL_PULL_SUBSCRIPTION,
                          .subscription = BL_SLICE("*"),
                          .peer = "127.0.0.1:5"};
}

static struct bl_pulled run(const struct bl_pull *pull) {
  struct bl_pulled pulled;
  struct bl_cold_place cold;
  struct bl_why why;
  bl_err err = bl_broker_pull(at.broker, pull, true, &at.arena, &pulled, &cold, &why);
  assert_int_equal(err, BL_OK);
  return pulled;
}

static void expect(const struct bl_pull *pull, int32_t code, const char *status, int64_t next) {
  struct bl_pulled pulled = run(pull);
  assert_int_equal(pulled.code, code);
  assert_true(pulled.counted);
  assert_string_equal(pulled.status, status);
  assert_int_equal(pulled.next_offset, next);
}

/* protocol.md 6.1b, row by row. */
static void the_table_of_offsets(void **state) {
  (void)state;
  struct bl_pull pull = pull_of(0, 0);
  expect(&pull, 19, "NO_MESSAGE_IN_QUEUE", 0);
  pull.offset = 5;
  expect(&pull, 21, "NO_MESSAGE_IN_QUEUE", 0);
  pull.offset = -1;
  expect(&pull, 21, "NO_MESSAGE_IN_QUEUE", 0);
  send_tagged("a", 3);
  const struct {
    int64_t offset;
    int32_t code;
    const char *status;
    int64_t next;
  } rows[] = {
      {0, 0, "FOUND", 3},
      {2, 0, "FOUND", 3},
      {3, 19, "OFFSET_OVERFLOW_ONE", 3},
      {4, 21, "OFFSET_OVERFLOW_BADLY", 3},
      {INT64_MAX, 21, "OFFSET_OVERFLOW_BADLY", 3},
      {-1, 21, "OFFSET_TOO_SMALL", 0},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    pull.offset = rows[i].offset;
    expect(&pull, rows[i].code, rows[i].status, rows[i].next);
  }
  struct bl_pulled pulled = run(&(struct bl_pull){
      .group = BL_SLICE("CG"), .topic = BL_SLICE("T"), .offset = 1, .max_count = 32, .peer = ""});
  assert_int_equal(pulled.min_offset, 0);
  assert_int_equal(pulled.max_offset, 3);
  assert_int_equal(pulled.message_count, 2);
  assert_int_equal(pulled.suggest_broker_id, 0);
}

static void a_topic_made_again_goes_on(void **state) {
  (void)state;
  send_tagged("a", 3);
  int64_t end;
  assert_int_equal(bl_broker_delete_topic(at.broker, BL_SLICE("T"), &end), BL_OK);
  struct bl_pull pull = pull_of(0, 0);
  assert_int_equal(run(&pull).code, 17);
  at_topic(&at, "T", 1);
  expect(&pull, 21, "OFFSET_TOO_SMALL", 3);
  pull.offset = 3;
  expect(&pull, 19, "OFFSET_OVERFLOW_ONE", 3);
  send_tagged("b", 1);
  expect(&pull, 0, "FOUND", 4);
}

static void checks_come_in_order(void **state) {
  (void)state;
  struct bl_pull pull = pull_of(0, 0);
  struct bl_group *group = bl_groups_find(&at.broker->groups, BL_SLICE("CG"));
  struct bl_topic *topic = bl_topics_find(&at.broker->topics, BL_SLICE("T"));
  pull.subscription = BL_SLICE("||");
  pull.queue_id = 2;
  topic->perm = 2;
  group->consume_enable = false;
  at.settings.broker_permission = 2;
  /* The first failure answers; each is mended in turn. */
  struct bl_pulled pulled = run(&pull);
  assert_true(pulled.code == 16 && pulled.forbidden == BL_FORBIDDEN_BROKER && !pulled.counted);
  at.settings.broker_permission = 6;
  pulled = run(&pull);
  assert_true(pulled.code == 16 && pulled.forbidden == BL_FORBIDDEN_GROUP);
  group->consume_enable = true;
  pulled = run(&pull);
  assert_true(pulled.code == 16 && pulled.forbidden == BL_FORBIDDEN_TOPIC);
  topic->perm = 6;
  assert_int_equal(run(&pull).code, 29);
  pull.queue_id = -1;
  assert_int_equal(run(&pull).code, 29);
  pull.queue_id = 1;
  assert_int_equal(run(&pull).code, 23);
  pull.subscription = BL_SLICE("a > 1");
  pull.expression_type = BL_SLICE("SQL92");
  at.settings.property_filter = false;
  assert_int_equal(run(&pull).code, 1);
  at.settings.property_filter = true;
  assert_int_equal(run(&pull).code, 19);
  pull.subscription = BL_SLICE("a >");
  assert_int_equal(run(&pull).code, 23);
  pull.expression_type = BL_SLICE("TAG");
  pull.subscription = BL_SLICE("*");
  assert_int_equal(run(&pull).code, 19);
  pull.topic = BL_SLICE("NONE");
  assert_int_equal(run(&pull).code, 17);
  pull.group = BL_SLICE("NEW");
  at.settings.auto_create_group = false;
  assert_int_equal(run(&pull).code, 26);
  pull.lite = true;
  at.settings.lite_pull_enable = false;
  pulled = run(&pull);
  assert_true(pulled.code == 16 && pulled.forbidden == BL_FORBIDDEN_BROKER);
}

static void the_groups_subscription_counts(void **state) {
  (void)state;
  struct bl_pull pull = pull_of(0, 0);
  send_tagged("a", 1);
  send_tagged("c", 2);
  send_tagged("b", 1);
  pull.sys_flag = 0;
  struct bl_pulled pulled = run(&pull);
  assert_int_equal(pulled.code, 0);
  assert_int_equal(pulled.message_count, 2);
  assert_int_equal(pulled.next_offset, 4);
  pull.sub_version = 8;
  assert_int_equal(run(&pull).code, 25);
  pull.sub_version = 7;
  assert_int_equal(run(&pull).code, 0);
  at_topic(&at, "OTHER", 1);
  pull.topic = BL_SLICE("OTHER");
  assert_int_equal(run(&pull).code, 24);
  pull.group = BL_SLICE("NOBODY");
  assert_int_equal(run(&pull).code, 24);
}

static void what_does_not_match_is_passed(void **state) {
  (void)state;
  struct bl_pull pull = pull_of(0, 0);
  send_tagged("x", 1500);
  pull.subscription = BL_SLICE("y");
  struct bl_pulled pulled = run(&pull);
  assert_int_equal(pulled.code, 20);
  assert_string_equal(pulled.status, "NO_MATCHED_MESSAGE");
  assert_in_range(pulled.next_offset, 800, 999);
  /* However many the client asks for: one call looks at so many. */
  pull.max_count = INT32_MAX;
  pulled = run(&pull);
  assert_in_range(pulled.next_offset, 800, 1024);
  pull.offset = pulled.next_offset;
  expect(&pull, 20, "NO_MATCHED_MESSAGE", 1500);
}

static void limits_of_one_answer(void **state) {
  (void)state;
  struct bl_pull pull = pull_of(0, 0);
  send_tagged("a", 40);
  assert_int_equal(run(&pull).message_count, 32);
  pull.max_count = 5;
  assert_int_equal(run(&pull).message_count, 5);
  pull.max_count = 32;
  int64_t one = run(&pull).bytes / 32;
  pull.max_bytes = (int32_t)(one * 3 + 1);
  assert_int_equal(run(&pull).message_count, 3);
  /* The first is given whatever its length. */
  pull.max_bytes = 100;
  struct bl_pulled pulled = run(&pull);
  assert_int_equal(pulled.message_count, 1);
  assert_int_equal(pulled.next_offset, 1);
  /* Records that follow one another are one run, and all of them are there. */
  pull.max_bytes = 0;
  pulled = run(&pull);
  int64_t total = 0;
  for (uint32_t i = 0; i < pulled.body_count; i++) total += (int64_t)pulled.bodies[i].len;
  assert_int_equal(total, pulled.bytes);
  assert_int_equal(pulled.body_count, 1);
}

static void a_pull_commits_the_first_time(void **state) {
  (void)state;
  struct bl_pull pull = pull_of(1, 0);
  struct bl_pulled pulled;
  struct bl_cold_place cold;
  struct bl_why why;
  pull.sys_flag |= BL_PULL_COMMIT;
  pull.commit_offset = 9;
  assert_int_equal(bl_broker_pull(at.broker, &pull, false, &at.arena, &pulled, &cold, &why), BL_OK);
  assert_int_equal(bl_offsets_committed(&at.broker->offsets, pull.topic, pull.group, 1),
                   BL_OFFSET_NONE);
  run(&pull);
  assert_int_equal(bl_offsets_committed(&at.broker->offsets, pull.topic, pull.group, 1), 9);
}

/* A pull over the wire that does not wait for its answer. */
struct waiting {
  struct bl_outcall call;
  bool answered;
  bl_err err;
  int32_t code;
  char next[32];
};

static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct waiting *waiting = BL_CONTAINER(call, struct waiting, call);
  waiting->answered = true;
  waiting->err = err;
  if (err != BL_OK) return;
  waiting->code = response->code;
  struct bl_slice next = bl_command_field(response, BL_SLICE("nextBeginOffset"));
  snprintf(waiting->next, sizeof(waiting->next), "%.*s", BL_FMT(next));
}

static void start(struct waiting *waiting, const char *offset, const char *suspend_ms,
                  const char *tags) {
  const char *const texts[][2] = {{"consumerGroup", "CG"}, {"topic", "T"},
                                  {"queueId", "0"},        {"queueOffset", offset},
                                  {"maxMsgNums", "32"},    {"sysFlag", "6"},
                                  {"commitOffset", "0"},   {"suspendTimeoutMillis", suspend_ms},
                                  {"subscription", tags},  {"subVersion", "1"}};
  struct bl_field fields[10];
  for (int i = 0; i < 10; i++) {
    fields[i] = (struct bl_field){bl_slice_text(texts[i][0]), bl_slice_text(texts[i][1])};
  }
  struct bl_outgoing outgoing = {.code = 11, .extra = fields, .extra_count = 10};
  memset(waiting, 0, sizeof(*waiting));
  waiting->call.done = on_answer;
  assert_int_equal(bl_remoting_call_address(at.remoting, bl_slice_text(at.address), &outgoing,
                                            20000, &waiting->call),
                   BL_OK);
  at_run(&at, 20);
}

static void expect_answer(struct waiting *waiting, int32_t code, const char *next) {
  for (int i = 0; i < 400 && !waiting->answered; i++) at_run(&at, 5);
  assert_true(waiting->answered);
  assert_int_equal(waiting->err, BL_OK);
  assert_int_equal(waiting->code, code);
  assert_string_equal(waiting->next, next);
}

static void a_hold_wakes_for_what_matches(void **state) {
  (void)state;
  static struct waiting one;
  static struct waiting two;
  start(&one, "0", "15000", "a");
  start(&two, "0", "15000", "b || c");
  assert_int_equal(at.broker->holds.count, 2);
  send_tagged("x", 1);
  assert_false(one.answered || two.answered);
  send_tagged("c", 1);
  expect_answer(&two, 0, "2");
  assert_false(one.answered);
  send_tagged("a", 1);
  expect_answer(&one, 0, "3");
  assert_int_equal(at.broker->holds.count, 0);
}

static void a_hold_ends_after_its_time(void **state) {
  (void)state;
  static struct waiting one;
  static struct waiting two;
  start(&one, "0", "60", "a");
  assert_false(one.answered);
  expect_answer(&one, 19, "0");
  /* What did not match is passed when the time is over. */
  start(&two, "0", "60", "a");
  send_tagged("x", 2);
  expect_answer(&two, 20, "2");
  start(&two, "7", "15000", "a");
  expect_answer(&two, 21, "2");
}

static void over_the_limit_there_is_no_hold(void **state) {
  (void)state;
  static struct waiting one;
  static struct waiting two;
  at.settings.holds_max = 1;
  start(&one, "0", "15000", "*");
  start(&two, "0", "15000", "*");
  expect_answer(&two, 19, "0");
  assert_int_equal(at.broker->holds.refused, 1);
  assert_false(one.answered);
  send_tagged("a", 1);
  expect_answer(&one, 0, "1");
}

static void deleting_the_topic_wakes_it(void **state) {
  (void)state;
  static struct waiting one;
  int64_t end;
  start(&one, "0", "15000", "*");
  assert_int_equal(bl_broker_delete_topic(at.broker, BL_SLICE("T"), &end), BL_OK);
  expect_answer(&one, 17, "");
}

static void holds_go_with_their_connection(void **state) {
  (void)state;
  static struct waiting one;
  static struct waiting two;
  start(&one, "0", "15000", "*");
  start(&two, "0", "15000", "a");
  assert_int_equal(at.broker->holds.count, 2);
  bl_remoting_disconnect(at.remoting, bl_slice_text(at.address));
  at_run(&at, 30);
  assert_true(one.answered && one.err == BL_ERR_CLOSED);
  assert_int_equal(at.broker->holds.count, 0);
  assert_int_equal(at.broker->holds.by_conn.count, 0);
  send_tagged("a", 1);
  start(&one, "0", "15000", "*");
  expect_answer(&one, 0, "1");
}

static void an_open_hold_does_not_stop_the_broker(void **state) {
  (void)state;
  static struct waiting one;
  start(&one, "0", "15000", "*");
  at_restart(&at);
  assert_true(one.answered);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_table_of_offsets, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_topic_made_again_goes_on, set_up, tear_down),
      cmocka_unit_test_setup_teardown(checks_come_in_order, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_groups_subscription_counts, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_does_not_match_is_passed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(limits_of_one_answer, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_pull_commits_the_first_time, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_hold_wakes_for_what_matches, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_hold_ends_after_its_time, set_up, tear_down),
      cmocka_unit_test_setup_teardown(over_the_limit_there_is_no_hold, set_up, tear_down),
      cmocka_unit_test_setup_teardown(deleting_the_topic_wakes_it, set_up, tear_down),
      cmocka_unit_test_setup_teardown(holds_go_with_their_connection, set_up, tear_down),
      cmocka_unit_test_setup_teardown(an_open_hold_does_not_stop_the_broker, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
