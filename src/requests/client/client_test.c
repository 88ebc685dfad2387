/* 34 and 35: members, their subscriptions, connections that come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/members/views.h"
#include "requests/admin_testlib.h"

static struct at at;
static char first_address[32];
static char second_address[64];

static int set_up(void **state) {
  (void)state;
  at_start(&at);
  /* Another name of the same address is another connection. */
  snprintf(first_address, sizeof(first_address), "%s", at.address);
  snprintf(second_address, sizeof(second_address), "localhost:%s", strchr(at.address, ':') + 1);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  at_stop(&at);
  return 0;
}

static void use(const char *address) {
  snprintf(at.address, sizeof(at.address), "%s", address);
}

/* RETURNS IS_SUB_CHANGE. */
static bool beat(const char *client, const char *model, const char *subscriptions, int fingerprint,
                 bool without_sub) {
  char body[2048];
  snprintf(body, sizeof(body),
           "{\"clientID\":\"%s\",\"consumerDataSet\":[{\"groupName\":\"CG\",\"consumeType\":"
           "\"CONSUME_PASSIVELY\","
           "\"messageModel\":\"%s\",\"consumeFromWhere\":\"CONSUME_FROM_LAST_OFFSET\","
           "\"subscriptionDataSet\":[%s]}],\"producerDataSet\":[{\"groupName\":\"PG\"}],"
           "\"heartbeatFingerprint\":%d,\"withoutSub\":%s}",
           client, model, subscriptions, fingerprint, without_sub ? "true" : "false");
  const struct at_answer *answer = at_expect(&at, at_call(&at, 34, body, NULL), 0, NULL);
  assert_true(bl_slice_is(at_field(answer, "IS_SUPPORT_HEART_BEAT_V2"), "true"));
  return bl_slice_bool(at_field(answer, "IS_SUB_CHANGE"));
}

#define SUB(topic, tags, version)                                                                  \
  "{\"topic\":\"" topic "\",\"subString\":\"" tags "\",\"subVersion\":" version                    \
  ",\"expressionType\":\"TAG\"}"

static struct bl_member_group *group(void) {
  return bl_members_consumers(at.broker, BL_SLICE("CG"));
}

static const struct bl_subscription *subscription(const char *topic) {
  return bl_member_group_subscription(group(), bl_slice_text(topic));
}

static void a_heartbeat_makes_group_and_retry_topic(void **state) {
  (void)state;
  assert_null(group());
  assert_true(beat("c1", "CLUSTERING", SUB("T", "a", "1"), 0, false));
  assert_int_equal(group()->member_count, 1);
  assert_non_null(bl_groups_find(&at.broker->groups, BL_SLICE("CG")));
  const struct bl_topic *topic = bl_topics_find(&at.broker->topics, BL_SLICE("%RETRY%CG"));
  assert_non_null(topic);
  assert_int_equal(topic->write_queues, 1);
  assert_int_equal(topic->perm, 6);
  at_expect(&at, at_call(&at, 38, NULL, "consumerGroup", "CG", NULL), 0, NULL);
  at_has(&at.answer, "{\"consumerIdList\":[\"c1\"]}");
  at_expect(&at, at_call(&at, 35, NULL, "clientID", "c1", "consumerGroup", "CG", NULL), 0, NULL);
  assert_null(group());
  assert_non_null(bl_members_producers(at.broker, BL_SLICE("PG")));
  at_expect(&at, at_call(&at, 35, NULL, "clientID", "c1", "producerGroup", "PG", NULL), 0, NULL);
  assert_null(bl_members_producers(at.broker, BL_SLICE("PG")));
  at_expect(&at, at_call(&at, 35, NULL, "clientID", "c1", "consumerGroup", "NONE", NULL), 0, NULL);
}

static void without_auto_creation_a_group_is_skipped(void **state) {
  (void)state;
  at.settings.auto_create_group = false;
  beat("c1", "CLUSTERING", SUB("T", "a", "1"), 0, false);
  assert_null(group());
  assert_null(bl_topics_find(&at.broker->topics, BL_SLICE("%RETRY%CG")));
}

/* ClientManageProcessor#heartBeatV2: asked for when the group's last fingerprint is another. */
static void fingerprints(void **state) {
  (void)state;
  assert_true(beat("c1", "CLUSTERING", SUB("T", "a", "1"), 0, false)); /* the old form */
  assert_true(beat("c1", "CLUSTERING", SUB("T", "a", "1"), 11, false));
  assert_false(beat("c1", "CLUSTERING", SUB("T", "a", "1"), 11, false));
  assert_false(beat("c1", "CLUSTERING", "", 11, true));
  assert_non_null(subscription("T")); /* nothing said is nothing changed */
  assert_true(beat("c1", "CLUSTERING", "", 12, true));
  /* Another member with another subscription: the first has to say its own again. */
  use(second_address);
  assert_true(beat("c2", "CLUSTERING", SUB("U", "a", "1"), 22, false));
  use(first_address);
  assert_true(beat("c1", "CLUSTERING", "", 12, true));
}

