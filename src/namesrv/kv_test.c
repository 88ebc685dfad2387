/* Values: what is in the table, what is in the file, and what is said when the file cannot be
 * written or read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "namesrv/kv.h"
#include "namesrv/namesrv_testlib.h"
#include "namesrv/route_json.h"

#define T struct ns_test *t = *state
#define PATH "/data/namesrv/kvConfig.json"

struct answer {
  struct bl_namesrv_kv_wait wait;
  int count;
  bl_err err;
  struct bl_why why;
};

static void note(struct bl_namesrv_kv_wait *wait, bl_err err, const struct bl_why *why) {
  struct answer *answer = BL_CONTAINER(wait, struct answer, wait);
  answer->count++;
  answer->err = err;
  if (why != NULL) answer->why = *why;
}

static void put(struct ns_test *t, struct answer *answer, const char *space, const char *key,
                const char *value) {
  *answer = (struct answer){.wait = {.done = note}};
  assert_int_equal(bl_namesrv_kv_put(t->ns, bl_slice_text(space), bl_slice_text(key),
                                     bl_slice_text(value), &answer->wait),
                   BL_OK);
}

static int setup(void **state) {
  ns_test_setup(state);
  struct ns_test *t = *state;
  bl_err err = bl_options_set(&bl_namesrv_options, &t->settings, BL_SLICE("kvConfigPath"),
                              BL_SLICE(PATH), BL_OPTION_AT_START, NULL);
  return err == BL_OK ? 0 : -1;
}

static void expect_file(struct ns_test *t, const char *want) {
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice bytes;
  assert_int_equal(bl_disk_read_file(bl_disk_fake_disk(t->disk), PATH, 100000, &arena, &bytes),
                   BL_OK);
  assert_string_equal(bytes.ptr, want);
  bl_arena_fini(&arena);
}

static void write_file(struct ns_test *t, const char *text) {
  struct bl_disk *disk = bl_disk_fake_disk(t->disk);
  assert_int_equal(disk->ops->make_dir(disk, "/data/namesrv", NULL), BL_OK);
  assert_int_equal(bl_disk_replace_file(disk, PATH, bl_slice_text(text), false, NULL), BL_OK);
}

static void a_change_is_answered_when_it_is_in_the_file(void **state) {
  T;
  struct answer a, b, c;
  put(t, &a, "GOLD", "k", "v 1");
  put(t, &b, "GOLD", "k2", "\"\\");
  put(t, &c, "G2", "k", "1");
  assert_true(bl_slice_is(bl_namesrv_kv_get(t->ns, BL_SLICE("GOLD"), BL_SLICE("k")), "v 1"));
  assert_int_equal(a.count + b.count + c.count, 0);
  bl_worker_finish(t->worker);
  assert_int_equal(a.count + b.count + c.count, 3);
  assert_int_equal(c.err, BL_OK);
  expect_file(
      t, "{\"configTable\":{\"GOLD\":{\"k\":\"v 1\",\"k2\":\"\\\"\\\\\"},\"G2\":{\"k\":\"1\"}}}");
  assert_int_equal(bl_disk_fake_count(t->disk, BL_FAKE_RENAME) > 0, 1);
}

static void values_survive_a_restart(void **state) {
  T;
  struct answer a, b;
  put(t, &a, "GOLD", "k", "v\xc3\xa4");
  put(t, &b, "GOLD", "k", "v\xc3\xb6");
  ns_test_restart(t);
  assert_int_equal(bl_namesrv_load(t->ns, NULL), BL_OK);
  assert_true(bl_slice_is(bl_namesrv_kv_get(t->ns, BL_SLICE("GOLD"), BL_SLICE("k")), "v\xc3\xb6"));
}

static void lists_and_deletes(void **state) {
  T;
  struct answer a, b;
  struct bl_buf out;
  bl_buf_init(&out, 0);
  put(t, &a, "GOLD", "k", "v 1");
  assert_true(bl_namesrv_kv_list(t->ns, BL_SLICE("GOLD"), &out));
  assert_false(bl_namesrv_kv_list(t->ns, BL_SLICE("ABSENT"), &out));
  b = (struct answer){.wait = {.done = note}};
  bl_namesrv_kv_delete(t->ns, BL_SLICE("GOLD"), BL_SLICE("k"), &b.wait);
  assert_null(bl_namesrv_kv_get(t->ns, BL_SLICE("GOLD"), BL_SLICE("k")).ptr);
  assert_true(bl_namesrv_kv_list(t->ns, BL_SLICE("GOLD"), &out));
  bl_buf_put_char(&out, '\0');
  assert_string_equal(out.data, "{\"table\":{\"k\":\"v 1\"}}{\"table\":{}}");
  bl_buf_fini(&out);
  bl_worker_finish(t->worker);
  assert_int_equal(b.count, 1);
  expect_file(t, "{\"configTable\":{\"GOLD\":{}}}");
}

static void a_failed_write_is_said_and_tried_again(void **state) {
  T;
  struct answer a, b;
  bl_disk_fake_fail(t->disk, BL_FAKE_SYNC, "kvConfig", 0, 1, BL_ERR_IO);
  put(t, &a, "N", "k", "1");
  bl_worker_finish(t->worker);
  assert_int_equal(a.err, BL_ERR_IO);
  put(t, &b, "N", "k2", "2");
  bl_worker_finish(t->worker);
  assert_int_equal(b.err, BL_OK);
  expect_file(t, "{\"configTable\":{\"N\":{\"k\":\"1\",\"k2\":\"2\"}}}");
}

static void a_damaged_file_is_an_error(void **state) {
  T;
  static const char *const bad[] = {"", "{\"configTable\":{\"N\":{\"k\":\"1\"}}", "[]",
                                    "{\"configTable\":[]}", "{\"configTable\":{\"N\":1}}"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    write_file(t, bad[i]);
    struct bl_why why;
    ns_test_restart(t);
    assert_int_equal(bl_namesrv_load(t->ns, &why), BL_ERR_FORMAT);
    assert_non_null(strstr(why.text, PATH " holds the name server's values and is damaged"));
  }
}

static void javas_file_is_read(void **state) {
  T;
  write_file(
      t,
      "{\n\t\"configTable\":{\n\t\t\"ORDER_TOPIC_CONFIG\":{\n\t\t\t\"T\":\"a:4\"\n\t\t}\n\t}\n}");
  assert_int_equal(bl_namesrv_load(t->ns, NULL), BL_OK);
  t->settings.order_message_enable = true;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T:6 U:6"));
  assert_non_null(strstr(ns_test_route(t, "T"), "},\"orderTopicConf\":\"a:4\",\"queueDatas\""));
  assert_null(strstr(ns_test_route(t, "U"), "orderTopicConf"));
  struct answer a;
  put(t, &a, "ORDER_TOPIC_CONFIG", "T", "a:8");
  assert_non_null(strstr(ns_test_route(t, "T"), "\"a:8\""));
  bl_worker_finish(t->worker);
}

static void the_table_has_a_limit(void **state) {
  T;
  char *large = calloc(1, BL_NAMESRV_KV_BYTES_MAX);
  memset(large, 'x', BL_NAMESRV_KV_BYTES_MAX - 1);
  struct answer a = {.wait = {.done = note}};
  assert_int_equal(
      bl_namesrv_kv_put(t->ns, BL_SLICE("N"), BL_SLICE("k"), bl_slice_text(large), &a.wait),
      BL_ERR_FULL);
  assert_int_equal(a.count, 0);
  free(large);
  put(t, &a, "N", "k", "1");
  bl_worker_finish(t->worker);
}

static void settings_change_but_paths(void **state) {
  T;
  struct bl_why why;
  assert_int_equal(
      bl_namesrv_update_config(t->ns, BL_SLICE("enableTopicList=false\nwhat=1\n"), &why), BL_OK);
  assert_false(t->settings.enable_topic_list);
  assert_int_equal(
      bl_namesrv_update_config(t->ns, BL_SLICE("enableTopicList=true\nkvConfigPath=/x\n"), &why),
      BL_ERR_NO_PERMISSION);
  assert_string_equal(why.text, "Can not update config in black list.");
  assert_false(t->settings.enable_topic_list);
  assert_int_equal(bl_namesrv_update_config(t->ns, BL_SLICE("rocketmqHome=/x"), &why),
                   BL_ERR_NO_PERMISSION);
  assert_int_equal(bl_namesrv_update_config(t->ns, BL_SLICE("enableTopicList=maybe"), &why),
                   BL_ERR_PARAMETER);
  struct bl_buf out;
  bl_buf_init(&out, 0);
  bl_namesrv_put_config(t->ns, &out);
  bl_buf_put_char(&out, '\0');
  assert_non_null(strstr(out.data, "enableTopicList=false\nkvConfigPath=" PATH "\n"));
  bl_buf_fini(&out);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, ns_test_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(a_change_is_answered_when_it_is_in_the_file),
      CASE(values_survive_a_restart),
      CASE(lists_and_deletes),
      CASE(a_failed_write_is_said_and_tried_again),
      CASE(a_damaged_file_is_an_error),
      CASE(javas_file_is_read),
      CASE(the_table_has_a_limit),
      CASE(settings_change_but_paths),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
