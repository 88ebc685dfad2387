/* 33 and 12. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>

#include <cmocka.h>

#include "requests/admin_testlib.h"
#include "requests/questions.h"
#include "wire/msgid.h"
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

static int64_t send(const char *topic, const char *keys, const char *body) {
  struct bl_host host;
  int64_t log_offset;
  struct bl_slice id = at_send(&at, topic, 0, keys, body);
  assert_true(bl_msgid_parse(id, &host, &log_offset));
  return log_offset;
}

static const struct at_answer *view(int64_t offset) {
  char text[32];
  snprintf(text, sizeof(text), "%lld", (long long)offset);
  return at_call(&at, 33, NULL, "topic", "T", "offset", text, NULL);
}

static const struct at_answer *query(const char *topic, const char *key, const char *max) {
  return at_call(&at, 12, NULL, "topic", topic, "key", key, "maxNum", max, "beginTimestamp", "0",
                 "endTimestamp", "9999999999999", NULL);
}

static void test_view(void **state) {
  (void)state;
  char remark[128];
  struct bl_record record;
  send("T", "k", "first");
  int64_t offset = send("T", "k", "second");
  const struct at_answer *answer = at_expect(&at, view(offset), 0, NULL);
  assert_int_equal(bl_record_decode(answer->body, BL_RECORD_CHECKED, &record), BL_OK);
  assert_int_equal(record.size_bytes, answer->body.len);
  assert_int_equal(record.log_offset, offset);
  assert_true(bl_slice_is(record.body, "second"));
  int64_t none[] = {offset + 1, -1, 99999999, bl_store_marks(at.broker->store).appended};
  for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
    snprintf(remark, sizeof(remark), "can not find message by the offset, %lld",
             (long long)none[i]);
    at_expect(&at, view(none[i]), 1, remark);
  }
  at_restart(&at);
  at_expect(&at, view(offset), 0, NULL);
}

/* A record inside of another's body is none: it says that it is elsewhere. */
static void test_view_not_a_record(void **state) {
  (void)state;
  int64_t offset = send("T", "k", "inner");
  const struct at_answer *answer = view(offset);
  char bytes[1024];
  char text[32];
  assert_true(answer->body.len < sizeof(bytes));
  size_t len = answer->body.len;
  memcpy(bytes, answer->body.ptr, len);
  /* Sent as a body by way of the broker itself: the endpoint of the test only sends texts. */
  struct bl_send like = {.producer_group = BL_SLICE("PG"),
                         .topic = BL_SLICE("T"),
                         .default_topic = BL_SLICE("TBW102"),
                         .default_queues = 4,
                         .properties = BL_SLICE(""),
                         .body = bl_slice_of(bytes, len),
                         .born_host = at.broker->store_host,
                         .peer = "test"};
  struct bl_sent sent;
  struct bl_why why;
  assert_int_equal(bl_broker_send(at.broker, &like, &sent, &why), BL_OK);
  for (int i = 0; i < 1000 && bl_store_marks(at.broker->store).visible < sent.end_offset; i++) {
    at_run(&at, 10);
  }
  int64_t body_at = sent.log_offset + 88;
  snprintf(text, sizeof(text), "%lld", (long long)body_at);
  char magic[8];
  assert_int_equal(bl_store_read(at.broker->store, body_at, 8, magic), BL_OK);
  assert_memory_equal(magic, bytes, 8);
  at_expect(&at, view(body_at), 1, NULL);
}

static int records_in(struct bl_slice body, int64_t *out_offsets, int max) {
  int count = 0;
  while (body.len > 0) {
    struct bl_record record;
    assert_int_equal(bl_record_decode(body, BL_RECORD_CHECKED, &record), BL_OK);
    assert_true(count < max);
    out_offsets[count++] = record.log_offset;
    body = bl_slice_from(body, record.size_bytes);
  }
  return count;
}

