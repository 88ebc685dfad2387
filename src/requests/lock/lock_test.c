/* 41 and 42. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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

static char *long_body(size_t group, size_t client) {
  struct bl_buf body;
  bl_buf_init(&body, 0);
  bl_buf_put_text(&body, "{\"consumerGroup\":\"");
  for (size_t i = 0; i < group; i++) bl_buf_put_char(&body, 'g');
  bl_buf_put_text(&body, "\",\"clientId\":\"");
  for (size_t i = 0; i < client; i++) bl_buf_put_char(&body, 'c');
  bl_buf_put_text(&body, "\",\"mqSet\":[]}");
  bl_buf_put_char(&body, '\0');
  return body.data;
}

/* The names go into a record of the metadata: what cannot be there is refused, and the broker
 * starts again from what it wrote. */
static void test_names_that_cannot_be(void **state) {
  (void)state;
  const struct {
    size_t group, client;
  } lengths[] = {{256, 1}, {40000, 1}, {1, 1025}, {1, 300000}, {1, 2 << 20}};
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    char *body = long_body(lengths[i].group, lengths[i].client);
    at_expect(&at, at_call(&at, 41, body, NULL), 1, NULL);
    at_expect(&at, at_call(&at, 42, body, NULL), 1, NULL);
    free(body);
  }
  /* As a property of the record it would say another version, which no broker reads. */
  at_expect(&at,
            at_call(&at, 41,
                    "{\"consumerGroup\":\"G\\u0002BOLIDE_V\\u00019\",\"clientId\":\"a\","
                    "\"mqSet\":[" QUEUE_0 "]}",
                    NULL),
            1, NULL);
  at_restart(&at);
  expect_locked(BODY("a", QUEUE_0), "{\"lockOKMQSet\":[" QUEUE_0 "]}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_locks, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_bad_bodies, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_names_that_cannot_be, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
