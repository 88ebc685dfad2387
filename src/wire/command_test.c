#include "wire/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "wire/golden_testlib.h"

static int begin(void **state) {
  struct bl_arena *arena = calloc(1, sizeof(*arena));
  bl_arena_init(arena);
  *state = arena;
  return arena == NULL;
}

static int end(void **state) {
  bl_arena_fini(*state);
  free(*state);
  return 0;
}

/* A frame in memory of exactly its size, so that a read behind it is seen; freed with the arena's
 * test. */
static struct bl_slice frame_of(void **state, enum bl_codec codec, struct bl_slice header,
                                struct bl_slice body) {
  char *frame = bl_arena_take(*state, 8 + header.len + body.len);
  bl_store_u32(frame, (uint32_t)(4 + header.len + body.len));
  bl_store_u32(frame + 4, (uint32_t)codec << 24 | (uint32_t)header.len);
  if (header.len > 0) memcpy(frame + 8, header.ptr, header.len);
  if (body.len > 0) memcpy(frame + 8 + header.len, body.ptr, body.len);
  return bl_slice_of(frame, 8 + header.len + body.len);
}

static bl_err decode_json(void **state, const char *header, struct bl_command *out_command) {
  struct bl_slice frame = frame_of(state, BL_CODEC_JSON, bl_slice_text(header), BL_SLICE("body"));
  return bl_command_decode(frame, *state, out_command);
}

static void write_again(const struct bl_command *command, struct bl_buf *out) {
  struct bl_command_writer writer;
  bl_command_begin(&writer, out, command->codec, command->code, command->opaque, command->flag,
                   command->remark);
  for (uint32_t i = 0; i < command->field_count; i++) {
    bl_command_put_text(&writer, command->fields[i].name, command->fields[i].value);
  }
  bl_command_end(&writer, command->body.len);
  bl_buf_put_slice(out, command->body);
}

static void frames_of_java_come_out_as_they_went_in(void **state) {
  for (size_t i = 0; i < bl_golden_frame_count; i++) {
    struct bl_slice frame = bl_golden_bytes(*state, bl_golden_frames[i].hex);
    size_t bytes = 0;
    struct bl_command command;
    struct bl_buf out;
    assert_int_equal(bl_frame_size(frame, &bytes), BL_OK);
    assert_int_equal(bytes, frame.len);
    assert_int_equal(bl_command_decode(frame, *state, &command), BL_OK);
    assert_int_equal(command.language, BL_LANGUAGE_JAVA);
    assert_int_equal(command.version, 513);
    bl_buf_init(&out, 0);
    write_again(&command, &out);
    if (!bl_slice_eq(bl_buf_slice(&out), frame)) {
      fail_msg("%s: %.*s", bl_golden_frames[i].name, (int)out.len - 8, out.data + 8);
    }
    bl_buf_fini(&out);
  }
}

static void the_binary_frame_of_a_client_is_read(void **state) {
  struct bl_slice frame = bl_golden_bytes(*state, bl_golden_binary_frame);
  struct bl_command command;
  assert_int_equal(bl_command_decode(frame, *state, &command), BL_OK);
  assert_int_equal(command.codec, BL_CODEC_BINARY);
  assert_int_equal(command.code, 310);
  assert_int_equal(command.language, BL_LANGUAGE_OTHER);
  assert_int_equal(command.version, 479);
  assert_int_equal(command.opaque, 28);
  assert_int_equal(command.flag, 0);
  assert_null(command.remark.ptr);
  assert_int_equal(command.field_count, 12);
  assert_true(bl_slice_is(bl_command_field(&command, BL_SLICE("b")), "GoldTopic"));
  assert_true(bl_slice_is(bl_command_field(&command, BL_SLICE("m")), "false"));
  assert_true(bl_slice_is(command.body, "binary"));
}

