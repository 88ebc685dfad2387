/* Sending: what is stored, what is refused, what is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "requests/admin_testlib.h"
#include "wire/properties.h"

static struct at at;

static int set_up(void **state) {
  (void)state;
  at_start(&at);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  at_stop(&at);
  return 0;
}

static struct bl_send make(const char *topic, const char *properties, const char *body) {
  struct bl_send send = {.topic = bl_slice_text(topic),
                         .default_topic = BL_SLICE("TBW102"),
                         .default_queues = 4,
                         .properties = bl_slice_text(properties),
                         .body = bl_slice_text(body),
                         .max_reconsume_times = -1,
                         .peer = "127.0.0.1:5"};
  send.born_host = at.broker->store_host;
  return send;
}

#define TRIES_MAX 10000 /* of 1 ms */

static bl_err send_it(const struct bl_send *send, struct bl_sent *out_sent,
                      struct bl_why *out_why) {
  bl_err err = bl_broker_send(at.broker, send, out_sent, out_why);
  out_sent->uniq_key = bl_arena_copy(&at.arena, out_sent->uniq_key);
  int64_t end = err == BL_OK ? out_sent->end_offset : 0;
  for (int i = 0; i < TRIES_MAX && bl_store_marks(at.broker->store).visible < end; i++)
    at_run(&at, 1);
  at_run(&at, 1);
  return err;
}

/* The stored record of a queue at an offset. */
static struct bl_record stored(const char *topic, int32_t queue_id, int64_t offset) {
  struct bl_queue *queue = bl_queues_find(at.broker->queues, bl_slice_text(topic), queue_id);
  struct bl_queue_entry entry;
  struct bl_record record;
  uint32_t count = 0;
  assert_non_null(queue);
  assert_int_equal(bl_queue_read(queue, offset, &entry, 1, &count), BL_OK);
  assert_int_equal(count, 1);
  char *bytes = bl_arena_take(&at.arena, entry.size_bytes);
  assert_int_equal(bl_store_read(at.broker->store, entry.log_offset, entry.size_bytes, bytes),
                   BL_OK);
  assert_int_equal(
      bl_record_decode(bl_slice_of(bytes, entry.size_bytes), BL_RECORD_CHECKED, &record), BL_OK);
  return record;
}

static void expect_property(const struct bl_record *record, const char *name, const char *value) {
  struct bl_slice got = bl_properties_get(record->properties, bl_slice_text(name));
  if (value == NULL) {
    assert_null(got.ptr);
  } else if (!bl_slice_is(got, value)) {
    fail_msg("%s is '%.*s', not '%s'", name, BL_FMT(got), value);
  }
}

static void the_broker_sets_its_properties(void **state) {
  (void)state;
  struct bl_sent sent;
  struct bl_why why;
  struct bl_send send =
      make("T",
           "KEYS\1k\2CLUSTER\1mine\2TRACE_ON\1no\2MSG_REGION\1x\2POP_CK\1y\2WAIT\1true\2"
           "__CRC32#\1"
           "123\2app\1 1 \2DELAY\1"
           "0",
           "body");
  send.sys_flag =
      BL_SYS_COMPRESSED | BL_SYS_PREPARED | BL_SYS_INNER_BATCH | BL_SYS_NEED_UNWRAP | 0x700;
  send.flag = 77;
  assert_int_equal(send_it(&send, &sent, &why), BL_OK);
  assert_true(sent.wait);
  struct bl_record record = stored("T", sent.queue_id, 0);
  expect_property(&record, "KEYS", "k");
  expect_property(&record, "CLUSTER", "DefaultCluster");
  expect_property(&record, "MSG_REGION", "DefaultRegion");
  expect_property(&record, "TRACE_ON", "true");
  expect_property(&record, "POP_CK", NULL);
  expect_property(&record, "WAIT", "true");
  expect_property(&record, "app", " 1 ");
  assert_int_equal(sent.uniq_key.len, 32);
  expect_property(&record, "UNIQ_KEY", sent.uniq_key.ptr);
  /* What the broker decides is not for clients to say: an inner batch would take many queue
   * offsets. */
  assert_int_equal(record.sys_flag, BL_SYS_COMPRESSED | 0x700);
  assert_int_equal(record.flag, 77);
  assert_true(bl_slice_is(record.body, "body"));
}

