#include "client/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KEY_1 "7F000001000010000000000000000001"
#define KEY_2 "7F000001000010000000000000000002"

/* The layout that RocketMQ 5.5.0 sends, see tests/wire/golden/client-320.txt. */
static void the_body_has_the_layout_of_rocketmq(void **state) {
  (void)state;
  struct bl_pack pack = {0};
  bl_pack_add(&pack, 1, KEY_1, 0, BL_SLICE("TAGS\001TagB\002"), BL_SLICE("b1"));
  bl_pack_add(&pack, 2, KEY_2, 7, BL_SLICE(""), BL_SLICE(""));
  static const char expected[] =
      "\0\0\0\x4c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"
      "b1\0\x34"
      "TAGS\001TagB\002UNIQ_KEY\001" KEY_1
      "\002"
      "\0\0\0\x40\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\x2a"
      "UNIQ_KEY\001" KEY_2 "\002";
  assert_int_equal(pack.bytes.len, sizeof(expected) - 1);
  assert_memory_equal(pack.bytes.data, expected, sizeof(expected) - 1);
  struct bl_slice properties, body;
  bl_pack_entry(&pack, 0, &properties, &body);
  assert_true(bl_slice_is(body, "b1"));
  assert_true(bl_slice_is(properties, "TAGS\001TagB\002UNIQ_KEY\001" KEY_1 "\002"));
  bl_pack_entry(&pack, 1, &properties, &body);
  assert_int_equal(body.len, 0);
  assert_true(bl_slice_is(properties, "UNIQ_KEY\001" KEY_2 "\002"));
  assert_int_equal(pack.items[1].token, 2);
  bl_pack_fini(&pack);
}

static void a_long_message_goes_alone(void **state) {
  (void)state;
  struct bl_pack pack = {0};
  assert_true(bl_pack_fits(&pack, 0, 4194304));
  static char body[BL_PACK_BYTES_MAX];
  bl_pack_add(&pack, 0, KEY_1, 0, BL_SLICE(""), bl_slice_of(body, sizeof(body)));
  assert_false(bl_pack_fits(&pack, 0, 0));
  bl_pack_fini(&pack);
}

static void a_pack_is_bounded_in_bytes_and_count(void **state) {
  (void)state;
  struct bl_pack pack = {0};
  static char body[1000];
  while (bl_pack_fits(&pack, 0, sizeof(body))) {
    bl_pack_add(&pack, 0, KEY_1, 0, BL_SLICE(""), bl_slice_of(body, sizeof(body)));
  }
  assert_true(pack.bytes.len <= BL_PACK_BYTES_MAX);
  assert_true(pack.bytes.len > BL_PACK_BYTES_MAX - 2000);
  bl_pack_fini(&pack);
  while (bl_pack_fits(&pack, 0, 1)) bl_pack_add(&pack, 0, KEY_1, 0, BL_SLICE(""), BL_SLICE("x"));
  assert_int_equal(pack.count, BL_PACK_COUNT_MAX);
  bl_pack_fini(&pack);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_body_has_the_layout_of_rocketmq),
      cmocka_unit_test(a_long_message_goes_alone),
      cmocka_unit_test(a_pack_is_bounded_in_bytes_and_count),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
