/* The topic table: names, attributes, JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/topic/topics.h"

struct fixture {
  struct bl_clock_fake clock;
  struct bl_topics topics;
  struct bl_arena arena;
};

static int set_up(void **state) {
  static struct fixture fixture;
  bl_clock_fake_init(&fixture.clock, 1700000000000);
  bl_topics_init(&fixture.topics, &fixture.clock.clock);
  bl_arena_init(&fixture.arena);
  *state = &fixture;
  return 0;
}
static int tear_down(void **state) {
  struct fixture *f = *state;
  bl_topics_fini(&f->topics);
  bl_arena_fini(&f->arena);
  return 0;
}

static void names_are_checked(void **state) {
  (void)state;
  char long_name[300];
  struct bl_why why;
  memset(long_name, 'a', sizeof(long_name));
  const struct {
    struct bl_slice name;
    bl_err err;
  } rows[] = {
      {BL_SLICE("T"), BL_OK},
      {BL_SLICE("a|b%c-d_E9"), BL_OK},
      {BL_SLICE(""), BL_ERR_PARAMETER},
      {BL_SLICE(" \t"), BL_ERR_PARAMETER},
      {BL_SLICE("a b"), BL_ERR_PARAMETER},
      {BL_SLICE("../etc"), BL_ERR_PARAMETER},
      {BL_SLICE("a@b"), BL_ERR_PARAMETER},
      {BL_SLICE("t\xc3\xa9"), BL_ERR_PARAMETER},
      {bl_slice_of(long_name, 127), BL_OK},
      {bl_slice_of(long_name, 128), BL_ERR_PARAMETER},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    assert_int_equal(bl_topic_name_check(rows[i].name, &why), rows[i].err);
  }
  memcpy(long_name, "%RETRY%", 7);
  assert_int_equal(bl_topic_name_check(bl_slice_of(long_name, 255), &why), BL_OK);
  assert_int_equal(bl_topic_name_check(bl_slice_of(long_name, 256), &why), BL_ERR_PARAMETER);
  assert_non_null(strstr(why.text, "is longer than topic max length: 255"));
}

static void system_topics_are_known(void **state) {
  (void)state;
  assert_true(bl_topic_is_system(BL_SLICE("TBW102")));
  assert_true(bl_topic_is_system(BL_SLICE("rmq_sys_anything")));
  assert_false(bl_topic_is_system(BL_SLICE("TBW103")));
  assert_true(bl_topic_is_send_forbidden(BL_SLICE("SCHEDULE_TOPIC_XXXX")));
  assert_true(bl_topic_is_send_forbidden(BL_SLICE("rmq_sys_bolide_meta")));
  assert_false(bl_topic_is_send_forbidden(BL_SLICE("TBW102")));
}

static void attributes_change(void **state) {
  struct fixture *f = *state;
  const struct {
    const char *before;
    const char *changes;
    const char *after; /* NULL: refused */
  } rows[] = {
      {"{}", "+message.type=FIFO", "{\"message.type\":\"FIFO\"}"},
      {"{\"message.type\":\"FIFO\"}", "+message.type=NORMAL", "{\"message.type\":\"NORMAL\"}"},
      {"{\"message.type\":\"FIFO\"}", "-message.type", "{}"},
      {"{}", "-message.type", "{}"},
      {"{}", "+cleanup.policy=COMPACTION, +reserve.time=7",
       "{\"cleanup.policy\":\"COMPACTION\",\"reserve.time\":\"7\"}"},
      {"{}", "", "{}"},
      {"{}", "+message.type=WRONG", NULL},
      {"{}", "+reserve.time=soon", NULL},
      {"{}", "+unknown=1", NULL},
      {"{}", "message.type=FIFO", NULL},
      {"{}", "+message.type", NULL},
      {"{}", "+", NULL},
      {"{}", "+message.type=FIFO,+unknown=1", NULL},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct bl_slice out = {NULL, 0};
    struct bl_why why;
    bl_err err = bl_topic_attributes_change(bl_slice_text(rows[i].before),
                                            bl_slice_text(rows[i].changes), &f->arena, &out, &why);
    assert_int_equal(err, rows[i].after != NULL ? BL_OK : BL_ERR_PARAMETER);
    if (rows[i].after != NULL) assert_string_equal(out.ptr, rows[i].after);
  }
}

static struct bl_topic *put(struct fixture *f, const struct bl_topic_change *change, bool changes) {
  struct bl_topic *topic = NULL;
  bool changed = !changes;
  assert_int_equal(bl_topics_put(&f->topics, change, &topic, &changed), BL_OK);
  assert_int_equal(changed, changes);
  return topic;
}

