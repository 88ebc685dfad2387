/* 36: what comes back, also from the disk, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/retry/retry.h"
#include "requests/admin_testlib.h"
#include "wire/properties.h"

#define SEND_BACK 36

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

/* The log offset of a new message of the topic. */
static int64_t stored(const char *topic) {
  struct bl_host host;
  int64_t offset;
  assert_true(bl_msgid_parse(at_send(&at, topic, 0, "k", "body"), &host, &offset));
  return offset;
}

static const struct at_answer *give_back(int64_t offset, const char *level) {
  char text[24];
  snprintf(text, sizeof(text), "%lld", (long long)offset);
  return at_call(&at, SEND_BACK, NULL, "offset", text, "group", "CG", "delayLevel", level,
                 "originMsgId", "x", "originTopic", "T", "unitMode", "false", NULL);
}

static int64_t count_of(const char *topic) {
  struct bl_queue *queue = bl_queues_find(at.broker->queues, bl_slice_text(topic), 0);
  return queue == NULL ? 0 : bl_queue_max_offset(queue);
}

static void a_message_comes_back_from_the_disk(void **state) {
  (void)state;
  int64_t offset = stored("T");
  at.never_cached = true;
  at_restart(&at);
  at_expect(&at, give_back(offset, "-1"), 0, NULL);
  assert_int_equal(count_of("%DLQ%CG"), 1);
  assert_int_equal(at.broker->stats.dead_letters, 1);
  at_expect(&at, give_back(offset, "2"), 0, NULL);
  assert_int_equal(count_of("SCHEDULE_TOPIC_XXXX"), 0);
  assert_non_null(bl_queues_find(at.broker->queues, BL_SLICE("SCHEDULE_TOPIC_XXXX"), 1));
  assert_int_equal(at.broker->stats.sent_back, 1);
  char text[64];
  snprintf(text, sizeof(text), "look message by offset failed, %lld", (long long)offset + 1);
  at_expect(&at, give_back(offset + 1, "2"), 1, text);
}

static void fields_are_required(void **state) {
  (void)state;
  at_expect(&at, at_call(&at, SEND_BACK, NULL, "group", "CG", "delayLevel", "0", NULL), 1, NULL);
  at_expect(&at, at_call(&at, SEND_BACK, NULL, "offset", "0", "delayLevel", "0", NULL), 1, NULL);
  at_expect(&at,
            at_call(&at, SEND_BACK, NULL, "offset", "x", "group", "CG", "delayLevel", "0", NULL), 1,
            NULL);
}

static void names_are_bounded(void **state) {
  (void)state;
  char group[301];
  char text[24];
  snprintf(text, sizeof(text), "%lld", (long long)stored("T"));
  memset(group, 'g', sizeof(group));
  group[300] = '\0';
  at_expect(&at,
            at_call(&at, SEND_BACK, NULL, "offset", text, "group", group, "delayLevel", "0", NULL),
            26, NULL);
  group[255] = '\0'; /* a group's name, but no retry topic's */
  at_expect(&at,
            at_call(&at, SEND_BACK, NULL, "offset", text, "group", group, "delayLevel", "0", NULL),
            29, NULL);
}

static bl_err store(struct bl_record *record, struct bl_why *why) {
  struct bl_send_back back = {.group = BL_SLICE("CG"), .log_offset = 77};
  int64_t end;
  return bl_retry_store(at.broker, &back, record, &end, why);
}

static struct bl_record plain(void) {
  return (struct bl_record){.topic = BL_SLICE("T"),
                            .body = BL_SLICE("x"),
                            .born_host = at.broker->store_host,
                            .store_host = at.broker->store_host};
}

static void what_no_consumer_had_does_not_come_back(void **state) {
  (void)state;
  struct bl_why why;
  struct bl_record record = plain();
  record.sys_flag = BL_SYS_PREPARED;
  assert_int_equal(store(&record, &why), BL_ERR_SYSTEM);
  assert_string_equal(why.text, "look message by offset failed, 77");
  record.sys_flag = BL_SYS_ROLLBACK;
  assert_int_equal(store(&record, &why), BL_ERR_SYSTEM);
  record.sys_flag = BL_SYS_COMMIT;
  assert_int_equal(store(&record, &why), BL_OK);
  record.sys_flag = BL_SYS_INNER_BATCH;
  assert_int_equal(store(&record, &why), BL_ERR_MESSAGE_ILLEGAL);
  record = plain();
  record.topic = BL_SLICE("rmq_sys_bolide_meta");
  assert_int_equal(store(&record, &why), BL_ERR_SYSTEM);
}

static void properties_must_have_room(void **state) {
  (void)state;
  static char properties[BL_RECORD_PROPERTIES_BYTES_MAX];
  struct bl_why why;
  struct bl_record record = plain();
  memset(properties, 'x', sizeof(properties));
  memcpy(properties, "k\1", 2);
  record.properties = bl_slice_of(properties, sizeof(properties) - 40);
  assert_int_equal(store(&record, &why), BL_ERR_MESSAGE_ILLEGAL);
  assert_int_equal(count_of("SCHEDULE_TOPIC_XXXX"), 0);
  record.properties = bl_slice_of(properties, sizeof(properties) - 1000);
  assert_int_equal(store(&record, &why), BL_OK);
}

/* A group that was given fewer or more queues than its retry topic has. */
static void retries_go_where_they_are_read(void **state) {
  (void)state;
  struct bl_why why;
  struct bl_group like;
  struct bl_group *group;
  int64_t end;
  bl_group_default(&like, BL_SLICE("CG"));
  like.retry_policy =
      BL_SLICE("{\"type\":\"CUSTOMIZED\",\"customizedRetryPolicy\":{\"next\":[0]}}");
  assert_int_equal(bl_broker_put_group(at.broker, &like, &group, &end), BL_OK);
  struct bl_record record = plain();
  assert_int_equal(store(&record, &why), BL_OK);
  like.retry_queues = 8;
  assert_int_equal(bl_broker_put_group(at.broker, &like, &group, &end), BL_OK);
  for (int i = 0; i < 50; i++) assert_int_equal(store(&record, &why), BL_OK);
  for (int i = 0; i < 5000 && count_of("%RETRY%CG") < 51; i++) at_run(&at, 1);
  assert_int_equal(count_of("%RETRY%CG"), 51);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_message_comes_back_from_the_disk, set_up, tear_down),
      cmocka_unit_test_setup_teardown(fields_are_required, set_up, tear_down),
      cmocka_unit_test_setup_teardown(names_are_bounded, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_no_consumer_had_does_not_come_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(properties_must_have_room, set_up, tear_down),
      cmocka_unit_test_setup_teardown(retries_go_where_they_are_read, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