static void a_long_unique_key_is_answered_whole(void **state) {
  (void)state;
  char key[400];
  char properties[600];
  memset(key, 'k', sizeof(key) - 1);
  key[sizeof(key) - 1] = '\0';
  snprintf(properties, sizeof(properties), "UNIQ_KEY\1%s\2", key);
  const struct at_answer *answer = at_expect(
      &at,
      at_call(&at, 310, "x", "a", "PG", "b", "T", "c", "TBW102", "d", "4", "e", "0", "f", "0", "g",
              "1", "h", "0", "i", properties, "j", "0", "k", "false", "m", "false", NULL),
      0, NULL);
  assert_true(bl_slice_is(at_field(answer, "transactionId"), key));
}

static void an_acked_send_is_timed(void **state) {
  (void)state;
  uint64_t before = at.broker->stats.put_us.count;
  at_expect(&at,
            at_call(&at, 310, "x", "a", "PG", "b", "T", "c", "TBW102", "d", "4", "e", "0", "f", "0",
                    "g", "1", "h", "0", "i", "", "j", "0", "k", "false", "m", "false", NULL),
            0, NULL);
  assert_int_equal(at.broker->stats.put_us.count, before + 1);
}

static void refusals(void **state) {
  (void)state;
  struct bl_sent sent;
  struct bl_why why;
  char *long_text = malloc(40000);
  memset(long_text, 'p', 40000);
  long_text[0] = 'a';
  long_text[1] = '\1';
  long_text[32768] = '\0';
  at.settings.transaction_reject = true;
  const struct {
    const char *topic;
    const char *default_topic;
    const char *properties;
    int32_t queue_id;
    bl_err err;
    const char *text;
  } rows[] = {
      {"bad@topic", "TBW102", "", 0, BL_ERR_PARAMETER, "contains illegal characters"},
      {"SCHEDULE_TOPIC_XXXX", "TBW102", "", 0, BL_ERR_NO_PERMISSION,
       "Sending message to topic[SCHEDULE_TOPIC_XXXX] is forbidden."},
      {"rmq_sys_bolide_meta", "TBW102", "", 0, BL_ERR_NO_PERMISSION, "is forbidden"},
      {"rmq_sys_wheel_timer", "TBW102", "", 0, BL_ERR_NO_PERMISSION, "is forbidden"},
      {"NEW", "NO_SUCH", "", 0, BL_ERR_NO_TOPIC, "topic[NEW] not exist, apply first please!"},
      {"T", "TBW102", "", 4, BL_ERR_PARAMETER,
       "request queueId[4] is illegal, TopicConfig [topicName=T"},
      {"T", "TBW102", long_text, 0, BL_ERR_MESSAGE_ILLEGAL, "msg properties length limit 32KB."},
      {"T", "TBW102", "TRAN_MSG\1true\2", 0, BL_ERR_NO_PERMISSION,
       "transaction message is forbidden"},
      {"T", "TBW102",
       "DELAY\1"
       "x\2",
       0, BL_ERR_MESSAGE_ILLEGAL, "the delay level x is not a number"},
      {"T", "TBW102",
       "TIMER_DELAY_SEC\1"
       "-3\2",
       0, BL_ERR_MESSAGE_ILLEGAL, "TIMER_DELAY_SEC=-3 is negative"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct bl_send send = make(rows[i].topic, rows[i].properties, "x");
    send.default_topic = bl_slice_text(rows[i].default_topic);
    send.queue_id = rows[i].queue_id;
    assert_int_equal(send_it(&send, &sent, &why), rows[i].err);
    if (strstr(why.text, rows[i].text) == NULL)
      fail_msg("%s is not in: %s", rows[i].text, why.text);
  }
  /* Properties that only fit without what the broker adds. */
  long_text[32700] = '\0';
  struct bl_send send = make("T", long_text, "x");
  assert_int_equal(send_it(&send, &sent, &why), BL_ERR_MESSAGE_ILLEGAL);
  struct bl_queue *queue = bl_queues_find(at.broker->queues, BL_SLICE("T"), 0);
  assert_true(queue == NULL || bl_queue_max_offset(queue) == 0);
  free(long_text);
}

static void a_body_may_be_as_long_as_the_limit(void **state) {
  (void)state;
  struct bl_sent sent;
  struct bl_why why;
  at.settings.max_message_bytes = 5;
  struct bl_send send = make("T", "", "12345");
  assert_int_equal(send_it(&send, &sent, &why), BL_OK);
  send.body = BL_SLICE("123456");
  assert_int_equal(send_it(&send, &sent, &why), BL_ERR_MESSAGE_ILLEGAL);
  assert_string_equal(
      why.text,
      "the message is illegal, maybe msg body or properties length not matched. msg body length "
      "limit 5B, msg properties length limit 32KB.");
}

/* As TopicConfigManager: the smaller of what the client asks and the template's write queues. */
static void topics_are_made_like_their_template(void **state) {
  (void)state;
  struct bl_sent sent;
  struct bl_why why;
  const struct {
    const char *topic;
    int32_t asked;
    int32_t queues;
  } rows[] = {{"A", 4, 4}, {"B", 100, 8}, {"%RETRY%X", 4, 4}};
  for (int i = 0; i < 3; i++) {
    struct bl_group *group;
    int64_t end;
    struct bl_group like;
    bl_group_default(&like, BL_SLICE("X"));
    assert_int_equal(bl_broker_put_group(at.broker, &like, &group, &end), BL_OK);
    struct bl_send send = make(rows[i].topic, "", "x");
    send.default_queues = rows[i].asked;
    assert_int_equal(send_it(&send, &sent, &why), BL_OK);
    const struct bl_topic *topic = bl_topics_find(&at.broker->topics, send.topic);
    assert_int_equal(topic->write_queues, rows[i].queues);
    assert_int_equal(topic->read_queues, rows[i].queues);
    assert_int_equal(topic->perm, 6);
  }
  struct bl_send send = make("C", "", "x");
  send.default_queues = 0;
  send.queue_id = -1;
  assert_int_equal(send_it(&send, &sent, &why), BL_ERR_PARAMETER);
  at.settings.auto_create_topic = false;
  send = make("D", "", "x");
  assert_int_equal(send_it(&send, &sent, &why), BL_ERR_NO_TOPIC);
}

static void any_queue_is_one_of_the_write_queues(void **state) {
  (void)state;
  bool seen[4] = {false};
  struct bl_sent sent;
  struct bl_why why;
  for (int i = 0; i < 100; i++) {
    struct bl_send send = make("T", "", "x");
    send.queue_id = -1;
    assert_int_equal(bl_broker_send(at.broker, &send, &sent, &why), BL_OK);
    assert_in_range(sent.queue_id, 0, 3);
    seen[sent.queue_id] = true;
  }
  for (int i = 0; i < 4; i++) assert_true(seen[i]);
}

static void put_message(struct bl_buf *out, const char *body, const char *properties) {
  bl_buf_put_u32(out, (uint32_t)(22 + strlen(body) + strlen(properties)));
  bl_buf_put_u32(out, 0);
  bl_buf_put_u32(out, 0);
  bl_buf_put_u32(out, 3);
  bl_buf_put_u32(out, (uint32_t)strlen(body));
  bl_buf_put_text(out, body);
  bl_buf_put_u16(out, (uint16_t)strlen(properties));
  bl_buf_put_text(out, properties);
}

static void a_batch_is_stored_or_refused_as_a_unit(void **state) {
  (void)state;
  struct bl_sent sent;
  struct bl_why why;
  struct bl_buf body;
  bl_buf_init(&body, 100000);
  put_message(&body, "one", "UNIQ_KEY\1U1\2TAGS\1t");
  put_message(&body, "two", "UNIQ_KEY\1U2\2");
  struct bl_send send = make("T", "UNIQ_KEY\1U1,U2\2", "");
  send.batch = true;
  send.body = bl_buf_slice(&body);
  assert_int_equal(send_it(&send, &sent, &why), BL_OK);
  assert_int_equal(sent.count, 2);
  assert_int_equal(sent.queue_offset, 0);
  assert_true(bl_slice_is(sent.uniq_key, "U1,U2"));
  struct bl_record record = stored("T", 0, 1);
  expect_property(&record, "UNIQ_KEY", "U2");
  expect_property(&record, "CLUSTER", NULL);
  assert_int_equal(record.flag, 3);
  assert_int_equal(sent.log_offsets[1], record.log_offset);
  /* The last one is cut: none is stored. */
  put_message(&body, "three", "");
  send.body = bl_slice_of(body.data, body.len - 1);
  assert_int_equal(send_it(&send, &sent, &why), BL_ERR_MESSAGE_ILLEGAL);
  send.body = BL_SLICE("");
  assert_int_equal(send_it(&send, &sent, &why), BL_ERR_MESSAGE_ILLEGAL);
  send.topic = BL_SLICE("%RETRY%CG");
  send.body = bl_buf_slice(&body);
  assert_int_equal(send_it(&send, &sent, &why), BL_ERR_MESSAGE_ILLEGAL);
  assert_int_equal(bl_queue_max_offset(bl_queues_find(at.broker->queues, BL_SLICE("T"), 0)), 2);
  bl_buf_fini(&body);
}

static void retries_end_as_dead_letters(void **state) {
  (void)state;
  struct bl_sent sent;
  struct bl_why why;
  struct bl_send send = make("%RETRY%CG",
                             "RETRY_TOPIC\1T\2DELAY\1"
                             "3\2",
                             "x");
  at.settings.auto_create_group = false;
  assert_int_equal(send_it(&send, &sent, &why), BL_ERR_NO_GROUP);
  at.settings.auto_create_group = true;
  at_join(&at, "CG", "T");
  send.reconsume_times = 16;
  send.properties = BL_SLICE("RETRY_TOPIC\1T\2");
  assert_int_equal(send_it(&send, &sent, &why), BL_OK);
  assert_int_equal(bl_queue_max_offset(bl_queues_find(at.broker->queues, BL_SLICE("%RETRY%CG"), 0)),
                   1);
  assert_null(bl_topics_find(&at.broker->topics, BL_SLICE("%DLQ%CG")));
  send.properties = BL_SLICE(
      "RETRY_TOPIC\1T\2DELAY\1"
      "3\2");
  send.reconsume_times = 17;
  assert_int_equal(send_it(&send, &sent, &why), BL_OK);
  struct bl_record record = stored("%DLQ%CG", 0, 0);
  expect_property(&record, "DELAY", "-1");
  assert_int_equal(record.reconsume_times, 17);
  const struct bl_topic *topic = bl_topics_find(&at.broker->topics, BL_SLICE("%DLQ%CG"));
  assert_int_equal(topic->write_queues, 1);
  assert_int_equal(topic->perm, 6);
  /* The sender's own limit. */
  send.reconsume_times = 3;
  send.max_reconsume_times = 2;
  assert_int_equal(send_it(&send, &sent, &why), BL_OK);
  assert_int_equal(stored("%DLQ%CG", 0, 1).reconsume_times, 3);
  /* An orderly consumer has given up when it sends. */
  send.reconsume_times = 0;
  send.max_reconsume_times = -1;
  assert_true(bl_locks_take(at.broker, BL_SLICE("CG"), BL_SLICE("T"), 0, BL_SLICE("me")));
  assert_int_equal(send_it(&send, &sent, &why), BL_OK);
  assert_int_equal(stored("%DLQ%CG", 0, 2).reconsume_times, 0);
}

static void order_topics_heed_the_brokers_permission(void **state) {
  (void)state;
  struct bl_sent sent;
  struct bl_why why;
  struct bl_topic_change change = {
      .name = BL_SLICE("O"), .read_queues = 1, .write_queues = 1, .perm = 6, .order = true};
  struct bl_topic *topic;
  int64_t end;
  assert_int_equal(bl_broker_put_topic(at.broker, &change, &topic, &end), BL_OK);
  at.settings.broker_permission = BL_PERM_READ;
  struct bl_send send = make("O", "", "x");
  assert_int_equal(send_it(&send, &sent, &why), BL_ERR_NO_PERMISSION);
  send = make("T", "", "x");
  assert_int_equal(send_it(&send, &sent, &why), BL_OK);
}

/* Turns of a log that takes no more: nothing is written while it is stuck. */
static bool is_stuck;
static bool turn(void *context) {
  struct at *a = context;
  bl_worker_drain(a->flush);
  bl_worker_drain(a->pool);
  bool more = bl_remoting_turn(a->remoting);
  if (!is_stuck && a->broker != NULL) more = bl_broker_turn(a->broker) || more;
  return more;
}

static void fill_the_log(void) {
  static char body[400000];
  struct bl_sent sent;
  struct bl_why why;
  at_topic(&at, "T", 1);
  bl_net_on_turn(at.net, turn, &at);
  is_stuck = true;
  struct bl_send fill = make("T", "", "");
  fill.body = bl_slice_of(body, sizeof(body));
  while (bl_broker_send(at.broker, &fill, &sent, &why) == BL_OK) {}
}

struct waiting {
  struct bl_outcall call;
  bool answered;
  bl_err err;
  int32_t code;
};
static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct waiting *waiting = BL_CONTAINER(call, struct waiting, call);
  waiting->answered = true;
  waiting->err = err;
  waiting->code = err == BL_OK ? response->code : -1;
}

