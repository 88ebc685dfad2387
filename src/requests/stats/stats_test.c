/* 202, 208, 307, 315, 317, 303. */
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
  at_topic(&at, "T", 2);
  at_expect(&at, at_call(&at, 200, "{\"groupName\":\"CG\"}", NULL), 0, NULL);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  at_stop(&at);
  return 0;
}

/* The text of a member behind `mark` as a number. */
static int64_t number_behind(const struct at_answer *answer, const char *mark) {
  const char *at_text = strstr(answer->body.ptr, mark);
  assert_non_null(at_text);
  int64_t value = 0;
  for (at_text += strlen(mark); *at_text >= '0' && *at_text <= '9'; at_text++)
    value = value * 10 + (*at_text - '0');
  return value;
}

static void commit(const char *offset) {
  at_expect(&at,
            at_call(&at, 15, NULL, "consumerGroup", "CG", "topic", "T", "queueId", "1",
                    "commitOffset", offset, NULL),
            0, NULL);
}

static void check_topic_stats(int64_t from_ms) {
  const struct at_answer *answer =
      at_expect(&at, at_call(&at, 202, NULL, "topic", "T", NULL), 0, NULL);
  at_has(answer,
         "{\"brokerName\":\"broker-a\",\"queueId\":0,\"topic\":\"T\"}:{\"lastUpdateTimestamp\":0,"
         "\"maxOffset\":0,\"minOffset\":0}");
  at_has(answer, "\"maxOffset\":2,\"minOffset\":0}},\"topicPutTps\":");
  int64_t stored_ms =
      number_behind(answer, "\"queueId\":1,\"topic\":\"T\"}:{\"lastUpdateTimestamp\":");
  assert_true(stored_ms >= from_ms && stored_ms <= bl_clock_wall_ms(bl_clock_real()));
}

static void test_topic_stats(void **state) {
  (void)state;
  int64_t from_ms = bl_clock_wall_ms(bl_clock_real());
  at_expect(&at, at_call(&at, 202, NULL, "topic", "Nope", NULL), 17, "topic[Nope] not exist");
  at_send(&at, "T", 1, "k", "one");
  at_send(&at, "T", 1, "k", "two");
  check_topic_stats(from_ms);
  /* From the files too. */
  at_restart(&at);
  check_topic_stats(from_ms);
  /* More queues than a step writes. */
  at_topic(&at, "Wide", 300);
  at_has(at_call(&at, 202, NULL, "topic", "Wide", NULL), "\"queueId\":299,\"topic\":\"Wide\"}:{");
}

static void test_consume_stats(void **state) {
  (void)state;
  at_send(&at, "T", 1, "k", "one");
  at_send(&at, "T", 1, "k", "two");
  assert_string_equal(at_call(&at, 208, NULL, "consumerGroup", "CG", NULL)->body.ptr,
                      "{\"offsetTable\":{},\"consumeTps\":0.0}");
  const char *whole =
      "{\"brokerName\":\"broker-a\",\"queueId\":1,\"topic\":\"T\"}:{\"brokerOffset\":2,"
      "\"consumerOffset\":";
  at_has(at_call(&at, 208, NULL, "consumerGroup", "CG", "topic", "T", NULL), whole);
  commit("1");
  const struct at_answer *answer =
      at_expect(&at, at_call(&at, 208, NULL, "consumerGroup", "CG", NULL), 0, NULL);
  assert_int_equal(number_behind(answer, whole), 1);
  at_has(answer, ",\"pullOffset\":1}");
  int64_t stored_ms = number_behind(answer, "\"consumerOffset\":1,\"lastTimestamp\":");
  assert_true(stored_ms > 1700000000000);
  assert_int_equal(
      number_behind(at_call(&at, 208, NULL, "consumerGroup", "CG", "topicList", "Nope;T", NULL),
                    whole),
      1);
  assert_string_equal(
      at_call(&at, 208, NULL, "consumerGroup", "CG", "topic", "Nope", NULL)->body.ptr,
      "{\"offsetTable\":{},\"consumeTps\":0.0}");
  /* Members that do not subscribe to it: it is left out. */
  at_topic(&at, "Other", 1);
  at_join(&at, "CG", "Other");
  assert_string_equal(at_call(&at, 208, NULL, "consumerGroup", "CG", NULL)->body.ptr,
                      "{\"offsetTable\":{},\"consumeTps\":0.0}");
}

static void test_rates_move(void **state) {
  (void)state;
  const struct at_answer *answer = at_call(&at, 202, NULL, "topic", "T", NULL);
  at_has(answer, "\"topicPutTps\":0.0}");
  for (int i = 0; i < 20; i++) at_send(&at, "T", 1, "k", "x");
  at_run(&at, 1100);
  answer = at_call(&at, 202, NULL, "topic", "T", NULL);
  int64_t tps = number_behind(answer, "\"topicPutTps\":");
  assert_true(tps >= 5 && tps <= 20);
}

