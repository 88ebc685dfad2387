/* Starting again: after a kill, after a power loss with every kind of tear, on damaged and on
 * foreign logs. */
#include "store/log/recover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/store_testlib.h"

/* Without BOLIDE_SEEDS=N in the environment. */
#define SEEDS 90

static uint64_t seeds(void) {
  const char *text = getenv("BOLIDE_SEEDS");
  return text != NULL ? strtoull(text, NULL, 10) : SEEDS;
}

static uint64_t next_random(uint64_t *state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* One life: some traffic with jobs that run or lag, time that passes, then the end. */
static void live(struct st *st, uint64_t *random) {
  int actions = 5 + (int)(next_random(random) % 60);
  for (int i = 0; i < actions; i++) {
    switch (next_random(random) % 8) {
      case 0: bl_worker_drain(st->flush); break;
      case 1: bl_worker_drain(st->pool); break;
      case 2: st_pass(st, (int64_t)(next_random(random) % 800)); break;
      case 3: bl_store_end_turn(st->store); break;
      case 4:
        if (next_random(random) % 8 == 0) bl_store_snapshot_now(st->store);
        break;
      default:
        if (st_append(st, (uint32_t)(next_random(random) % 4000)) == BL_ERR_BUSY) st_settle(st);
        break;
    }
  }
}

/* SYNC_FLUSH: what was acked is there after any power loss, once, and what is there is a prefix. So
 * is what was shown after an opening. */
static void run_seed(uint64_t seed, enum bl_flush_mode mode, bool power) {
  struct st st;
  st_init(&st);
  st.settings.flush_mode = mode;
  uint64_t random = seed;
  int64_t shown = 0; /* at the last opening */
  st_open(&st);
  for (int life = 0; life < 6; life++) {
    /* Often nothing at all: what was shown after one crash must outlive the next. */
    if (life == 0 || next_random(&random) % 3 > 0) live(&st, &random);
    int64_t acked = st.acked;
    if (life == 3) {
      st_close(&st); /* once in good order */
    } else if (power && next_random(&random) % 3 > 0) {
      st_power_loss(&st, next_random(&random));
    } else {
      st_kill(&st);
    }
    st_open(&st);
    bool must = mode == BL_FLUSH_SYNC || !power;
    int64_t count = st_check_prefix(&st, must ? acked : shown);
    assert_int_equal(st.toy.replaced, 0);
    if (life == 3) assert_int_equal(count, st.next);
    shown = count;
    st.next = count; /* the queue goes on where the log ends */
    st.acked = count;
    st.refused = 0;
  }
  st_fini(&st);
}

static void power_loss_takes_nothing_that_was_acked(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= seeds(); seed++) {
    print_message("seed %d\r", (int)seed);
    run_seed(seed, BL_FLUSH_SYNC, true);
  }
}

static void power_loss_under_async_flush_leaves_a_prefix(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= (seeds() + 2) / 3; seed++) {
    print_message("seed %d\r", (int)seed);
    run_seed(seed, BL_FLUSH_ASYNC, true);
  }
}

static void a_kill_takes_nothing_that_was_acked(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= (seeds() + 2) / 3; seed++) {
    print_message("seed %d\r", (int)seed);
    run_seed(seed, BL_FLUSH_SYNC, false);
    run_seed(seed, BL_FLUSH_ASYNC, false);
  }
}

/* Else a crash could leave the second file whole and the first one without its size. */
static void the_first_file_has_no_successor_before_it_is_durable(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    struct st st;
    st_init(&st);
    st.settings.flush_mode = BL_FLUSH_ASYNC;
    st_open(&st);
    for (int i = 0; i < 20; i++) {
      assert_int_equal(st_append(&st, 1000), BL_OK); /* beyond a quarter of the file */
      bl_store_end_turn(st.store);
      bl_worker_drain(st.pool);
    }
    st_power_loss(&st, seed);
    st_open(&st);
    st_check_prefix(&st, 0);
    st_fini(&st);
  }
}

static void fill(struct st *st, int count) {
  for (int i = 0; i < count; i++) st_send(st, 500);
  st_settle(st);
}

static int64_t end_of(const struct st *st) {
  return bl_store_marks(st->store).appended;
}

