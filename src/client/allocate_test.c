#include "client/allocate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Expected values: what AllocateMessageQueueAveragely of RocketMQ 5.5.0 gives. */
static void shares_are_those_of_rocketmq(void **state) {
  (void)state;
  static const struct {
    uint32_t queues, members, index, first, count;
  } cases[] = {
      {4, 1, 0, 0, 4}, {4, 2, 0, 0, 2},  {4, 2, 1, 2, 2},  {4, 3, 0, 0, 2},  {4, 3, 1, 2, 1},
      {4, 3, 2, 3, 1}, {10, 4, 0, 0, 3}, {10, 4, 1, 3, 3}, {10, 4, 2, 6, 2}, {10, 4, 3, 8, 2},
      {1, 3, 0, 0, 1}, {1, 3, 1, 1, 0},  {1, 3, 2, 1, 0},  {0, 2, 1, 0, 0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_allocation got =
        bl_allocate_averagely(cases[i].queues, cases[i].members, cases[i].index);
    assert_int_equal(got.first, cases[i].first);
    assert_int_equal(got.count, cases[i].count);
  }
}

static void every_queue_has_exactly_one_reader(void **state) {
  (void)state;
  for (uint32_t queues = 0; queues < 40; queues++) {
    for (uint32_t members = 1; members < 20; members++) {
      uint32_t next = 0;
      for (uint32_t i = 0; i < members; i++) {
        struct bl_allocation share = bl_allocate_averagely(queues, members, i);
        assert_int_equal(share.first, next);
        next += share.count;
      }
      assert_int_equal(next, queues);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shares_are_those_of_rocketmq),
      cmocka_unit_test(every_queue_has_exactly_one_reader),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
