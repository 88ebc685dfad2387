/* 200, 225, 201, 207, 352, 203, 204, 38, 300, 343, 345. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "requests/admin_testlib.h"

static struct at at;

static int set_up(void **state) {
  (void)state;
  at_start(&at);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  at_stop(&at);
  return 0;
}

static void test_put_and_get(void **state) {
  (void)state;
  at_expect(
      &at,
      at_call(&at, 200, "{\"groupName\":\"CG2\",\"retryMaxTimes\":5,\"retryQueueNums\":2}", NULL),
      0, NULL);
  at_restart(&at);
  const struct at_answer *answer =
      at_expect(&at, at_call(&at, 352, NULL, "group", "CG2", NULL), 0, NULL);
  /* As the recorded answer of RocketMQ, to the byte. */
  assert_string_equal(
      answer->body.ptr,
      "{\"attributes\":{},\"brokerId\":0,\"consumeBroadcastEnable\":true,\"consumeEnable\":true,"
      "\"consumeFromMinEnable\":true,\"consumeMessageOrderly\":false,\"consumeTimeoutMinute\":15,"
      "\"groupName\":\"CG2\",\"groupRetryPolicy\":{\"type\":\"CUSTOMIZED\"},\"groupSysFlag\":0,"
      "\"notifyConsumerIdsChangedEnable\":true,\"retryMaxTimes\":5,\"retryQueueNums\":2,"
      "\"whichBrokerWhenConsumeSlowly\":1}");
}

static void test_put_refused(void **state) {
  (void)state;
  at_expect(&at, at_call(&at, 200, "{\"groupName\":\"bad group!\"}", NULL), 29,
            "The specified group: bad group!, contains illegal characters, allowing only "
            "^[%|a-zA-Z0-9_-]+$");
  at_expect(&at, at_call(&at, 200, "{\"groupName\":\"\"}", NULL), 29,
            "The specified group is blank.");
  at_expect(&at, at_call(&at, 200, "{\"x\"", NULL), 1, NULL);
  at_expect(&at, at_call(&at, 200, NULL, NULL), 0, NULL);
}

static void test_put_many(void **state) {
  (void)state;
  at_expect(
      &at,
      at_call(
          &at, 225,
          "{\"groupConfigList\":[{\"groupName\":\"A\"},{\"groupName\":\"B\",\"retryMaxTimes\":3}]}",
          NULL),
      0, NULL);
  at_has(at_call(&at, 352, NULL, "group", "B", NULL), "\"retryMaxTimes\":3");
  at_expect(&at,
            at_call(&at, 225,
                    "{\"groupConfigList\":[{\"groupName\":\"C\"},{\"groupName\":\"b d\"}]}", NULL),
            29, NULL);
  at.settings.auto_create_group = false;
  at_expect(&at, at_call(&at, 352, NULL, "group", "C", NULL), 26, "No group in this broker");
}

static void test_table_and_delete(void **state) {
  (void)state;
  at_expect(&at, at_call(&at, 200, "{\"groupName\":\"CG1\"}", NULL), 0, NULL);
  at_expect(&at, at_call(&at, 200, "{\"groupName\":\"CG2\"}", NULL), 0, NULL);
  const struct at_answer *answer = at_expect(&at, at_call(&at, 201, NULL, NULL), 0, NULL);
  at_has(answer, "\"forbiddenTable\":{},\"subscriptionGroupTable\":{");
  at_has(answer, "\"CG2\":{\"attributes\"");
  assert_true(at_field(answer, "totalGroupNum").len > 0);
  answer = at_call(&at, 201, NULL, "groupSeq", "0", "maxGroupNum", "1", NULL);
  const struct bl_json *root;
  assert_int_equal(bl_json_parse(answer->body, BL_JSON_STRICT, &at.arena, &root, NULL), BL_OK);
  assert_int_equal(bl_json_get(root, "subscriptionGroupTable")->count, 1);
  at_expect(&at, at_call(&at, 207, NULL, "groupName", "CG2", "cleanOffset", "true", NULL), 0, NULL);
  assert_null(strstr(at_call(&at, 201, NULL, NULL)->body.ptr, "CG2"));
  at_expect(&at, at_call(&at, 207, NULL, "groupName", "CG_NONE", NULL), 0, NULL);
}

