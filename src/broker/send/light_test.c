#include "broker/send/light.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "broker/broker_testlib.h"
#include "os/clock.h"

#define OFFSETS "INNER_MULTI_QUEUE_OFFSET"

static void forged_offsets_are_found(void **state) {
  (void)state;
  static const struct {
    const char *properties;
    bool found;
  } cases[] = {
      {"", false},
      {OFFSETS "\x01"
               "0\x02",
       true},
      {OFFSETS "\x01", true},
      {OFFSETS, false},
      {"A\x01"
       "b\x02" OFFSETS "\x01"
       "0\x02",
       true},
      {"A\x01"
       "b\x02" OFFSETS "\x01"
       "0\x02"
       "C\x01"
       "d\x02",
       true},
      {"X" OFFSETS "\x01"
       "0\x02",
       false},
      {OFFSETS "X\x01"
               "0\x02",
       false},
      {"A\x01" OFFSETS "\x02", false},
      {"INNER_MULTI_QUEUE_OFFSEX\x01"
       "0\x02",
       false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    bool found = bl_light_has_offsets(bl_slice_text(cases[i].properties));
    if (found != cases[i].found) fail_msg("case %zu", i);
  }
  /* Wherever it stands. */
  for (size_t before = 0; before < 120; before++) {
    char properties[256];
    memset(properties, 'I', before);
    if (before > 0) properties[before - 1] = '\x02';
    snprintf(properties + before, sizeof(properties) - before,
             OFFSETS
             "\x01"
             "7\x02"
             "Z\x01"
             "z\x02");
    assert_true(bl_light_has_offsets(bl_slice_text(properties)));
  }
}

static void the_queue_of_a_light_topic_is_named_after_both(void **state) {
  (void)state;
  struct bl_buf out;
  bl_buf_init(&out, 100);
  bl_light_put_lite_name(&out, BL_SLICE("Parent"), BL_SLICE("room"));
  assert_true(bl_slice_is(bl_buf_slice(&out), "%LMQ%$Parent$room"));
  bl_buf_fini(&out);
}

#define LIGHT_QUEUES 5

/* Message number i is in light queue k. */
static bool is_in(int64_t i, int k) {
  return (i * 7 + k * 3) % 11 < 5;
}

static void send_number(struct bt *bt, int64_t i) {
  char names[128] = "";
  char properties[200];
  struct bl_sent sent;
  struct bl_why why;
  for (int k = 0; k < LIGHT_QUEUES; k++) {
    size_t len = strlen(names);
    if (is_in(i, k))
      snprintf(names + len, sizeof(names) - len, "%s%%LMQ%%%d", len > 0 ? "," : "", k);
  }
  snprintf(properties, sizeof(properties), "INNER_MULTI_DISPATCH\x01%s\x02", names);
  struct bl_send send = {.producer_group = BL_SLICE("PG"),
                         .topic = BL_SLICE("Parent"),
                         .default_topic = BL_SLICE("TBW102"),
                         .default_queues = 1,
                         .max_reconsume_times = -1,
                         .properties = bl_slice_text(properties),
                         .body = BL_SLICE("body"),
                         .born_host = {.addr = {127, 0, 0, 1}, .addr_bytes = 4, .port = 1},
                         .peer = "127.0.0.1:1"};
  bl_err err = bl_broker_send(bt->broker, &send, &sent, &why);
  if (err != BL_OK) fail_msg("%s: %s", bl_err_name(err), why.text);
  assert_int_equal(sent.queue_offset, i);
}

static struct bl_queue_entry entry_at(struct bl_queue *queue, int64_t offset) {
  struct bl_queue_entry entry;
  uint32_t count = 0;
  assert_int_equal(bl_queue_read_blocking(queue, offset, &entry, 1, &count), BL_OK);
  assert_int_equal(count, 1);
  assert_int_equal(entry.queue_offset, offset);
  return entry;
}

/* Each light queue has exactly the messages that are there and name it. RETURNS how many there are.
 */
static int64_t check_queues(struct bt *bt) {
  struct bl_queue *parent = bl_queues_find(bt->broker->queues, BL_SLICE("Parent"), 0);
  int64_t count = parent != NULL ? bl_queue_max_offset(parent) : 0;
  for (int k = 0; k < LIGHT_QUEUES; k++) {
    char name[24];
    int64_t next = 0;
    snprintf(name, sizeof(name), "%%LMQ%%%d", k);
    struct bl_queue *light = bl_queues_find(bt->broker->queues, bl_slice_text(name), 0);
    for (int64_t i = 0; i < count; i++) {
      if (!is_in(i, k)) continue;
      assert_non_null(light);
      assert_int_equal(entry_at(light, next++).log_offset, entry_at(parent, i).log_offset);
    }
    if (light == NULL) continue;
    assert_int_equal(bl_queue_max_offset(light), next);
    assert_int_equal(bl_queue_assigned_offset(light), next);
  }
  return count;
}

static void light_queues_agree_with_the_log_after_crashes(void **state) {
  (void)state;
  const char *given = getenv("SEED");
  uint64_t seed =
      given != NULL ? strtoull(given, NULL, 10) : (uint64_t)bl_clock_mono_ns(bl_clock_real());
  struct bt bt;
  print_message("SEED=%llu\n", (unsigned long long)seed);
  bt_start(&bt);
  int64_t before = 0;
  for (int round = 0; round < 12; round++) {
    int64_t next = check_queues(&bt);
    assert_true(next >= before);
    int64_t settled = next + (int64_t)((seed >> round) % 150);
    int64_t end = settled + (int64_t)((seed >> (round + 7)) % 40);
    for (; next < settled; next++) send_number(&bt, next);
    bt_settle(&bt);
    before = check_queues(&bt);
    assert_int_equal(before, settled);
    for (; next < end; next++) send_number(&bt, next);
    switch (round % 3) {
      case 0: bt_power_loss(&bt, seed + (uint64_t)round); break;
      case 1:
        bl_disk_fake_kill(bt.fake);
        bt_reopen_after_crash(&bt);
        break;
      default: bt_restart(&bt);
    }
  }
  check_queues(&bt);
  bt_stop(&bt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(forged_offsets_are_found),
      cmocka_unit_test(the_queue_of_a_light_topic_is_named_after_both),
      cmocka_unit_test(light_queues_agree_with_the_log_after_crashes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
