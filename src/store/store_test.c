/* The life of a record in the store when the disk works. */
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "store/store_testlib.h"

static void what_was_appended_is_read_back(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  for (int i = 0; i < 20; i++) st_send(&st, (uint32_t)i * 37);
  st_settle(&st);
  assert_int_equal(st.acked, 20);
  assert_int_equal(st_check_prefix(&st, 20), 20);
  struct bl_store_marks marks = bl_store_marks(st.store);
  assert_int_equal(marks.appended, marks.flushed);
  st_fini(&st);
}

static void marks_follow_in_order(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_send(&st, 100);
  struct bl_store_marks m = bl_store_marks(st.store);
  assert_true(m.appended > 0);
  assert_int_equal(m.written, 0);
  char byte;
  assert_int_equal(bl_store_read(st.store, 0, 1, &byte), BL_ERR_NOT_FOUND);
  assert_null(bl_store_peek(st.store, 0, 1).ptr);
  bl_store_end_turn(st.store);
  m = bl_store_marks(st.store);
  assert_int_equal(m.written, st_write_mode == BL_WRITE_DIRECT ? 0 : m.appended);
  assert_int_equal(m.flushed, 0);
  assert_int_equal(m.visible, 0);
  assert_int_equal(st.acked, 0);
  assert_int_equal(st.toy.shown, 0);
  assert_int_equal(bl_worker_drain(st.flush), 1);
  m = bl_store_marks(st.store);
  assert_int_equal(m.visible, m.appended);
  assert_int_equal(st.acked, 0); /* waiters are told at the end of a turn */
  bl_store_end_turn(st.store);
  assert_int_equal(st.acked, 1);
  assert_int_equal(st.toy.shown, 1);
  assert_int_equal(bl_store_read(st.store, 0, 1, &byte), BL_OK);
  assert_non_null(bl_store_peek(st.store, 0, 1).ptr);
  st_fini(&st);
}

/* The turn's records are in the kernel, and nothing else was done. */
static void write_turn(struct st *st) {
  bl_store_end_turn(st->store);
  if (st_write_mode != BL_WRITE_DIRECT) return;
  assert_int_equal(bl_worker_drain(st->flush), 1);
  bl_store_end_turn(st->store);
}

static void async_flush_answers_when_written(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.settings.flush_mode = BL_FLUSH_ASYNC;
  st_open(&st);
  st_send(&st, 100);
  write_turn(&st);
  assert_int_equal(st.acked, 1);
  assert_int_equal(bl_store_marks(st.store).flushed, 0);
  assert_int_equal(bl_worker_drain(st.flush), 0);
  st_pass(&st, 499);
  assert_int_equal(bl_store_marks(st.store).flushed, 0);
  st_pass(&st, 1);
  assert_int_equal(bl_store_marks(st.store).flushed, bl_store_marks(st.store).appended);
  st_fini(&st);
}

static void async_flush_syncs_after_so_many_bytes(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.settings.flush_mode = BL_FLUSH_ASYNC;
  st.settings.flush_bytes = 5000;
  st_open(&st);
  for (int i = 0; i < 4; i++) {
    st_send(&st, 1000);
    write_turn(&st);
  }
  assert_int_equal(bl_worker_drain(st.flush), 0);
  st_send(&st, 1000);
  write_turn(&st);
  assert_int_equal(bl_worker_drain(st.flush), 1);
  assert_int_equal(bl_store_marks(st.store).flushed, bl_store_marks(st.store).appended);
  st_fini(&st);
}

static void one_sync_serves_all_who_wait(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  for (int i = 0; i < 51; i++) {
    st_send(&st, 10);
    bl_store_end_turn(st.store); /* the worker did not begin yet */
  }
  assert_int_equal(st.acked, 0);
  assert_int_equal(bl_worker_drain(st.flush), 1);
  bl_store_end_turn(st.store);
  assert_int_equal(st.acked, 51);
  struct bl_store_stats stats;
  bl_store_stats(st.store, &stats);
  assert_int_equal(stats.syncs, 1);
  assert_int_equal(stats.writes, st_write_mode == BL_WRITE_DIRECT ? 1 : 51);
  assert_int_equal(stats.appended_records, 51);
  st_fini(&st);
}

static void send_during_sync(void *context, enum bl_disk_fake_op op, const char *path) {
  struct st *st = context;
  if (op != BL_FAKE_SYNC || strstr(path, "/commitlog/") == NULL || st->next >= 4) return;
  st_send(st, 10);
  bl_store_end_turn(st->store);
  assert_int_equal(st->acked, st->next - 2); /* all that earlier syncs cover */
}