static size_t files_in(struct st *st, const char *folder) {
  struct bl_arena arena;
  bl_arena_init(&arena);
  const char *const *names;
  size_t count = 0;
  if (st->disk->ops->list(st->disk, folder, &arena, &names, &count) != BL_OK) count = 0;
  bl_arena_fini(&arena);
  return count;
}

static void assert_zero_from(struct st *st, int64_t offset) {
  char path[200];
  int64_t size = st->settings.segment_bytes;
  snprintf(path, sizeof(path), ST_DIR "/commitlog/%020lld", (long long)(offset / size * size));
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice bytes;
  assert_int_equal(bl_disk_read_file(st->disk, path, (size_t)size, &arena, &bytes), BL_OK);
  for (int64_t i = offset % size; i < size; i++) assert_int_equal(bytes.ptr[i], 0);
  bl_arena_fini(&arena);
}

static void bytes_behind_the_end_are_saved_and_zeroed(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 10);
  int64_t end = end_of(&st);
  st_kill(&st);
  st_damage(&st, end, "half a record", 13);
  st_damage(&st, end + 2000, "x", 1);
  st_open(&st);
  assert_int_equal(end_of(&st), end);
  assert_zero_from(&st, end);
  assert_int_equal(files_in(&st, ST_DIR "/bolide/aside"), 1);
  struct bl_arena arena;
  bl_arena_init(&arena);
  const char *const *names;
  size_t count = 0;
  struct bl_slice saved;
  char path[300];
  st.disk->ops->list(st.disk, ST_DIR "/bolide/aside", &arena, &names, &count);
  snprintf(path, sizeof(path), ST_DIR "/bolide/aside/%s", names[0]);
  assert_int_equal(bl_disk_read_file(st.disk, path, 1 << 20, &arena, &saved), BL_OK);
  assert_int_equal(saved.len, 2001);
  assert_memory_equal(saved.ptr, "half a record", 13);
  assert_int_equal(saved.ptr[2000], 'x');
  bl_arena_fini(&arena);
  fill(&st, 5);
  st_check_prefix(&st, 15);
  st_fini(&st);
}

static void files_behind_the_end_are_moved_away(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.settings.flush_mode = BL_FLUSH_ASYNC;
  st_open(&st);
  fill(&st, 300);
  assert_true(end_of(&st) > 2 * 65536);
  int64_t at = st.toy.at[20] - 1;
  st_kill(&st);
  /* No checkpoint, no snapshot: nothing says that more than this was durable. */
  assert_int_equal(st.disk->ops->remove(st.disk, ST_DIR "/bolide/log.checkpoint"), BL_OK);
  st_damage(&st, at + 40, "####", 4);
  st_open(&st);
  assert_int_equal(st_check_prefix(&st, 0), 20);
  assert_int_equal(end_of(&st), at);
  assert_zero_from(&st, at);
  assert_true(files_in(&st, ST_DIR "/bolide/aside") >= 3);
  assert_int_equal(files_in(&st, ST_DIR "/commitlog"), 1);
  st.next = 20;
  fill(&st, 200);
  st_check_prefix(&st, 220);
  st_fini(&st);
}

/* Ends a life with checkpoint but without a snapshot, so that everything is replayed. */
static void kill_after_checkpoint(struct st *st) {
  st_pass(st, 1000);
  st_kill(st);
}

static void damage_below_the_checkpoint_is_fenced(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 300);
  int64_t end = end_of(&st);
  int64_t hurt[] = {20, 21, 150, 250};
  kill_after_checkpoint(&st);
  for (size_t i = 0; i < 4; i++) st_damage(&st, st.toy.at[hurt[i]] - 1 + 300, "####", 4);
  int64_t at[4];
  for (size_t i = 0; i < 4; i++) at[i] = st.toy.at[hurt[i]] - 1;
  st_open(&st);
  assert_int_equal(end_of(&st), end);
  assert_int_equal(st.toy.shown, 300 + 296);
  for (int64_t i = 0; i < 300; i++) {
    bool is_hurt = i == 20 || i == 21 || i == 150 || i == 250;
    assert_int_equal(st.toy.at[i] == 0, is_hurt);
    if (!is_hurt) st_check_message(&st, i);
  }
  char byte;
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(bl_store_read_blocking(st.store, at[i], 1, &byte), BL_ERR_NOT_FOUND);
  assert_true(st.notes >= 3); /* 20 and 21 are one place */
  assert_non_null(strstr(st.note, "store.damage"));
  fill(&st, 5);
  for (int64_t i = 300; i < 305; i++) st_check_message(&st, i);
  st_fini(&st);
}

