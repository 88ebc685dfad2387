/* The wall clock jumps: store times never go back, not over a start either; what is timed by the
 * monotonic clock goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "store/store_testlib.h"

#define HOUR_MS 3600000ll
#define DAY_MS (24 * HOUR_MS)

static int64_t store_ms_of(struct st *st, int64_t number) {
  char size[4];
  int64_t offset = st->toy.at[number] - 1;
  assert_true(offset >= 0);
  assert_int_equal(bl_store_read_blocking(st->store, offset, 4, size), BL_OK);
  uint32_t len = bl_load_u32(size);
  char *bytes = malloc(len);
  struct bl_record record;
  assert_non_null(bytes);
  assert_int_equal(bl_store_read_blocking(st->store, offset, len, bytes), BL_OK);
  assert_int_equal(bl_record_decode(bl_slice_of(bytes, len), BL_RECORD_CHECKED, &record), BL_OK);
  int64_t store_ms = record.store_ms;
  free(bytes);
  return store_ms;
}

static void check_times(struct st *st) {
  for (int64_t i = 1; i < st->next; i++) assert_true(store_ms_of(st, i) >= store_ms_of(st, i - 1));
}

static const int64_t jumps_ms[] = {HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS, -1700000000000 + 5000};

static void store_times_never_go_back(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  for (size_t i = 0; i < sizeof(jumps_ms) / sizeof(jumps_ms[0]); i++) {
    st_send(&st, 100);
    st.clock.now_wall_ms += jumps_ms[i];
    st_send(&st, 100);
    st_settle(&st);
    st.clock.now_wall_ms -= jumps_ms[i] / 2;
  }
  assert_int_equal(st.acked, st.next);
  check_times(&st);
  st_fini(&st);
}

/* The checkpoint, which holds the last store time, is not synced: a power loss may take it. The
 * snapshots cover all records, so that none is replayed. */
static void store_times_go_on_without_a_checkpoint(void **state) {
  (void)state;
  for (int body = 10; body <= 14000; body += 4663) {
    struct st st;
    st_init(&st);
    st_open(&st);
    for (int i = 0; i < 9; i++) st_send(&st, (uint32_t)(i == 8 ? body : 10));
    st_settle(&st);
    st_close(&st);
    assert_int_equal(st.disk->ops->remove(st.disk, ST_DIR "/bolide/log.checkpoint"), BL_OK);
    st.clock.now_wall_ms = 5000; /* 1970 */
    st_open(&st);
    struct bl_store_stats stats;
    bl_store_stats(st.store, &stats);
    assert_int_equal(stats.recovered_records, 0);
    st_send(&st, 100);
    st_settle(&st);
    check_times(&st);
    st_fini(&st);
  }
}

/* The last record is the last of a full file, and the new file is empty. */
static void store_times_go_on_behind_a_file_that_is_empty(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  while (bl_store_marks(st.store).appended < 65536) st_send(&st, 3000);
  st_settle(&st);
  int64_t last = st.next - 1;
  int64_t cut = st.toy.at[last] - 1; /* the first of the second file */
  assert_int_equal(cut, 65536);
  st_close(&st);
  char zeros[4000] = {0};
  st_damage(&st, cut, zeros, sizeof(zeros));
  assert_int_equal(st.disk->ops->remove(st.disk, ST_DIR "/bolide/log.checkpoint"), BL_OK);
  assert_int_equal(st.disk->ops->remove(st.disk, ST_DIR "/bolide/toy.snapshot"), BL_OK);
  st.clock.now_wall_ms = 5000;
  st_open(&st);
  st.next = last;
  st_send(&st, 3000);
  st_settle(&st);
  check_times(&st);
  st_fini(&st);
}

/* Syncs, snapshots and checkpoints keep their pace whatever the wall says. */
static void timers_do_not_mind(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(jumps_ms) / sizeof(jumps_ms[0]); i++) {
    struct st st;
    st_init(&st);
    st.settings.flush_mode = BL_FLUSH_ASYNC;
    st_open(&st);
    st_send(&st, 100);
    st_settle(&st);
    st.clock.now_wall_ms += jumps_ms[i];
    st_pass(&st, 400);
    assert_int_equal(bl_store_marks(st.store).flushed, 0);
    st_pass(&st, 200);
    assert_true(bl_store_marks(st.store).flushed > 0);
    assert_int_equal(st.toy.snapshots_done, 0);
    st.clock.now_wall_ms -= 2 * jumps_ms[i];
    st_pass(&st, 30000);
    assert_int_equal(st.toy.snapshots_done, 1);
    st_fini(&st);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(store_times_never_go_back),
      cmocka_unit_test(store_times_go_on_without_a_checkpoint),
      cmocka_unit_test(store_times_go_on_behind_a_file_that_is_empty),
      cmocka_unit_test(timers_do_not_mind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