static void a_group_without_subscriptions_asks_for_them(void **state) {
  (void)state;
  assert_true(beat("c1", "CLUSTERING", "", 11, true));
  assert_true(beat("c1", "CLUSTERING", "", 11, true));
  assert_false(beat("c1", "CLUSTERING", SUB("T", "a", "1"), 11, false));
  assert_false(beat("c1", "CLUSTERING", "", 11, true));
}

static void newer_subscriptions_win(void **state) {
  (void)state;
  beat("c1", "CLUSTERING", SUB("T", "a", "5") "," SUB("U", "u", "5"), 0, false);
  beat("c1", "CLUSTERING", SUB("T", "b", "4") "," SUB("U", "v", "5"), 0, false);
  assert_string_equal(subscription("T")->expression.ptr, "a");
  assert_string_equal(subscription("U")->expression.ptr, "u");
  beat("c1", "CLUSTERING", SUB("T", "b", "6"), 0, false);
  assert_string_equal(subscription("T")->expression.ptr, "b");
  assert_null(subscription("U")); /* not named any more */
  beat("c1", "CLUSTERING", SUB("T", "||", "7") "," SUB("W", "||", "7"), 0, false);
  assert_string_equal(subscription("T")->expression.ptr, "b");
  assert_null(subscription("W"));
}

static void members_are_told_once_and_then_seldom(void **state) {
  (void)state;
  beat("c1", "CLUSTERING", SUB("T", "a", "5"), 0, false);
  int64_t told_ms = group()->last_notice_ms;
  assert_true(told_ms > 0);
  beat("c1", "CLUSTERING", SUB("T", "b", "6"), 0, false); /* a new filter is no news */
  assert_true(group()->notice_timer.place == 0);
  beat("c1", "CLUSTERING", SUB("T", "b", "6") "," SUB("U", "b", "6"), 0, false);
  assert_true(group()->notice_timer.place != 0);
  assert_int_equal(group()->last_notice_ms, told_ms);
  at_run(&at, BL_NOTICE_INTERVAL_MS + 50);
  assert_true(group()->notice_timer.place == 0);
  assert_true(group()->last_notice_ms >= told_ms + BL_NOTICE_INTERVAL_MS);
}

static void broadcasting_members_are_not_told(void **state) {
  (void)state;
  beat("c1", "BROADCASTING", SUB("T", "a", "5"), 0, false);
  assert_true(group()->last_notice_ms < 0);
  assert_true(group()->notice_timer.place == 0);
}

/* A connection may be dead for long before anybody knows. */
static void a_client_that_comes_back_is_there_once(void **state) {
  (void)state;
  beat("c1", "CLUSTERING", SUB("T", "a", "5"), 0, false);
  uint64_t old_conn = bl_members_find(group(), BL_SLICE("c1"))->conn_id;
  use(second_address);
  beat("c1", "CLUSTERING", SUB("T", "a", "5"), 0, false);
  assert_int_equal(group()->member_count, 1);
  assert_true(bl_members_find(group(), BL_SLICE("c1"))->conn_id != old_conn);
  assert_int_equal(at.broker->members.client_count, 2);
  /* The old one closes: the new one stays. */
  bl_remoting_disconnect(at.remoting, bl_slice_text(first_address));
  at_run(&at, 30);
  assert_int_equal(at.broker->members.client_count, 1);
  assert_int_equal(group()->member_count, 1);
}

static void who_closes_leaves_every_group(void **state) {
  (void)state;
  beat("c1", "CLUSTERING", SUB("T", "a", "5"), 0, false);
  use(second_address);
  beat("c2", "CLUSTERING", SUB("T", "a", "5"), 0, false);
  assert_int_equal(group()->member_count, 2);
  assert_true(group()->notice_timer.place != 0);
  bl_remoting_disconnect(at.remoting, bl_slice_text(first_address));
  bl_remoting_disconnect(at.remoting, bl_slice_text(second_address));
  at_run(&at, 30);
  /* With a notice still to come. */
  assert_null(group());
  assert_null(bl_members_producers(at.broker, BL_SLICE("PG")));
  assert_int_equal(at.broker->members.client_count, 0);
  at_run(&at, BL_NOTICE_INTERVAL_MS + 50);
}

