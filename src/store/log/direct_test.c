/* The log written past the page cache: what only direct mode can get wrong. What holds in both
 * modes is in the other tests of the store, which run in each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/store_testlib.h"

static void init_direct(struct st *st) {
  st_init(st);
  st->settings.write_mode = BL_WRITE_DIRECT;
}

static char *read_file(struct st *st, int64_t first_offset, int64_t bytes) {
  char path[200];
  snprintf(path, sizeof(path), ST_DIR "/commitlog/%020lld", (long long)first_offset);
  char *all = malloc((size_t)bytes);
  assert_non_null(all);
  int file = -1;
  size_t got = 0;
  assert_int_equal(st->disk->ops->open(st->disk, path, BL_OPEN_READ, &file, NULL), BL_OK);
  assert_int_equal(st->disk->ops->read(st->disk, file, all, (size_t)bytes, 0, &got), BL_OK);
  assert_int_equal(got, bytes);
  st->disk->ops->close(st->disk, file);
  return all;
}

/* A later part-filled block must not show what the ring held there a round before, nor what the
 * core appended and nobody wrote. */
static void behind_the_end_the_file_is_zero(void **state) {
  (void)state;
  struct st st;
  init_direct(&st);
  st_open(&st);
  for (int i = 0; i < 150; i++) {
    st_send(&st, (uint32_t)(i * 131 % 3000));
    st_settle(&st);
    int64_t end = bl_store_marks(st.store).appended;
    if (i % 3 == 0) assert_int_equal(st_append(&st, 700), BL_OK); /* in the ring alone */
    char *all = read_file(&st, end / 65536 * 65536, 65536);
    for (int64_t at = end % 65536; at < 65536; at++) assert_int_equal(all[at], 0);
    free(all);
  }
  st_settle(&st);
  st_check_prefix(&st, st.next);
  st_fini(&st);
}

static void grow_ring_during_write(void *context, enum bl_disk_fake_op op, const char *path) {
  struct st *st = context;
  if (op == BL_FAKE_WRITE && strstr(path, "/commitlog/") != NULL && st->next < 100)
    (void)st_append(st, 30); /* into the block that is being written */
}

static void appends_go_on_while_their_block_is_written(void **state) {
  (void)state;
  struct st st;
  init_direct(&st);
  st_open(&st);
  bl_disk_fake_on_op(st.fake, grow_ring_during_write, &st);
  while (st.next < 100) {
    st_send(&st, 10);
    bl_store_end_turn(st.store);
    bl_worker_drain(st.flush);
  }
  bl_disk_fake_on_op(st.fake, NULL, NULL);
  st_settle(&st);
  assert_int_equal(st.acked, st.next);
  st_close(&st);
  st_open(&st);
  st_check_prefix(&st, st.next);
  st_fini(&st);
}

struct cut {
  struct st *st;
  enum bl_disk_fake_op op;
  int64_t left; /* operations until the power goes */
  uint64_t seed;
};

static void cut_power(void *context, enum bl_disk_fake_op op, const char *path) {
  struct cut *cut = context;
  if (op != cut->op || strstr(path, "/commitlog/") == NULL) return;
  if (cut->left-- == 0) bl_disk_fake_power_loss(cut->st->fake, cut->seed);
}

/* The power goes before a write, and between a write and its becoming durable, with each of many
 * outcomes for the sectors: small records share blocks and sectors with acked ones. */
static void run_cut(enum bl_disk_fake_op op, int64_t after, uint64_t seed, uint32_t body) {
  struct st st;
  init_direct(&st);
  st_open(&st);
  struct cut cut = {&st, op, after, seed};
  bl_disk_fake_on_op(st.fake, cut_power, &cut);
  for (int i = 0; i < 60 && cut.left >= 0; i++) {
    if (st_append(&st, body + (uint32_t)i * 7) != BL_OK) break;
    if (i % 4 == 3) (void)st_append(&st, 1);
    st_settle(&st);
  }
  bl_disk_fake_on_op(st.fake, NULL, NULL);
  int64_t acked = st.acked;
  st_close(&st);
  bl_disk_fake_restart(st.fake);
  st_open(&st);
  int64_t count = st_check_prefix(&st, acked);
  st.next = count;
  st_send(&st, 50);
  st_settle(&st);
  st_power_loss(&st, seed + 1);
  st_open(&st);
  st_check_prefix(&st, count + 1);
  st_fini(&st);
}

static void what_was_acked_survives_the_rewriting_of_its_block(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 12; seed++) {
    for (int64_t after = 0; after < 20; after++) {
      run_cut(BL_FAKE_SYNC, after, seed * 100 + (uint64_t)after, 5);
      run_cut(BL_FAKE_WRITE, after, seed * 100 + (uint64_t)after, 5);
    }
    run_cut(BL_FAKE_SYNC, (int64_t)seed, seed, 1500); /* records over several blocks and files */
  }
}

