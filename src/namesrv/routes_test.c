/* What is accepted from brokers, what their leaving does, and who counts as alive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "namesrv/namesrv_testlib.h"

#define T struct ns_test *t = *state

static struct bl_namesrv_stats stats_of(struct ns_test *t) {
  struct bl_namesrv_stats stats;
  bl_namesrv_stats(t->ns, &stats);
  return stats;
}

static bool route_has(struct ns_test *t, const char *topic, const char *part) {
  bool there = strstr(ns_test_route(t, topic), part) != NULL;
  if (!there) print_message("route of %s: %s\n", topic, ns_test_route(t, topic));
  return there;
}

static void a_registered_broker_has_routes(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:4"));
  assert_true(route_has(t, "T1", "\"brokerAddrs\":{\"0\":\"h:1\"}"));
  assert_true(route_has(t, "T2", "\"perm\":4"));
  assert_string_equal(ns_test_route(t, "T3"), "none");
}

static void a_first_registration_with_one_topic_is_refused(void **state) {
  T;
  struct bl_namesrv_registered registered;
  assert_int_equal(
      bl_namesrv_register(t->ns, ns_test_registration("a", 0, "h:1", "T1:6"), &registered),
      BL_ERR_SYSTEM);
  assert_string_equal(ns_test_route(t, "T1"), "none");
  assert_int_equal(stats_of(t).brokers, 0);
  assert_int_equal(stats_of(t).live, 0);
  /* none at all is accepted */
  ns_test_register(t, ns_test_registration("a", 0, "h:1", ""));
  assert_int_equal(stats_of(t).live, 1);
}

static void one_topic_of_a_known_broker_is_added(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:6"));
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "T3:6");
  r->version.counter = 2;
  ns_test_register(t, r);
  assert_true(route_has(t, "T3", "\"h:1\""));
  assert_true(route_has(t, "T1", "\"h:1\""));
}

static void an_unchanged_version_leaves_known_topics_and_adds_missing_ones(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:6"));
  bl_namesrv_delete_topic(t->ns, BL_SLICE("T2"), bl_slice_text(NULL));
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:4 T2:4"));
  assert_true(route_has(t, "T1", "\"perm\":6"));
  assert_true(route_has(t, "T2", "\"perm\":4"));
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "T1:4 T2:4");
  r->version.counter = 2;
  ns_test_register(t, r);
  assert_true(route_has(t, "T1", "\"perm\":4"));
}

static void an_address_has_one_id(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 1, "h:1", "T1:6 T2:6"));
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:6"));
  assert_true(route_has(t, "T1", "\"brokerAddrs\":{\"0\":\"h:1\"}"));
}

static void an_older_state_does_not_take_an_id(void **state) {
  T;
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "T1:6 T2:6");
  r->version.state_version = 5;
  ns_test_register(t, r);
  r = ns_test_registration("a", 0, "h:2", "T1:6 T9:6");
  r->version.state_version = 4;
  ns_test_register(t, r);
  assert_true(route_has(t, "T1", "{\"0\":\"h:1\"}"));
  assert_string_equal(ns_test_route(t, "T9"), "none");
  assert_int_equal(stats_of(t).live, 1);
  r = ns_test_registration("a", 0, "h:2", "T1:6 T9:6");
  r->version.state_version = 5;
  ns_test_register(t, r);
  assert_true(route_has(t, "T9", "{\"0\":\"h:2\"}"));
}

static void slaves_do_not_give_topics(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:6"));
  struct bl_namesrv_registration *r = ns_test_registration("a", 1, "h:2", "T1:4 T3:6");
  struct bl_namesrv_registered registered;
  assert_int_equal(bl_namesrv_register(t->ns, r, &registered), BL_OK);
  assert_true(bl_slice_is(registered.master_addr, "h:1"));
  assert_true(bl_slice_is(registered.ha_addr, "ha:1"));
  assert_true(route_has(t, "T1", "\"perm\":6"));
  assert_true(route_has(t, "T1", "{\"0\":\"h:1\",\"1\":\"h:2\"}"));
  assert_string_equal(ns_test_route(t, "T3"), "none");
}