/* The last bytes are also how we know our own log: that they are hurt must not cost what is behind
 * them. */
static void damage_near_the_end_is_fenced_too(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 50);
  bl_store_snapshot_now(st.store);
  st_settle(&st);
  int64_t end = end_of(&st);
  int64_t hurt = st.toy.at[47] - 1;
  kill_after_checkpoint(&st);
  st_damage(&st, hurt + 300, "####", 4);
  st_open(&st);
  assert_int_equal(end_of(&st), end);
  assert_int_equal(st.toy.at[47], 0);
  st_check_message(&st, 46);
  st_check_message(&st, 48);
  st_check_message(&st, 49);
  st_fini(&st);
}

/* Any bytes changed anywhere: it opens, serves only what is whole, goes on, and opens the same
 * again. */
static void random_damage_never_stops_it(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= seeds(); seed++) {
    print_message("seed %d\r", (int)seed);
    uint64_t random = seed;
    struct st st;
    st_init(&st);
    st_open(&st);
    fill(&st, 150);
    int64_t end = end_of(&st);
    if (seed % 2 == 0) st_pass(&st, 1000); /* with a checkpoint */
    st_kill(&st);
    for (uint64_t i = 0; i <= seed % 5; i++) {
      char bytes[64];
      size_t len = 1 + next_random(&random) % sizeof(bytes);
      for (size_t k = 0; k < len; k++) bytes[k] = (char)next_random(&random);
      st_damage(&st,
                (int64_t)(next_random(&random) % (uint64_t)(end - 64)) / 65500 * 65536 +
                    (int64_t)(next_random(&random) % 20000),
                bytes, len);
    }
    st_open(&st);
    for (int64_t i = 0; i < 150; i++) {
      if (st.toy.at[i] != 0) st_check_message(&st, i);
    }
    fill(&st, 10);
    for (int64_t i = 150; i < 160; i++) st_check_message(&st, i);
    int64_t before[160];
    memcpy(before, st.toy.at, sizeof(before));
    st_kill(&st);
    st_open(&st);
    assert_memory_equal(before, st.toy.at, sizeof(before));
    st_fini(&st);
  }
}

static void a_size_that_lies_is_damage_too(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 60);
  kill_after_checkpoint(&st);
  static const char *const sizes[] = {"\0\0\0\0", "\377\377\377\377", "\0\0\377\0", "\0\0\0\50"};
  int64_t at[4];
  for (int i = 0; i < 4; i++) at[i] = st.toy.at[10 + 10 * i] - 1;
  for (int i = 0; i < 4; i++) st_damage(&st, at[i], sizes[i], 4);
  st_open(&st);
  for (int64_t i = 0; i < 60; i++) {
    bool is_hurt = i >= 10 && i % 10 == 0 && i <= 40;
    assert_int_equal(st.toy.at[i] == 0, is_hurt);
  }
  st_fini(&st);
}

/* A copy of a good record at another place is not taken for one. */
static void a_record_at_a_foreign_place_is_not_taken(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 10);
  int64_t end = end_of(&st);
  int64_t at = st.toy.at[3] - 1;
  int64_t len = st.toy.at[4] - 1 - at;
  char copy[2000];
  assert_in_range(len, 1, sizeof(copy));
  assert_int_equal(bl_store_read_blocking(st.store, at, (uint32_t)len, copy), BL_OK);
  st_kill(&st);
  st_damage(&st, end, copy, (size_t)len);
  st_open(&st);
  assert_int_equal(end_of(&st), end);
  st_check_prefix(&st, 10);
  st_fini(&st);
}

static void a_snapshot_beyond_the_log_is_discarded(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 50);
  st_close(&st); /* the toy's snapshot covers all */
  st_damage(&st, 0, "\0\0\0\0\0\0\0\0", 8);
  char zeros[65536] = {0};
  st_damage(&st, 0, zeros, 65536); /* somebody put an empty file in its place */
  st_open(&st);
  assert_int_equal(st.toy.discards, 1);
  assert_int_equal(st_check_prefix(&st, 0), 0);
  assert_int_equal(end_of(&st), 0);
  st.next = 0;
  fill(&st, 3);
  st_check_prefix(&st, 3);
  st_fini(&st);
}

