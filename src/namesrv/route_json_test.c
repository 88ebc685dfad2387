/* Bodies, byte for byte as RocketMQ 5.5.0's name server writes them (order of brokers: ours). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "namesrv/cluster_json.h"
#include "namesrv/kv.h"
#include "namesrv/namesrv_testlib.h"
#include "namesrv/route_json.h"

#define T struct ns_test *t = *state

static void expect_route(struct ns_test *t, enum bl_namesrv_dialect dialect, const char *topic,
                         const char *want) {
  char text[4096];
  struct bl_slice none = bl_slice_text(NULL);
  for (int i = 0; i < 2; i++) { /* written, then kept */
    struct bl_slice got = bl_namesrv_route(t->ns, bl_slice_text(topic), dialect, NULL, none);
    snprintf(text, sizeof(text), "%.*s", BL_FMT(got));
    assert_string_equal(text, want);
  }
}

static void register_gold(struct ns_test *t) {
  ns_test_register(t,
                   ns_test_registration("gold-b", 0, "127.0.0.1:32", "GoldRouteA:6 GoldRouteB:4"));
  ns_test_register(t,
                   ns_test_registration("gold-a", 0, "127.0.0.1:31", "GoldRouteA:6 GoldRouteB:4"));
  ns_test_register(t,
                   ns_test_registration("gold-a", 1, "127.0.0.1:33", "GoldRouteA:6 GoldRouteB:4"));
}

#define GOLD(q0, q1)                                                                               \
  "{\"brokerDatas\":[{\"brokerAddrs\":{" q0                                                        \
  ":\"127.0.0.1:32\"},\"brokerName\":\"gold-b\",\"cluster\":\"C\","                                \
  "\"enableActingMaster\":false},{\"brokerAddrs\":{" q0 ":\"127.0.0.1:31\"," q1                    \
  ":\"127.0.0.1:33\"},\"brokerName\":\"gold-a\",\"cluster\":\"C\",\"enableActingMaster\":false}]," \
  "\"filterServerTable\":{},\"queueDatas\":[{\"brokerName\":\"gold-b\",\"perm\":6,"                \
  "\"readQueueNums\":4,"                                                                           \
  "\"topicSysFlag\":0,\"writeQueueNums\":4},{\"brokerName\":\"gold-a\",\"perm\":6,"                \
  "\"readQueueNums\":4,"                                                                           \
  "\"topicSysFlag\":0,\"writeQueueNums\":4}]}"

static void routes_in_both_dialects(void **state) {
  T;
  register_gold(t);
  expect_route(t, BL_NAMESRV_DIALECT_STANDARD, "GoldRouteA", GOLD("\"0\"", "\"1\""));
  expect_route(t, BL_NAMESRV_DIALECT_OLD, "GoldRouteA", GOLD("0", "1"));
}

static void a_kept_route_follows_every_change(void **state) {
  T;
  register_gold(t);
  expect_route(t, BL_NAMESRV_DIALECT_OLD, "GoldRouteA", GOLD("0", "1"));
  bl_namesrv_unregister(t->ns, BL_SLICE("C"), BL_SLICE("127.0.0.1:33"), BL_SLICE("gold-a"), 1);
  assert_null(strstr(ns_test_route(t, "GoldRouteA"), ":33"));
  struct bl_namesrv_perm_walk walk = {0};
  assert_true(bl_namesrv_change_perm(t->ns, BL_SLICE("gold-a"), false, &walk, 100));
  assert_non_null(strstr(ns_test_route(t, "GoldRouteA"), "\"gold-a\",\"perm\":4"));
  bl_namesrv_unregister(t->ns, BL_SLICE("C"), BL_SLICE("127.0.0.1:31"), BL_SLICE("gold-a"), 0);
  assert_null(strstr(ns_test_route(t, "GoldRouteA"), "gold-a"));
}

