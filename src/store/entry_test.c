#include "store/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define P(name, value) name "\x01" value "\x02"
#define LIGHT(names, offsets)                                                                      \
  P("INNER_MULTI_DISPATCH", names) P("INNER_MULTI_QUEUE_OFFSET", offsets)

static struct bl_record record_with(const char *topic, const char *properties) {
  return (struct bl_record){
      .topic = bl_slice_text(topic), .properties = bl_slice_text(properties), .store_ms = 1000};
}

static void tags_and_delay_give_the_code(void **state) {
  (void)state;
  struct bl_record record = record_with("T", P("KEYS", "k") P("TAGS", "TagA") P("TAGX", "no"));
  struct bl_entry entry = bl_entry_of(&record);
  assert_true(entry.any);
  assert_false(entry.batch);
  assert_int_equal(entry.count, 1);
  assert_int_equal(entry.tags_code, bl_record_tags_code(&record));
  assert_int_not_equal(entry.tags_code, 0);
  assert_null(entry.light_names.ptr);
  record = record_with("SCHEDULE_TOPIC_XXXX", P("DELAY", "3") P("TAGS", "TagA"));
  assert_int_equal(bl_entry_of(&record).tags_code, 11000);
  record = record_with("T", "");
  assert_int_equal(bl_entry_of(&record).tags_code, 0);
}

static void half_messages_have_no_entry(void **state) {
  (void)state;
  struct bl_record record = record_with("T", LIGHT("%LMQ%a", "1"));
  record.sys_flag = BL_SYS_PREPARED;
  assert_false(bl_entry_of(&record).any);
  record.sys_flag = BL_SYS_ROLLBACK;
  assert_false(bl_entry_of(&record).any);
  record.sys_flag = BL_SYS_COMMIT;
  assert_true(bl_entry_of(&record).any);
}

static void an_inner_batch_spans_its_messages(void **state) {
  (void)state;
  static const struct {
    const char *properties;
    uint32_t count;
  } cases[] = {
      {P("INNER_NUM", "3"), 3},  {P("INNER_NUM", "32767"), 32767}, {P("INNER_NUM", "32768"), 1},
      {P("INNER_NUM", "0"), 1},  {P("INNER_NUM", "-1"), 1},        {P("INNER_NUM", "x"), 1},
      {P("INNER_BASE", "7"), 1},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_record record = record_with("T", cases[i].properties);
    assert_int_equal(bl_entry_of(&record).count, 1);
    record.sys_flag = BL_SYS_INNER_BATCH | BL_SYS_NEED_UNWRAP;
    assert_true(bl_entry_of(&record).batch);
    assert_int_equal(bl_entry_of(&record).count, cases[i].count);
  }
}

/* FILLS "name=offset;" for each place. */
static void places_of(const char *topic, const char *properties, char out[256]) {
  struct bl_record record = record_with(topic, properties);
  struct bl_entry entry = bl_entry_of(&record);
  struct bl_light_place place;
  size_t len = 0;
  out[0] = '\0';
  while (bl_light_next(&entry, &place)) {
    memcpy(out + len, place.queue.ptr, place.queue.len);
    len += place.queue.len;
    out[len++] = '=';
    out[len++] = (char)('0' + place.queue_offset % 10);
    out[len++] = ';';
    out[len] = '\0';
  }
}

static void a_record_names_its_light_queues(void **state) {
  (void)state;
  static const struct {
    const char *topic;
    const char *properties;
    const char *places;
  } cases[] = {
      {"T", LIGHT("%LMQ%a", "5"), "%LMQ%a=5;"},
      {"T", LIGHT("%LMQ%a,%LMQ%b", "5,6"), "%LMQ%a=5;%LMQ%b=6;"},
      {"T", LIGHT("%LMQ%a,%LMQ%b,,", "5,6,"), "%LMQ%a=5;%LMQ%b=6;"},
      {"T", LIGHT("%LMQ%a,%LMQ%b", "5"), ""},
      {"T", LIGHT("%LMQ%a", "5,6"), ""},
      {"T", LIGHT("%LMQ%a,other,%LMQ%b", "5,6,7"), "%LMQ%a=5;%LMQ%b=7;"},
      {"T", LIGHT("%LMQ%a,%LMQ%b,%LMQ%c", "-1,x,7"), "%LMQ%c=7;"},
      {"T", LIGHT("%LMQ%a/b,%LMQ%c", "1,7"), "%LMQ%c=7;"},
      {"T", LIGHT(",%LMQ%c", "1,7"), "%LMQ%c=7;"},
      {"T", P("INNER_MULTI_DISPATCH", "%LMQ%a"), ""},
      {"T", P("INNER_MULTI_QUEUE_OFFSET", "1"), ""},
      {"T", LIGHT(",", ","), ""},
      {"%RETRY%g", LIGHT("%LMQ%a", "5"), ""},
      {"rmq_sys_wheel_timer", LIGHT("%LMQ%a", "5"), ""},
      {"SCHEDULE_TOPIC_XXXX", LIGHT("%LMQ%a", "5"), ""},
      {"%DLQ%g", LIGHT("%LMQ%a", "5"), "%LMQ%a=5;"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char places[256];
    places_of(cases[i].topic, cases[i].properties, places);
    assert_string_equal(places, cases[i].places);
  }
  struct bl_record record = record_with("T", LIGHT("%LMQ%a", "5"));
  record.sys_flag = BL_SYS_INNER_BATCH;
  assert_null(bl_entry_of(&record).light_names.ptr);
}

static void names_have_limits(void **state) {
  (void)state;
  char name[BL_LIGHT_NAME_BYTES_MAX + 1];
  memset(name, 'a', sizeof(name));
  memcpy(name, "%LMQ%", 5);
  assert_true(bl_light_is_name(bl_slice_of(name, BL_LIGHT_NAME_BYTES_MAX)));
  assert_false(bl_light_is_name(bl_slice_of(name, BL_LIGHT_NAME_BYTES_MAX + 1)));
  assert_true(bl_light_is_name(BL_SLICE("%LMQ%")));
  assert_false(bl_light_is_name(BL_SLICE("%LMQ")));
  assert_false(bl_light_is_name(BL_SLICE("LMQ%a")));
  assert_false(bl_light_is_name(BL_SLICE("%LMQ%a\nb")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tags_and_delay_give_the_code),
      cmocka_unit_test(half_messages_have_no_entry),
      cmocka_unit_test(an_inner_batch_spans_its_messages),
      cmocka_unit_test(a_record_names_its_light_queues),
      cmocka_unit_test(names_have_limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