static void replay_begins_at_the_snapshot(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 50);
  bl_store_snapshot_now(st.store);
  st_settle(&st);
  assert_int_equal(st.toy.snapshots_done, 1);
  fill(&st, 7);
  st_kill(&st);
  st.toy.shown = 0;
  st_open(&st);
  assert_int_equal(st.toy.shown, 7);
  st_check_prefix(&st, 57);
  struct bl_store_stats stats;
  bl_store_stats(st.store, &stats);
  assert_int_equal(stats.recovered_records, 7);
  st_fini(&st);
}

static void an_empty_last_file_is_removed(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 5);
  st_close(&st);
  int file = -1;
  st.disk->ops->open(st.disk, ST_DIR "/commitlog/00000000000000065536",
                     BL_OPEN_WRITE | BL_OPEN_CREATE, &file, NULL);
  st.disk->ops->close(st.disk, file);
  st_open(&st);
  st_check_prefix(&st, 5);
  assert_int_equal(files_in(&st, ST_DIR "/commitlog"), 1);
  st_fini(&st);
}

static void a_hole_between_files_is_an_error(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 400);
  st_close(&st);
  assert_int_equal(st.disk->ops->remove(st.disk, ST_DIR "/commitlog/00000000000000065536"), BL_OK);
  struct bl_why why = {""};
  assert_int_equal(st_try_open(&st, &why), BL_ERR_FORMAT);
  assert_non_null(strstr(why.text, "hole"));
  st_fini(&st);
}

static void a_log_may_begin_above_zero(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 400);
  st_close(&st);
  assert_int_equal(st.disk->ops->remove(st.disk, ST_DIR "/commitlog/00000000000000000000"), BL_OK);
  assert_int_equal(st.disk->ops->remove(st.disk, ST_DIR "/bolide/toy.snapshot"), BL_OK);
  st_open(&st);
  assert_int_equal(bl_store_marks(st.store).min_offset, 65536);
  assert_int_equal(st.toy.min_offset, 65536);
  char byte;
  assert_int_equal(bl_store_read_blocking(st.store, 65535, 1, &byte), BL_ERR_NOT_FOUND);
  assert_int_equal(st.toy.at[0], 0);
  st_check_message(&st, 399);
  fill(&st, 100);
  st_check_message(&st, 499);
  st_fini(&st);
}

static void an_unreadable_disk_is_no_empty_one(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st_open(&st);
  fill(&st, 50);
  st_kill(&st);
  bl_disk_fake_fail(st.fake, BL_FAKE_READ, "commitlog", 0, -1, BL_ERR_IO);
  struct bl_why why = {""};
  assert_int_equal(st_try_open(&st, &why), BL_ERR_IO);
  assert_true(why.text[0] != 0);
  bl_disk_fake_fail(st.fake, BL_FAKE_READ, "", -1, 0, BL_OK);
  st_open(&st);
  st_check_prefix(&st, 50);
  st_fini(&st);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(power_loss_takes_nothing_that_was_acked),
      cmocka_unit_test(power_loss_under_async_flush_leaves_a_prefix),
      cmocka_unit_test(a_kill_takes_nothing_that_was_acked),
      cmocka_unit_test(the_first_file_has_no_successor_before_it_is_durable),
      cmocka_unit_test(bytes_behind_the_end_are_saved_and_zeroed),
      cmocka_unit_test(files_behind_the_end_are_moved_away),
      cmocka_unit_test(damage_below_the_checkpoint_is_fenced),
      cmocka_unit_test(damage_near_the_end_is_fenced_too),
      cmocka_unit_test(random_damage_never_stops_it),
      cmocka_unit_test(a_size_that_lies_is_damage_too),
      cmocka_unit_test(a_record_at_a_foreign_place_is_not_taken),
      cmocka_unit_test(a_snapshot_beyond_the_log_is_discarded),
      cmocka_unit_test(replay_begins_at_the_snapshot),
      cmocka_unit_test(an_empty_last_file_is_removed),
      cmocka_unit_test(a_hole_between_files_is_an_error),
      cmocka_unit_test(a_log_may_begin_above_zero),
      cmocka_unit_test(an_unreadable_disk_is_no_empty_one),
  };
  return st_run(tests, sizeof(tests) / sizeof(tests[0]));
}