static void binary_frames_come_out_as_they_went_in(void **state) {
  struct bl_buf out;
  struct bl_command_writer writer;
  struct bl_command command;
  bl_buf_init(&out, 0);
  bl_buf_put_text(&out, "before"); /* a frame may start anywhere in the buffer */
  bl_command_begin(&writer, &out, BL_CODEC_BINARY, -2, INT32_MIN, BL_FLAG_RESPONSE | BL_FLAG_ONEWAY,
                   BL_SLICE("why"));
  bl_command_put_text(&writer, BL_SLICE("empty"), BL_SLICE(""));
  bl_command_put_i64(&writer, BL_SLICE("min"), INT64_MIN);
  bl_command_put_i64(&writer, BL_SLICE("zero"), 0);
  bl_command_put_bool(&writer, BL_SLICE("yes"), true);
  bl_command_end(&writer, 3);
  bl_buf_put_text(&out, "xyz");
  assert_int_equal(bl_command_decode(bl_slice_from(bl_buf_slice(&out), 6), *state, &command),
                   BL_OK);
  assert_int_equal(command.code, -2);
  assert_int_equal(command.opaque, INT32_MIN);
  assert_true(bl_command_is_response(&command) && bl_command_is_oneway(&command));
  assert_true(bl_slice_is(command.remark, "why"));
  assert_int_equal(command.field_count, 3);
  assert_null(bl_command_field(&command, BL_SLICE("empty")).ptr);
  assert_true(bl_slice_is(bl_command_field(&command, BL_SLICE("min")), "-9223372036854775808"));
  assert_true(bl_slice_is(bl_command_field(&command, BL_SLICE("zero")), "0"));
  assert_true(bl_slice_is(bl_command_field(&command, BL_SLICE("yes")), "true"));
  assert_true(bl_slice_is(command.body, "xyz"));
  bl_buf_fini(&out);
}

static void members_of_a_json_header_are_read(void **state) {
  struct bl_command c;
  assert_int_equal(
      decode_json(state,
                  " {\"version\" : 3 , \"code\":10,\"language\":\"GO\",\"flag\":2,"
                  "\"opaque\":-7,\"remark\":\"r\",\"serializeTypeCurrentRPC\":\"JSON\"} ",
                  &c),
      BL_OK);
  assert_int_equal(c.version, 3);
  assert_int_equal(c.code, 10);
  assert_int_equal(c.language, BL_LANGUAGE_GO);
  assert_int_equal(c.flag, 2);
  assert_int_equal(c.opaque, -7);
  assert_true(bl_slice_is(c.remark, "r"));
  assert_int_equal(c.field_count, 0);
  assert_true(bl_slice_is(c.body, "body"));
}

static void scalars_are_texts_in_ext_fields(void **state) {
  struct bl_command c;
  assert_int_equal(
      decode_json(state,
                  "{\"code\":\"10\",\"extFields\":{\"n\":-12,\"d\":1.5,\"t\":true,\"f\":false,"
                  "\"z\":null,\"e\":\"\"}}",
                  &c),
      BL_OK);
  assert_int_equal(c.code, 10);
  assert_int_equal(c.field_count, 6);
  assert_true(bl_slice_is(bl_command_field(&c, BL_SLICE("n")), "-12"));
  assert_true(bl_slice_is(bl_command_field(&c, BL_SLICE("d")), "1.5"));
  assert_true(bl_slice_is(bl_command_field(&c, BL_SLICE("t")), "true"));
  assert_true(bl_slice_is(bl_command_field(&c, BL_SLICE("f")), "false"));
  assert_null(bl_command_field(&c, BL_SLICE("z")).ptr);
  assert_non_null(bl_command_field(&c, BL_SLICE("e")).ptr);
  assert_null(bl_command_field(&c, BL_SLICE("none")).ptr);
}

static void escapes_are_undone(void **state) {
  struct bl_command c;
  assert_int_equal(decode_json(state,
                               "{\"extFields\":{\"a\\u0062\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t"
                               "\\u0001\\u00e4\\ud83d\\ude00\"},\"remark\":\"x\\u0020y\"}",
                               &c),
                   BL_OK);
  assert_int_equal(c.field_count, 1);
  assert_true(bl_slice_is(c.fields[0].name, "ab"));
  assert_true(bl_slice_is(c.fields[0].value, "\"\\/\b\f\n\r\t\x01\xc3\xa4\xf0\x9f\x98\x80"));
  assert_true(bl_slice_is(c.remark, "x y"));
}