static void start(struct waiting *waiting) {
  static char body[400000];
  const char *const texts[] = {"a", "PG", "b", "T", "c", "TBW102", "d", "4",
                               "e", "0",  "f", "0", "g", "1",      "h", "0"};
  struct bl_field fields[8];
  for (int i = 0; i < 8; i++) {
    fields[i] = (struct bl_field){bl_slice_text(texts[2 * i]), bl_slice_text(texts[2 * i + 1])};
  }
  struct bl_outgoing outgoing = {
      .code = 310, .extra = fields, .extra_count = 8, .body = bl_slice_of(body, sizeof(body))};
  memset(waiting, 0, sizeof(*waiting));
  waiting->call.done = on_answer;
  assert_int_equal(bl_remoting_call_address(at.remoting, bl_slice_text(at.address), &outgoing,
                                            20000, &waiting->call),
                   BL_OK);
}

/* Turns until the answer came, on a machine however busy; the caller looks. */
static void run_until_answered(const struct waiting *waiting) {
  for (int i = 0; i < 1000 && !waiting->answered; i++) at_run(&at, 10);
}

static void a_send_waits_for_room(void **state) {
  (void)state;
  static struct waiting one;
  static struct waiting two;
  fill_the_log();
  start(&one);
  start(&two);
  for (int i = 0; i < 1000 && at.broker->sends.waiting_for_room < 2; i++) at_run(&at, 10);
  at_run(&at, 20);
  assert_int_equal(at.broker->sends.waiting_for_room, 2);
  assert_int_equal(at.broker->sends.waiting_bytes, 800000);
  assert_false(one.answered || two.answered);
  is_stuck = false;
  run_until_answered(&one);
  run_until_answered(&two);
  assert_true(one.answered && two.answered);
  assert_int_equal(one.code, 0);
  assert_int_equal(two.code, 0);
  assert_int_equal(at.broker->sends.waiting_for_room, 0);
  assert_int_equal(at.broker->sends.waiting_bytes, 0);
}