static void a_lone_slave_gives_topics_only_when_it_knows_acting_masters(void **state) {
  T;
  ns_test_register(t, ns_test_registration("old", 1, "h:1", "T1:6 T2:6"));
  assert_string_equal(ns_test_route(t, "T1"), "none");
  struct bl_namesrv_registration *r = ns_test_registration("new", 2, "h:2", "T1:6 T2:6");
  r->knows_acting_master = true;
  ns_test_register(t, r);
  assert_true(route_has(t, "T1", "\"perm\":6"));
  r->acting_master = true;
  r->version.counter = 2;
  ns_test_register(t, r);
  assert_true(route_has(t, "T1", "\"perm\":4"));
}

static void the_smallest_slave_is_shown_as_master(void **state) {
  T;
  t->settings.support_acting_master = true;
  static const int64_t ids[] = {0, 2, 3};
  static const char *const addrs[] = {"h:0", "h:2", "h:3"};
  for (size_t i = 0; i < 3; i++) {
    struct bl_namesrv_registration *r =
        ns_test_registration("a", ids[i], addrs[i], "T1:6 rmq_sys_SYNC_BROKER_MEMBER_a:6");
    r->knows_acting_master = r->acting_master = true;
    ns_test_register(t, r);
  }
  assert_true(route_has(t, "T1", "{\"0\":\"h:0\",\"2\":\"h:2\",\"3\":\"h:3\"}"));
  bl_namesrv_unregister(t->ns, BL_SLICE("C"), BL_SLICE("h:0"), BL_SLICE("a"), 0);
  assert_true(route_has(t, "T1", "{\"0\":\"h:2\",\"3\":\"h:3\"}"));
  assert_true(route_has(t, "T1", "\"perm\":4"));
  assert_true(route_has(t, "rmq_sys_SYNC_BROKER_MEMBER_a", "{\"2\":\"h:2\",\"3\":\"h:3\"}"));
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:0", "T1:6 T2:6");
  r->knows_acting_master = r->acting_master = true;
  ns_test_register(t, r);
  assert_true(route_has(t, "T1", "\"perm\":6"));
}

static void missing_topics_are_deleted_when_asked_for(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:6 T3:6"));
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "T2:6 T4:6");
  r->version.counter = 2;
  ns_test_register(t, r);
  assert_true(route_has(t, "T1", "h:1"));
  t->settings.delete_topic_with_broker_registration = true;
  r->version.counter = 3;
  ns_test_register(t, r);
  assert_string_equal(ns_test_route(t, "T1"), "none");
  assert_string_equal(ns_test_route(t, "T3"), "none");
  assert_true(route_has(t, "T2", "h:1"));
  assert_true(route_has(t, "T4", "h:1"));
}

static void names_that_are_empty_or_too_long_are_refused(void **state) {
  T;
  char longest[300];
  memset(longest, 'x', sizeof(longest) - 1);
  longest[sizeof(longest) - 1] = '\0';
  struct bl_namesrv_registered registered;
  struct bl_namesrv_registration *r = ns_test_registration(longest, 0, "h:1", "");
  assert_int_equal(bl_namesrv_register(t->ns, r, &registered), BL_ERR_PARAMETER);
  r = ns_test_registration("a", 0, longest, "");
  assert_int_equal(bl_namesrv_register(t->ns, r, &registered), BL_ERR_PARAMETER);
  r = ns_test_registration("", 0, "h:1", "");
  assert_int_equal(bl_namesrv_register(t->ns, r, &registered), BL_ERR_PARAMETER);
  /* too long to be known, which is no error */
  bl_namesrv_heartbeat(t->ns, bl_slice_text(longest), bl_slice_of(longest, 299));
}