static void test_members(void **state) {
  (void)state;
  at_expect(&at, at_call(&at, 203, NULL, "consumerGroup", "CG", NULL), 206,
            "the consumer group[CG] not online");
  at_expect(&at, at_call(&at, 204, NULL, "producerGroup", "PG", NULL), 1,
            "the producer group[PG] not exist");
  at_expect(&at, at_call(&at, 38, NULL, "consumerGroup", "CG", NULL), 1,
            "no consumer for this group, CG");
  at_topic(&at, "T", 2);
  at_join(&at, "CG", "T");
  const struct at_answer *answer = at_call(&at, 38, NULL, "consumerGroup", "CG", NULL);
  assert_string_equal(at_expect(&at, answer, 0, NULL)->body.ptr, "{\"consumerIdList\":[\"me@1\"]}");
  answer = at_expect(&at, at_call(&at, 203, NULL, "consumerGroup", "CG", NULL), 0, NULL);
  at_has(answer, "\"clientId\":\"me@1\",\"language\":\"JAVA\",\"version\":513}]");
  at_has(answer,
         "\"consumeFromWhere\":\"CONSUME_FROM_LAST_OFFSET\",\"consumeType\":\"CONSUME_PASSIVELY\","
         "\"messageModel\":\"CLUSTERING\",\"subscriptionTable\":{\"T\":{\"classFilterMode\":false,"
         "\"codeSet\":[97,98],\"expressionType\":\"TAG\",\"subString\":\"a || b\",\"subVersion\":7,"
         "\"tagsSet\":[\"a\",\"b\"],\"topic\":\"T\"}");
  at_has(at_expect(&at, at_call(&at, 204, NULL, "producerGroup", "PG", NULL), 0, NULL),
         "\"clientId\":\"me@1\"");
}

static void test_subscriptions(void **state) {
  (void)state;
  at_topic(&at, "T", 2);
  at_topic(&at, "Old", 2);
  assert_string_equal(at_call(&at, 300, NULL, "topic", "T", NULL)->body.ptr, "{\"groupList\":[]}");
  at_join(&at, "CG", "T");
  assert_string_equal(at_call(&at, 300, NULL, "topic", "T", NULL)->body.ptr,
                      "{\"groupList\":[\"CG\"]}");
  /* Offsets count too, and a group that has both is named once. */
  at_expect(&at,
            at_call(&at, 15, NULL, "consumerGroup", "CG", "topic", "T", "queueId", "0",
                    "commitOffset", "0", NULL),
            0, NULL);
  assert_string_equal(at_call(&at, 300, NULL, "topic", "T", NULL)->body.ptr,
                      "{\"groupList\":[\"CG\"]}");
  at_expect(&at,
            at_call(&at, 15, NULL, "consumerGroup", "CG", "topic", "Old", "queueId", "0",
                    "commitOffset", "0", NULL),
            0, NULL);
  assert_string_equal(at_call(&at, 300, NULL, "topic", "Old", NULL)->body.ptr,
                      "{\"groupList\":[\"CG\"]}");
  at_has(at_call(&at, 343, NULL, "group", "CG", NULL), "\"topicList\":[\"T\",\"Old\"]}");
  at_has(at_call(&at, 345, NULL, "group", "CG", "topic", "T", NULL),
         "{\"group\":\"CG\",\"subscriptionData\":{\"classFilterMode\":false");
  assert_string_equal(at_call(&at, 345, NULL, "group", "CG", "topic", "Old", NULL)->body.ptr,
                      "{\"group\":\"CG\",\"topic\":\"Old\"}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_put_and_get, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_put_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_put_many, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_table_and_delete, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_members, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_subscriptions, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
