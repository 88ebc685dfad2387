/* Expected texts were printed by fastjson 1.2.83. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/json.h"

static void assert_written(struct bl_buf *out, const char *expected) {
  bl_buf_put_char(out, '\0');
  assert_string_equal(out->data, expected);
  bl_buf_clear(out);
}

static void texts_are_escaped_as_fastjson_does(void **state) {
  (void)state;
  static const struct {
    const char *in;
    const char *usual;
    const char *ascii;
  } cases[] = {
      {"", "\"\"", "\"\""},
      {"abc", "\"abc\"", "\"abc\""},
      {"a/b", "\"a/b\"", "\"a\\/b\""},
      {"\"\\", "\"\\\"\\\\\"", "\"\\\"\\\\\""},
      {"a\b\f\n\r\tz", "\"a\\b\\f\\n\\r\\tz\"", "\"a\\b\\f\\n\\r\\tz\""},
      {"\x01\x0b\x1f", "\"\\u0001\\u000B\\u001F\"", "\"\\u0001\\u000B\\u001F\""},
      {"~\x7f", "\"~\\u007F\"", "\"~\\u007F\""},
      {"\xc2\x80\xc2\x9f", "\"\\u0080\\u009F\"", "\"\\u0080\\u009F\""},
      {"\xc2\xa0", "\"\xc2\xa0\"", "\"\\u00A0\""},
      {"\xe2\x80\xa7", "\"\xe2\x80\xa7\"", "\"\\u2027\""},
      {"\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\"", "\"\\u2028\\u2029\""},
      {"\xe2\x80\xaa", "\"\xe2\x80\xaa\"", "\"\\u202A\""},
      {"\xe4\xb8\xad", "\"\xe4\xb8\xad\"", "\"\\u4E2D\""},
      {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"", "\"\\uD83D\\uDE00\""},
      {"x\xffy", "\"x\xffy\"", "\"x\\uFFFDy\""}, /* not UTF-8 */
      {"\xe2\x80", "\"\xe2\x80\"", "\"\\uFFFD\\uFFFD\""},
      {"\xc0\xaf", "\"\xc0\xaf\"", "\"\\uFFFD\\uFFFD\""},
      {"\xc2", "\"\xc2\"", "\"\\uFFFD\""},
  };
  struct bl_buf out;
  bl_buf_init(&out, 0);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_json_writer w = bl_json_writer_of(&out, false);
    bl_json_put_text(&w, bl_slice_text(cases[i].in));
    assert_written(&out, cases[i].usual);
    w = bl_json_writer_of(&out, false);
    w.ascii = true;
    bl_json_put_text(&w, bl_slice_text(cases[i].in));
    assert_written(&out, cases[i].ascii);
  }
  struct bl_json_writer w = bl_json_writer_of(&out, false);
  bl_json_put_text(&w, bl_slice_of("\0", 1));
  bl_json_put_text(&w, bl_slice_text(NULL));
  assert_written(&out, "\"\\u0000\",\"\"");
  bl_buf_fini(&out);
}

static void an_escape_is_found_at_every_place(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"\"", "\\\""},          {"\\", "\\\\"}, {"\x01", "\\u0001"}, {"\x7f", "\\u007F"},
      {"\xc2\x85", "\\u0085"}, {"/", "/"},     {"\x80", "\x80"},    {"\xc3\xa9", "\xc3\xa9"}};
  static const char as[] = "aaaaaaaaaaaaaaaaaaaa";
  struct bl_buf out;
  bl_buf_init(&out, 0);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    for (int before = 0; before < 20; before++) {
      for (int after = 0; after < 20; after++) {
        char in[64], expected[64];
        snprintf(in, sizeof(in), "%.*s%s%.*s", before, as, cases[i][0], after, as);
        snprintf(expected, sizeof(expected), "\"%.*s%s%.*s\"", before, as, cases[i][1], after, as);
        struct bl_json_writer w = bl_json_writer_of(&out, false);
        bl_json_put_text(&w, bl_slice_text(in));
        assert_written(&out, expected);
      }
    }
  }
  bl_buf_fini(&out);
}