static void zone_filter_and_order_of_a_route(void **state) {
  T;
  struct bl_slice filters[] = {BL_SLICE("f:1")};
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "T:6 U:6");
  r->zone = BL_SLICE("east");
  r->has_filter_servers = true;
  r->filter_servers = filters;
  r->filter_server_count = 1;
  ns_test_register(t, r);
  r = ns_test_registration("b", 0, "h:2", "T:6 V:6");
  r->zone = BL_SLICE("west");
  ns_test_register(t, r);
  t->settings.order_message_enable = true;
  struct bl_slice route =
      bl_namesrv_route(t->ns, BL_SLICE("T"), BL_NAMESRV_DIALECT_OLD, NULL, BL_SLICE("EAST"));
  char text[1024];
  snprintf(text, sizeof(text), "%.*s", BL_FMT(route));
  assert_string_equal(
      text,
      "{\"brokerDatas\":[{\"brokerAddrs\":{0:\"h:1\"},\"brokerName\":\"a\",\"cluster\":\"C\","
      "\"enableActingMaster\":false,\"zoneName\":\"east\"}],\"filterServerTable\":{\"h:1\":[\"f:"
      "1\"]},"
      "\"queueDatas\":[{\"brokerName\":\"a\",\"perm\":6,\"readQueueNums\":4,\"topicSysFlag\":0,"
      "\"writeQueueNums\":4}]}");
}

static void a_static_topic_carries_its_mapping(void **state) {
  T;
  static const int32_t ids[][2] = {{0, 1}, {2, 3}};
  struct bl_namesrv_mapping mapping = {.topic = BL_SLICE("T"),
                                       .broker_name = BL_SLICE("a"),
                                       .scope = BL_SLICE("__global__"),
                                       .total_queues = 8,
                                       .epoch = 9,
                                       .ids = ids,
                                       .id_count = 2};
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "T:6 U:6");
  r->mappings = &mapping;
  ns_test_register(t, r);
  assert_non_null(strstr(
      ns_test_route(t, "T"),
      ",\"topicQueueMappingByBroker\":{\"a\":{\"bname\":\"a\",\"currIdMap\":{\"0\":1,\"2\":3},"
      "\"dirty\":false,\"epoch\":9,\"scope\":\"__global__\",\"topic\":\"T\",\"totalQueues\":8}}}"));
  assert_null(strstr(ns_test_route(t, "U"), "Mapping"));
}

static void by_client(void *context, const struct bl_net_addr *local,
                      const struct bl_net_addr *peer, char out_text[BL_NAMESRV_ADDRESS_BYTES_MAX]) {
  (void)peer;
  snprintf(out_text, BL_NAMESRV_ADDRESS_BYTES_MAX, "%s%d", (const char *)context, local->addr[0]);
}

static void a_local_broker_has_the_address_that_the_client_reaches(void **state) {
  T;
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "T:6 U:6");
  r->address_for = by_client;
  r->address_context = "via:";
  r->conn_id = 0;
  ns_test_register(t, r);
  ns_test_register(t, ns_test_registration("b", 0, "h:2", "T:6 U:6"));
  for (int i = 0; i < 4; i++) {
    struct bl_net_addr local = {.addr = {(uint8_t)(i % 2)}, .addr_bytes = 4, .port = 1};
    struct bl_namesrv_asker asker = {&local, &local};
    struct bl_slice route =
        bl_namesrv_route(t->ns, BL_SLICE("T"), BL_NAMESRV_DIALECT_OLD, &asker, bl_slice_text(NULL));
    char text[1024];
    snprintf(text, sizeof(text), "%.*s", BL_FMT(route));
    assert_non_null(strstr(text, i % 2 == 1 ? "{0:\"via:1\"}" : "{0:\"via:0\"}"));
    assert_non_null(strstr(text, "{0:\"h:2\"}"));
  }
  struct bl_net_addr local = {.addr = {7}, .addr_bytes = 4, .port = 1};
  struct bl_namesrv_asker asker = {&local, &local};
  r = ns_test_registration("a", 1, "h:3", "T:6 U:6");
  r->asker = &asker;
  struct bl_namesrv_registered registered;
  assert_int_equal(bl_namesrv_register(t->ns, r, &registered), BL_OK);
  assert_true(bl_slice_is(registered.master_addr, "via:7"));
  assert_true(bl_slice_is(registered.ha_addr, "via:1"));
}