/* Who comes during a sync rides the next, which follows at once, without the core. */
static void a_sync_is_followed_by_the_next(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  bl_disk_fake_on_op(st.fake, send_during_sync, &st);
  st_send(&st, 10);
  bl_store_end_turn(st.store);
  assert_int_equal(bl_worker_drain(st.flush), 1); /* one job */
  bl_disk_fake_on_op(st.fake, NULL, NULL);
  bl_store_end_turn(st.store);
  assert_int_equal(st.next, 4);
  assert_int_equal(st.acked, 4);
  struct bl_store_stats stats;
  bl_store_stats(st.store, &stats);
  assert_int_equal(stats.syncs, 4);
  st_check_prefix(&st, 4);
  st_fini(&st);
}

static void a_turn_writes_once(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  int64_t before = bl_disk_fake_count(st.fake, BL_FAKE_WRITE);
  for (int i = 0; i < 50; i++) st_send(&st, 50);
  bl_store_end_turn(st.store);
  if (st_write_mode == BL_WRITE_DIRECT) bl_worker_drain(st.flush);
  assert_int_equal(bl_disk_fake_count(st.fake, BL_FAKE_WRITE), before + 1);
  bl_store_end_turn(st.store);
  bl_store_end_turn(st.store);
  assert_int_equal(bl_disk_fake_count(st.fake, BL_FAKE_WRITE), before + 1);
  st_fini(&st);
}

static void files_and_ring_go_round(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  for (int i = 0; i < 400; i++) st_send(&st, (uint32_t)(i * 131 % 3000));
  st_settle(&st);
  assert_int_equal(st.acked, 400);
  assert_true(bl_store_marks(st.store).appended > 8 * 65536);
  st_check_prefix(&st, 400);
  st_close(&st);
  st_open(&st);
  st_check_prefix(&st, 400);
  st_send(&st, 10);
  st_settle(&st);
  st_check_prefix(&st, 401);
  st_fini(&st);
}

static void the_last_record_leaves_room_for_the_blank_one(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.settings.segment_bytes = 8192;
  st_open(&st);
  st_send(&st, 0);
  int64_t overhead = bl_store_marks(st.store).appended;
  /* Fill so that the rest of the file is record + blank exactly, then one byte less. */
  for (int round = 0; round < 2; round++) {
    int64_t first = bl_store_marks(st.store).appended;
    int64_t rest = 8192 - first % 8192;
    while (rest > 2 * overhead + 3000) {
      st_send(&st, 1000);
      rest = 8192 - bl_store_marks(st.store).appended % 8192;
    }
    st_settle(&st);
    int64_t before = bl_store_marks(st.store).appended;
    st_send(&st, (uint32_t)(rest - 8 - overhead + round));
    int64_t begin = bl_store_marks(st.store).appended - (rest - 8 + round);
    assert_int_equal(begin % 8192 == 0, round == 1); /* fits, or begins the next file */
    if (round == 0) assert_int_equal(begin, before);
    st_send(&st, 500); /* in the next file either way */
    st_settle(&st);
  }
  int64_t count = st.next;
  st_kill(&st);
  st_open(&st);
  assert_int_equal(st_check_prefix(&st, count), count);
  st_fini(&st);
}

static void nothing_lies_behind_the_blank_record(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.settings.segment_bytes = 32768;
  st_open(&st);
  for (int i = 0; i < 100; i++) st_send(&st, 2000 + (uint32_t)(i * 137 % 1000));
  st_settle(&st);
  int64_t ends = 0;
  for (int64_t i = 1; i < 100; i++) {
    int64_t next = st.toy.at[i] - 1;
    if (next % 32768 != 0) continue;
    char bytes[4096];
    int64_t begin = st.toy.at[i - 1] - 1;
    uint32_t len = 0;
    assert_int_equal(bl_store_read_blocking(st.store, begin, 4, bytes), BL_OK);
    len = bl_load_u32(bytes);
    uint32_t rest = (uint32_t)(next - begin - len);
    assert_in_range(rest, 8, sizeof(bytes));
    char path[100];
    snprintf(path, sizeof(path), ST_DIR "/commitlog/%020lld", (long long)(next - 32768));
    int file = -1;
    size_t got = 0;
    assert_int_equal(st.disk->ops->open(st.disk, path, BL_OPEN_READ, &file, NULL), BL_OK);
    assert_int_equal(st.disk->ops->read(st.disk, file, bytes, rest, 32768 - rest, &got), BL_OK);
    st.disk->ops->close(st.disk, file);
    assert_int_equal(got, rest);
    assert_int_equal(bl_load_u32(bytes), rest);
    assert_int_equal(bl_load_u32(bytes + 4), BL_RECORD_MAGIC_BLANK);
    for (uint32_t k = 8; k < rest; k++) assert_int_equal(bytes[k], 0);
    ends++;
  }
  assert_true(ends >= 5);
  st_fini(&st);
}