static void one_client_is_in_so_many_groups(void **state) {
  (void)state;
  struct bl_buf body;
  for (int part = 0; part < 2; part++) {
    bl_buf_init(&body, 1 << 20);
    bl_buf_put_text(&body, "{\"clientID\":\"c1\",\"producerDataSet\":[");
    for (int i = 0; i < BL_CLIENT_GROUPS_MAX; i++) {
      bl_buf_printf(&body, "%s{\"groupName\":\"P%d\"}", i > 0 ? "," : "", i + part * 5);
    }
    bl_buf_put_text(&body, "]}");
    bl_buf_put_char(&body, '\0');
    at_expect(&at, at_call(&at, 34, body.data, NULL), part, NULL);
    bl_buf_fini(&body);
  }
  assert_int_equal(at.broker->members.producers.count, BL_CLIENT_GROUPS_MAX);
}

/* What the runtime information says under the key; the absent slice without it. */
static struct bl_slice runtime(const char *key) {
  const struct bl_json *root;
  const struct at_answer *answer = at_expect(&at, at_call(&at, 28, NULL, NULL), 0, NULL);
  assert_int_equal(bl_json_parse(answer->body, BL_JSON_DIALECT, &at.arena, &root, NULL), BL_OK);
  return bl_json_text(bl_json_get(bl_json_get(root, "table"), key));
}

static void members_that_want_different_things_are_named(void **state) {
  (void)state;
  beat("c1", "CLUSTERING", SUB("T", "a", "1") "," SUB("U", "*", "1"), 0, false);
  use(second_address);
  beat("c2", "CLUSTERING", SUB("U", "*", "2") "," SUB("T", "a", "9"), 0, false);
  assert_int_equal(group()->view_count, 1); /* neither order nor version matters */
  assert_true(bl_slice_is(runtime("groupsWithDifferentSubscriptions"), "0"));
  beat("c2", "CLUSTERING", SUB("T", "b", "10"), 0, false);
  assert_int_equal(group()->view_count, 2);
  assert_int_equal(at.broker->members.disagreeing_count, 1);
  assert_true(bl_slice_is(runtime("groupsWithDifferentSubscriptions"), "1"));
  use(first_address);
  struct bl_slice text = runtime("differentSubscriptions_CG");
  char want[300];
  snprintf(want, sizeof(want),
           "1 member CLUSTERING T=a U=*: c1 (%s); 1 member CLUSTERING T=b: c2 (%s)",
           bl_members_find(group(), BL_SLICE("c1"))->address,
           bl_members_find(group(), BL_SLICE("c2"))->address);
  assert_true(bl_slice_is(text, want));
  beat("c1", "CLUSTERING", "", 11, true); /* nothing said is nothing changed */
  assert_int_equal(group()->view_count, 2);
  beat("c1", "CLUSTERING", SUB("T", "b", "11"), 0, false);
  assert_int_equal(group()->view_count, 1);
  assert_int_equal(at.broker->members.disagreeing_count, 0);
  beat("c1", "BROADCASTING", SUB("T", "b", "11"), 0, false);
  assert_int_equal(at.broker->members.disagreeing_count, 1);
  /* Who leaves disagrees no more. */
  at_expect(&at, at_call(&at, 35, NULL, "clientID", "c1", "consumerGroup", "CG", NULL), 0, NULL);
  assert_int_equal(at.broker->members.disagreeing_count, 0);
  assert_int_equal(group()->view_count, 1);
}

/* Each of these connections says something else; what is told apart is bounded. */
static void views_are_bounded(void **state) {
  (void)state;
  struct bl_member_group *of;
  beat("c0", "CLUSTERING", SUB("T", "x", "1"), 0, false);
  of = group();
  struct bl_member *member = BL_CONTAINER(of->members.next, struct bl_member, in_group);
  of->view_count = BL_VIEWS_MAX + 1;
  beat("c0", "CLUSTERING", SUB("T", "y", "2"), 0, false);
  assert_null(member->view);
  assert_int_equal(of->view_count, BL_VIEWS_MAX);
  of->view_count = 0;
  at.broker->members.disagreeing_count = 0;
  beat("c0", "CLUSTERING", SUB("T", "y", "3"), 0, false);
  assert_non_null(member->view);
}

