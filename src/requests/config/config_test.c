/* 25, 26, 28. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>

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

static void test_config(void **state) {
  (void)state;
  const struct at_answer *answer = at_expect(&at, at_call(&at, 26, NULL, NULL), 0, NULL);
  at_has(answer, "maxMessageSize=4194304\n");
  at_has(answer, "brokerName=broker-a\n");
  assert_true(bl_slice_starts(at_field(answer, "version"),
                              BL_SLICE("{\"counter\":0,\"stateVersion\":0,\"timestamp\":")));
  at_expect(&at, at_call(&at, 25, "maxMessageSize=1000\nnoSuchOption=1\n", NULL), 0, NULL);
  assert_int_equal(at.settings.max_message_bytes, 1000);
  answer = at_call(&at, 26, NULL, NULL);
  at_has(answer, "maxMessageSize=1000\n");
  assert_true(bl_slice_starts(at_field(answer, "version"), BL_SLICE("{\"counter\":1,")));
  /* Read only, or no value of it: nothing changes, also what stands beside it. */
  at_expect(&at, at_call(&at, 25, "maxMessageSize=2000\nbrokerName=other\n", NULL), 16, NULL);
  at_expect(&at, at_call(&at, 25, "maxMessageSize=2000\nbrokerPermission=99\n", NULL), 29, NULL);
  assert_int_equal(at.settings.max_message_bytes, 1000);
}

static int topics_changed;
static void on_topics_changed(void *context) {
  (void)context;
  topics_changed++;
}

static void test_permission_registers(void **state) {
  (void)state;
  at.broker->on_topics_changed = on_topics_changed;
  topics_changed = 0;
  int64_t counter = at.broker->topics.table.version.counter;
  at_expect(&at, at_call(&at, 25, "brokerPermission=4\n", NULL), 0, NULL);
  assert_int_equal(topics_changed, 1);
  assert_int_equal(at.broker->topics.table.version.counter, counter + 1);
}

static void test_runtime_keys(void **state) {
  (void)state;
  static const char *const keys[] = {"bootTimestamp",
                                     "brokerActive",
                                     "brokerVersion",
                                     "brokerVersionDesc",
                                     "runtime",
                                     "msgPutTotalYesterdayMorning",
                                     "msgPutTotalTodayMorning",
                                     "msgPutTotalTodayNow",
                                     "msgGetTotalYesterdayMorning",
                                     "msgGetTotalTodayMorning",
                                     "msgGetTotalTodayNow",
                                     "dispatchBehindBytes",
                                     "dispatchMaxBuffer",
                                     "pageCacheLockTimeMills",
                                     "earliestMessageTimeStamp",
                                     "startAcceptSendRequestTimeStamp",
                                     "putMessageTimesTotal",
                                     "putMessageFailedTimes",
                                     "putMessageEntireTimeMax",
                                     "putMessageSizeTotal",
                                     "putMessageDistributeTime",
                                     "putMessageAverageSize",
                                     "putTps",
                                     "getFoundTps",
                                     "getMissTps",
                                     "getTotalTps",
                                     "getTransferredTps",
                                     "getMessageEntireTimeMax",
                                     "putLatency99",
                                     "putLatency999",
                                     "sendThreadPoolQueueSize",
                                     "sendThreadPoolQueueCapacity",
                                     "sendThreadPoolQueueHeadWaitTimeMills",
                                     "pullThreadPoolQueueSize",
                                     "pullThreadPoolQueueCapacity",
                                     "pullThreadPoolQueueHeadWaitTimeMills",
                                     "litePullThreadPoolQueueSize",
                                     "queryThreadPoolQueueSize",
                                     "ackThreadPoolQueueSize",
                                     "EndTransactionQueueSize",
                                     "EndTransactionThreadPoolQueueCapacity",
                                     "commitLogMinOffset",
                                     "commitLogMaxOffset",
                                     "commitLogDiskRatio",
                                     "consumeQueueDiskRatio",
                                     "commitLogDirCapacity",
                                     "timerReadBehind",
                                     "timerOffsetBehind",
                                     "timerCongestNum",
                                     "timerEnqueueTps",
                                     "timerDequeueTps",
                                     "remainTransientStoreBufferNumbs",
                                     "remainHowManyDataToCommit",
                                     "remainHowManyDataToFlush"};
  const struct at_answer *answer = at_expect(&at, at_call(&at, 28, NULL, NULL), 0, NULL);
  const struct bl_json *root;
  assert_int_equal(bl_json_parse(answer->body, BL_JSON_STRICT, &at.arena, &root, NULL), BL_OK);
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
    const struct bl_json *value = bl_json_get(bl_json_get(root, "table"), keys[i]);
    if (value == NULL || value->kind != BL_JSON_STRING)
      fail_msg("%s is missing or no text", keys[i]);
  }
}

static double first_number(const struct at_answer *answer, const char *key) {
  const char *text = strstr(answer->body.ptr, key);
  assert_non_null(text);
  return strtod(text + strlen(key), NULL);
}

static void test_runtime_counts(void **state) {
  (void)state;
  for (int i = 0; i < 30; i++) at_send(&at, "T", 0, "k", "x");
  at_run(&at, 1200);
  const struct at_answer *answer = at_call(&at, 28, NULL, NULL);
  at_has(answer, "\"msgPutTotalTodayNow\":\"30\"");
  at_has(answer, "\"putMessageTimesTotal\":\"30\"");
  double tps = first_number(answer, "\"putTps\":\"");
  assert_true(tps > 3 && tps <= 30);
  assert_true(first_number(answer, "\"earliestMessageTimeStamp\":\"") > 1700000000000.0);
}

/* Sampling stops when nothing moves: no timer is set. */
static void test_idle_sleeps(void **state) {
  (void)state;
  at_send(&at, "T", 0, "k", "x");
  assert_true(bl_timers_wait_ms(&at.timers, bl_clock_mono_ms(bl_clock_real())) >= 0);
  at_run(&at, 2500);
  at_call(&at, 28, NULL, NULL);
  at_run(&at, 50);
  /* What is left is the longer than a sample away. */
  int64_t wait_ms = bl_timers_wait_ms(&at.timers, bl_clock_mono_ms(bl_clock_real()));
  assert_true(wait_ms < 0 || wait_ms > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_config, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_permission_registers, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_runtime_keys, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_runtime_counts, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_idle_sleeps, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
