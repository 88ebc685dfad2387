#include "server/advertise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "wire/host.h"

static struct bl_net_addr peer_of(const char *addr) {
  char text[BL_HOST_TEXT_MAX];
  struct bl_host host;
  snprintf(text, sizeof(text), strchr(addr, ':') != NULL ? "[%s]:1" : "%s:1", addr);
  assert_true(bl_host_parse(bl_slice_text(text), &host));
  struct bl_net_addr peer = {.addr_bytes = host.addr_bytes, .port = 1};
  memcpy(peer.addr, host.addr, sizeof(host.addr));
  return peer;
}

static const char *for_peer(const char *advertise, const char *addr) {
  static struct bl_advertise parsed;
  struct bl_why why;
  if (bl_advertise_parse(advertise, &parsed, &why) != BL_OK) fail_msg("%s", why.text);
  struct bl_net_addr peer = peer_of(addr);
  return bl_advertise_for(&parsed, &peer);
}

static void one_address_is_for_everyone(void **state) {
  (void)state;
  assert_string_equal(for_peer("broker.example:10911", "10.1.2.3"), "broker.example:10911");
  assert_string_equal(for_peer("[::1]:10911", "::1"), "[::1]:10911");
  assert_string_equal(for_peer("a:1", "fe80::1"), "a:1");
}

static void the_network_of_the_client_decides(void **state) {
  (void)state;
  static const char text[] = "10.0.0.0/8=inner:1, 192.168.1.128/25=half:2,fd00::/8=six:3 ,outer:4";
  assert_string_equal(for_peer(text, "10.255.0.1"), "inner:1");
  assert_string_equal(for_peer(text, "11.0.0.1"), "outer:4");
  assert_string_equal(for_peer(text, "192.168.1.128"), "half:2");
  assert_string_equal(for_peer(text, "192.168.1.255"), "half:2");
  assert_string_equal(for_peer(text, "192.168.1.127"), "outer:4");
  assert_string_equal(for_peer(text, "fd12::1"), "six:3");
  assert_string_equal(for_peer(text, "fe80::1"), "outer:4");
}

static void the_smallest_network_wins_in_any_order(void **state) {
  (void)state;
  assert_string_equal(for_peer("10.0.0.0/8=wide:1,10.1.0.0/16=narrow:2,all:3", "10.1.2.3"),
                      "narrow:2");
  assert_string_equal(for_peer("all:3,10.1.0.0/16=narrow:2,10.0.0.0/8=wide:1", "10.1.2.3"),
                      "narrow:2");
  assert_string_equal(for_peer("10.1.2.3/32=one:1,10.1.2.2/31=two:2", "10.1.2.3"), "one:1");
  assert_string_equal(for_peer("0.0.0.0/0=four:1,all:2", "1.2.3.4"), "four:1");
  assert_string_equal(for_peer("0.0.0.0/0=four:1,all:2", "::1"), "all:2");
}

static void without_one_that_fits_there_is_none(void **state) {
  (void)state;
  assert_null(for_peer("10.0.0.0/8=inner:1", "11.0.0.1"));
  assert_null(for_peer("::/0=six:1", "11.0.0.1"));
  assert_null(for_peer("", "11.0.0.1"));
  assert_null(for_peer(" , ,", "11.0.0.1"));
}

static void what_is_wrong_is_shown(void **state) {
  (void)state;
  static const char *const bad[] = {
      "host",
      ":1",
      "host:",
      "host:0",
      "host:65536",
      "host:x",
      "10.0.0.0=a:1",
      "10.0.0/8=a:1",
      "10.0.0.0/33=a:1",
      "::/129=a:1",
      "10.0.0.0/-1=a:1",
      "10.0.0.0/=a:1",
      "/8=a:1",
      "=a:1",
      "10.0.0.0/8=",
      "10.0.0.0/8=host",
      "10.0.0.0/8",
      "::1:5",
      "a b:1",
      "[::1:5",
  };
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    static struct bl_advertise parsed;
    struct bl_why why = {.text = ""};
    if (bl_advertise_parse(bad[i], &parsed, &why) != BL_ERR_USAGE) fail_msg("taken: %s", bad[i]);
    assert_non_null(strstr(why.text, bad[i]));
  }
}

static void entries_and_their_length_are_limited(void **state) {
  (void)state;
  static struct bl_advertise parsed;
  struct bl_why why;
  struct bl_buf text;
  bl_buf_init(&text, 0);
  for (int i = 0; i < BL_ADVERTISE_MAX; i++) bl_buf_put_text(&text, "host:1,");
  bl_buf_put_char(&text, '\0');
  assert_int_equal(bl_advertise_parse(text.data, &parsed, &why), BL_OK);
  assert_int_equal(parsed.count, BL_ADVERTISE_MAX);
  text.len--;
  bl_buf_put(&text, "host:1", 7);
  assert_int_equal(bl_advertise_parse(text.data, &parsed, &why), BL_ERR_USAGE);
  bl_buf_fini(&text);
  char *huge = calloc(1, 5001);
  memset(huge, 'a', 5000);
  memcpy(huge + 4998, ":1", 2);
  assert_int_equal(bl_advertise_parse(huge, &parsed, &why), BL_ERR_USAGE);
  memcpy(huge + 1000, "/8=h:1", 7); /* and where a network should be */
  assert_int_equal(bl_advertise_parse(huge, &parsed, &why), BL_ERR_USAGE);
  free(huge);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_address_is_for_everyone),
      cmocka_unit_test(the_network_of_the_client_decides),
      cmocka_unit_test(the_smallest_network_wins_in_any_order),
      cmocka_unit_test(without_one_that_fits_there_is_none),
      cmocka_unit_test(what_is_wrong_is_shown),
      cmocka_unit_test(entries_and_their_length_are_limited),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