static void who_waits_too_long_is_told(void **state) {
  (void)state;
  static struct waiting one;
  at.settings.wait_in_send_queue_ms = 30;
  fill_the_log();
  start(&one);
  run_until_answered(&one);
  assert_true(one.answered);
  assert_int_equal(one.code, 2);
  assert_int_equal(at.broker->sends.waiting_for_room, 0);
  is_stuck = false;
}

static void who_goes_waits_no_more(void **state) {
  (void)state;
  static struct waiting one;
  fill_the_log();
  start(&one);
  for (int i = 0; i < 1000 && at.broker->sends.waiting_for_room < 1; i++) at_run(&at, 10);
  assert_int_equal(at.broker->sends.waiting_for_room, 1);
  bl_remoting_disconnect(at.remoting, bl_slice_text(at.address));
  for (int i = 0; i < 50 && at.broker->sends.waiting_for_room > 0; i++) at_run(&at, 10);
  assert_int_equal(at.broker->sends.waiting_for_room, 0);
  assert_int_equal(at.broker->sends.waiting_bytes, 0);
  is_stuck = false;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_broker_sets_its_properties, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_long_unique_key_is_answered_whole, set_up, tear_down),
      cmocka_unit_test_setup_teardown(an_acked_send_is_timed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(refusals, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_body_may_be_as_long_as_the_limit, set_up, tear_down),
      cmocka_unit_test_setup_teardown(topics_are_made_like_their_template, set_up, tear_down),
      cmocka_unit_test_setup_teardown(any_queue_is_one_of_the_write_queues, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_batch_is_stored_or_refused_as_a_unit, set_up, tear_down),
      cmocka_unit_test_setup_teardown(retries_end_as_dead_letters, set_up, tear_down),
      cmocka_unit_test_setup_teardown(order_topics_heed_the_brokers_permission, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_send_waits_for_room, set_up, tear_down),
      cmocka_unit_test_setup_teardown(who_waits_too_long_is_told, set_up, tear_down),
      cmocka_unit_test_setup_teardown(who_goes_waits_no_more, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
