#include "wire/msgid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

/* The offset message id of an answer of Java's (tests/wire/golden/broker-310-binary-header.txt). */
#define JAVA_ID "7F0000010000ACF40000000000000729"

static void an_id_of_java_is_host_and_offset(void **state) {
  (void)state;
  struct bl_host host;
  int64_t offset = 0;
  assert_true(bl_msgid_parse(BL_SLICE(JAVA_ID), &host, &offset));
  assert_int_equal(offset, 0x729);
  char text[BL_HOST_TEXT_MAX];
  bl_host_text(&host, text);
  assert_string_equal(text, "127.0.0.1:44276");
  char id[BL_MSGID_TEXT_MAX];
  assert_int_equal(bl_msgid_text(&host, offset, id), 32);
  assert_string_equal(id, JAVA_ID);
}

static void an_ipv6_host_makes_a_longer_id(void **state) {
  (void)state;
  struct bl_host host;
  struct bl_host again;
  int64_t offset = 0;
  char id[BL_MSGID_TEXT_MAX];
  assert_true(bl_host_parse(BL_SLICE("[fe80::1]:10911"), &host));
  assert_int_equal(bl_msgid_text(&host, INT64_MAX, id), 56);
  assert_string_equal(id, "FE80000000000000000000000000000100002A9F7FFFFFFFFFFFFFFF");
  assert_true(bl_msgid_parse(bl_slice_text(id), &again, &offset));
  assert_memory_equal(&again, &host, sizeof(host));
  assert_true(offset == INT64_MAX);
}

static void what_is_no_id_is_refused(void **state) {
  (void)state;
  static const char *const cases[] = {
      "",
      "7F",
      "7F0000010000ACF4000000000000072",
      "7F0000010000ACF40000000000000729A",
      "7G0000010000ACF40000000000000729",
      "7F0000010000ACF4000000000000072 ",
      "FE80000000000000000000000000000100002A9F7FFFFFFFFFFFFFF",
      "FE80000000000000000000000000000100002A9F7FFFFFFFFFFFFFFFFF",
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_host host;
    int64_t offset;
    if (bl_msgid_parse(bl_slice_text(cases[i]), &host, &offset)) fail_msg("%s was taken", cases[i]);
  }
}

static void unique_keys_differ_and_count(void **state) {
  (void)state;
  setenv("TZ", "UTC", 1);
  tzset();
  struct bl_uniqkey keys;
  bl_uniqkey_init(&keys, (const uint8_t[4]){127, 0, 0, 1}, 0x1234, 0xdeadbeef);
  char key[33];
  /* 2026-03-01T00:00:01Z: one second into the month. */
  bl_uniqkey_next(&keys, 1772323201000, key);
  assert_string_equal(key, "7F0000011234DEADBEEF000003E80000");
  bl_uniqkey_next(&keys, 1772323201000, key);
  assert_string_equal(key, "7F0000011234DEADBEEF000003E80001");
  /* The next month, and back. */
  bl_uniqkey_next(&keys, 1775001600000, key);
  assert_string_equal(key, "7F0000011234DEADBEEF000000000002");
  bl_uniqkey_next(&keys, 1772323200001, key);
  assert_string_equal(key, "7F0000011234DEADBEEF000000010003");
}

static void the_count_begins_again_after_its_last(void **state) {
  (void)state;
  struct bl_uniqkey keys;
  bl_uniqkey_init(&keys, (const uint8_t[4]){1, 2, 3, 4}, 1, 2);
  keys.counter = UINT16_MAX;
  char key[33];
  bl_uniqkey_next(&keys, 1772323201000, key);
  assert_string_equal(key + 28, "FFFF");
  bl_uniqkey_next(&keys, 1772323201000, key);
  assert_string_equal(key + 28, "0000");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_id_of_java_is_host_and_offset),
      cmocka_unit_test(an_ipv6_host_makes_a_longer_id),
      cmocka_unit_test(what_is_no_id_is_refused),
      cmocka_unit_test(unique_keys_differ_and_count),
      cmocka_unit_test(the_count_begins_again_after_its_last),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
