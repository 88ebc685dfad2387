/* Shares of queues: what RocketMQ's own strategies (client 5.5.0) give for the same members. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "broker/assign/allocate.h"
#include "broker/assign/ring.h"

static struct bl_topic_part parts_of_topic[] = {
    {{"broker-a", 8}, 7}, {{"broker-a-2", 10}, 1}, {{"broker-b", 8}, 5}};
static const struct bl_topic_parts parts = {{"Topic", 5}, parts_of_topic, 3};

static void put_queue(void *context, struct bl_slice broker, int32_t queue_id) {
  struct bl_slice name = bl_slice_from(broker, strlen("broker-"));
  bl_buf_printf(context, "%.*s%d ", BL_FMT(name), queue_id);
}

static struct bl_ring *ring_of(int members) {
  struct bl_slice *ids = calloc((size_t)members + 1, sizeof(*ids));
  static char texts[64][40];
  /* Not in order: the ring sorts. */
  for (int i = 0; i < members; i++) {
    int n = members - 1 - i;
    int len = snprintf(texts[i], sizeof(texts[i]), "10.1.2.%d@4711#%d", n, n * 7919);
    ids[i] = bl_slice_of(texts[i], (size_t)len);
  }
  return bl_ring_new(ids, (uint32_t)members);
}

static void shares_are(int members, const char *strategy_name, const char *want) {
  enum bl_strategy strategy;
  struct bl_buf text;
  assert_true(bl_strategy_of(bl_slice_text(strategy_name), &strategy));
  struct bl_ring *ring = ring_of(members);
  bl_buf_init(&text, 4096);
  for (uint32_t i = 0; i < (uint32_t)members; i++) {
    bl_allocate(strategy, ring, i, &parts, put_queue, &text);
    bl_buf_put_text(&text, i + 1 < (uint32_t)members ? "| " : "|");
  }
  bl_buf_put_char(&text, '\0');
  assert_string_equal(text.data, want);
  bl_buf_fini(&text);
  bl_ring_free(ring);
}

static void shares_equal_those_of_java(void **state) {
  (void)state;
  static const struct {
    int members;
    const char *strategy;
    const char *shares;
  } rows[] = {
      {1, "AVG", "a0 a1 a2 a3 a4 a5 a6 a-20 b0 b1 b2 b3 b4 |"},
      {1, "AVG_BY_CIRCLE", "a0 a1 a2 a3 a4 a5 a6 a-20 b0 b1 b2 b3 b4 |"},
      {1, "CONSISTENT_HASH", "a0 a1 a2 a3 a4 a5 a6 a-20 b0 b1 b2 b3 b4 |"},
      {2, "AVG", "a0 a1 a2 a3 a4 a5 a6 | a-20 b0 b1 b2 b3 b4 |"},
      {2, "AVG_BY_CIRCLE", "a0 a2 a4 a6 b0 b2 b4 | a1 a3 a5 a-20 b1 b3 |"},
      {2, "CONSISTENT_HASH", "a2 a4 a6 b0 b2 b3 b4 | a0 a1 a3 a5 a-20 b1 |"},
      {5, "AVG", "a0 a1 a2 | a3 a4 a5 | a6 a-20 b0 | b1 b2 | b3 b4 |"},
      {5, "AVG_BY_CIRCLE", "a0 a5 b2 | a1 a6 b3 | a2 a-20 b4 | a3 b0 | a4 b1 |"},
      {5, "CONSISTENT_HASH", "b2 b4 | a1 a3 a5 a-20 b1 | a0 | a2 a4 b0 | a6 b3 |"},
      {20, "AVG",
       "a0 | a1 | a2 | a3 | a4 | a5 | a6 | a-20 | b0 | b1 | b2 | b3 | b4 | | | | | | | |"},
      {20, "AVG_BY_CIRCLE",
       "a0 | a1 | a2 | a3 | a4 | a5 | a6 | a-20 | b0 | b1 | b2 | b3 | b4 | | | | | | | |"},
      {20, "CONSISTENT_HASH",
       "| b0 b2 | | | a6 | a-20 | a2 a4 | a1 | a0 | b3 | a3 | | | | | | b4 | a5 b1 | | |"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    shares_are(rows[i].members, rows[i].strategy, rows[i].shares);
  }
}

static void names_of_strategies(void **state) {
  (void)state;
  enum bl_strategy strategy;
  static const char *const unknown[] = {"", "avg", "MACHINE_ROOM", "CONFIG", "AVG "};
  for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
    assert_false(bl_strategy_of(bl_slice_text(unknown[i]), &strategy));
  }
}

static void members_are_found_in_order(void **state) {
  (void)state;
  struct bl_ring *ring = ring_of(20);
  for (uint32_t i = 0; i + 1 < ring->id_count; i++) {
    assert_true(bl_slice_cmp(ring->ids[i], ring->ids[i + 1]) < 0);
    assert_int_equal(bl_ring_index(ring, ring->ids[i]), i);
  }
  assert_int_equal(bl_ring_index(ring, BL_SLICE("nobody")), -1);
  bl_ring_free(ring);
  ring = ring_of(0);
  assert_int_equal(bl_ring_index(ring, BL_SLICE("nobody")), -1);
  bl_ring_free(ring);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shares_equal_those_of_java),
      cmocka_unit_test(names_of_strategies),
      cmocka_unit_test(members_are_found_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
