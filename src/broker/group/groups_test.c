/* The subscription group table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/group/groups.h"

static struct bl_clock_fake clock_fake;
static struct bl_groups groups;
static struct bl_arena arena;

static int set_up(void **state) {
  (void)state;
  bl_clock_fake_init(&clock_fake, 1700000000000);
  bl_groups_init(&groups, &clock_fake.clock);
  bl_arena_init(&arena);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  bl_groups_fini(&groups);
  bl_arena_fini(&arena);
  return 0;
}

static void names_are_checked(void **state) {
  (void)state;
  char name[300];
  struct bl_why why;
  memset(name, 'g', sizeof(name));
  assert_int_equal(bl_group_name_check(BL_SLICE("CG-1_%|"), &why), BL_OK);
  assert_int_equal(bl_group_name_check(BL_SLICE(""), &why), BL_ERR_PARAMETER);
  assert_int_equal(bl_group_name_check(BL_SLICE("a/b"), &why), BL_ERR_PARAMETER);
  assert_int_equal(bl_group_name_check(bl_slice_of(name, BL_GROUP_BYTES_MAX), &why), BL_OK);
  assert_int_equal(bl_group_name_check(bl_slice_of(name, BL_GROUP_BYTES_MAX + 1), &why),
                   BL_ERR_PARAMETER);
  assert_true(bl_group_is_system(BL_SLICE("CID_RMQ_SYS_x")));
  assert_true(bl_group_is_system(BL_SLICE("TOOLS_CONSUMER")));
  assert_false(bl_group_is_system(BL_SLICE("CG")));
}

/* What is written reads back, and an absent member has RocketMQ's default. */
static void json_reads_back(void **state) {
  (void)state;
  const struct bl_json *root;
  struct bl_group like;
  struct bl_group *group;
  struct bl_slice text = BL_SLICE(
      "{\"groupName\":\"CG\",\"consumeEnable\":false,\"retryMaxTimes\":3,\"retryQueueNums\":2,"
      "\"consumeMessageOrderly\":true,\"brokerId\":1,\"groupSysFlag\":9,"
      "\"attributes\":{\"k\":\"v\"},\"groupRetryPolicy\":{\"type\":\"EXPONENTIAL\"},"
      "\"subscriptionDataSet\":[{\"topic\":\"T\"}]}");
  assert_int_equal(bl_json_parse(text, BL_JSON_STRICT, &arena, &root, NULL), BL_OK);
  assert_int_equal(bl_group_read(root, (struct bl_slice){NULL, 0}, &arena, &like), BL_OK);
  assert_int_equal(bl_groups_put(&groups, &like, &group), BL_OK);
  struct bl_buf out;
  bl_buf_init(&out, 65536);
  struct bl_json_writer w = bl_json_writer_of(&out, false);
  bl_group_write(&w, group);
  bl_buf_put_char(&out, '\0');
  assert_string_equal(
      out.data,
      "{\"attributes\":{\"k\":\"v\"},\"brokerId\":1,\"consumeBroadcastEnable\":true,"
      "\"consumeEnable\":false,\"consumeFromMinEnable\":true,\"consumeMessageOrderly\":true,"
      "\"consumeTimeoutMinute\":15,\"groupName\":\"CG\",\"groupRetryPolicy\":{\"type\":"
      "\"EXPONENTIAL\"},"
      "\"groupSysFlag\":9,\"notifyConsumerIdsChangedEnable\":true,\"retryMaxTimes\":3,"
      "\"retryQueueNums\":2,\"subscriptionDataSet\":[{\"topic\":\"T\"}],"
      "\"whichBrokerWhenConsumeSlowly\":1}");
  bl_buf_fini(&out);
}

static void a_group_without_a_name_is_refused(void **state) {
  (void)state;
  const struct bl_json *root;
  struct bl_group like;
  assert_int_equal(bl_json_parse(BL_SLICE("{\"brokerId\":1}"), BL_JSON_STRICT, &arena, &root, NULL),
                   BL_OK);
  assert_int_equal(bl_group_read(root, (struct bl_slice){NULL, 0}, &arena, &like), BL_ERR_FORMAT);
  assert_int_equal(bl_json_parse(BL_SLICE("[]"), BL_JSON_STRICT, &arena, &root, NULL), BL_OK);
  assert_int_equal(bl_group_read(root, BL_SLICE("CG"), &arena, &like), BL_ERR_FORMAT);
}

static void changing_a_group_frees_what_it_had(void **state) {
  (void)state;
  struct bl_group like;
  struct bl_group *group;
  bl_group_default(&like, BL_SLICE("CG"));
  like.attributes = BL_SLICE("{\"a\":\"1\"}");
  assert_int_equal(bl_groups_put(&groups, &like, &group), BL_OK);
  /* From its own text: taken before the old one is freed. */
  like.attributes = group->attributes;
  like.retry_max_times = 5;
  assert_int_equal(bl_groups_put(&groups, &like, &group), BL_OK);
  assert_string_equal(group->attributes.ptr, "{\"a\":\"1\"}");
  assert_int_equal(bl_groups_find(&groups, BL_SLICE("CG"))->retry_max_times, 5);
  groups.limit = 1;
  bl_group_default(&like, BL_SLICE("OTHER"));
  assert_int_equal(bl_groups_put(&groups, &like, &group), BL_ERR_FULL);
  assert_true(bl_groups_remove(&groups, BL_SLICE("CG")));
  assert_false(bl_groups_remove(&groups, BL_SLICE("CG")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(names_are_checked, set_up, tear_down),
      cmocka_unit_test_setup_teardown(json_reads_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_group_without_a_name_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(changing_a_group_frees_what_it_had, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