static void test_broker_consume_stats(void **state) {
  (void)state;
  at_send(&at, "T", 1, "k", "one");
  at_send(&at, "T", 1, "k", "two");
  commit("1");
  const struct at_answer *answer =
      at_expect(&at, at_call(&at, 317, NULL, "isOrder", "false", NULL), 0, NULL);
  at_has(
      answer,
      "{\"CG\":[{\"offsetTable\":{{\"brokerName\":\"broker-a\",\"queueId\":0,\"topic\":\"T\"}:{");
  assert_int_equal(number_behind(answer, "\"totalDiff\":"), 1);
  assert_null(strstr(at_call(&at, 317, NULL, "isOrder", "true", NULL)->body.ptr, "\"queueId\""));
}

static void test_time_span(void **state) {
  (void)state;
  at_send(&at, "T", 1, "k", "one");
  at_send(&at, "T", 1, "k", "two");
  commit("1");
  at_expect(&at, at_call(&at, 303, NULL, "topic", "Nope", "group", "CG", NULL), 17,
            "topic[Nope] not exist");
  const struct at_answer *answer =
      at_expect(&at, at_call(&at, 303, NULL, "topic", "T", "group", "CG", NULL), 0, NULL);
  at_has(answer,
         "{\"consumeTimeStamp\":-1,\"delayTime\":0,\"maxTimeStamp\":-1,\"messageQueue\":{"
         "\"brokerName\":"
         "\"broker-a\",\"queueId\":0,\"topic\":\"T\"},\"minTimeStamp\":-1}");
  const char *second = strstr(answer->body.ptr, "},{");
  assert_non_null(second);
  struct at_answer rest = {.body = bl_slice_text(second)};
  int64_t consumed_ms = number_behind(&rest, "\"consumeTimeStamp\":");
  assert_true(consumed_ms > 1700000000000 &&
              consumed_ms <= number_behind(&rest, "\"maxTimeStamp\":"));
  assert_int_equal(consumed_ms, number_behind(&rest, "\"minTimeStamp\":"));
}

static void test_relay(void **state) {
  (void)state;
  at_expect(&at, at_call(&at, 307, NULL, "consumerGroup", "CG", "clientId", "x", NULL), 1,
            "The Consumer <CG> <x> not online");
  at_join(&at, "CG", "T");
  at_expect(&at, at_call(&at, 307, NULL, "consumerGroup", "CG", "clientId", "x", NULL), 1,
            "The Consumer <CG> <x> not online");
  assert_int_equal(at.relayed, 0);
  const struct at_answer *answer = at_call(&at, 307, NULL, "consumerGroup", "CG", "clientId",
                                           "me@1", "jstackEnable", "false", NULL);
  assert_string_equal(at_expect(&at, answer, 0, NULL)->body.ptr, "{\"from\":\"client\"}");
  assert_int_equal(at.relayed, 1);
}

static void test_consume_directly(void **state) {
  (void)state;
  at_join(&at, "CG", "T");
  struct bl_slice id = at_send(&at, "T", 1, "k", "give me to one");
  char text[64];
  assert_true(id.len < sizeof(text));
  memcpy(text, id.ptr, id.len);
  text[id.len] = '\0';
  const struct at_answer *answer = at_call(&at, 309, NULL, "consumerGroup", "CG", "clientId",
                                           "me@1", "msgId", text, "topic", "T", NULL);
  assert_string_equal(at_expect(&at, answer, 0, NULL)->body.ptr, "{\"from\":\"client\"}");
  struct bl_record record;
  assert_int_equal(bl_record_decode(at.relayed_body, BL_RECORD_CHECKED, &record), BL_OK);
  assert_true(bl_slice_is(record.body, "give me to one"));
  text[31] = text[31] == '1' ? '2' : '1';
  at_expect(&at,
            at_call(&at, 309, NULL, "consumerGroup", "CG", "clientId", "me@1", "msgId", text, NULL),
            1, NULL);
  at_expect(
      &at,
      at_call(&at, 309, NULL, "consumerGroup", "CG", "clientId", "me@1", "msgId", "junk", NULL), 1,
      NULL);
}

static void test_view_stats(void **state) {
  (void)state;
  at_expect(&at, at_call(&at, 315, NULL, "statsName", "TOPIC_PUT_NUMS", "statsKey", "T", NULL), 1,
            "The stats <TOPIC_PUT_NUMS> <T> not exist");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_topic_stats, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_consume_stats, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_rates_move, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_broker_consume_stats, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_time_span, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_relay, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_consume_directly, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_view_stats, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