static void escapes_are_written_and_read_back(void **state) {
  char all[256];
  size_t len = 0;
  for (int c = 0; c < 128; c++) all[len++] = (char)c;
  memcpy(all + len, "\xc3\xa4\xf0\x9f\x98\x80", 6);
  len += 6;
  struct bl_buf out;
  struct bl_command_writer writer;
  struct bl_command command;
  bl_buf_init(&out, 0);
  bl_command_begin(&writer, &out, BL_CODEC_JSON, 1, 2, 0, bl_slice_of(all, len));
  bl_command_put_text(&writer, bl_slice_of(all, len), bl_slice_of(all, len));
  bl_command_end(&writer, 0);
  assert_int_equal(bl_command_decode(bl_buf_slice(&out), *state, &command), BL_OK);
  assert_true(bl_slice_eq(command.remark, bl_slice_of(all, len)));
  assert_true(bl_slice_eq(command.fields[0].name, bl_slice_of(all, len)));
  assert_true(bl_slice_eq(command.fields[0].value, bl_slice_of(all, len)));
  bl_buf_fini(&out);
}

static void what_is_not_known_is_stepped_over(void **state) {
  struct bl_command c;
  assert_int_equal(
      decode_json(state,
                  "{\"x\":{\"a\":[1,{\"b\":\"}]\\\"\"}],\"c\":{}},\"y\":[[],[{}]],\"code\":5,"
                  "\"z\":1e9}",
                  &c),
      BL_OK);
  assert_int_equal(c.code, 5);
}

static void null_is_as_if_it_were_not_there(void **state) {
  struct bl_command c;
  assert_int_equal(decode_json(state,
                               "{\"code\":null,\"extFields\":null,\"flag\":null,\"language\":null,"
                               "\"opaque\":null,\"remark\":null,\"version\":null}",
                               &c),
                   BL_OK);
  assert_int_equal(c.code, 0);
  assert_int_equal(c.field_count, 0);
  assert_null(c.remark.ptr);
}

static void of_two_fields_the_last_counts(void **state) {
  struct bl_command c;
  assert_int_equal(
      decode_json(state, "{\"code\":1,\"code\":2,\"extFields\":{\"a\":\"1\",\"a\":\"2\"}}", &c),
      BL_OK);
  assert_int_equal(c.code, 2);
  assert_true(bl_slice_is(bl_command_field(&c, BL_SLICE("a")), "2"));
}

static void headers_that_are_not_json_are_refused(void **state) {
  static const char *const cases[] = {
      "",
      "{",
      "}",
      "[]",
      "null",
      "{\"code\"}",
      "{\"code\":}",
      "{\"code\":1",
      "{\"code\":x}",
      "{\"code\":1}{",
      "{\"code\":1} x",
      "{\"code\":1 \"flag\":2}",
      "{\"code\":2147483648}",
      "{\"code\":\"\"}",
      "{\"opaque\":1.5}",
      "{code:1}",
      "{\"a\":[}",
      "{\"a\":{}",
      "{\"a\":[[[]]",
      "{\"extFields\":{\"a\":{}}}",
      "{\"extFields\":{\"a\":[]}}",
      "{\"extFields\":{\"a\":\"1}}",
      "{\"extFields\":{\"a\":\"\\\"}}",
      "{\"extFields\":{\"a\":\"\\u12\"}}",
      "{\"extFields\":{\"a\"}}",
      "{\"extFields\":{\"a\":1 \"b\":2}}",
      "{\"extFields\":{a:1}}",
      "{\"remark\":\"\\",
      "{\"remark\":\"",
      "{\"remark\":\"\\ud83d\\q\"}",
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_command c;
    if (decode_json(state, cases[i], &c) != BL_ERR_FORMAT) fail_msg("taken: %s", cases[i]);
  }
}

