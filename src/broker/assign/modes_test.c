/* Request modes: the file as RocketMQ writes it, records, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "broker/assign/modes.h"

static struct bl_request_modes modes;
static struct bl_arena arena;

static int set_up(void **state) {
  (void)state;
  bl_request_modes_init(&modes);
  bl_arena_init(&arena);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  bl_request_modes_fini(&modes);
  bl_arena_fini(&arena);
  return 0;
}

static const struct bl_json *parsed(const char *text) {
  const struct bl_json *root;
  assert_int_equal(bl_json_parse(bl_slice_text(text), BL_JSON_DIALECT, &arena, &root, NULL), BL_OK);
  return root;
}

static void put(const char *topic, const char *group, int share) {
  struct bl_request_mode mode = {
      .topic = bl_slice_text(topic), .group = bl_slice_text(group), .pop_share_queues = share};
  assert_int_equal(bl_request_modes_put(&modes, &mode), BL_OK);
}

static const char *file(void) {
  struct bl_buf out;
  void *progress = NULL;
  bl_buf_init(&out, 1 << 20);
  while (bl_request_modes_write_step(&modes, &out, &progress)) {}
  const char *text = bl_arena_copy(&arena, bl_buf_slice(&out)).ptr;
  bl_buf_fini(&out);
  return text;
}

static void the_file_is_rocketmqs(void **state) {
  (void)state;
  put("T", "G", 1);
  put("T", "G", 2);
  assert_int_equal(modes.count, 1);
  assert_string_equal(file(),
                      "{\n\t\"messageRequestModeMap\":{\n\t\t\"T\":{\n\t\t\t\"G\":{\n"
                      "\t\t\t\t\"consumerGroup\":\"G\",\n\t\t\t\t\"mode\":\"PULL\",\n"
                      "\t\t\t\t\"popShareQueueNum\":2,\n\t\t\t\t\"topic\":\"T\"\n"
                      "\t\t\t}\n\t\t}\n\t}\n}");
}

static void a_file_gives_the_table_again(void **state) {
  (void)state;
  struct bl_why why;
  put("OLD", "G", 1);
  const struct bl_json *root = parsed(
      "{\"messageRequestModeMap\":{\"T\":{\"G\":{\"consumerGroup\":\"G\",\"mode\":\"POP\","
      "\"popShareQueueNum\":3,\"topic\":\"T\"},\"H\":7},\"U\":5,\"\":{\"G\":{}}}}");
  assert_int_equal(bl_request_modes_replace(&modes, root, &why), BL_OK);
  assert_int_equal(modes.count, 1);
  const struct bl_request_mode *mode = bl_request_modes_find(&modes, BL_SLICE("T"), BL_SLICE("G"));
  assert_true(mode->pop);
  assert_int_equal(mode->pop_share_queues, 3);
  assert_int_equal(bl_request_modes_replace(&modes, parsed("{}"), &why), BL_ERR_FORMAT);
  assert_int_equal(modes.count, 1);
  assert_int_equal(bl_request_modes_replace(&modes, NULL, &why), BL_OK);
  assert_int_equal(modes.count, 0);
}

static void records_change_the_table(void **state) {
  (void)state;
  const struct bl_json *json = parsed("{\"mode\":\"PULL\",\"popShareQueueNum\":4}");
  bl_request_modes_apply(&modes, BL_SLICE("T@G"), json, 0);
  bl_request_modes_apply(&modes, BL_SLICE("T@G"), json, 0);
  bl_request_modes_apply(&modes, BL_SLICE("noGroup"), json, 0);
  bl_request_modes_apply(&modes, BL_SLICE("@G"), json, 0);
  bl_request_modes_apply(&modes, BL_SLICE("T@G"), NULL, 0);
  assert_int_equal(modes.count, 1);
  assert_int_equal(bl_request_modes_find(&modes, BL_SLICE("T"), BL_SLICE("G"))->pop_share_queues,
                   4);
  assert_null(bl_request_modes_find(&modes, BL_SLICE("T"), BL_SLICE("H")));
}

static void there_are_so_many(void **state) {
  (void)state;
  char topic[24];
  for (int i = 0; i < BL_REQUEST_MODES_MAX; i++) {
    snprintf(topic, sizeof(topic), "T%d", i);
    put(topic, "G", 0);
  }
  struct bl_request_mode more = {.topic = BL_SLICE("T"), .group = BL_SLICE("G")};
  assert_int_equal(bl_request_modes_put(&modes, &more), BL_ERR_FULL);
  put("T7", "G", 9); /* what is there may change */
  assert_null(bl_request_modes_find(&modes, BL_SLICE("T"), BL_SLICE("G")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_file_is_rocketmqs, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_file_gives_the_table_again, set_up, tear_down),
      cmocka_unit_test_setup_teardown(records_change_the_table, set_up, tear_down),
      cmocka_unit_test_setup_teardown(there_are_so_many, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
