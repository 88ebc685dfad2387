#include "cli/jsonline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct bl_message message_of(struct bl_slice body) {
  return (struct bl_message){
      .topic = BL_SLICE("T"),
      .queue_id = 3,
      .queue_offset = 17,
      .store_ms = 1795376889312,
      .born_ms = 1795376889300,
      .msg_id = BL_SLICE("KEY"),
      .tags = BL_SLICE("a"),
      .properties = BL_SLICE("TAGS\001a\002q\"\001\n\002__CRC32#\0010123456789\002"),
      .body = body,
      .offset_msg_id = "ID"};
}

static void a_message_is_one_line(void **state) {
  (void)state;
  struct bl_buf out = {0};
  struct bl_message message = message_of(BL_SLICE("gr\xc3\xbc\xc3\x9f\n\"x\""));
  bl_jsonline_message(&out, BL_SLICE("b"), &message);
  bl_buf_put_char(&out, '\0');
  assert_string_equal(
      out.data,
      "{\"topic\":\"T\",\"brokerName\":\"b\",\"queueId\":3,\"queueOffset\":17,\"msgId\":\"KEY\","
      "\"offsetMsgId\":\"ID\",\"storeTimestamp\":1795376889312,\"bornTimestamp\":1795376889300,"
      "\"tags\":\"a\",\"properties\":{\"TAGS\":\"a\",\"q\\\"\":\"\\n\"},"
      "\"body\":\"gr\xc3\xbc\xc3\x9f\\n\\\"x\\\"\"}\n");
  bl_buf_fini(&out);
}

static void other_bytes_are_base64(void **state) {
  (void)state;
  static const struct {
    struct bl_slice body;
    const char *ending;
  } cases[] = {
      {{"\xff", 1}, "\"bodyBase64\":\"/w==\"}\n"},
      {{"\xff\x00", 2}, "\"bodyBase64\":\"/wA=\"}\n"},
      {{"\xff\xfe\xfd", 3}, "\"bodyBase64\":\"//79\"}\n"},
      {{"\xff\xfe\xfdM", 4}, "\"bodyBase64\":\"//79TQ==\"}\n"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_buf out = {0};
    struct bl_message message = message_of(cases[i].body);
    bl_jsonline_message(&out, BL_SLICE("b"), &message);
    size_t len = strlen(cases[i].ending);
    assert_true(out.len > len);
    assert_memory_equal(out.data + out.len - len, cases[i].ending, len);
    bl_buf_fini(&out);
  }
}

static void a_body_that_stays_compressed_says_so(void **state) {
  (void)state;
  struct bl_buf out = {0};
  struct bl_message message = message_of(BL_SLICE("abc"));
  static const char ending[] = "\"compression\":\"lz4\",\"bodyBase64\":\"YWJj\"}\n";
  message.compression = "lz4";
  bl_jsonline_message(&out, BL_SLICE("b"), &message);
  assert_memory_equal(out.data + out.len - (sizeof(ending) - 1), ending, sizeof(ending) - 1);
  bl_buf_fini(&out);
}

static void a_sent_message_is_one_line(void **state) {
  (void)state;
  struct bl_buf out = {0};
  struct bl_send_result result = {.code = 10,
                                  .topic = BL_SLICE("T"),
                                  .broker_name = BL_SLICE("b"),
                                  .queue_id = 1,
                                  .queue_offset = 2,
                                  .msg_id = BL_SLICE("KEY"),
                                  .offset_msg_id = BL_SLICE("ID")};
  bl_jsonline_sent(&out, &result);
  bl_buf_put_char(&out, '\0');
  assert_string_equal(
      out.data,
      "{\"topic\":\"T\",\"brokerName\":\"b\",\"queueId\":1,\"queueOffset\":2,\"msgId\":\"KEY\","
      "\"offsetMsgId\":\"ID\",\"status\":\"FLUSH_DISK_TIMEOUT\"}\n");
  bl_buf_fini(&out);
}

static void utf8_is_strict(void **state) {
  (void)state;
  static const char *const good[] = {"",
                                     "a",
                                     "\xc2\x80",
                                     "\xe0\xa0\x80",
                                     "\xed\x9f\xbf",
                                     "\xee\x80\x80",
                                     "\xf0\x90\x80\x80",
                                     "\xf4\x8f\xbf\xbf"};
  static const char *const bad[] = {"\x80",
                                    "\xc0\x80",
                                    "\xc1\xbf",
                                    "\xc2",
                                    "\xc2\x41",
                                    "\xe0\x9f\xbf",
                                    "\xed\xa0\x80",
                                    "\xe2\x82",
                                    "\xf0\x8f\xbf\xbf",
                                    "\xf4\x90\x80\x80",
                                    "\xf5\x80\x80\x80",
                                    "a\xff"};
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    assert_true(bl_jsonline_is_utf8(bl_slice_text(good[i])));
  }
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    assert_false(bl_jsonline_is_utf8(bl_slice_text(bad[i])));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_is_one_line),
      cmocka_unit_test(other_bytes_are_base64),
      cmocka_unit_test(a_body_that_stays_compressed_says_so),
      cmocka_unit_test(a_sent_message_is_one_line),
      cmocka_unit_test(utf8_is_strict),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