static void nesting_has_no_depth_that_hurts(void **state) {
  size_t depth = 400000;
  char *header = malloc(2 * depth + 32);
  size_t len = (size_t)snprintf(header, 32, "{\"x\":");
  memset(header + len, '[', depth);
  memset(header + len + depth, ']', depth);
  len += 2 * depth;
  header[len++] = '}';
  struct bl_command c;
  struct bl_slice frame = frame_of(state, BL_CODEC_JSON, bl_slice_of(header, len), BL_SLICE(""));
  assert_int_equal(bl_command_decode(frame, *state, &c), BL_OK);
  free(header);
}

/* In memory of exactly that size. */
static bl_err decode_cut(void **state, struct bl_slice bytes) {
  char *exact = malloc(bytes.len > 0 ? bytes.len : 1);
  memcpy(exact, bytes.ptr, bytes.len);
  struct bl_command command;
  bl_err err = bl_command_decode(bl_slice_of(exact, bytes.len), *state, &command);
  free(exact);
  return err;
}

static void every_cut_frame_is_refused(void **state) {
  struct bl_slice frames[] = {bl_golden_bytes(*state, bl_golden_frames[0].hex),
                              bl_golden_bytes(*state, bl_golden_binary_frame)};
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(decode_cut(state, frames[i]), BL_OK);
    for (size_t len = 0; len < frames[i].len; len++) {
      size_t bytes = 0;
      struct bl_slice cut = bl_slice_of(frames[i].ptr, len);
      bl_err err = bl_frame_size(cut, &bytes);
      assert_int_equal(err, len < 8 ? BL_ERR_SHORT : BL_OK);
      if (err == BL_OK) assert_int_equal(bytes, frames[i].len);
      assert_int_not_equal(decode_cut(state, cut), BL_OK);
    }
  }
}

/* The header ends early, but the lengths agree with it. */
static void every_cut_header_is_refused(void **state) {
  struct bl_slice frames[] = {bl_golden_bytes(*state, bl_golden_frames[0].hex),
                              bl_golden_bytes(*state, bl_golden_binary_frame)};
  for (size_t i = 0; i < 2; i++) {
    size_t header_bytes = bl_load_u32(frames[i].ptr + 4) & 0xffffff;
    for (size_t len = 0; len < header_bytes; len++) {
      char *cut = malloc(8 + len);
      memcpy(cut, frames[i].ptr, 8 + len);
      bl_store_u32(cut, (uint32_t)(4 + len));
      bl_store_u32(cut + 4, (uint32_t)i << 24 | (uint32_t)len);
      struct bl_command command;
      bl_err err = bl_command_decode(bl_slice_of(cut, 8 + len), *state, &command);
      free(cut);
      assert_int_equal(err, BL_ERR_FORMAT);
    }
  }
}

static bl_err size_of(uint32_t total, uint32_t word, size_t *out_bytes) {
  char head[8];
  bl_store_u32(head, total);
  bl_store_u32(head + 4, word);
  return bl_frame_size(bl_slice_of(head, 8), out_bytes);
}

static void lengths_that_cannot_be_are_refused(void **state) {
  (void)state;
  size_t bytes = 0;
  static const uint32_t bad[][2] = {
      {0, 0},
      {3, 0},
      {0x80000000u, 0},
      {0xffffffffu, 0},
      {BL_FRAME_BYTES_MAX - 3, 0},
      {4, 1},
      {100, 97},
      {100, 0xffffff},
      {100, 2u << 24},
      {100, 0xff000000u},
      {BL_FRAME_BYTES_MAX - 4, BL_FRAME_HEADER_BYTES_MAX + 1},
  };
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    assert_int_equal(size_of(bad[i][0], bad[i][1], &bytes), BL_ERR_FORMAT);
  }
  assert_int_equal(size_of(4, 0, &bytes), BL_OK);
  assert_int_equal(bytes, 8);
  assert_int_equal(size_of(100, 96, &bytes), BL_OK);
  assert_int_equal(size_of(BL_FRAME_BYTES_MAX - 4, 1u << 24 | BL_FRAME_HEADER_BYTES_MAX, &bytes),
                   BL_OK);
  assert_int_equal(bytes, BL_FRAME_BYTES_MAX);
  /* Said as soon as the four bytes are there. */
  assert_int_equal(bl_frame_size(BL_SLICE("GET /"), &bytes), BL_ERR_FORMAT);
  assert_int_equal(bl_frame_size(BL_SLICE("\0\0\0"), &bytes), BL_ERR_SHORT);
}

