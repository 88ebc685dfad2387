#include "client/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char two_brokers[] =
    "{\"brokerDatas\":[{\"brokerAddrs\":{1:\"h:3\",0:\"h:2\"},\"brokerName\":\"b\",\"cluster\":"
    "\"c\"},"
    "{\"brokerAddrs\":{\"1\":\"h:1\"},\"brokerName\":\"a\"}],\"filterServerTable\":{},"
    "\"queueDatas\":[{\"brokerName\":\"b\",\"perm\":6,\"readQueueNums\":4,\"writeQueueNums\":8},"
    "{\"brokerName\":\"gone\",\"perm\":6,\"readQueueNums\":4,\"writeQueueNums\":8}]}";

static void a_route_is_sorted_and_found_by_name(void **state) {
  (void)state;
  struct bl_route route;
  assert_int_equal(bl_route_parse(bl_slice_text(two_brokers), &route, NULL), BL_OK);
  assert_int_equal(route.broker_count, 2);
  assert_true(bl_slice_is(route.brokers[0].name, "a"));
  const struct bl_route_broker *b = bl_route_broker(&route, BL_SLICE("b"));
  assert_non_null(b);
  assert_int_equal(b->read_queues, 4);
  assert_int_equal(b->write_queues, 8);
  assert_true(bl_slice_is(bl_route_master(b), "h:2"));
  assert_true(bl_slice_is(bl_route_address(b, 1), "h:3"));
  assert_true(bl_slice_is(bl_route_address(b, 7), "h:2"));
  const struct bl_route_broker *a = bl_route_broker(&route, BL_SLICE("a"));
  assert_int_equal(a->perm, 0);
  assert_null(bl_route_master(a).ptr);
  assert_true(bl_slice_is(bl_route_address(a, 0), "h:1"));
  assert_null(bl_route_broker(&route, BL_SLICE("gone")));
  bl_route_fini(&route);
}

static void routes_differ_in_any_part(void **state) {
  (void)state;
  static const char *const others[] = {
      "{}",
      "{\"brokerDatas\":[{\"brokerAddrs\":{0:\"h:2\"},\"brokerName\":\"b\"}]}",
      "{\"brokerDatas\":[{\"brokerAddrs\":{0:\"h:9\"},\"brokerName\":\"a\"}]}",
      "{\"brokerDatas\":[{\"brokerAddrs\":{0:\"h:2\",1:\"h:3\"},\"brokerName\":\"a\"}]}",
      "{\"brokerDatas\":[{\"brokerAddrs\":{0:\"h:2\"},\"brokerName\":\"a\"}],"
      "\"queueDatas\":[{\"brokerName\":\"a\",\"perm\":4}]}",
  };
  struct bl_route route, same, other;
  struct bl_slice text =
      BL_SLICE("{\"brokerDatas\":[{\"brokerAddrs\":{0:\"h:2\"},\"brokerName\":\"a\"}]}");
  assert_int_equal(bl_route_parse(text, &route, NULL), BL_OK);
  assert_int_equal(bl_route_parse(text, &same, NULL), BL_OK);
  assert_true(bl_route_equal(&route, &same));
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
    assert_int_equal(bl_route_parse(bl_slice_text(others[i]), &other, NULL), BL_OK);
    assert_false(bl_route_equal(&route, &other));
    bl_route_fini(&other);
  }
  bl_route_fini(&route);
  bl_route_fini(&same);
}

static void what_is_no_route_is_refused(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "",
      "[]",
      "{\"brokerDatas\":[{}]}",
      "{\"brokerDatas\":[{\"brokerAddrs\":{\"x\":\"h:1\"},\"brokerName\":\"a\"}]}",
      "{\"brokerDatas\":[{\"brokerAddrs\":{0:\"h:2\"},\"brokerName\":\"a\"}],"
      "\"queueDatas\":[{\"brokerName\":\"a\",\"perm\":6,\"readQueueNums\":2000000000}]}",
  };
  for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
    struct bl_route route;
    struct bl_why why = {""};
    assert_int_equal(bl_route_parse(bl_slice_text(bodies[i]), &route, &why), BL_ERR_FORMAT);
    assert_true(why.text[0] != '\0');
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_route_is_sorted_and_found_by_name),
      cmocka_unit_test(routes_differ_in_any_part),
      cmocka_unit_test(what_is_no_route_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
