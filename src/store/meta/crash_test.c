/* Metadata over power losses and snapshots that fail, at every point of them. Prints its seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "store/meta/meta_testlib.h"
#include "store/queues/driver_testlib.h"

/* 0: the name is not there. */
struct model {
  int64_t value[MT_TABLES][MT_NAMES];
};

static void check_model(struct mt *f, const struct model *model, uint64_t seed, int step) {
  for (int t = 0; t < MT_TABLES; t++) {
    for (int n = 0; n < MT_NAMES; n++) {
      if (f->tables[t].value[n] != model->value[t][n]) {
        fail_msg("seed %llu step %d: table %d name %d is %lld, not %lld", (unsigned long long)seed,
                 step, t, n, (long long)f->tables[t].value[n], (long long)model->value[t][n]);
      }
    }
  }
}

static void random_change(struct mt *f, struct model *model, uint64_t *random) {
  int table = (int)(bl_driver_random(random) % MT_TABLES);
  int name = (int)(bl_driver_random(random) % MT_NAMES);
  int64_t value = (int64_t)(bl_driver_random(random) % 5);
  mt_change(f, table, name, value);
  model->value[table][name] = value;
}

/* The log survives here; the files are what the power loss leaves. */
static void power_loss(struct mt *f, struct bl_driver_crash *crash, uint64_t seed) {
  if (!crash->happened) bl_disk_fake_power_loss(f->fake, seed);
  bl_disk_fake_on_op(f->fake, NULL, NULL);
  bl_disk_fake_restart(f->fake);
  mt_restart(f);
}

static void every_crash_point_of_a_snapshot_is_harmless(void **state) {
  (void)state;
  bool ended = false;
  for (int64_t point = 0; !ended; point++) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
      void *inner;
      mt_setup(&inner);
      struct mt *f = inner;
      struct model model = {{{0}}};
      uint64_t random = seed;
      struct bl_why why;
      assert_int_equal(mt_start(f, &why), BL_OK);
      for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 8; i++) random_change(f, &model, &random);
        assert_int_equal(mt_snapshot(f), BL_OK);
      }
      for (int i = 0; i < 4; i++) random_change(f, &model, &random);
      struct bl_driver_crash crash;
      bl_driver_crash_after(&crash, f->fake, point, seed);
      (void)mt_snapshot(f);
      ended = !crash.happened;
      power_loss(f, &crash, seed);
      assert_int_equal(mt_stats_of(f).foreign_tables, 0);
      assert_int_equal(mt_stats_of(f).recovered_tables, 0);
      check_model(f, &model, seed, (int)point);
      mt_teardown(&inner);
    }
    assert_true(point < 1000);
  }
}

static void any_history_of_crashes_and_failures_keeps_the_tables(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    void *inner;
    mt_setup(&inner);
    struct mt *f = inner;
    struct model model = {{{0}}};
    uint64_t random = seed * 7919;
    struct bl_why why;
    assert_int_equal(mt_start(f, &why), BL_OK);
    for (int step = 0; step < 80; step++) {
      uint64_t dice = bl_driver_random(&random) % 10;
      struct bl_driver_crash crash = {0};
      if (dice < 5) {
        for (uint64_t n = bl_driver_random(&random) % 4; n > 0; n--)
          random_change(f, &model, &random);
      } else if (dice < 7) {
        assert_int_equal(mt_snapshot(f), BL_OK);
      } else if (dice < 9) { /* the disk refuses for a while; many times in a row */
        enum bl_disk_fake_op op = bl_driver_random(&random) % 2 ? BL_FAKE_WRITE : BL_FAKE_RENAME;
        bl_disk_fake_fail(f->fake, op, "", (int64_t)(bl_driver_random(&random) % 12), 1,
                          BL_ERR_NO_SPACE);
        (void)mt_snapshot(f);
        bl_disk_fake_fail(f->fake, op, "", -1, 0, BL_ERR_NO_SPACE);
      } else {
        bl_driver_crash_after(&crash, f->fake, (int64_t)(bl_driver_random(&random) % 60), seed);
        (void)mt_snapshot(f);
        power_loss(f, &crash, seed);
        assert_int_equal(mt_stats_of(f).foreign_tables, 0);
        assert_int_equal(mt_stats_of(f).recovered_tables, 0);
      }
      check_model(f, &model, seed, step);
    }
    mt_restart(f);
    check_model(f, &model, seed, -1);
    mt_teardown(&inner);
  }
}

static void many_failed_snapshots_in_a_row_forget_no_file(void **state) {
  (void)state;
  for (int64_t point = 0; point < 30; point++) {
    void *inner;
    mt_setup(&inner);
    struct mt *f = inner;
    struct bl_why why;
    assert_int_equal(mt_start(f, &why), BL_OK);
    mt_change(f, 0, 1, 1);
    assert_int_equal(mt_snapshot(f), BL_OK);
    for (int i = 2; i < 3 * BL_META_GENERATIONS_MAX; i++) {
      mt_change(f, 0, 1, i);
      mt_change(f, 2, 1, i);
      bl_disk_fake_fail(f->fake, BL_FAKE_SYNC, "", (point * i) % 8, 1, BL_ERR_NO_SPACE);
      assert_int_equal(mt_snapshot(f), BL_ERR_NO_SPACE);
      if (i % 7 == point % 7) {
        bl_disk_fake_power_loss(f->fake, (uint64_t)i);
        bl_disk_fake_restart(f->fake);
        mt_restart(f);
      }
      assert_int_equal(mt_stats_of(f).foreign_tables, 0);
      assert_int_equal(f->tables[0].value[1], i);
      assert_int_equal(f->tables[2].value[1], i);
    }
    mt_restart(f);
    assert_int_equal(mt_stats_of(f).foreign_tables, 0);
    mt_teardown(&inner);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_crash_point_of_a_snapshot_is_harmless),
      cmocka_unit_test(any_history_of_crashes_and_failures_keeps_the_tables),
      cmocka_unit_test(many_failed_snapshots_in_a_row_forget_no_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
