/* The body of a batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/send/send.h"

static void put(struct bl_buf *out, const char *body, const char *properties) {
  size_t body_len = strlen(body);
  size_t properties_len = strlen(properties);
  bl_buf_put_u32(out, (uint32_t)(22 + body_len + properties_len));
  bl_buf_put_u32(out, 0);
  bl_buf_put_u32(out, 0);
  bl_buf_put_u32(out, 7);
  bl_buf_put_u32(out, (uint32_t)body_len);
  bl_buf_put(out, body, body_len);
  bl_buf_put_u16(out, (uint16_t)properties_len);
  bl_buf_put(out, properties, properties_len);
}

static int count(struct bl_slice bytes, bool *out_bad) {
  struct bl_batch_message message;
  int found = 0;
  while (bl_batch_next(&bytes, &message, out_bad)) found++;
  return found;
}

static void messages_are_taken_apart(void **state) {
  (void)state;
  struct bl_buf bytes;
  bool bad;
  bl_buf_init(&bytes, 1000);
  put(&bytes, "one", "a\1b\2");
  put(&bytes, "", "");
  struct bl_slice rest = bl_buf_slice(&bytes);
  struct bl_batch_message message;
  assert_true(bl_batch_next(&rest, &message, &bad));
  assert_true(bl_slice_is(message.body, "one") && bl_slice_is(message.properties, "a\1b\2"));
  assert_int_equal(message.flag, 7);
  assert_true(bl_batch_next(&rest, &message, &bad));
  assert_int_equal(message.body.len + message.properties.len, 0);
  assert_false(bl_batch_next(&rest, &message, &bad));
  assert_false(bad);
  bl_buf_fini(&bytes);
}

/* Cut anywhere but between messages, or with a wrong length, it is malformed; nothing is read
 * beyond it. */
static void every_cut_is_noticed(void **state) {
  (void)state;
  struct bl_buf bytes;
  bl_buf_init(&bytes, 1000);
  put(&bytes, "one", "a\1b\2");
  size_t first = bytes.len;
  put(&bytes, "two", "");
  for (size_t len = 0; len <= bytes.len; len++) {
    char *copy = malloc(len + 1);
    memcpy(copy, bytes.data, len);
    bool bad;
    count(bl_slice_of(copy, len), &bad);
    assert_int_equal(bad, len != 0 && len != first && len != bytes.len);
    free(copy);
  }
  for (size_t at = 0; at < 4; at++) {
    bool bad;
    bytes.data[at] ^= 1;
    count(bl_buf_slice(&bytes), &bad);
    assert_true(bad);
    bytes.data[at] ^= 1;
    bytes.data[16 + at] ^= 0x40;
    count(bl_buf_slice(&bytes), &bad);
    assert_true(bad);
    bytes.data[16 + at] ^= 0x40;
  }
  bl_buf_fini(&bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(messages_are_taken_apart),
      cmocka_unit_test(every_cut_is_noticed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
