#include "client/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

static struct bl_record record_of(struct bl_slice body, int32_t sys_flag) {
  return (struct bl_record){
      .queue_id = 1,
      .queue_offset = 2,
      .log_offset = 3,
      .sys_flag = sys_flag,
      .store_host = {.addr = {127, 0, 0, 1}, .addr_bytes = 4, .port = 10911},
      .topic = BL_SLICE("%RETRY%g"),
      .body = body,
      .properties = BL_SLICE("TAGS\001a\002RETRY_TOPIC\001T\002KEYS\001k\002UNIQ_KEY\001U\002"),
  };
}

static void the_properties_give_names(void **state) {
  (void)state;
  struct bl_buf scratch = {0};
  struct bl_message message;
  struct bl_record record = record_of(BL_SLICE("body"), 0);
  bl_message_of(&record, &scratch, &message);
  assert_true(bl_slice_is(message.topic, "T"));
  assert_true(bl_slice_is(message.tags, "a"));
  assert_true(bl_slice_is(message.keys, "k"));
  assert_true(bl_slice_is(message.msg_id, "U"));
  assert_true(bl_slice_is(message.body, "body"));
  assert_string_equal(message.offset_msg_id, "7F00000100002A9F0000000000000003");
  record.properties = BL_SLICE("");
  bl_message_of(&record, &scratch, &message);
  assert_true(bl_slice_is(message.topic, "%RETRY%g"));
  assert_null(message.tags.ptr);
  assert_string_equal(message.msg_id.ptr, "7F00000100002A9F0000000000000003");
  bl_buf_fini(&scratch);
}

static void compressed_bodies_are_opened_or_named(void **state) {
  (void)state;
  char text[5000];
  memset(text, 'x', sizeof(text));
  unsigned char packed[200];
  uLongf packed_len = sizeof(packed);
  assert_int_equal(compress2(packed, &packed_len, (const Bytef *)text, sizeof(text), 5), Z_OK);
  struct bl_slice body = bl_slice_of(packed, packed_len);
  static const struct {
    int32_t sys_flag;
    const char *compression;
  } cases[] = {{0x001, NULL}, {0x301, NULL}, {0x101, "lz4"}, {0x201, "zstd"}, {0x701, "unknown"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_buf scratch = {0};
    struct bl_message message;
    struct bl_record record = record_of(body, cases[i].sys_flag);
    bl_message_of(&record, &scratch, &message);
    if (cases[i].compression == NULL) {
      assert_null(message.compression);
      assert_int_equal(message.body.len, sizeof(text));
      assert_memory_equal(message.body.ptr, text, sizeof(text));
    } else {
      assert_string_equal(message.compression, cases[i].compression);
      assert_ptr_equal(message.body.ptr, body.ptr);
    }
    bl_buf_fini(&scratch);
  }
}

static void damage_is_named(void **state) {
  (void)state;
  struct bl_buf scratch = {0};
  struct bl_message message;
  struct bl_record record = record_of(BL_SLICE("no zlib"), 1);
  bl_message_of(&record, &scratch, &message);
  assert_string_equal(message.compression, "zlib (damaged)");
  assert_true(bl_slice_is(message.body, "no zlib"));
  bl_buf_fini(&scratch);
}

static void the_output_is_capped_and_cut_input_is_seen(void **state) {
  (void)state;
  size_t len = 1000000;
  char *text = calloc(1, len);
  unsigned char packed[2000];
  uLongf packed_len = sizeof(packed);
  assert_int_equal(compress2(packed, &packed_len, (const Bytef *)text, len, 9), Z_OK);
  struct bl_slice body = bl_slice_of(packed, packed_len);
  struct bl_buf out = {0};
  assert_int_equal(bl_message_inflate(body, len, &out), BL_OK);
  assert_int_equal(out.len, len);
  bl_buf_clear(&out);
  assert_int_equal(bl_message_inflate(body, len - 1, &out), BL_ERR_FULL);
  assert_true(out.len < len);
  bl_buf_clear(&out);
  assert_int_equal(bl_message_inflate(bl_slice_of(packed, packed_len - 10), len, &out),
                   BL_ERR_FORMAT);
  bl_buf_fini(&out);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_properties_give_names),
      cmocka_unit_test(compressed_bodies_are_opened_or_named),
      cmocka_unit_test(damage_is_named),
      cmocka_unit_test(the_output_is_capped_and_cut_input_is_seen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