static void test_query(void **state) {
  (void)state;
  int64_t found[8];
  int64_t one = send("T", "k1 both", "one");
  int64_t two = send("T", "k2 both", "two");
  send("Other", "both", "elsewhere");
  int64_t three = send("T", "both", "three");
  const struct at_answer *answer = at_expect(&at, query("T", "k1", "32"), 0, NULL);
  assert_int_equal(records_in(answer->body, found, 8), 1);
  assert_int_equal(found[0], one);
  answer = at_expect(&at, query("T", "both", "32"), 0, NULL);
  assert_int_equal(records_in(answer->body, found, 8), 3);
  assert_int_equal(found[0], one);
  assert_int_equal(found[1], two);
  assert_int_equal(found[2], three);
  int64_t newest;
  assert_true(bl_slice_i64(at_field(answer, "indexLastUpdatePhyoffset"), &newest));
  assert_int_equal(newest, three);
  answer = at_expect(&at, query("T", "k1", "32"), 0, NULL); /* where the index ends, in any case */
  assert_true(bl_slice_i64(at_field(answer, "indexLastUpdatePhyoffset"), &newest));
  assert_int_equal(newest, three);
  /* The newest when there are more. */
  answer = at_expect(&at, query("T", "both", "2"), 0, NULL);
  assert_int_equal(records_in(answer->body, found, 8), 2);
  assert_int_equal(found[0], two);
  answer = at_expect(&at, query("T", "k", "32"), 22,
                     "can not find message, maybe time range not correct");
  assert_true(bl_slice_is(at_field(answer, "indexLastUpdatePhyoffset"), "0"));
  assert_true(bl_slice_is(at_field(answer, "indexLastUpdateTimestamp"), "0"));
  at_restart(&at);
  answer = at_expect(&at, query("T", "both", "32"), 0, NULL);
  assert_int_equal(records_in(answer->body, found, 8), 3);
}

static void test_query_by_unique_key_and_time(void **state) {
  (void)state;
  struct bl_record record;
  char key[64];
  int64_t offset = send("T", "k", "x");
  const struct at_answer *answer = view(offset);
  assert_int_equal(bl_record_decode(answer->body, BL_RECORD_CHECKED, &record), BL_OK);
  int64_t stored_ms = record.store_ms;
  struct bl_slice id = bl_properties_get(record.properties, BL_PROP_UNIQ_KEY);
  assert_true(id.len > 0 && id.len < sizeof(key));
  memcpy(key, id.ptr, id.len);
  key[id.len] = '\0';
  at_expect(&at,
            at_call(&at, 12, NULL, "topic", "T", "key", key, "maxNum", "0", "beginTimestamp", "0",
                    "endTimestamp", "9999999999999", "_UNIQUE_KEY_QUERY", "true", NULL),
            0, NULL);
  char from[32];
  snprintf(from, sizeof(from), "%lld", (long long)stored_ms + 1);
  at_expect(&at,
            at_call(&at, 12, NULL, "topic", "T", "key", "k", "maxNum", "32", "beginTimestamp", from,
                    "endTimestamp", "9999999999999", NULL),
            22, NULL);
  snprintf(from, sizeof(from), "%lld", (long long)stored_ms);
  at_expect(&at,
            at_call(&at, 12, NULL, "topic", "T", "key", "k", "maxNum", "32", "beginTimestamp", from,
                    "endTimestamp", from, NULL),
            0, NULL);
}

/* What waits for the disk or another client is bounded, and what ended is not counted. */
static void test_too_many_questions(void **state) {
  (void)state;
  int64_t offset = send("T", "k", "first");
  int32_t *open = &at.broker->stats.questions;
  at_join(&at, "CG", "T");
  *open = BL_QUESTIONS_MAX;
  at_expect(&at, view(offset), 2, NULL);
  at_expect(&at, query("T", "k", "1"), 2, NULL);
  at_expect(&at, at_call(&at, 307, NULL, "consumerGroup", "CG", "clientId", "me@1", NULL), 2, NULL);
  *open = BL_QUESTIONS_MAX - 1;
  at_expect(&at, query("T", "k", "1"), 2, NULL);
  at_expect(&at, view(offset), 0, NULL);
  assert_int_equal(*open, BL_QUESTIONS_MAX - 1);
  assert_int_equal(at.broker->stats.questions_refused, 4);
  *open = 0;
  at_expect(&at, query("T", "k", "1"), 0, NULL);
  assert_int_equal(*open, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_view, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_view_not_a_record, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_query, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_too_many_questions, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_query_by_unique_key_and_time, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
