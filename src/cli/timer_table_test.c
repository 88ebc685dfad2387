#include "cli/timer_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct bl_timer_row row_of(const char *topic, const char *key, int64_t due_ms) {
  return (struct bl_timer_row){.broker_name = BL_SLICE("b"),
                               .due_ms = due_ms,
                               .topic = bl_slice_text(topic),
                               .queue_id = 3,
                               .uniq_key = bl_slice_text(key),
                               .msg_id = BL_SLICE("ID"),
                               .body_bytes = 5};
}

static void expect(struct bl_buf *out, const char *text) {
  bl_buf_put_char(out, '\0');
  assert_string_equal(out->data, text);
  bl_buf_clear(out);
}

static void columns_are_aligned(void **state) {
  (void)state;
  struct bl_timer_table table;
  struct bl_buf out;
  bl_buf_init(&out, 0);
  bl_timer_table_init(&table);
  struct bl_timer_row row = row_of("T", "k\xc3\xa4se", 1700000000250);
  bl_timer_table_row(&table, &row, &out);
  row = row_of("Longer", NULL, 253402300800000);
  row.keys = BL_SLICE("a\xff\n");
  row.recalled = true;
  bl_timer_table_row(&table, &row, &out);
  bl_timer_table_end(&table, &out);
  expect(&out,
         "DUE                       TOPIC   QUEUE  SIZE  KEY   KEYS\n"
         "2023-11-14T22:13:20.250Z  T           3   5 B  k\xc3\xa4se\n"
         "253402300800000           Longer      3   5 B  ID    a\\xFF\\x0A  recalled\n");
  bl_timer_table_fini(&table);
  bl_buf_fini(&out);
}

static void counts_have_bars(void **state) {
  (void)state;
  struct bl_timer_table table;
  struct bl_buf out;
  bl_buf_init(&out, 0);
  bl_timer_table_init(&table);
  bl_timer_table_bucket(&table, 0, 1);
  bl_timer_table_bucket(&table, 60000, 4000);
  bl_timer_table_bucket(&table, 120000, 2000);
  bl_timer_table_end(&table, &out);
  expect(&out,
         "1970-01-01T00:00:00.000Z      1  #\n"
         "1970-01-01T00:01:00.000Z  4,000  ########################################\n"
         "1970-01-01T00:02:00.000Z  2,000  ####################\n");
  bl_timer_table_fini(&table);
  bl_buf_fini(&out);
}

static void json_is_utf8(void **state) {
  (void)state;
  struct bl_buf out;
  bl_buf_init(&out, 0);
  struct bl_timer_row row = row_of("T", "\xff", 0);
  row.keys = BL_SLICE("\xc3\xa4");
  bl_timer_json_row(&out, &row);
  expect(&out,
         "{\"due\":0,\"dueTime\":\"1970-01-01T00:00:00.000Z\",\"topic\":\"T\",\"queueId\":3,"
         "\"offsetMsgId\":\"ID\",\"keys\":\"\xc3\xa4\",\"bodyBytes\":5,\"storeTimestamp\":0,"
         "\"brokerName\":\"b\",\"recalled\":false}\n");
  bl_buf_fini(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(columns_are_aligned),
      cmocka_unit_test(counts_have_bars),
      cmocka_unit_test(json_is_utf8),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