static void async_flush_loses_a_suffix_only(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 60; seed++) {
    struct st st;
    init_direct(&st);
    st.settings.flush_mode = BL_FLUSH_ASYNC;
    st_open(&st);
    for (int i = 0; i < 40; i++) {
      st_send(&st, (uint32_t)(i * 331 % 4000));
      st_settle(&st);
      if (i == 25) st_pass(&st, 500);
    }
    assert_int_equal(st.acked, 40);
    st_power_loss(&st, seed);
    st_open(&st);
    st_check_prefix(&st, 26);
    st_fini(&st);
  }
}

/* The record is in the kernel when it is acked. */
static void async_flush_survives_a_kill(void **state) {
  (void)state;
  struct st st;
  init_direct(&st);
  st.settings.flush_mode = BL_FLUSH_ASYNC;
  st_open(&st);
  for (int i = 0; i < 30; i++) st_send(&st, 900);
  bl_store_end_turn(st.store);
  while (bl_worker_drain(st.flush) > 0) bl_store_end_turn(st.store);
  int64_t acked = st.acked;
  assert_true(acked > 0);
  st_kill(&st);
  st_open(&st);
  st_check_prefix(&st, acked);
  st_fini(&st);
}

static void the_mode_may_change_with_each_start(void **state) {
  (void)state;
  struct st st;
  init_direct(&st);
  for (int i = 0; i < 12; i++) {
    st.settings.write_mode = i % 2 == 0 ? BL_WRITE_DIRECT : BL_WRITE_BUFFERED;
    st.settings.flush_mode = i % 3 == 0 ? BL_FLUSH_ASYNC : BL_FLUSH_SYNC;
    st_open(&st);
    st_check_prefix(&st, st.next);
    for (int k = 0; k < 13; k++) st_send(&st, (uint32_t)(k * 211 + i));
    st_settle(&st);
    assert_int_equal(st.acked, st.next);
    if (i % 4 == 1) {
      st_kill(&st);
    } else if (i % 4 == 2 && st.settings.flush_mode == BL_FLUSH_SYNC) {
      st_power_loss(&st, (uint64_t)i);
    } else {
      st_close(&st);
    }
  }
  st_open(&st);
  st_check_prefix(&st, st.next);
  st_fini(&st);
}

static void a_file_system_without_direct_writes_is_noted(void **state) {
  (void)state;
  struct st st;
  init_direct(&st);
  bl_disk_fake_set_direct(st.fake, false);
  st_open(&st);
  assert_int_equal(st.notes, 1);
  assert_non_null(strstr(st.note, "store.direct"));
  assert_non_null(strstr(st.note, "buffered"));
  for (int i = 0; i < 100; i++) st_send(&st, 1000);
  st_settle(&st);
  assert_int_equal(st.acked, 100);
  st_check_prefix(&st, 100);
  st_fini(&st);
}

/* Its successor was opened while it was written: too many open files do not stop the log there. */
static void a_full_file_needs_no_new_descriptor(void **state) {
  (void)state;
  struct st st;
  init_direct(&st);
  st_open(&st);
  while (bl_store_marks(st.store).appended < 40000) {
    st_send(&st, 1000);
    st_settle(&st);
  }
  bl_disk_fake_fail(st.fake, BL_FAKE_OPEN, "commitlog", 0, -1, BL_ERR_IO);
  while (bl_store_marks(st.store).appended < 75000) {
    st_send(&st, 1000);
    st_settle(&st);
  }
  assert_int_equal(st.acked, st.next);
  assert_false(bl_store_failed(st.store, NULL));
  bl_disk_fake_fail(st.fake, BL_FAKE_OPEN, "", -1, 0, BL_OK);
  st_check_prefix(&st, st.next);
  st_fini(&st);
}

/* Direct writes leave nothing in the page cache: what is no longer in the ring is cold. */
static void older_records_are_read_from_the_disk(void **state) {
  (void)state;
  struct st st;
  init_direct(&st);
  st_open(&st);
  bl_disk_fake_set_cold(st.fake);
  for (int i = 0; i < 100; i++) {
    st_send(&st, 1000);
    st_settle(&st);
  }
  char bytes[64];
  assert_int_equal(bl_store_read(st.store, st.toy.at[0] - 1, sizeof(bytes), bytes), BL_ERR_COLD);
  assert_int_equal(bl_store_read(st.store, st.toy.at[99] - 1, sizeof(bytes), bytes), BL_OK);
  st_check_prefix(&st, 100);
  st_fini(&st);
}

static int64_t zero_writes(struct st *st) {
  int64_t before = bl_disk_fake_count(st->fake, BL_FAKE_WRITE);
  bl_worker_drain(st->pool);
  return bl_disk_fake_count(st->fake, BL_FAKE_WRITE) - before;
}