static void doubles_are_as_in_java(void **state) {
  (void)state;
  static const struct {
    double number;
    const char *text;
  } cases[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {1, "1.0"},
      {-1.5, "-1.5"},
      {100, "100.0"},
      {0.1, "0.1"},
      {0.1 + 0.2, "0.30000000000000004"},
      {1.0 / 3, "0.3333333333333333"},
      {4.35, "4.35"},
      {0.002, "0.002"},
      {0.001, "0.001"},
      {0.00099, "9.9E-4"},
      {1e-5, "1.0E-5"},
      {9999999, "9999999.0"},
      {1234567.5, "1234567.5"},
      {1e7, "1.0E7"},
      {12345678.9, "1.23456789E7"},
      {1e21, "1.0E21"},
      {1e23, "1.0E23"},
      {2e23, "2.0E23"},
      {9007199254740993.0, "9.007199254740992E15"},
      {2.2250738585072014E-308, "2.2250738585072014E-308"},
      {1.7976931348623157E308, "1.7976931348623157E308"},
      {4.9E-324, "4.9E-324"},
      {NAN, "null"},
      {INFINITY, "null"},
      {-INFINITY, "null"},
  };
  struct bl_buf out;
  bl_buf_init(&out, 0);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_json_writer w = bl_json_writer_of(&out, false);
    bl_json_put_double(&w, cases[i].number);
    assert_written(&out, cases[i].text);
  }
  bl_buf_fini(&out);
}

static void any_double_reads_back_the_same(void **state) {
  (void)state;
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  srand(seed);
  struct bl_buf out;
  bl_buf_init(&out, 0);
  for (int i = 0; i < 20000; i++) {
    uint64_t bits = 0;
    for (int k = 0; k < 8; k++) bits = bits << 8 | (unsigned)(rand() >> 4 & 0xff);
    double number;
    memcpy(&number, &bits, sizeof(number));
    if (i % 2 == 0) number = (double)(rand() % 2000000) / (1 << rand() % 12);
    if (!isfinite(number)) continue;
    struct bl_json_writer w = bl_json_writer_of(&out, false);
    bl_json_put_double(&w, number);
    bl_buf_put_char(&out, '\0');
    assert_true(strtod(out.data, NULL) == number);
    bl_buf_clear(&out);
  }
  bl_buf_fini(&out);
}

static void put_mq(struct bl_json_writer *w) {
  bl_json_open_object(w);
  bl_json_member_i64(w, "queueId", 0);
  bl_json_member_text(w, "topic", BL_SLICE("t"));
  bl_json_close_object(w);
}

static void put_mq_key(struct bl_json_writer *w) {
  bl_json_open_object_key(w);
  bl_json_member_i64(w, "queueId", 0);
  bl_json_member_text(w, "topic", BL_SLICE("t"));
  bl_json_close_object_key(w);
}

static void put_sample(struct bl_json_writer *w) {
  bl_json_open_object(w);
  bl_json_key(w, "a");
  bl_json_open_flat_array(w);
  bl_json_put_i64(w, 1);
  bl_json_put_i64(w, 2);
  bl_json_close_array(w);
  bl_json_key(w, "es");
  bl_json_open_flat_array(w);
  bl_json_close_array(w);
  bl_json_key(w, "l");
  bl_json_open_array(w);
  bl_json_open_array(w);
  bl_json_put_i64(w, 1);
  bl_json_close_array(w);
  bl_json_open_array(w);
  bl_json_close_array(w);
  bl_json_open_object(w);
  bl_json_close_object(w);
  bl_json_put_bool(w, true);
  bl_json_put_null(w);
  bl_json_close_array(w);
  bl_json_key(w, "ot");
  bl_json_open_object(w);
  bl_json_key_number(w, 0, false);
  bl_json_put_i64(w, 1);
  bl_json_key_number(w, 1, false);
  bl_json_put_i64(w, 2);
  bl_json_close_object(w);
  bl_json_key(w, "set");
  bl_json_open_flat_array(w);
  put_mq(w);
  put_mq(w);
  bl_json_open_array(w);
  bl_json_put_i64(w, 3);
  bl_json_close_array(w);
  bl_json_close_array(w);
  bl_json_key(w, "t");
  bl_json_open_object(w);
  put_mq_key(w);
  put_mq(w);
  put_mq_key(w);
  bl_json_put_double(w, 0.5);
  bl_json_close_object(w);
  bl_json_member_bool(w, "z", false);
  bl_json_close_object(w);
}