static void a_closed_connection_removes_its_brokers_at_once(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:6"));
  ns_test_register(t, ns_test_registration("b", 0, "h:2", "T1:6 T3:6"));
  bl_namesrv_conn_closed(t->ns, 7);
  assert_int_equal(stats_of(t).live, 2);
  bl_namesrv_conn_closed(t->ns, 1);
  assert_int_equal(stats_of(t).live, 0);
  assert_int_equal(stats_of(t).brokers, 0);
  assert_string_equal(ns_test_route(t, "T1"), "none");
  ns_test_wait(t, 10);
  assert_int_equal(stats_of(t).topics, 0);
}

static void only_the_last_connection_of_a_broker_counts(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:6"));
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "T1:6 T2:6");
  r->conn_id = 2;
  ns_test_register(t, r);
  bl_namesrv_conn_closed(t->ns, 1);
  assert_true(route_has(t, "T1", "h:1"));
  bl_namesrv_conn_closed(t->ns, 2);
  assert_string_equal(ns_test_route(t, "T1"), "none");
}

static void a_broker_that_comes_back_before_the_cleaning_keeps_its_topics(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:6"));
  bl_namesrv_conn_closed(t->ns, 1);
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:4 T3:6"));
  assert_true(route_has(t, "T1", "\"perm\":4"));
  ns_test_wait(t, 10);
  assert_true(route_has(t, "T1", "\"perm\":4"));
  assert_string_equal(ns_test_route(t, "T2"), "none");
  assert_int_equal(stats_of(t).topics, 2);
}

static void a_silent_broker_is_gone_after_120_seconds(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:6"));
  ns_test_wait(t, 60000);
  bl_namesrv_heartbeat(t->ns, BL_SLICE("C"), BL_SLICE("h:1"));
  ns_test_wait(t, 119000);
  assert_true(route_has(t, "T1", "h:1"));
  ns_test_wait(t, 6001);
  assert_string_equal(ns_test_route(t, "T1"), "none");
  assert_int_equal(t->closed_count, 1);
  assert_int_equal(t->closed[0], 1);
  assert_int_equal(stats_of(t).expired, 1);
  assert_int_equal(bl_timers_wait_ms(&t->timers, bl_clock_mono_ms(&t->clock.clock)), -1);
}

static void a_broker_may_name_its_own_time_limit(void **state) {
  T;
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "T1:6 T2:6");
  r->timeout_ms = 10000;
  ns_test_register(t, r);
  ns_test_wait(t, 9000);
  assert_true(route_has(t, "T1", "h:1"));
  ns_test_wait(t, 6002);
  assert_string_equal(ns_test_route(t, "T1"), "none");
}

static void brokers_of_this_process_never_expire(void **state) {
  T;
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "T1:6 T2:6");
  r->conn_id = 0;
  ns_test_register(t, r);
  assert_int_equal(bl_timers_wait_ms(&t->timers, bl_clock_mono_ms(&t->clock.clock)), -1);
  ns_test_wait(t, 1000000);
  assert_true(route_has(t, "T1", "h:1"));
}

static void data_versions_are_known_by_address(void **state) {
  T;
  struct bl_namesrv_version version;
  assert_false(bl_namesrv_version_of(t->ns, BL_SLICE("C"), BL_SLICE("h:1"), &version));
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "T1:6 T2:6");
  r->version.counter = 42;
  ns_test_register(t, r);
  assert_true(bl_namesrv_version_of(t->ns, BL_SLICE("C"), BL_SLICE("h:1"), &version));
  assert_int_equal(version.counter, 42);
  assert_false(bl_namesrv_version_of(t->ns, BL_SLICE("D"), BL_SLICE("h:1"), &version));
}