/* Lengths within a binary header: of the remark, the map, a name, a value. */
static void binary_lengths_that_cannot_be_are_refused(void **state) {
  static const char good[] =
      "\0\x0a\0\x01\xff\0\0\0\x01\0\0\0\0\0\0\0\x01r\0\0\0\x09\0\x01n\0\0\0\x02vv";
  struct bl_command c;
  struct bl_slice header = bl_slice_of(good, sizeof(good) - 1);
  struct bl_slice frame = frame_of(state, BL_CODEC_BINARY, header, BL_SLICE(""));
  assert_int_equal(bl_command_decode(frame, *state, &c), BL_OK);
  assert_int_equal(c.field_count, 1);
  static const size_t lengths_at[] = {13, 18, 22, 25}; /* 4, 4, 2 and 4 bytes */
  for (size_t i = 0; i < 4; i++) {
    static const uint8_t bytes[] = {0x7f, 0x80, 0xff};
    for (size_t j = 0; j < 3; j++) {
      frame = frame_of(state, BL_CODEC_BINARY, header, BL_SLICE(""));
      ((char *)(uintptr_t)frame.ptr)[8 + lengths_at[i]] = (char)bytes[j];
      assert_int_equal(bl_command_decode(frame, *state, &c), BL_ERR_FORMAT);
    }
  }
}

static void write_fields(struct bl_buf *out, enum bl_codec codec, int count) {
  struct bl_command_writer writer;
  bl_command_begin(&writer, out, codec, 1, 1, 0, (struct bl_slice){NULL, 0});
  for (int i = 0; i < count; i++) {
    char name[16];
    snprintf(name, sizeof(name), "f%d", i);
    bl_command_put_i64(&writer, bl_slice_text(name), i);
  }
  bl_command_end(&writer, 0);
}

static void ten_thousand_fields_are_read_and_too_many_refused(void **state) {
  for (int codec = BL_CODEC_JSON; codec <= BL_CODEC_BINARY; codec++) {
    struct bl_buf out;
    struct bl_command c;
    bl_buf_init(&out, 0);
    write_fields(&out, (enum bl_codec)codec, 10000);
    assert_int_equal(bl_command_decode(bl_buf_slice(&out), *state, &c), BL_OK);
    assert_int_equal(c.field_count, 10000);
    assert_true(bl_slice_is(bl_command_field(&c, BL_SLICE("f0")), "0"));
    assert_true(bl_slice_is(bl_command_field(&c, BL_SLICE("f9999")), "9999"));
    bl_buf_clear(&out);
    write_fields(&out, (enum bl_codec)codec, BL_COMMAND_FIELDS_MAX);
    assert_int_equal(bl_command_decode(bl_buf_slice(&out), *state, &c), BL_OK);
    bl_buf_clear(&out);
    write_fields(&out, (enum bl_codec)codec, BL_COMMAND_FIELDS_MAX + 1);
    assert_int_not_equal(bl_command_decode(bl_buf_slice(&out), *state, &c), BL_OK);
    bl_buf_fini(&out);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(frames_of_java_come_out_as_they_went_in),
      TEST(the_binary_frame_of_a_client_is_read),
      TEST(binary_frames_come_out_as_they_went_in),
      TEST(members_of_a_json_header_are_read),
      TEST(scalars_are_texts_in_ext_fields),
      TEST(escapes_are_undone),
      TEST(escapes_are_written_and_read_back),
      TEST(what_is_not_known_is_stepped_over),
      TEST(null_is_as_if_it_were_not_there),
      TEST(of_two_fields_the_last_counts),
      TEST(headers_that_are_not_json_are_refused),
      TEST(nesting_has_no_depth_that_hurts),
      TEST(every_cut_frame_is_refused),
      TEST(every_cut_header_is_refused),
      TEST(lengths_that_cannot_be_are_refused),
      TEST(binary_lengths_that_cannot_be_are_refused),
      TEST(ten_thousand_fields_are_read_and_too_many_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
