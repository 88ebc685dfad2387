#include "cli/bench/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "wire/command.h"

/* A frame around a JSON header. */
static struct bl_buf frame_of(const char *header, const char *body) {
  struct bl_buf out = {0};
  size_t header_bytes = strlen(header), body_bytes = strlen(body);
  bl_buf_put_u32(&out, (uint32_t)(4 + header_bytes + body_bytes));
  bl_buf_put_u32(&out, (uint32_t)header_bytes);
  bl_buf_put_text(&out, header);
  bl_buf_put_text(&out, body);
  return out;
}

static void json_is_read(void **state) {
  (void)state;
  static const struct {
    const char *header;
    int32_t code, opaque, flag;
  } rows[] = {
      {"{\"code\":0,\"extFields\":{\"queueId\":\"1\",\"msgId\":\"7F\"},\"flag\":1,\"language\":"
       "\"JAVA\",\"opaque\":5,\"serializeTypeCurrentRPC\":\"JSON\",\"version\":513}",
       0, 5, 1},
      {"{\"code\":2,\"flag\":1,\"language\":\"JAVA\",\"opaque\":1536870911,\"remark\":\"[OVERLOAD] "
       "\\\"opaque\\\":7 busy\",\"version\":513}",
       2, 1536870911, 1},
      /* another order, blanks: by the general decoder */
      {"{\"opaque\": 12, \"flag\": 1, \"code\": 17, \"language\":\"JAVA\",\"version\":1}", 17, 12,
       1},
      {"{\"code\":\"3\",\"flag\":0,\"language\":\"JAVA\",\"opaque\":4,\"version\":1}", 3, 4, 0},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct bl_buf frame = frame_of(rows[i].header, "body");
    struct bl_bench_head head;
    assert_int_equal(bl_bench_head_read(bl_buf_slice(&frame), &head), BL_OK);
    assert_int_equal(head.code, rows[i].code);
    assert_int_equal(head.opaque, rows[i].opaque);
    assert_int_equal(head.flag, rows[i].flag);
    assert_true(bl_slice_is(head.body, "body"));
    bl_buf_fini(&frame);
  }
}

static void both_codecs_say_the_same(void **state) {
  (void)state;
  for (int codec = 0; codec < 2; codec++) {
    struct bl_buf out = {0};
    struct bl_command_writer writer;
    struct bl_bench_head head;
    bl_command_begin(&writer, &out, (enum bl_codec)codec, 21, 1000000007, 1, BL_SLICE("moved"));
    bl_command_put_i64(&writer, BL_SLICE("maxOffset"), 99);
    bl_command_put_i64(&writer, BL_SLICE("nextBeginOffset"), 1234567890123);
    bl_command_end(&writer, 3);
    bl_buf_put_text(&out, "abc");
    struct bl_slice frame = bl_buf_slice(&out);
    assert_int_equal(bl_bench_head_read(frame, &head), BL_OK);
    assert_int_equal(head.code, 21);
    assert_int_equal(head.opaque, 1000000007);
    assert_int_equal(head.flag, 1);
    assert_true(bl_slice_is(head.body, "abc"));
    assert_true(
        bl_slice_is(bl_bench_head_field(frame, BL_SLICE("nextBeginOffset")), "1234567890123"));
    assert_true(bl_slice_is(bl_bench_head_field(frame, BL_SLICE("maxOffset")), "99"));
    assert_null(bl_bench_head_field(frame, BL_SLICE("minOffset")).ptr);
    bl_buf_fini(&out);
  }
}

/* Every shorter frame and every changed byte: an answer or an error, and no read outside (under
 * ASan the copy's end is guarded). */
static void damaged_frames_do_no_harm(void **state) {
  (void)state;
  for (int codec = 0; codec < 2; codec++) {
    struct bl_buf out = {0};
    struct bl_command_writer writer;
    struct bl_bench_head head;
    bl_command_begin(&writer, &out, (enum bl_codec)codec, 0, 1000000007, 1, BL_SLICE("x"));
    bl_command_put_i64(&writer, BL_SLICE("nextBeginOffset"), 12);
    bl_command_end(&writer, 0);
    for (size_t len = 0; len <= out.len; len++) {
      char *copy = malloc(len + 1);
      assert_non_null(copy);
      char *exact = copy + 1; /* so that an empty one has a place too */
      memcpy(exact, out.data, len);
      bl_err err = bl_bench_head_read(bl_slice_of(exact, len), &head);
      assert_true(len == out.len ? err == BL_OK : err != BL_OK);
      bl_bench_head_field(bl_slice_of(exact, len), BL_SLICE("nextBeginOffset"));
      free(copy);
    }
    for (size_t at = 0; at < out.len; at++) {
      for (int bit = 0; bit < 8; bit++) {
        out.data[at] ^= (char)(1 << bit);
        bl_err err = bl_bench_head_read(bl_buf_slice(&out), &head);
        (void)err;
        bl_bench_head_field(bl_buf_slice(&out), BL_SLICE("nextBeginOffset"));
        out.data[at] ^= (char)(1 << bit);
      }
    }
    bl_buf_fini(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(json_is_read),
      cmocka_unit_test(both_codecs_say_the_same),
      cmocka_unit_test(damaged_frames_do_no_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