static void a_record_longer_than_can_be_held_is_refused(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  assert_int_equal(bl_store_can_append(st.store, 16384 - 8), BL_OK);
  assert_int_equal(bl_store_can_append(st.store, 16384 - 7), BL_ERR_MESSAGE_ILLEGAL);
  assert_int_equal(st_append(&st, 20000), BL_ERR_MESSAGE_ILLEGAL);
  st_fini(&st);
}

static void a_full_ring_asks_to_wait(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  int taken = 0;
  while (st_append(&st, 2000) == BL_OK) taken++;
  assert_in_range(taken, 14, 15); /* half the ring */
  assert_int_equal(st_append(&st, 2000), BL_ERR_BUSY);
  write_turn(&st);
  assert_int_equal(st_append(&st, 2000), BL_OK);
  st_fini(&st);
}

static void lent_bytes_stay_until_the_end_of_the_turn(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  for (int i = 0; i < 60; i++) st_send(&st, 1000);
  st_settle(&st);
  for (int64_t i = 59; i >= 0; i--) {
    struct bl_slice lent = bl_store_peek(st.store, st.toy.at[i] - 1, 300);
    if (lent.ptr == NULL) break;
    assert_true(i > 25); /* not older than half a ring */
  }
  int64_t oldest = 59;
  while (bl_store_peek(st.store, st.toy.at[oldest - 1] - 1, 300).ptr != NULL) oldest--;
  struct bl_slice lent = bl_store_peek(st.store, st.toy.at[oldest] - 1, 300);
  char copy[300];
  memcpy(copy, lent.ptr, 300);
  while (st_append(&st, 1000) == BL_OK) continue; /* as much as a turn can take */
  assert_memory_equal(copy, lent.ptr, 300);
  st_fini(&st);
}

static void slow_disk(void *context, enum bl_disk_fake_op op, const char *path) {
  struct st *st = context;
  if (op == BL_FAKE_WRITE && strstr(path, "/commitlog/") != NULL)
    st->clock.now_mono_ns += st->refused_err; /* the tests set it as nanoseconds */
}

static void a_slow_write_hands_the_right_over(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.settings.write_mode = BL_WRITE_BUFFERED; /* in direct mode the worker always has it */
  st_open(&st);
  bl_disk_fake_on_op(st.fake, slow_disk, &st);
  st.refused_err = 1000001;
  st_send(&st, 10);
  bl_store_end_turn(st.store); /* by the core, slowly */
  int64_t first = bl_store_marks(st.store).written;
  assert_true(first > 0);
  st_send(&st, 10);
  bl_store_end_turn(st.store); /* now it is the worker's */
  assert_int_equal(bl_store_marks(st.store).written, first);
  st.refused_err = 5;
  st_send(&st, 10);
  bl_store_end_turn(st.store); /* nobody else writes meanwhile */
  assert_int_equal(bl_store_marks(st.store).written, first);
  bl_worker_drain(st.flush);
  assert_true(bl_store_marks(st.store).written > first);
  assert_true(bl_store_marks(st.store).written < bl_store_marks(st.store).appended);
  st.clock.now_mono_ns += 1000000000;
  bl_store_end_turn(st.store); /* a second later the right came back, and it is fast again */
  assert_int_equal(bl_store_marks(st.store).written, bl_store_marks(st.store).appended);
  st.refused_err = 0;
  st_settle(&st);
  assert_int_equal(st.acked, 3);
  st_check_prefix(&st, 3);
  st_fini(&st);
}

static void store_time_never_goes_back(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  int64_t before = st.clock.now_wall_ms;
  struct bl_record record = {
      .topic = BL_SLICE("T"), .born_host.addr_bytes = 4, .store_host.addr_bytes = 4};
  assert_int_equal(bl_store_append(st.store, &record), BL_OK);
  assert_int_equal(record.store_ms, before);
  st.clock.now_wall_ms -= 1000;
  st_settle(&st);
  st_close(&st);
  st_open(&st); /* not over a restart either */
  assert_int_equal(bl_store_append(st.store, &record), BL_OK);
  assert_int_equal(record.store_ms, before);
  st.clock.now_wall_ms += 5000;
  assert_int_equal(bl_store_append(st.store, &record), BL_OK);
  assert_int_equal(record.store_ms, before); /* of the same turn */
  bl_store_end_turn(st.store);
  assert_int_equal(bl_store_append(st.store, &record), BL_OK);
  assert_int_equal(record.store_ms, before + 4000);
  struct bl_store_stats stats;
  bl_store_stats(st.store, &stats);
  assert_int_equal(stats.first_store_ms, before);
  st_fini(&st);
}

