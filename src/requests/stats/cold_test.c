/* Requests that look into messages which are on the disk only: the same answers, without a core
 * that waits for the disk or turns in circles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "requests/admin_testlib.h"
#include "requests/pull/answer.h"
#include "wire/msgid.h"

#define MESSAGES 40
#define ANSWER_BYTES_MAX 65536

static struct at at;
static char id[64];
static char log_offset[32];

static int set_up(void **state) {
  (void)state;
  struct bl_host host;
  int64_t offset;
  at_start(&at);
  at_topic(&at, "T", 4);
  at_expect(&at, at_call(&at, 200, "{\"groupName\":\"CG\"}", NULL), 0, NULL);
  for (int i = 0; i < MESSAGES; i++) {
    struct bl_slice sent = at_send(&at, "T", i % 3, "k", "some body");
    snprintf(id, sizeof(id), "%.*s", BL_FMT(sent));
  }
  assert_true(bl_msgid_parse(bl_slice_text(id), &host, &offset));
  snprintf(log_offset, sizeof(log_offset), "%lld", (long long)offset);
  for (int i = 0; i < 3; i++) {
    char queue[16];
    snprintf(queue, sizeof(queue), "%d", i);
    at_expect(&at,
              at_call(&at, 15, NULL, "consumerGroup", "CG", "topic", "T", "queueId", queue,
                      "commitOffset", "5", NULL),
              0, NULL);
  }
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  at_stop(&at);
  return 0;
}

static const struct at_answer *call(int which) {
  switch (which) {
    case 0: return at_call(&at, 202, NULL, "topic", "T", NULL);
    case 1: return at_call(&at, 208, NULL, "consumerGroup", "CG", "topic", "T", NULL);
    case 2: return at_call(&at, 303, NULL, "topic", "T", "group", "CG", NULL);
    case 3: return at_call(&at, 317, NULL, "isOrder", "false", NULL);
    case 4:
      return at_call(&at, 12, NULL, "topic", "T", "key", "k", "maxNum", "32", "beginTimestamp", "0",
                     "endTimestamp", "9999999999999", NULL);
    case 5: return at_call(&at, 33, NULL, "topic", "T", "offset", log_offset, NULL);
    case 6:
      return at_call(&at, 11, NULL, "consumerGroup", "CG", "topic", "T", "queueId", "1",
                     "queueOffset", "2", "maxMsgNums", "32", "sysFlag", "4", "commitOffset", "0",
                     "suspendTimeoutMillis", "0", "subscription", "*", "subVersion", "0", NULL);
    case 7: return at_call(&at, 29, NULL, "topic", "T", "queueId", "1", "timestamp", "1", NULL);
    case 8: return at_call(&at, 32, NULL, "topic", "T", "queueId", "1", NULL);
    case 9:
      return at_call(&at, 14, NULL, "consumerGroup", "NEW", "topic", "T", "queueId", "2", NULL);
    default: return NULL;
  }
}

/* Rates and delays are of the time until now; the port is a new one. */
static void cut_rates(char *text) {
  static const char *const names[] = {
      "\"topicPutTps\":", "\"consumeTps\":", "\"delayTime\":", "\"brokerAddr\":"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    for (char *at_name = text; (at_name = strstr(at_name, names[i])) != NULL;) {
      at_name += strlen(names[i]);
      while (*at_name != ',' && *at_name != '}' && *at_name != 0) *at_name++ = '#';
    }
  }
}

static void keep(const struct at_answer *answer, char *to) {
  size_t len = 0;
  for (uint32_t i = 0; i < answer->field_count; i++) {
    len += (size_t)snprintf(to + len, ANSWER_BYTES_MAX - len, "%.*s=%.*s;",
                            BL_FMT(answer->fields[i].name), BL_FMT(answer->fields[i].value));
  }
  assert_true(len + answer->body.len < ANSWER_BYTES_MAX);
  if (answer->body.len > 0) memcpy(to + len, answer->body.ptr, answer->body.len);
  to[len + answer->body.len] = 0;
  if (answer->body.len > 0 && answer->body.ptr[0] == '{') cut_rates(to + len);
}

static void cold_answers_are_the_same(void **state) {
  (void)state;
  int waited = 0;
  char body[2001];
  memset(body, 'x', sizeof(body) - 1);
  body[sizeof(body) - 1] = 0;
  for (int i = 0; i < 10; i++) at_send(&at, "T", i % 3, "k2", body);
  char *warm = calloc(1, ANSWER_BYTES_MAX);
  char *cold = calloc(1, ANSWER_BYTES_MAX);
  for (int which = 0; call(which) != NULL; which++) {
    at.never_cached = false;
    at_restart(&at);
    bl_pull_answers_attach(at.broker);
    memset(warm, 0, ANSWER_BYTES_MAX);
    memset(cold, 0, ANSWER_BYTES_MAX);
    keep(at_expect(&at, call(which), 0, NULL), warm);
    at_restart(&at);
    bl_pull_answers_attach(at.broker);
    at.never_cached = true;
    struct bl_net_stats before, after;
    bl_net_stats(at.net, &before);
    keep(at_expect(&at, call(which), 0, NULL), cold);
    bl_net_stats(at.net, &after);
    if (memcmp(warm, cold, ANSWER_BYTES_MAX) != 0) {
      fail_msg("call %d: warm %s, cold %s", which, warm, cold);
    }
    assert_in_range(after.turns - before.turns, 1, 200);
    struct bl_cold_stats reads;
    bl_store_cold_stats(at.broker->store, &reads);
    waited += reads.reads > 0;
  }
  assert_in_range(waited, 6, 9); /* the newest messages are in the ring */
  free(warm);
  free(cold);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(cold_answers_are_the_same, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