/* Sends without letting the pool run. */
static void send_alone(struct st *st, uint32_t body_bytes) {
  assert_int_equal(st_append(st, body_bytes), BL_OK);
  bl_store_end_turn(st->store);
  bl_worker_drain(st->flush);
  bl_store_end_turn(st->store);
}

static void zeros_are_written_ahead_of_a_log_that_grows(void **state) {
  (void)state;
  struct st st;
  init_direct(&st); /* 16 KiB at a time */
  st_open(&st);
  send_alone(&st, 1000);
  assert_int_equal(zero_writes(&st), 0); /* it hardly grows */
  st.clock.now_mono_ns += 1000000000;
  send_alone(&st, 1000);
  assert_int_equal(zero_writes(&st), 1);
  for (int i = 0; i < 10; i++) bl_store_end_turn(st.store);
  while (zero_writes(&st) > 0) bl_store_end_turn(st.store);
  int64_t before = bl_disk_fake_count(st.fake, BL_FAKE_WRITE);
  for (int i = 0; i < 5; i++) bl_store_end_turn(st.store);
  assert_int_equal(zero_writes(&st), 0); /* far enough */
  assert_int_equal(bl_disk_fake_count(st.fake, BL_FAKE_WRITE), before);
  for (int i = 0; i < 40; i++) {
    st.clock.now_mono_ns += 1000000000;
    st_send(&st, 1000);
    st_settle(&st);
  }
  assert_int_equal(st.acked, st.next);
  st_close(&st);
  st_open(&st);
  assert_int_equal(st.notes, 0); /* nothing but zeros behind the end */
  st_check_prefix(&st, st.next);
  st_fini(&st);
}

static void send_while_zeros_are_written(void *context, enum bl_disk_fake_op op, const char *path) {
  struct st *st = context;
  if (op != BL_FAKE_WRITE || strstr(path, "/commitlog/") == NULL) return;
  bl_disk_fake_on_op(st->fake, NULL, NULL);
  for (int i = 0; i < 12; i++) {
    (void)st_append(st, 2000);
    bl_store_end_turn(st->store);
    bl_worker_drain(st->flush);
  }
  struct bl_store_marks marks = bl_store_marks(st->store);
  assert_true(marks.written < marks.appended); /* they wait for the zeros */
}

static void no_record_is_written_where_zeros_may_follow(void **state) {
  (void)state;
  struct st st;
  init_direct(&st);
  st_open(&st);
  st.clock.now_mono_ns += 1000000000;
  send_alone(&st, 2500);
  bl_disk_fake_on_op(st.fake, send_while_zeros_are_written, &st);
  bl_worker_drain(st.pool);
  st_settle(&st);
  assert_int_equal(st.next, 13);
  assert_int_equal(st.acked, 13);
  st_power_loss(&st, 3);
  st_open(&st);
  st_check_prefix(&st, 13);
  st_fini(&st);
}

/* A pool that is busy with other things does not hold up the log. */
static void zeros_that_nobody_began_are_called_off(void **state) {
  (void)state;
  struct st st;
  init_direct(&st);
  st_open(&st);
  st.clock.now_mono_ns += 1000000000;
  for (int i = 0; i < 12; i++) send_alone(&st, 2000);
  assert_int_equal(st.acked, 12);
  st_settle(&st);
  st_power_loss(&st, 3);
  st_open(&st);
  st_check_prefix(&st, 12);
  st_fini(&st);
}

static void a_disk_that_refuses_zeros_gets_records(void **state) {
  (void)state;
  struct st st;
  init_direct(&st);
  st_open(&st);
  st.clock.now_mono_ns += 1000000000;
  send_alone(&st, 2500);
  bl_disk_fake_fail(st.fake, BL_FAKE_WRITE, "commitlog", 0, 1, BL_ERR_IO);
  bl_worker_drain(st.pool);
  for (int i = 0; i < 60; i++) st_send(&st, 1500);
  st_settle(&st);
  assert_int_equal(st.acked, 61);
  assert_false(bl_store_failed(st.store, NULL));
  st_fini(&st);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(behind_the_end_the_file_is_zero),
      cmocka_unit_test(appends_go_on_while_their_block_is_written),
      cmocka_unit_test(what_was_acked_survives_the_rewriting_of_its_block),
      cmocka_unit_test(async_flush_loses_a_suffix_only),
      cmocka_unit_test(async_flush_survives_a_kill),
      cmocka_unit_test(the_mode_may_change_with_each_start),
      cmocka_unit_test(a_file_system_without_direct_writes_is_noted),
      cmocka_unit_test(a_full_file_needs_no_new_descriptor),
      cmocka_unit_test(older_records_are_read_from_the_disk),
      cmocka_unit_test(zeros_are_written_ahead_of_a_log_that_grows),
      cmocka_unit_test(no_record_is_written_where_zeros_may_follow),
      cmocka_unit_test(zeros_that_nobody_began_are_called_off),
      cmocka_unit_test(a_disk_that_refuses_zeros_gets_records),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