static void the_version_moves_with_changes_only(void **state) {
  struct fixture *f = *state;
  struct bl_topic_change change = {
      .name = BL_SLICE("T"), .read_queues = 4, .write_queues = 4, .perm = 6};
  put(f, &change, true);
  assert_int_equal(f->topics.table.version.counter, 1);
  put(f, &change, false);
  assert_int_equal(f->topics.table.version.counter, 1);
  change.perm = 4;
  put(f, &change, true);
  change.attributes = BL_SLICE("{\"message.type\":\"FIFO\"}");
  put(f, &change, true);
  change.attributes = (struct bl_slice){NULL, 0};
  struct bl_topic *topic = put(f, &change, false);
  assert_string_equal(topic->attributes.ptr, "{\"message.type\":\"FIFO\"}");
  assert_int_equal(f->topics.table.version.counter, 3);
  assert_true(bl_topics_remove(&f->topics, BL_SLICE("T")));
  assert_false(bl_topics_remove(&f->topics, BL_SLICE("T")));
  assert_int_equal(f->topics.table.version.counter, 4);
  assert_null(bl_topics_find(&f->topics, BL_SLICE("T")));
}

static void the_table_has_a_limit(void **state) {
  struct fixture *f = *state;
  struct bl_topic_change change = {.name = BL_SLICE("A"), .perm = 6};
  struct bl_topic *topic;
  bool changed;
  f->topics.limit = 1;
  put(f, &change, true);
  change.name = BL_SLICE("B");
  assert_int_equal(bl_topics_put(&f->topics, &change, &topic, &changed), BL_ERR_FULL);
  change.name = BL_SLICE("A");
  change.perm = 2;
  put(f, &change, true);
}

/* What write_step writes, replace reads back. */
static void the_file_reads_back(void **state) {
  struct fixture *f = *state;
  struct bl_topic_change change = {.name = BL_SLICE("%RETRY%CG"),
                                   .read_queues = 3,
                                   .write_queues = 2,
                                   .perm = 7,
                                   .sys_flag = 2,
                                   .order = true,
                                   .multi_tag = true,
                                   .attributes = BL_SLICE("{\"message.type\":\"FIFO\"}")};
  put(f, &change, true);
  change = (struct bl_topic_change){
      .name = BL_SLICE("T"), .read_queues = 1, .write_queues = 1, .perm = 6};
  put(f, &change, true);
  struct bl_buf file;
  void *progress = NULL;
  bl_buf_init(&file, 1 << 20);
  while (bl_topics_write_step(&f->topics, &file, &progress)) {}
  const struct bl_json *root;
  assert_int_equal(bl_json_parse(bl_buf_slice(&file), BL_JSON_STRICT, &f->arena, &root, NULL),
                   BL_OK);
  struct bl_topics other;
  struct bl_why why;
  bl_topics_init(&other, &f->clock.clock);
  assert_int_equal(bl_topics_replace(&other, root, &why), BL_OK);
  const struct bl_topic *topic = bl_topics_find(&other, BL_SLICE("%RETRY%CG"));
  assert_non_null(topic);
  assert_int_equal(topic->read_queues, 3);
  assert_int_equal(topic->write_queues, 2);
  assert_int_equal(topic->perm, 7);
  assert_int_equal(topic->sys_flag, 2);
  assert_true(topic->order && topic->multi_tag);
  assert_string_equal(topic->attributes.ptr, "{\"message.type\":\"FIFO\"}");
  assert_non_null(bl_topics_find(&other, BL_SLICE("T")));
  assert_int_equal(other.table.version.counter, f->topics.table.version.counter);
  assert_int_equal(other.table.version.timestamp_ms, f->topics.table.version.timestamp_ms);
  bl_topics_fini(&other);
  bl_buf_fini(&file);
}

static void a_file_of_another_kind_changes_nothing(void **state) {
  struct fixture *f = *state;
  struct bl_topic_change change = {.name = BL_SLICE("T"), .perm = 6};
  const struct bl_json *root;
  struct bl_why why;
  put(f, &change, true);
  assert_int_equal(bl_json_parse(BL_SLICE("{\"x\":1}"), BL_JSON_STRICT, &f->arena, &root, NULL),
                   BL_OK);
  assert_int_equal(bl_topics_replace(&f->topics, root, &why), BL_ERR_FORMAT);
  assert_non_null(bl_topics_find(&f->topics, BL_SLICE("T")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(names_are_checked, set_up, tear_down),
      cmocka_unit_test_setup_teardown(system_topics_are_known, set_up, tear_down),
      cmocka_unit_test_setup_teardown(attributes_change, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_version_moves_with_changes_only, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_table_has_a_limit, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_file_reads_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_file_of_another_kind_changes_nothing, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