static void write_permission_is_taken_and_given_in_steps(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:6 T3:2"));
  struct bl_namesrv_perm_walk walk = {0};
  assert_false(bl_namesrv_change_perm(t->ns, BL_SLICE("a"), false, &walk, 2));
  assert_true(bl_namesrv_change_perm(t->ns, BL_SLICE("a"), false, &walk, 2));
  assert_int_equal(walk.count, 3);
  assert_true(route_has(t, "T1", "\"perm\":4"));
  assert_true(route_has(t, "T3", "\"perm\":0"));
  walk = (struct bl_namesrv_perm_walk){0};
  assert_true(bl_namesrv_change_perm(t->ns, BL_SLICE("a"), true, &walk, 100));
  assert_true(route_has(t, "T3", "\"perm\":6"));
  walk = (struct bl_namesrv_perm_walk){0};
  assert_true(bl_namesrv_change_perm(t->ns, BL_SLICE("nobody"), true, &walk, 100));
  assert_int_equal(walk.count, 0);
}

static void a_single_topic_is_registered_when_all_its_brokers_are_known(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:6"));
  struct bl_namesrv_queue_data queues[] = {
      {BL_SLICE("a"), {.perm = 6, .read_queues = 2, .write_queues = 3}},
      {BL_SLICE("b"), {.perm = 6, .read_queues = 2, .write_queues = 3}},
  };
  bl_namesrv_register_topic(t->ns, BL_SLICE("T9"), queues, 2);
  assert_string_equal(ns_test_route(t, "T9"), "none");
  bl_namesrv_register_topic(t->ns, BL_SLICE("T9"), queues, 1);
  assert_true(route_has(t, "T9", "\"readQueueNums\":2,\"topicSysFlag\":0,\"writeQueueNums\":3"));
}

static void a_topic_is_deleted_in_one_cluster_or_everywhere(void **state) {
  T;
  ns_test_register(t, ns_test_registration("a", 0, "h:1", "T1:6 T2:6"));
  struct bl_namesrv_registration *r = ns_test_registration("b", 0, "h:2", "T1:6 T2:6");
  r->cluster = BL_SLICE("D");
  ns_test_register(t, r);
  bl_namesrv_delete_topic(t->ns, BL_SLICE("T1"), BL_SLICE("nowhere"));
  bl_namesrv_delete_topic(t->ns, BL_SLICE("T1"), BL_SLICE("D"));
  assert_true(route_has(t, "T1", "h:1"));
  assert_null(strstr(ns_test_route(t, "T1"), "h:2"));
  bl_namesrv_delete_topic(t->ns, BL_SLICE("T2"), bl_slice_text(NULL));
  assert_string_equal(ns_test_route(t, "T2"), "none");
  bl_namesrv_delete_topic(t->ns, BL_SLICE("T1"), BL_SLICE("C"));
  assert_string_equal(ns_test_route(t, "T1"), "none");
}

static void brokers_are_told_of_a_new_smallest_id(void **state) {
  T;
  static const int64_t ids[] = {2, 1, 3};
  static const char *const addrs[] = {"h:2", "h:1", "h:3"};
  t->settings.notify_min_broker_id_changed = true;
  for (size_t i = 0; i < 3; i++) {
    struct bl_namesrv_registration *r = ns_test_registration("a", ids[i], addrs[i], "T1:6 T2:6");
    r->knows_acting_master = r->acting_master = true;
    ns_test_register(t, r);
  }
  assert_int_equal(t->told_count, 1);
  assert_string_equal(t->told[0], "h:2: 1 h:1  ha:1");
  bl_namesrv_unregister(t->ns, BL_SLICE("C"), BL_SLICE("h:3"), BL_SLICE("a"), 3);
  assert_int_equal(t->told_count, 1);
  bl_namesrv_unregister(t->ns, BL_SLICE("C"), BL_SLICE("h:1"), BL_SLICE("a"), 1);
  assert_int_equal(t->told_count, 2);
  assert_string_equal(t->told[1], "h:2: 2 h:2 h:1 ");
}