static void compact_form(void **state) {
  (void)state;
  struct bl_buf out;
  bl_buf_init(&out, 0);
  struct bl_json_writer w = bl_json_writer_of(&out, false);
  put_sample(&w);
  assert_int_equal(w.depth, 0);
  assert_written(&out,
                 "{\"a\":[1,2],\"es\":[],\"l\":[[1],[],{},true,null],\"ot\":{0:1,1:2},"
                 "\"set\":[{\"queueId\":0,\"topic\":\"t\"},{\"queueId\":0,\"topic\":\"t\"},[3]],"
                 "\"t\":{{\"queueId\":0,\"topic\":\"t\"}:{\"queueId\":0,\"topic\":\"t\"},"
                 "{\"queueId\":0,\"topic\":\"t\"}:0.5},\"z\":false}");
  bl_buf_fini(&out);
}

static void pretty_form(void **state) {
  (void)state;
  struct bl_buf out;
  bl_buf_init(&out, 0);
  struct bl_json_writer w = bl_json_writer_of(&out, true);
  put_sample(&w);
  assert_int_equal(w.indent, 0);
  assert_written(
      &out,
      "{\n\t\"a\":[1,2],\n\t\"es\":[],\n\t\"l\":[\n\t\t[\n\t\t\t1\n\t\t],\n\t\t[],\n\t\t{},"
      "\n\t\ttrue,\n\t\tnull\n\t],\n\t\"ot\":{0:1,1:2\n\t},\n\t\"set\":[{\n\t\t\"queueId\":0,"
      "\n\t\t\"topic\":\"t\"\n\t},{\n\t\t\"queueId\":0,\n\t\t\"topic\":\"t\"\n\t},[\n\t\t3\n\t]],"
      "\n\t\"t\":{{\n\t\t\t\"queueId\":0,\n\t\t\t\"topic\":\"t\"\n\t\t}:{\n\t\t\t\"queueId\":0,"
      "\n\t\t\t\"topic\":\"t\"\n\t\t},{\n\t\t\t\"queueId\":0,\n\t\t\t\"topic\":\"t\"\n\t\t}:0.5"
      "\n\t},\n\t\"z\":false\n}");
  bl_buf_fini(&out);
}

static void empty_and_quoted_forms(void **state) {
  (void)state;
  struct bl_buf out;
  bl_buf_init(&out, 0);
  for (int pretty = 0; pretty < 2; pretty++) {
    struct bl_json_writer w = bl_json_writer_of(&out, pretty != 0);
    bl_json_open_object(&w);
    bl_json_close_object(&w);
    assert_written(&out, "{}");
    w = bl_json_writer_of(&out, pretty != 0);
    bl_json_open_array(&w);
    bl_json_close_array(&w);
    assert_written(&out, "[]");
    w = bl_json_writer_of(&out, pretty != 0);
    bl_json_open_object(&w);
    bl_json_key_number(&w, -1, true);
    bl_json_put_null(&w);
    bl_json_close_object(&w);
    assert_written(&out, pretty != 0 ? "{\"-1\":null\n}" : "{\"-1\":null}");
  }
  struct bl_json_writer w = bl_json_writer_of(&out, false);
  bl_json_put_node(&w, NULL);
  assert_written(&out, "null");
  bl_buf_fini(&out);
}

static void a_full_buffer_fails_once_at_the_end(void **state) {
  (void)state;
  struct bl_buf out;
  bl_buf_init(&out, 20);
  struct bl_json_writer w = bl_json_writer_of(&out, true);
  put_sample(&w);
  assert_true(out.failed);
  assert_true(out.len <= 20);
  bl_buf_fini(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts_are_escaped_as_fastjson_does),
      cmocka_unit_test(an_escape_is_found_at_every_place),
      cmocka_unit_test(doubles_are_as_in_java),
      cmocka_unit_test(any_double_reads_back_the_same),
      cmocka_unit_test(compact_form),
      cmocka_unit_test(pretty_form),
      cmocka_unit_test(empty_and_quoted_forms),
      cmocka_unit_test(a_full_buffer_fails_once_at_the_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
