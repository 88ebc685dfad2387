/* 17, 18, 215, 351, 21, 305. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>

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

static const struct at_answer *create(const char *name, const char *queues,
                                      const char *attributes) {
  return at_call(&at, 17, NULL, "topic", name, "defaultTopic", "TBW102", "readQueueNums", queues,
                 "writeQueueNums", queues, "perm", "6", "topicFilterType", "SINGLE_TAG",
                 "topicSysFlag", "0", "order", "false", "attributes", attributes, NULL);
}

static void test_create_and_get(void **state) {
  (void)state;
  at_topic(&at, "T17", 8);
  const struct at_answer *answer =
      at_expect(&at, at_call(&at, 351, NULL, "topic", "T17", NULL), 0, NULL);
  assert_string_equal(answer->body.ptr,
                      "{\"attributes\":{},\"order\":false,\"perm\":6,\"readQueueNums\":8,"
                      "\"topicFilterType\":\"SINGLE_TAG\",\"topicName\":\"T17\",\"topicSysFlag\":0,"
                      "\"writeQueueNums\":8}");
  at_expect(&at, create("T17", "4", "+message.type=FIFO"), 0, NULL);
  at_has(at_call(&at, 351, NULL, "topic", "T17", NULL), "\"message.type\":\"FIFO\"");
  at_expect(&at, at_call(&at, 351, NULL, "topic", "Nope", NULL), 17,
            "No topic in this broker. topic: Nope");
}

/* What was said to be done is there after a restart. */
static void test_create_lasts(void **state) {
  (void)state;
  at_topic(&at, "Lasting", 3);
  at_restart(&at);
  at_has(at_expect(&at, at_call(&at, 351, NULL, "topic", "Lasting", NULL), 0, NULL),
         "\"readQueueNums\":3");
}

static void test_create_refused(void **state) {
  (void)state;
  at_expect(&at, create("bad name", "4", ""), 29,
            "The specified topic: bad name, contains illegal characters, allowing only "
            "^[%|a-zA-Z0-9_-]+$");
  at_expect(&at, create("../../x", "4", ""), 29, NULL);
  at_expect(&at, create("TBW102", "4", ""), 29, "The topic[TBW102] is conflict with system topic.");
  at_expect(&at, create("DefaultCluster", "4", ""), 29, NULL);
  at_expect(&at, create("T", "4", "+foo=1"), 1, "unsupported key: foo");
  at_expect(&at, create("T", "4", "+message.type=MIXED"), 29,
            "MIXED message type is not supported.");
  at_expect(&at, create("T", "100000", ""), 29, NULL);
  at_expect(&at, create("T", "-1", ""), 29, NULL);
  at_expect(&at, at_call(&at, 351, NULL, "topic", "T", NULL), 17, NULL);
}

static void test_list(void **state) {
  (void)state;
  char body[16384];
  int len = snprintf(body, sizeof(body), "{\"topicConfigList\":[");
  for (int i = 0; i < 100; i++) {
    len += snprintf(body + len, sizeof(body) - (size_t)len,
                    "%s{\"topicName\":\"L%d\",\"readQueueNums\":2,\"writeQueueNums\":2,\"perm\":6,"
                    "\"attributes\":{\"+message.type\":\"DELAY\"}}",
                    i > 0 ? "," : "", i);
  }
  snprintf(body + len, sizeof(body) - (size_t)len, "]}");
  at_expect(&at, at_call(&at, 18, body, NULL), 0, NULL);
  at_has(at_call(&at, 351, NULL, "topic", "L99", NULL), "\"message.type\":\"DELAY\"");
  /* One bad name: none is made. */
  at_expect(
      &at,
      at_call(&at, 18, "{\"topicConfigList\":[{\"topicName\":\"Good\"},{\"topicName\":\"b d\"}]}",
              NULL),
      29, NULL);
  at_expect(&at, at_call(&at, 351, NULL, "topic", "Good", NULL), 17, NULL);
  at_expect(&at, at_call(&at, 18, "{\"x\"", NULL), 1, NULL);
  at_expect(&at, at_call(&at, 18, "{}", NULL), 1, NULL);
}

static void test_delete(void **state) {
  (void)state;
  at_topic(&at, "Gone", 2);
  at_send(&at, "Gone", 0, "k", "x");
  at_expect(&at, at_call(&at, 215, NULL, "topic", "Gone", NULL), 0, NULL);
  at_expect(&at, at_call(&at, 351, NULL, "topic", "Gone", NULL), 17, NULL);
  at_expect(&at, at_call(&at, 215, NULL, "topic", "Gone", NULL), 0, NULL);
  at_expect(&at, at_call(&at, 215, NULL, "topic", "TBW102", NULL), 29,
            "The topic[TBW102] is conflict with system topic.");
  at_expect(&at, at_call(&at, 215, NULL, "topic", " ", NULL), 29, "The specified topic is blank.");
  at_restart(&at);
  at_expect(&at, at_call(&at, 351, NULL, "topic", "Gone", NULL), 17, NULL);
}

static int count_of(struct bl_slice text, const char *what) {
  int count = 0;
  const char *from = text.ptr;
  while ((from = strstr(from, what)) != NULL) {
    count++;
    from++;
  }
  return count;
}

/* All, in more than one step, and pages of it that cover each once. */
static void test_table(void **state) {
  (void)state;
  char name[32];
  for (int i = 0; i < 150; i++) {
    snprintf(name, sizeof(name), "Many%d", i);
    at_topic(&at, name, 1);
  }
  const struct at_answer *answer = at_expect(&at, at_call(&at, 21, NULL, NULL), 0, NULL);
  int32_t total = 0;
  assert_true(bl_slice_i32(at_field(answer, "totalTopicNum"), &total));
  assert_int_equal(count_of(answer->body, "\"topicName\":"), total);
  assert_true(total > 150);
  at_has(answer, "\"topicQueueMappingDetailMap\":{},\"topicQueueMappingInfoMap\":{}}");
  int seen = 0;
  for (int first = 0; first < total; first += 50) {
    char seq[16];
    snprintf(seq, sizeof(seq), "%d", first);
    answer = at_call(&at, 21, NULL, "topicSeq", seq, "maxTopicNum", "50", NULL);
    const struct bl_json *root;
    assert_int_equal(bl_json_parse(answer->body, BL_JSON_STRICT, &at.arena, &root, NULL), BL_OK);
    seen += (int)bl_json_get(root, "topicConfigTable")->count;
  }
  assert_int_equal(seen, total);
}

static void test_system_topics(void **state) {
  (void)state;
  const struct at_answer *answer = at_expect(&at, at_call(&at, 305, NULL, NULL), 0, NULL);
  at_has(answer, "\"DefaultCluster_REPLY_TOPIC\"");
  at_has(answer, "\"CHECKPOINT_TOPIC\"");
  at_has(answer, "\"broker-a\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_create_and_get, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_create_lasts, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_create_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_list, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_delete, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_table, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_system_topics, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
