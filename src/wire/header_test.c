#include "wire/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static struct bl_field fields[64];
static struct bl_command command;
static struct bl_why why;

static void add(const char *name, const char *value) {
  fields[command.field_count++] = (struct bl_field){bl_slice_text(name), bl_slice_text(value)};
}

static int begin(void **state) {
  (void)state;
  command = (struct bl_command){.fields = fields};
  why.text[0] = '\0';
  return 0;
}

static void add_required(void) {
  add("defaultTopic", "TBW102");
  add("defaultTopicQueueNums", "4");
  add("bornTimestamp", "1700000000000");
  add("flag", "-1");
  add("producerGroup", "PG");
  add("queueId", "-1");
  add("sysFlag", "2147483647");
  add("topic", "T");
}

static void fields_are_found_in_any_order(void **state) {
  (void)state;
  struct bl_send_message_header h;
  add_required();
  for (uint32_t turn = 0; turn < command.field_count; turn++) {
    struct bl_field first = fields[0];
    memmove(fields, fields + 1, (command.field_count - 1) * sizeof(first));
    fields[command.field_count - 1] = first;
    assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, &why), BL_OK);
    assert_true(h.born_ms == 1700000000000);
    assert_int_equal(h.default_queues, 4);
    assert_int_equal(h.flag, -1);
    assert_int_equal(h.queue_id, -1);
    assert_int_equal(h.sys_flag, INT32_MAX);
    assert_true(bl_slice_is(h.topic, "T"));
    assert_true(bl_slice_is(h.producer_group, "PG"));
    assert_false(BL_HAS(&h, send_message, properties));
    assert_null(h.properties.ptr);
    assert_false(BL_HAS(&h, send_message, batch));
  }
}

static void optional_fields_are_known_by_their_bit(void **state) {
  (void)state;
  struct bl_send_message_header h;
  add_required();
  add("batch", "TRUE");
  add("unitMode", "yes");
  add("properties", "");
  add("reconsumeTimes", "0");
  add("nobody knows", "x");
  assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, &why), BL_OK);
  assert_true(BL_HAS(&h, send_message, batch) && h.batch);
  assert_true(BL_HAS(&h, send_message, unit_mode) && !h.unit_mode);
  assert_true(BL_HAS(&h, send_message, properties) && h.properties.len == 0);
  assert_true(BL_HAS(&h, send_message, reconsume_times));
  assert_false(BL_HAS(&h, send_message, max_reconsume_times));
}

static void every_required_field_is_missed_by_name(void **state) {
  (void)state;
  struct bl_send_message_header h;
  add_required();
  for (uint32_t i = 0; i < command.field_count; i++) {
    struct bl_field kept = fields[i];
    fields[i].name = BL_SLICE("other");
    assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, &why),
                     BL_ERR_PARAMETER);
    assert_non_null(strstr(why.text, kept.name.ptr));
    fields[i] = kept;
    fields[i].value = (struct bl_slice){NULL, 0}; /* null is missing too */
    assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, &why),
                     BL_ERR_PARAMETER);
    fields[i] = kept;
  }
  assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, NULL), BL_OK);
}

static void numbers_are_whole_and_in_range(void **state) {
  (void)state;
  static const char *const bad[] = {"x",   "1x",         "1.0",         " 1",  "0x1",  "-",
                                    "1 2", "2147483648", "-2147483649", "1e3", "true", ""};
  struct bl_send_message_header h;
  add_required();
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    fields[5].value = bl_slice_text(bad[i]);
    assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, &why),
                     BL_ERR_PARAMETER);
    assert_non_null(strstr(why.text, "queueId"));
  }
  fields[5].value = BL_SLICE("-2147483648");
  assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, &why), BL_OK);
  assert_int_equal(h.queue_id, INT32_MIN);
}

