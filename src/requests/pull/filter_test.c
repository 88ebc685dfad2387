/* SQL92 over the wire: 46, subscriptions by heartbeat and in the pull, the codes of what is wrong.
 */
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
  at_topic(&at, "T", 1);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  at_stop(&at);
  return 0;
}

static const struct at_answer *check(const char *type, const char *expression) {
  char body[512];
  snprintf(body, sizeof(body),
           "{\"clientId\":\"c1\",\"group\":\"CG\",\"subscriptionData\":{\"topic\":\"T\","
           "\"subString\":\"%s\",\"expressionType\":\"%s\",\"codeSet\":[],\"tagsSet\":[]}}",
           expression, type);
  return at_call(&at, 46, body, NULL);
}

static void checking_a_subscription(void **state) {
  (void)state;
  at_expect(&at, check("SQL92", "a BETWEEN 1 AND 5 AND b IN ('x', 'y')"), 0, NULL);
  at_expect(&at, check("TAG", "||"), 0, NULL);
  at_expect(&at, check("", "a >"), 0, NULL);
  at_expect(&at, check("SQL92", "a > 5 AND"), 23,
            "the SQL92 expression is wrong at character 10: expected a property, number, string, "
            "TRUE, FALSE, NULL, NOT or (, but it ends there");
  at_expect(&at, check("SQL92", ""), 23, NULL);
  at_expect(&at, check("SQL99", "a"), 23,
            "the expression type SQL99 is not known; use TAG or SQL92");
  at_expect(&at, at_call(&at, 46, NULL, NULL), 0, NULL);
  at_expect(&at, at_call(&at, 46, "{}", NULL), 0, NULL);
  at_expect(&at, at_call(&at, 46, "{\"subscriptionData\":null}", NULL), 0, NULL);
  at_expect(&at, at_call(&at, 46, "{\"subscriptionData\":", NULL), 1, NULL);
  at.settings.property_filter = false;
  at_expect(&at, check("SQL92", "a > 5"), 1,
            "The broker does not support consumer to filter message by SQL92");
  at_expect(&at, check("TAG", "a"), 0, NULL);
}

static void send(const char *properties, int count) {
  struct bl_sent sent;
  struct bl_why why;
  for (int i = 0; i < count; i++) {
    struct bl_send message = {.topic = BL_SLICE("T"),
                              .properties = bl_slice_text(properties),
                              .body = BL_SLICE("0123456789"),
                              .born_host = at.broker->store_host,
                              .max_reconsume_times = -1,
                              .peer = ""};
    assert_int_equal(bl_broker_send(at.broker, &message, &sent, &why), BL_OK);
  }
  const struct bl_queue *queue = bl_queues_find(at.broker->queues, BL_SLICE("T"), 0);
  while (bl_queue_max_offset(queue) < bl_queue_assigned_offset(queue)) at_run(&at, 1);
  at_run(&at, 5);
}

/* sysFlag 4: the subscription is in the request. */
static const struct at_answer *pull(const char *flag, const char *offset, const char *expression,
                                    const char *version) {
  return at_call(&at, 11, NULL, "consumerGroup", "CG", "topic", "T", "queueId", "0", "queueOffset",
                 offset, "maxMsgNums", "32", "sysFlag", flag, "commitOffset", "0",
                 "suspendTimeoutMillis", "0", "subscription", expression, "subVersion", version,
                 "expressionType", "SQL92", NULL);
}

static void expect_next(const struct at_answer *answer, int32_t code, const char *next) {
  at_expect(&at, answer, code, NULL);
  char text[32];
  snprintf(text, sizeof(text), "%.*s", BL_FMT(at_field(answer, "nextBeginOffset")));
  assert_string_equal(text, next);
}

static void an_expression_in_the_pull(void **state) {
  (void)state;
  send(
      "a\1"
      "7\2region\1us\2",
      5);
  send(
      "a\1"
      "7\2region\1eu\2",
      2);
  send(
      "a\1"
      "3\2region\1eu\2",
      3);
  expect_next(pull("4", "0", "a > 5 AND region = 'eu'", "1"), 0, "10");
  expect_next(pull("4", "7", "a > 5 AND region = 'eu'", "1"), 20, "10");
  at_expect(&at, pull("4", "0", "a > 5 AND region = 'eu'", "1"), 0, "FOUND");
  at_expect(&at, pull("4", "9", "a > 5", "1"), 20, "NO_MATCHED_MESSAGE");
  at_expect(&at, pull("4", "0", "a > 'x'", "1"), 23,
            "parse the consumer's subscription failed: the SQL92 expression is wrong at character "
            "5: < <= > >= and BETWEEN compare numbers and properties only, neither strings, truth "
            "values nor conditions");
  at_expect(&at, pull("4", "0", "", "1"), 23, NULL);
  at.settings.property_filter = false;
  at_expect(&at, pull("4", "0", "a > 5", "1"), 1,
            "The broker does not support consumer to filter message by SQL92");
}

static void beat(const char *expression, int version) {
  char body[1024];
  snprintf(body, sizeof(body),
           "{\"clientID\":\"c1\",\"consumerDataSet\":[{\"groupName\":\"CG\",\"consumeType\":"
           "\"CONSUME_PASSIVELY\",\"messageModel\":\"CLUSTERING\",\"consumeFromWhere\":"
           "\"CONSUME_FROM_LAST_OFFSET\",\"subscriptionDataSet\":[{\"topic\":\"T\",\"subString\":"
           "\"%s\",\"subVersion\":%d,\"expressionType\":\"SQL92\"}]}],\"producerDataSet\":[]}",
           expression, version);
  at_expect(&at, at_call(&at, 34, body, NULL), 0, NULL);
}

static void an_expression_by_heartbeat(void **state) {
  (void)state;
  send("region\1us\2", 5);
  send("region\1eu\2", 2);
  beat("region = 'eu'", 10);
  expect_next(pull("0", "0", "", "10"), 0, "7");
  at_expect(&at, pull("0", "0", "", "11"), 25, "the consumer's subscription not latest");
  /* An older version is passed over, a newer one counts. */
  beat("region = 'us'", 9);
  expect_next(pull("0", "5", "", "9"), 0, "7");
  beat("region = 'us'", 11);
  expect_next(pull("0", "5", "", "11"), 20, "7");
  /* One that cannot be read is known as such. */
  beat("region = ", 12);
  at_expect(&at, pull("0", "0", "", "12"), 27,
            "The broker's consumer filter data is not exist!Your expression may be wrong! the "
            "SQL92 expression is wrong at character 10: expected a property, number, string, TRUE, "
            "FALSE, NULL, NOT or (, but it ends there");
  beat("region <> 'us'", 13);
  expect_next(pull("0", "0", "", "13"), 0, "7");
  /* It is compiled once. */
  int64_t compiled = at.broker->filters.compiled;
  for (int i = 0; i < 5; i++) pull("0", "0", "", "13");
  assert_int_equal(at.broker->filters.compiled, compiled);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(checking_a_subscription, set_up, tear_down),
      cmocka_unit_test_setup_teardown(an_expression_in_the_pull, set_up, tear_down),
      cmocka_unit_test_setup_teardown(an_expression_by_heartbeat, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
