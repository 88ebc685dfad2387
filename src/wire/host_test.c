#include "wire/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(const char *text, const char *shown) {
  struct bl_host host;
  char out[BL_HOST_TEXT_MAX];
  if (!bl_host_parse(bl_slice_text(text), &host)) fail_msg("%s was refused", text);
  assert_int_equal(bl_host_text(&host, out), strlen(shown));
  assert_string_equal(out, shown);
}

static void addresses_are_read_and_shown(void **state) {
  (void)state;
  check("127.0.0.1:10911", "127.0.0.1:10911");
  check("255.255.255.255:65535", "255.255.255.255:65535");
  check("0.0.0.0:0", "0.0.0.0:0");
  check("[::1]:5", "[0:0:0:0:0:0:0:1]:5");
  check("[::]:0", "[0:0:0:0:0:0:0:0]:0");
  check("[1::]:1", "[1:0:0:0:0:0:0:0]:1");
  check("[fe80::A:b]:80", "[fe80:0:0:0:0:0:a:b]:80");
  check("[1:2:3:4:5:6:7:8]:65535", "[1:2:3:4:5:6:7:8]:65535");
  check("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
  check("[1:2:3:4:5:6:7::]:1", "[1:2:3:4:5:6:7:0]:1");
}

static void what_is_shown_is_read_back(void **state) {
  (void)state;
  for (unsigned i = 0; i < 256; i++) {
    struct bl_host host = {.addr_bytes = i % 2 == 0 ? 4 : 16, .port = (int32_t)(i * 257)};
    for (unsigned j = 0; j < host.addr_bytes; j++) host.addr[j] = (uint8_t)(i * (j + 1));
    char text[BL_HOST_TEXT_MAX];
    struct bl_host again;
    size_t len = bl_host_text(&host, text);
    assert_true(bl_host_parse(bl_slice_of(text, len), &again));
    assert_memory_equal(&again, &host, sizeof(host));
  }
}

static void what_is_no_address_is_refused(void **state) {
  (void)state;
  static const char *const cases[] = {
      "",
      ":",
      "1.2.3.4",
      "1.2.3.4:",
      "1.2.3.4:-1",
      "1.2.3.4:65536",
      "1.2.3:4",
      "1.2.3.4.5:6",
      "1.2.3.256:1",
      "1.2.3.:1",
      ".1.2.3:1",
      "1.2.3.+4:1",
      "a.b.c.d:1",
      "localhost:1",
      "::1:5",
      "[]:5",
      "[:]:5",
      "[:::]:5",
      "[1:2]:5",
      "[1::2::3]:5",
      "[12345::]:5",
      "[g::]:5",
      "[::1:5",
      "::1]:5",
      "[1:2:3:4:5:6:7:8:9]:5",
      "[1:2:3:4::5:6:7:8]:5",
      "1.2.3.4:1x",
      " 1.2.3.4:1",
      "1.2.3.4: 1",
      "0001.2.3.4:1",
      "[1:]:5",
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_host host;
    if (bl_host_parse(bl_slice_text(cases[i]), &host)) fail_msg("%s was taken", cases[i]);
  }
  struct bl_host host;
  assert_false(bl_host_parse((struct bl_slice){NULL, 0}, &host));
  assert_false(bl_host_parse(bl_slice_of("1.2.3.4:1\0", 10), &host));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(addresses_are_read_and_shown),
      cmocka_unit_test(what_is_shown_is_read_back),
      cmocka_unit_test(what_is_no_address_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