static void a_broker_that_leaves_during_its_registration_stays_away(void **state) {
  T;
  struct bl_namesrv_registration r = *ns_test_registration("a", 0, "h:1", "T1:6 T2:6 T3:6");
  struct bl_namesrv_work work;
  struct bl_namesrv_registered registered;
  assert_int_equal(bl_namesrv_register_begin(t->ns, &r, &work), BL_OK);
  assert_false(bl_namesrv_register_step(t->ns, &work, 1, &registered));
  bl_namesrv_conn_closed(t->ns, 1);
  assert_true(bl_namesrv_register_step(t->ns, &work, 100, &registered));
  assert_string_equal(ns_test_route(t, "T1"), "none");
  ns_test_wait(t, 10);
  assert_int_equal(stats_of(t).topics, 0);
}

static void thousands_of_topics_go_in_steps(void **state) {
  T;
  enum { COUNT = 3000 };
  static char names[COUNT][16];
  static struct bl_namesrv_topic topics[COUNT];
  for (int i = 0; i < COUNT; i++) {
    snprintf(names[i], sizeof(names[i]), "T%d", i);
    topics[i] = (struct bl_namesrv_topic){.name = bl_slice_text(names[i]), .perm = 6};
  }
  struct bl_namesrv_topics rest = {.topics = topics + 1000, .count = COUNT - 1000};
  struct bl_namesrv_topics first = {.topics = topics, .count = 1000, .next = &rest};
  struct bl_namesrv_registration *r = ns_test_registration("a", 0, "h:1", "");
  r->topics = &first;
  t->settings.delete_topic_with_broker_registration = true;
  ns_test_register(t, r);
  assert_int_equal(stats_of(t).topics, COUNT);
  r->topics = &rest;
  r->version.counter = 2;
  struct bl_namesrv_work work;
  struct bl_namesrv_registered registered;
  assert_int_equal(bl_namesrv_register_begin(t->ns, r, &work), BL_OK);
  int steps = 1;
  while (!bl_namesrv_register_step(t->ns, &work, 100, &registered)) steps++;
  assert_in_range(steps, 70, 72); /* 2000 names, 3000 looked at, 2000 put */
  assert_int_equal(stats_of(t).topics, COUNT - 1000);
  bl_namesrv_conn_closed(t->ns, 1);
  ns_test_wait(t, 1);
  assert_in_range(stats_of(t).topics, 1, COUNT - 1000 - 256);
  for (int i = 0; i < 20; i++) ns_test_wait(t, 1);
  assert_int_equal(stats_of(t).topics, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, ns_test_setup, ns_test_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(a_registered_broker_has_routes),
      CASE(a_first_registration_with_one_topic_is_refused),
      CASE(one_topic_of_a_known_broker_is_added),
      CASE(an_unchanged_version_leaves_known_topics_and_adds_missing_ones),
      CASE(an_address_has_one_id),
      CASE(an_older_state_does_not_take_an_id),
      CASE(slaves_do_not_give_topics),
      CASE(a_lone_slave_gives_topics_only_when_it_knows_acting_masters),
      CASE(the_smallest_slave_is_shown_as_master),
      CASE(missing_topics_are_deleted_when_asked_for),
      CASE(names_that_are_empty_or_too_long_are_refused),
      CASE(a_closed_connection_removes_its_brokers_at_once),
      CASE(only_the_last_connection_of_a_broker_counts),
      CASE(a_broker_that_comes_back_before_the_cleaning_keeps_its_topics),
      CASE(a_silent_broker_is_gone_after_120_seconds),
      CASE(a_broker_may_name_its_own_time_limit),
      CASE(brokers_of_this_process_never_expire),
      CASE(data_versions_are_known_by_address),
      CASE(write_permission_is_taken_and_given_in_steps),
      CASE(a_single_topic_is_registered_when_all_its_brokers_are_known),
      CASE(a_topic_is_deleted_in_one_cluster_or_everywhere),
      CASE(brokers_are_told_of_a_new_smallest_id),
      CASE(a_broker_that_leaves_during_its_registration_stays_away),
      CASE(thousands_of_topics_go_in_steps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
