#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/md5.h"

static void digest_is(struct bl_slice bytes, const char *hex) {
  uint8_t digest[BL_MD5_BYTES];
  char text[2 * BL_MD5_BYTES + 1];
  bl_md5(bytes, digest);
  for (int i = 0; i < BL_MD5_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
  assert_string_equal(text, hex);
}

/* RFC 1321, A.5. */
static void the_suite_of_the_rfc(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"", "d41d8cd98f00b204e9800998ecf8427e"},
      {"a", "0cc175b9c0f1b6a831c399e269772661"},
      {"abc", "900150983cd24fb0d6963f7d28e17f72"},
      {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
      {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
      {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
       "d174ab98d277d9f5a5611c2c9f419d9f"},
      {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
       "57edf4a22be3c955ac49da2e2107b67a"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    digest_is(bl_slice_text(rows[i][0]), rows[i][1]);
  }
}

/* Where the length goes into the block of the text, and where into one of its own. */
static void lengths_around_a_block(void **state) {
  (void)state;
  char text[64];
  memset(text, 'x', sizeof(text));
  digest_is(bl_slice_of(text, 55), "04364420e25c512fd958a70738aa8f72");
  digest_is(bl_slice_of(text, 56), "668a72d5ba17f08e62dabcafad6db14b");
  digest_is(bl_slice_of(text, 63), "7dc2ca208106a2f703567bdff99d8981");
  digest_is(bl_slice_of(text, 64), "c1bb4f81d892b2d57947682aeb252456");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_suite_of_the_rfc),
      cmocka_unit_test(lengths_around_a_block),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