static void on_warm(struct bl_store_warm *warm) {
  warm->len = -1;
}

static void cold_bytes_are_warmed(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  for (int i = 0; i < 200; i++) st_send(&st, 1000);
  st_settle(&st);
  bl_disk_fake_set_cold(st.fake);
  char bytes[64];
  assert_int_equal(bl_store_read(st.store, 70000, 64, bytes), BL_ERR_COLD);
  struct bl_store_warm warm;
  bl_store_warm(st.store, &warm, 70000, 64, on_warm);
  assert_int_equal(warm.len, 64);
  bl_worker_drain(st.pool);
  assert_int_equal(warm.len, -1);
  assert_int_equal(warm.err, BL_OK);
  assert_int_equal(bl_store_read(st.store, 70000, 64, bytes), BL_OK);
  char again[64];
  assert_int_equal(bl_store_read_blocking(st.store, 70000, 64, again), BL_OK);
  assert_memory_equal(bytes, again, 64);
  assert_int_equal(bl_store_read(st.store, 65536 - 10, 64, bytes), BL_ERR_NOT_FOUND);
  assert_int_equal(bl_store_read(st.store, -1, 64, bytes), BL_ERR_NOT_FOUND);
  assert_int_equal(bl_store_read(st.store, INT64_MAX - 2, 64, bytes), BL_ERR_NOT_FOUND);
  st_fini(&st);
}

static void an_idle_turn_does_nothing(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_send(&st, 100);
  st_settle(&st);
  st_pass(&st, 1000);
  st_pass(&st, 30000);
  assert_int_equal(st.toy.snapshots_done, 1);
  assert_int_equal(bl_timers_wait_ms(&st.timers, 0), -1); /* asleep */
  int64_t calls = 0;
  for (int i = 0; i < BL_FAKE_OP_COUNT; i++) calls += bl_disk_fake_count(st.fake, i);
  for (int i = 0; i < 10; i++) assert_false(bl_store_end_turn(st.store));
  for (int i = 0; i < BL_FAKE_OP_COUNT; i++) calls -= bl_disk_fake_count(st.fake, i);
  assert_int_equal(calls, 0);
  st_fini(&st);
}

static void opening_an_empty_folder_syncs_nothing(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  assert_int_equal(bl_disk_fake_count(st.fake, BL_FAKE_SYNC), 0);
  assert_int_equal(bl_disk_fake_count(st.fake, BL_FAKE_SYNC_DIR), 0);
  st_fini(&st);
}

static void a_second_opening_is_refused(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  struct bl_store *first = st.store;
  struct bl_why why = {""};
  assert_int_equal(st_try_open(&st, &why), BL_ERR_LOCKED);
  assert_non_null(strstr(why.text, "store in use by another process"));
  st.store = first;
  st_close(&st);
  st_open(&st);
  st_fini(&st);
}

static void another_file_size_is_refused(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  st_close(&st);
  st.settings.segment_bytes = 131072;
  struct bl_why why = {""};
  assert_int_equal(st_try_open(&st, &why), BL_ERR_VERSION);
  assert_non_null(strstr(why.text, "65536"));
  assert_non_null(strstr(why.text, "131072"));
  st.settings.segment_bytes = 65536;
  st_open(&st); /* nothing was broken, the lock was given back */
  st_fini(&st);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_appended_is_read_back),
      cmocka_unit_test(marks_follow_in_order),
      cmocka_unit_test(async_flush_answers_when_written),
      cmocka_unit_test(async_flush_syncs_after_so_many_bytes),
      cmocka_unit_test(one_sync_serves_all_who_wait),
      cmocka_unit_test(a_sync_is_followed_by_the_next),
      cmocka_unit_test(a_turn_writes_once),
      cmocka_unit_test(files_and_ring_go_round),
      cmocka_unit_test(the_last_record_leaves_room_for_the_blank_one),
      cmocka_unit_test(nothing_lies_behind_the_blank_record),
      cmocka_unit_test(a_record_longer_than_can_be_held_is_refused),
      cmocka_unit_test(a_full_ring_asks_to_wait),
      cmocka_unit_test(lent_bytes_stay_until_the_end_of_the_turn),
      cmocka_unit_test(a_slow_write_hands_the_right_over),
      cmocka_unit_test(store_time_never_goes_back),
      cmocka_unit_test(cold_bytes_are_warmed),
      cmocka_unit_test(an_idle_turn_does_nothing),
      cmocka_unit_test(opening_an_empty_folder_syncs_nothing),
      cmocka_unit_test(a_second_opening_is_refused),
      cmocka_unit_test(another_file_size_is_refused),
  };
  return st_run(tests, sizeof(tests) / sizeof(tests[0]));
}
