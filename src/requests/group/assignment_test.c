/* 400 to 402: a route that comes from a name server, one that does not come, modes over a restart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "broker/assign/parts.h"
#include "broker/assign/ring.h"
#include "requests/admin_testlib.h"

static struct at at;
static const char *route; /* what the name server says; NULL: nothing */
static int questions;

static struct bl_slice find_route(void *context, struct bl_slice topic) {
  (void)context;
  (void)topic;
  questions++;
  return bl_slice_text(route);
}

static int set_up(void **state) {
  (void)state;
  at_start(&at);
  at_topic(&at, "T", 4);
  at_join(&at, "CG", "T");
  route = NULL;
  questions = 0;
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  at_stop(&at);
  return 0;
}

static const char *const ASK =
    "{\"topic\":\"T\",\"consumerGroup\":\"CG\",\"clientId\":\"%s\",\"strategyName\":\"AVG\","
    "\"messageModel\":\"CLUSTERING\"}";

static const struct at_answer *ask(const char *client_id) {
  char body[256];
  snprintf(body, sizeof(body), ASK, client_id);
  return at_expect(&at, at_call(&at, 400, body, NULL), 0, NULL);
}

static struct bl_slice client_id(void) {
  return bl_members_ring(bl_members_consumers(at.broker, BL_SLICE("CG")))->ids[0];
}

static const struct at_answer *ask_as_member(void) {
  char id[64];
  snprintf(id, sizeof(id), "%.*s", BL_FMT(client_id()));
  return ask(id);
}

/* How many queues the answer has; -1: it says nothing. */
static int queues_in(const struct at_answer *answer) {
  const struct bl_json *root;
  assert_int_equal(bl_json_parse(answer->body, BL_JSON_DIALECT, &at.arena, &root, NULL), BL_OK);
  const struct bl_json *list = bl_json_get(root, "messageQueueAssignments");
  return list != NULL ? (int)list->count : -1;
}

static void without_a_name_server_the_own_queues_count(void **state) {
  (void)state;
  assert_int_equal(queues_in(ask_as_member()), 4);
  assert_int_equal(queues_in(ask("nobody")), 0);
}

static void queues_of_all_brokers_count(void **state) {
  (void)state;
  at.broker->find_route = find_route;
  assert_int_equal(queues_in(ask_as_member()), -1);
  route =
      "{\"brokerDatas\":[],\"queueDatas\":["
      "{\"brokerName\":\"b\",\"perm\":6,\"readQueueNums\":3,\"writeQueueNums\":8},"
      "{\"brokerName\":\"a\",\"perm\":4,\"readQueueNums\":2},"
      "{\"brokerName\":\"hidden\",\"perm\":2,\"readQueueNums\":9},"
      "{\"brokerName\":\"strange\",\"perm\":6,\"readQueueNums\":-1},"
      "{\"brokerName\":\"stranger\",\"perm\":6,\"readQueueNums\":70000},{},7]}";
  const struct at_answer *answer = ask_as_member();
  assert_int_equal(queues_in(answer), 5);
  at_has(answer,
         "{\"messageQueue\":{\"brokerName\":\"a\",\"queueId\":0,\"topic\":\"T\"},"
         "\"mode\":\"PULL\"}");
  assert_int_equal(questions, 2);
  static const char *const bad[] = {"", "7", "{\"queueDatas\":7}", "{}"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    route = bad[i];
    assert_int_equal(queues_in(ask_as_member()), -1);
  }
  /* So many that a look at each would hold the core: not believed, rather than some of them. */
  route =
      "{\"queueDatas\":[{\"brokerName\":\"a\",\"perm\":6,\"readQueueNums\":65536},"
      "{\"brokerName\":\"b\",\"perm\":2,\"readQueueNums\":1}]}";
  assert_int_equal(queues_in(ask_as_member()), 65536);
  route =
      "{\"queueDatas\":[{\"brokerName\":\"a\",\"perm\":6,\"readQueueNums\":65536},"
      "{\"brokerName\":\"b\",\"perm\":6,\"readQueueNums\":1}]}";
  assert_int_equal(queues_in(ask_as_member()), -1);
  route = "{\"queueDatas\":[]}"; /* nothing to share out */
  assert_int_equal(queues_in(ask_as_member()), -1);
}

/* A name server that cannot be reached: the member is told nothing, and keeps what it has. */
static void a_name_server_that_is_away(void **state) {
  (void)state;
  struct bl_why why;
  assert_int_equal(bl_options_set(&bl_broker_options, &at.settings, BL_SLICE("namesrvAddr"),
                                  BL_SLICE("127.0.0.1:1;;127.0.0.1:2"), BL_OPTION_AT_START, &why),
                   BL_OK);
  assert_int_equal(queues_in(ask_as_member()), -1);
  assert_int_equal(bl_part_finder_topics(at.broker->part_finder), 0);
}

static void without_the_balancer_everybody_gets_all(void **state) {
  (void)state;
  at.settings.server_load_balancer = false;
  assert_int_equal(queues_in(ask("nobody")), 4);
}

static void modes_are_kept(void **state) {
  (void)state;
  static const char *const mode =
      "{\"topic\":\"T\",\"consumerGroup\":\"CG\",\"mode\":\"%s\",\"popShareQueueNum\":2}";
  char body[256];
  snprintf(body, sizeof(body), mode, "PULL");
  at_expect(&at, at_call(&at, 401, body, NULL), 0, NULL);
  snprintf(body, sizeof(body), mode, "POP");
  at_expect(&at, at_call(&at, 401, body, NULL), 16,
            "mode POP is not served by this broker: set PULL, or leave it as it is");
  snprintf(body, sizeof(body), mode, "PUSH");
  at_expect(&at, at_call(&at, 401, body, NULL), 29, NULL);
  at_restart(&at);
  at_has(at_expect(&at, at_call(&at, 402, NULL, NULL), 0, NULL),
         "{\"messageRequestModeMap\":{\"T\":{\"CG\":{\"consumerGroup\":\"CG\",\"mode\":\"PULL\","
         "\"popShareQueueNum\":2,\"topic\":\"T\"}}}}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(without_a_name_server_the_own_queues_count, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(queues_of_all_brokers_count, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_name_server_that_is_away, set_up, tear_down),
      cmocka_unit_test_setup_teardown(without_the_balancer_everybody_gets_all, set_up, tear_down),
      cmocka_unit_test_setup_teardown(modes_are_kept, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
