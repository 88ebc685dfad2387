/* 41 and 42. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "requests/admin_testlib.h"

#define QUEUE_0 "{\"brokerName\":\"broker-a\",\"queueId\":0,\"topic\":\"T\"}"
#define QUEUE_1 "{\"brokerName\":\"broker-a\",\"queueId\":1,\"topic\":\"T\"}"
#define BODY(client, queues)                                                                       \
  "{\"consumerGroup\":\"CG\",\"clientId\":\"" client "\",\"mqSet\":[" queues                       \
  "],\"onlyThisBroker\":false}"

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

static void expect_locked(const char *body, const char *locked) {
  assert_string_equal(at_expect(&at, at_call(&at, 41, body, NULL), 0, NULL)->body.ptr, locked);
}

static void test_locks(void **state) {
  (void)state;
  expect_locked(BODY("a", QUEUE_0), "{\"lockOKMQSet\":[" QUEUE_0 "]}");
  expect_locked(BODY("b", QUEUE_0 "," QUEUE_1), "{\"lockOKMQSet\":[" QUEUE_1 "]}");
  expect_locked(BODY("a", QUEUE_0 "," QUEUE_1), "{\"lockOKMQSet\":[" QUEUE_0 "]}");
  /* Who does not hold it cannot give it. */
  at_expect(&at, at_call(&at, 42, BODY("b", QUEUE_0), NULL), 0, NULL);
  expect_locked(BODY("b", QUEUE_0), "{\"lockOKMQSet\":[]}");
  at_expect(&at, at_call(&at, 42, BODY("a", QUEUE_0), NULL), 0, NULL);
  expect_locked(BODY("b", QUEUE_0), "{\"lockOKMQSet\":[" QUEUE_0 "]}");
}

static void test_bad_bodies(void **state) {
  (void)state;
  at_expect(&at, at_call(&at, 41, NULL, NULL), 1, NULL);
  at_expect(&at, at_call(&at, 41, "{\"x\"", NULL), 1, NULL);
  at_expect(&at, at_call(&at, 41, "{\"consumerGroup\":\"CG\",\"mqSet\":[]}", NULL), 1, NULL);
  at_expect(&at,
            at_call(&at, 42, "{\"consumerGroup\":\"CG\",\"clientId\":\"a\",\"mqSet\":7}", NULL), 1,
            NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_locks, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_bad_bodies, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
