/* Codes 60, 61, 370, and the handle in the answer to a send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "requests/admin_testlib.h"
#include "store/timers/pending.h"

static struct at at;

static int setup(void **state) {
  (void)state;
  at_start(&at);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  at_stop(&at);
  return 0;
}

static const struct at_answer *send_delayed(const char *properties, int32_t code,
                                            const char *remark) {
  return at_expect(
      &at,
      at_call(&at, 310, "x", "a", "PG", "b", "T", "c", "TBW102", "d", "4", "e", "3", "f", "0", "g",
              "1", "h", "0", "i", properties, "j", "0", "k", "false", "m", "false", NULL),
      code, remark);
}

static void a_timer_is_answered_with_its_handle(void **state) {
  (void)state;
  const struct at_answer *answer = send_delayed("UNIQ_KEY\1KEY\2TIMER_DELAY_SEC\00160\2", 0, NULL);
  assert_true(at_field(answer, "recallHandle").len > 0);
  assert_true(bl_slice_is(at_field(answer, "queueId"), "3"));
  answer = send_delayed("UNIQ_KEY\1KEY\2DELAY\0013\2", 0, NULL);
  assert_null(at_field(answer, "recallHandle").ptr);
  answer = send_delayed("UNIQ_KEY\1KEY\2", 0, NULL);
  assert_null(at_field(answer, "recallHandle").ptr);
}

static void what_is_recalled_and_what_is_not(void **state) {
  (void)state;
  char handle[256];
  const struct at_answer *answer = send_delayed("UNIQ_KEY\1KEY\2TIMER_DELAY_SEC\00160\2", 0, NULL);
  snprintf(handle, sizeof(handle), "%.*s", BL_FMT(at_field(answer, "recallHandle")));
  at_expect(&at, at_call(&at, 370, "", "topic", "T", "recallHandle", handle, NULL), 16,
            "recall failed, operation is forbidden");
  at.settings.recall_enable = true;
  answer =
      at_expect(&at, at_call(&at, 370, "", "topic", "T", "recallHandle", handle, NULL), 0, NULL);
  assert_true(bl_slice_is(at_field(answer, "msgId"), "KEY"));
  at_expect(&at, at_call(&at, 370, "", "topic", "U", "recallHandle", handle, NULL), 17,
            "recall failed, the topic[U] not exist");
  at_expect(&at, at_call(&at, 370, "", "topic", "TBW102", "recallHandle", handle, NULL), 604,
            "recall failed, topic not match");
  at_expect(&at, at_call(&at, 370, "", "topic", "T", "recallHandle", "nonsense", NULL), 604,
            "recall handle is invalid");
  at_expect(&at,
            at_call(&at, 370, "", "topic", "T", "recallHandle",
                    "djEgVCBvdGhlciA5OTk5OTk5OTk5OTk5IEtFWQ==", NULL),
            604, "recall failed, broker service not available");
  struct bl_pending_stats stats;
  bl_pending_stats(at.broker->pending, &stats);
  assert_int_equal(stats.count, 1); /* until its time comes */
}

static void how_many_wait(void **state) {
  (void)state;
  send_delayed("TIMER_DELAY_SEC\00160\2", 0, NULL);
  send_delayed("DELAY\00118\2", 0, NULL);
  const struct at_answer *answer = at_expect(&at, at_call(&at, 61, "", NULL), 0, NULL);
  char text[512];
  snprintf(text, sizeof(text), "%.*s", BL_FMT(answer->body));
  if (strstr(text, "\"timingCount\":{\"T\":{\"count\":2,\"timeStamp\":") == NULL)
    fail_msg("%s", text);
  answer = at_expect(&at, at_call(&at, 60, "", NULL), 0, NULL);
  assert_int_equal(answer->body.len, 56);
  int64_t done_ms = (int64_t)bl_load_u64(answer->body.ptr);
  int64_t now_ms = bl_clock_wall_ms(at.broker->clock);
  assert_true(done_ms <= now_ms && done_ms > now_ms - 2000);
  assert_int_equal(bl_load_u64(answer->body.ptr + 16), 1);
}

/* Also while recallMessageEnable is off, which is for clients. */
static void operators_list_cancel_and_move(void **state) {
  (void)state;
  char id[64];
  send_delayed("UNIQ_KEY\1K1\2KEYS\1a b\2TIMER_DELAY_SEC\00160\2", 0, NULL);
  send_delayed("UNIQ_KEY\1K2\2DELAY\00118\2", 0, NULL);
  const struct at_answer *answer = at_expect(&at, at_call(&at, 960001, "", NULL), 0, NULL);
  at_has(answer, "\"topic\":\"T\",\"queueId\":3,\"uniqKey\":\"K1\",\"keys\":\"a b\"");
  at_has(answer, "\"uniqKey\":\"K2\"");
  at_has(answer, "\"end\":true}");
  answer = at_expect(&at, at_call(&at, 960001, "", "topic", "U", NULL), 0, NULL);
  at_has(answer, "{\"messages\":[],");
  answer = at_expect(
      &at, at_call(&at, 960001, "", "topic", "T", "bucketMillis", "100000000000000", NULL), 0,
      NULL);
  at_has(answer, "{\"counts\":[{\"from\":0,\"count\":2}],");
  at_expect(&at, at_call(&at, 960002, "", "topic", "T", NULL), 29,
            "neither uniqKey nor msgId says which message");
  at_expect(&at, at_call(&at, 960002, "", "topic", "T", "msgId", "K1", NULL), 29,
            "msgId K1 is no id that a broker gave");
  at_expect(&at, at_call(&at, 960002, "", "topic", "U", "uniqKey", "K1", NULL), 17, NULL);
  at_expect(&at, at_call(&at, 960002, "", "topic", "T", "uniqKey", "K3", NULL), 22, NULL);
  answer = at_expect(&at, at_call(&at, 960002, "", "topic", "T", "uniqKey", "K1", NULL), 0, NULL);
  at_has(answer, "{\"changed\":1}");
  answer = at_expect(
      &at, at_call(&at, 960003, "", "topic", "T", "uniqKey", "K2", "dueTime", "1", NULL), 0, NULL);
  at_has(answer, "{\"changed\":1,\"logOffset\":");
  at_expect(&at, at_call(&at, 960003, "", "topic", "T", "uniqKey", "K2", NULL), 1, NULL);
  /* The same place in the log of another broker is another message. */
  send_delayed("UNIQ_KEY\1K4\2TIMER_DELAY_SEC\00160\2", 0, NULL);
  answer = at_expect(&at, at_call(&at, 960001, "", NULL), 0, NULL);
  snprintf(id, sizeof(id), "%.32s",
           strstr(answer->body.ptr, "\"offsetMsgId\":\"") + strlen("\"offsetMsgId\":\""));
  id[7] ^= 1;
  at_expect(&at, at_call(&at, 960002, "", "topic", "T", "msgId", id, NULL), 22, NULL);
  id[7] ^= 1;
  at_expect(&at, at_call(&at, 960002, "", "topic", "T", "msgId", id, NULL), 0, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_timer_is_answered_with_its_handle, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_recalled_and_what_is_not, setup, teardown),
      cmocka_unit_test_setup_teardown(how_many_wait, setup, teardown),
      cmocka_unit_test_setup_teardown(operators_list_cancel_and_move, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