static void cluster_info_in_steps(void **state) {
  T;
  register_gold(t);
  struct bl_buf out;
  bl_buf_init(&out, 0);
  struct bl_namesrv_cluster_walk walk = {0};
  int steps = 1;
  while (!bl_namesrv_cluster_step(t->ns, NULL, &walk, 1, &out)) steps++;
  bl_buf_put_char(&out, '\0');
  assert_int_equal(steps, 5);
  assert_string_equal(out.data,
                      "{\"brokerAddrTable\":{\"gold-b\":{\"brokerAddrs\":{0:\"127.0.0.1:32\"},"
                      "\"brokerName\":\"gold-b\","
                      "\"cluster\":\"C\",\"enableActingMaster\":false},\"gold-a\":{\"brokerAddrs\":"
                      "{0:\"127.0.0.1:31\","
                      "1:\"127.0.0.1:33\"},\"brokerName\":\"gold-a\",\"cluster\":\"C\","
                      "\"enableActingMaster\":false}},"
                      "\"clusterAddrTable\":{\"C\":[\"gold-b\",\"gold-a\"]}}");
  bl_buf_clear(&out);
  bl_namesrv_system_topics(t->ns, NULL, &out);
  bl_buf_put_char(&out, '\0');
  assert_string_equal(
      out.data, "{\"brokerAddr\":\"127.0.0.1:32\",\"topicList\":[\"C\",\"gold-b\",\"gold-a\"]}");
  bl_buf_clear(&out);
  bl_namesrv_members(t->ns, NULL, BL_SLICE("C"), BL_SLICE("gold-a"), &out);
  bl_namesrv_members(t->ns, NULL, BL_SLICE("C"), BL_SLICE("absent"), &out);
  bl_buf_put_char(&out, '\0');
  assert_string_equal(out.data,
                      "{\"brokerMemberGroup\":{\"brokerAddrs\":{0:\"127.0.0.1:31\",1:\"127.0.0.1:"
                      "33\"},\"brokerName\":"
                      "\"gold-a\",\"cluster\":\"C\"}}{\"brokerMemberGroup\":{\"brokerAddrs\":{},"
                      "\"brokerName\":\"absent\","
                      "\"cluster\":\"C\"}}");
  bl_buf_fini(&out);
}

static void expect_list(struct ns_test *t, enum bl_namesrv_topic_filter filter, const char *cluster,
                        const char *want) {
  struct bl_buf out;
  bl_buf_init(&out, 0);
  struct bl_namesrv_topic_walk walk = {0};
  while (!bl_namesrv_topics_step(t->ns, filter, bl_slice_text(cluster), &walk, 1, &out)) continue;
  bl_buf_put_char(&out, '\0');
  assert_string_equal(out.data, want);
  bl_buf_fini(&out);
}

static void lists_of_topics(void **state) {
  T;
  struct bl_namesrv_topic flagged[] = {{.name = BL_SLICE("unit"), .perm = 6, .sys_flag = 1},
                                       {.name = BL_SLICE("sub"), .perm = 6, .sys_flag = 2},
                                       {.name = BL_SLICE("both"), .perm = 6, .sys_flag = 3}};
  struct bl_namesrv_topics chunk = {.topics = flagged, .count = 3};
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "");
  r->topics = &chunk;
  ns_test_register(t, r);
  r = ns_test_registration("b", 0, "h:2", "T:6 both:6");
  r->cluster = BL_SLICE("D");
  ns_test_register(t, r);
  expect_list(t, BL_NAMESRV_TOPICS_ALL, NULL, "{\"topicList\":[\"unit\",\"sub\",\"both\",\"T\"]}");
  expect_list(t, BL_NAMESRV_TOPICS_OF_CLUSTER, "D", "{\"topicList\":[\"both\",\"T\"]}");
  expect_list(t, BL_NAMESRV_TOPICS_OF_CLUSTER, "E", "{\"topicList\":[]}");
  expect_list(t, BL_NAMESRV_TOPICS_UNIT, NULL, "{\"topicList\":[\"unit\",\"both\"]}");
  expect_list(t, BL_NAMESRV_TOPICS_UNIT_SUB, NULL, "{\"topicList\":[\"sub\",\"both\"]}");
  expect_list(t, BL_NAMESRV_TOPICS_UNIT_SUB_UNUNIT, NULL, "{\"topicList\":[\"sub\"]}");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, ns_test_setup, ns_test_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(routes_in_both_dialects),
      CASE(a_kept_route_follows_every_change),
      CASE(zone_filter_and_order_of_a_route),
      CASE(a_static_topic_carries_its_mapping),
      CASE(a_local_broker_has_the_address_that_the_client_reaches),
      CASE(cluster_info_in_steps),
      CASE(lists_of_topics),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