static void numbers_of_64_bits_too(void **state) {
  (void)state;
  struct bl_send_message_header h;
  add_required();
  fields[2].value = BL_SLICE("9223372036854775807");
  assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, &why), BL_OK);
  assert_true(h.born_ms == INT64_MAX);
  fields[2].value = BL_SLICE("9223372036854775808");
  assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, &why), BL_ERR_PARAMETER);
}

static void an_empty_optional_number_is_absent(void **state) {
  (void)state;
  struct bl_send_message_header h;
  add_required();
  add("maxReconsumeTimes", "");
  assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, &why), BL_OK);
  assert_false(BL_HAS(&h, send_message, max_reconsume_times));
  fields[command.field_count - 1].value = BL_SLICE("many");
  assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, &why), BL_ERR_PARAMETER);
}

/* A bad value may be as long as a frame, and need not be text. */
static void the_reason_is_bounded(void **state) {
  (void)state;
  struct bl_send_message_header h;
  char *huge = malloc(1 << 20);
  memset(huge, 'x', 1 << 20);
  add_required();
  fields[5].value = bl_slice_of(huge, 1 << 20);
  assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, &why), BL_ERR_PARAMETER);
  assert_true(strlen(why.text) < 200);
  free(huge);
}

static void check_codec(enum bl_codec codec) {
  struct bl_send_message_v2_header in = {.producer_group = BL_SLICE("g"),
                                         .topic = BL_SLICE("t"),
                                         .default_topic = BL_SLICE("d"),
                                         .default_queues = 8,
                                         .queue_id = 3,
                                         .sys_flag = -4,
                                         .born_ms = INT64_MIN,
                                         .flag = 0};
  BL_SET(&in, send_message_v2, properties, BL_SLICE("k\x01v\x02"));
  BL_SET(&in, send_message_v2, batch, true);
  in.broker_name = BL_SLICE("not said, as its bit is not set");
  struct bl_buf out;
  struct bl_arena arena;
  struct bl_command_writer writer;
  struct bl_command read;
  struct bl_send_message_v2_header h;
  bl_buf_init(&out, 0);
  bl_arena_init(&arena);
  bl_command_begin(&writer, &out, codec, 310, 1, 0, (struct bl_slice){NULL, 0});
  bl_header_encode(&bl_send_message_v2_table, &in, &writer);
  bl_command_end(&writer, 0);
  assert_int_equal(bl_command_decode(bl_buf_slice(&out), &arena, &read), BL_OK);
  assert_int_equal(read.field_count, 10);
  assert_int_equal(bl_header_decode(&bl_send_message_v2_table, &read, &h, &why), BL_OK);
  assert_int_equal(h.present, in.present | 0xff);
  assert_true(bl_slice_eq(h.properties, in.properties));
  assert_true(h.batch && h.born_ms == INT64_MIN && h.sys_flag == -4);
  assert_null(h.broker_name.ptr);
  bl_arena_fini(&arena);
  bl_buf_fini(&out);
}

static void headers_survive_both_codecs(void **state) {
  (void)state;
  check_codec(BL_CODEC_JSON);
  check_codec(BL_CODEC_BINARY);
}

static void headers_without_fields_or_values_are_refused_quietly(void **state) {
  (void)state;
  struct bl_send_message_header h;
  assert_int_equal(bl_header_decode(&bl_send_message_table, &command, &h, &why), BL_ERR_PARAMETER);
  assert_int_equal(h.present, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, begin)
  const struct CMUnitTest tests[] = {
      TEST(fields_are_found_in_any_order),
      TEST(optional_fields_are_known_by_their_bit),
      TEST(every_required_field_is_missed_by_name),
      TEST(numbers_are_whole_and_in_range),
      TEST(numbers_of_64_bits_too),
      TEST(an_empty_optional_number_is_absent),
      TEST(the_reason_is_bounded),
      TEST(headers_survive_both_codecs),
      TEST(headers_without_fields_or_values_are_refused_quietly),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