static void a_group_has_so_many_members(void **state) {
  (void)state;
  at.settings.group_members_max = 1;
  beat("c1", "CLUSTERING", SUB("T", "a", "1"), 0, false);
  beat("c1", "CLUSTERING", SUB("T", "a", "2"), 0, false);
  use(second_address);
  const char *body =
      "{\"clientID\":\"c2\",\"consumerDataSet\":[{\"groupName\":\"CG\",\"subscriptionDataSet\":[]}]"
      "}";
  at_expect(&at, at_call(&at, 34, body, NULL), 1,
            "the group CG has 1 members already, the most that one may have (maxGroupMembers)");
  assert_int_equal(group()->member_count, 1);
  assert_true(bl_slice_is(runtime("heartbeatsRefused"), "1"));
}

/* Over a limit nothing of the heartbeat is taken. */
static void heartbeats_that_say_too_much(void **state) {
  (void)state;
  struct bl_buf body;
  bl_buf_init(&body, 16 << 20);
  bl_buf_put_text(&body,
                  "{\"clientID\":\"c1\",\"consumerDataSet\":[{\"groupName\":\"CG\","
                  "\"subscriptionDataSet\":[");
  for (int i = 0; i <= BL_CLIENT_SUBSCRIPTIONS_MAX; i++) {
    bl_buf_printf(&body, "%s{\"topic\":\"T%d\",\"subString\":\"*\"}", i > 0 ? "," : "", i);
  }
  bl_buf_put_text(&body, "]}]}");
  bl_buf_put_char(&body, '\0');
  at_expect(&at, at_call(&at, 34, body.data, NULL), 1,
            "10001 topics are subscribed to in one group, and a member may have 10000");
  body.len--;
  while (body.len <= 4 << 20) bl_buf_put_text(&body, "          ");
  bl_buf_put_char(&body, '\0');
  const struct at_answer *answer = at_expect(&at, at_call(&at, 34, body.data, NULL), 1, NULL);
  assert_true(bl_slice_starts(answer->remark, BL_SLICE("the heartbeat has 41943")));
  bl_buf_fini(&body);
  assert_null(group());
  assert_int_equal(at.broker->members.client_count, 0);
}

static void bad_heartbeats(void **state) {
  (void)state;
  at_expect(&at, at_call(&at, 34, NULL, NULL), 1, NULL);
  at_expect(&at, at_call(&at, 34, "{\"clientID\":", NULL), 1, NULL);
  at_expect(&at, at_call(&at, 34, "{\"clientID\":\"\"}", NULL), 1, NULL);
  at_expect(
      &at,
      at_call(&at, 34, "{\"clientID\":\"c\",\"consumerDataSet\":7,\"producerDataSet\":{}}", NULL),
      0, NULL);
  at_expect(
      &at,
      at_call(&at, 34, "{\"clientID\":\"c\",\"consumerDataSet\":[1,{},{\"groupName\":\"a/b\"}]}",
              NULL),
      0, NULL);
  assert_int_equal(at.broker->members.consumers.count, 0);
}

/* An answer that was begun before the group was gone and came again is not kept for the new one. */
static void a_group_that_comes_again_is_another(void **state) {
  (void)state;
  beat("c1", "CLUSTERING", SUB("T", "a", "1"), 0, false);
  uint64_t changes = group()->changes;
  at_expect(&at, at_call(&at, 35, NULL, "clientID", "c1", "consumerGroup", "CG", NULL), 0, NULL);
  assert_null(group());
  beat("c1", "CLUSTERING", SUB("T", "a", "1"), 0, false);
  assert_int_not_equal(group()->changes, changes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_heartbeat_makes_group_and_retry_topic, set_up, tear_down),
      cmocka_unit_test_setup_teardown(without_auto_creation_a_group_is_skipped, set_up, tear_down),
      cmocka_unit_test_setup_teardown(fingerprints, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_group_without_subscriptions_asks_for_them, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(newer_subscriptions_win, set_up, tear_down),
      cmocka_unit_test_setup_teardown(members_are_told_once_and_then_seldom, set_up, tear_down),
      cmocka_unit_test_setup_teardown(broadcasting_members_are_not_told, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_client_that_comes_back_is_there_once, set_up, tear_down),
      cmocka_unit_test_setup_teardown(who_closes_leaves_every_group, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_group_that_comes_again_is_another, set_up, tear_down),
      cmocka_unit_test_setup_teardown(one_client_is_in_so_many_groups, set_up, tear_down),
      cmocka_unit_test_setup_teardown(members_that_want_different_things_are_named, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(views_are_bounded, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_group_has_so_many_members, set_up, tear_down),
      cmocka_unit_test_setup_teardown(heartbeats_that_say_too_much, set_up, tear_down),
      cmocka_unit_test_setup_teardown(bad_heartbeats, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
