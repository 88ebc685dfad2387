/* Files go from the front of the log: which, in what order, what a crash leaves, who still reads.
 * And the end of the log when there is no room for another file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/retention.h"
#include "store/store_testlib.h"

#define SEGMENT 65536
#define BODY 900

struct world {
  struct st st;
  struct bl_store_removal removal;
  struct bl_store_look look;
  int removed;
  int looked;
  int countdown; /* operations until the power goes; -1: never */
  uint64_t seed;
  bool off;
};

static void on_removed(struct bl_store_removal *removal) {
  struct world *w = BL_CONTAINER(removal, struct world, removal);
  if (removal->err == BL_OK) w->removed++;
}

static void on_looked(struct bl_store_look *look) {
  BL_CONTAINER(look, struct world, look)->looked++;
}

static int64_t min_of(struct world *w) {
  return bl_store_marks(w->st.store).min_offset;
}

/* Files of records, a snapshot and a checkpoint of them. */
static void fill(struct world *w, int files) {
  while (bl_store_marks(w->st.store).appended < (int64_t)files * SEGMENT - SEGMENT / 2)
    st_send(&w->st, BODY);
  st_settle(&w->st);
  bl_store_snapshot_now(w->st.store);
  st_settle(&w->st);
  st_pass(&w->st, 1000);
}

static void begin(struct world *w, int files) {
  memset(w, 0, sizeof(*w));
  w->countdown = -1;
  st_init(&w->st);
  st_open(&w->st);
  fill(w, files);
}

static void remove_first(struct world *w) {
  bl_store_remove_first(w->st.store, &w->removal, on_removed);
  st_settle(&w->st);
}

static bool exists(struct world *w, int64_t offset) {
  char path[200];
  struct bl_disk_stat stat;
  snprintf(path, sizeof(path), ST_DIR "/commitlog/%020lld", (long long)offset);
  return w->st.disk->ops->stat(w->st.disk, path, &stat) == BL_OK;
}

/* Every message that was acked and lies at or above the log's beginning is there. */
static int64_t check_kept(struct world *w) {
  int64_t kept = 0;
  for (int64_t i = 0; i < w->st.acked; i++) {
    assert_true(w->st.toy.at[i] != 0);
    if (w->st.toy.at[i] - 1 < min_of(w)) continue;
    st_check_message(&w->st, i);
    kept++;
  }
  return kept;
}

static void what_may_go_is_what_nobody_needs(void **state) {
  (void)state;
  struct world w;
  memset(&w, 0, sizeof(w));
  st_init(&w.st);
  st_open(&w.st);
  while (bl_store_marks(w.st.store).appended < 5 * SEGMENT) st_send(&w.st, BODY);
  st_settle(&w.st);
  /* Neither a snapshot nor a checkpoint yet. */
  assert_int_equal(bl_store_removable(w.st.store), 0);
  st_pass(&w.st, 1000);
  assert_int_equal(bl_store_removable(w.st.store), 0);
  bl_store_snapshot_now(w.st.store);
  st_settle(&w.st);
  /* The sixth file is written, the fifth is kept. */
  assert_int_equal(bl_store_removable(w.st.store), 4 * SEGMENT);
  w.st.toy.covered = 2 * SEGMENT + 1;
  assert_int_equal(bl_store_removable(w.st.store), 2 * SEGMENT);
  w.st.toy.covered = SEGMENT - 1;
  assert_int_equal(bl_store_removable(w.st.store), 0);
  st_fini(&w.st);
}

static void the_first_file_goes_and_the_rest_stays(void **state) {
  (void)state;
  struct world w;
  begin(&w, 5);
  char byte;
  assert_int_equal(bl_store_read_blocking(w.st.store, 10, 1, &byte), BL_OK);
  remove_first(&w);
  assert_int_equal(w.removed, 1);
  assert_int_equal(min_of(&w), SEGMENT);
  assert_int_equal(w.st.toy.min_offset, SEGMENT);
  assert_false(exists(&w, 0));
  assert_true(exists(&w, SEGMENT));
  assert_int_equal(bl_store_read_blocking(w.st.store, 10, 1, &byte), BL_ERR_NOT_FOUND);
  int64_t kept = check_kept(&w);
  assert_in_range(kept, 1, w.st.acked - 1);
  fill(&w, 7); /* the log goes on behind */
  remove_first(&w);
  assert_int_equal(min_of(&w), 2 * SEGMENT);
  st_close(&w.st);
  st_open(&w.st);
  assert_int_equal(min_of(&w), 2 * SEGMENT);
  assert_int_equal(w.st.toy.discards, 0);
  check_kept(&w);
  st_fini(&w.st);
}

static void the_age_of_a_file_is_that_of_its_newest_record(void **state) {
  (void)state;
  struct world w;
  struct bl_store_file file;
  memset(&w, 0, sizeof(w));
  st_init(&w.st);
  st_open(&w.st);
  int64_t behind_ms[4] = {0};
  for (int i = 0; i < 4; i++) {
    while (bl_store_marks(w.st.store).appended <= (int64_t)i * SEGMENT) st_send(&w.st, BODY);
    behind_ms[i] = w.st.clock.now_wall_ms; /* the first record of file i */
    while (bl_store_marks(w.st.store).appended < (int64_t)(i + 1) * SEGMENT - 2000)
      st_send(&w.st, BODY);
    st_pass(&w.st, 100000);
  }
  assert_true(bl_store_file(w.st.store, 0, &file));
  assert_int_equal(file.newest_ms, -1);
  bl_store_look(w.st.store, &w.look, on_looked);
  st_settle(&w.st);
  assert_int_equal(w.looked, 1);
  assert_int_equal(w.look.space_err, BL_OK);
  for (int i = 0; i < 3; i++) {
    assert_true(bl_store_file(w.st.store, i, &file));
    assert_int_equal(file.first_offset, i * SEGMENT);
    assert_int_equal(file.newest_ms, behind_ms[i + 1]);
  }
  assert_true(bl_store_file(w.st.store, 3, &file));
  assert_int_equal(file.newest_ms, -1);
  assert_false(bl_store_file(w.st.store, 4, &file));
  st_close(&w.st);
  /* A damaged first record says nothing: the one of the next file is newer still. */
  st_damage(&w.st, SEGMENT + 60, "\xff\xff\xff\xff", 4);
  st_open(&w.st);
  bl_store_look(w.st.store, &w.look, on_looked);
  st_settle(&w.st);
  assert_true(bl_store_file(w.st.store, 0, &file));
  assert_int_equal(file.newest_ms, behind_ms[2]);
  st_fini(&w.st);
}

struct reader {
  struct bl_store_warm warm;
  int done;
};

static void on_warm(struct bl_store_warm *warm) {
  BL_CONTAINER(warm, struct reader, warm)->done++;
}

static void a_reader_of_a_file_that_goes_reads_to_the_end(void **state) {
  (void)state;
  struct world w;
  struct reader reader = {.done = 0};
  begin(&w, 5);
  /* The pool removes the name, then reads the file: it is open as long as that takes. */
  bl_store_remove_first(w.st.store, &w.removal, on_removed);
  bl_store_warm(w.st.store, &reader.warm, 100, 50000, on_warm);
  st_settle(&w.st);
  assert_int_equal(w.removed, 1);
  assert_int_equal(reader.done, 1);
  assert_int_equal(reader.warm.err, BL_OK);
  /* One that comes later is told. */
  bl_store_warm(w.st.store, &reader.warm, 100, 50000, on_warm);
  st_settle(&w.st);
  assert_int_equal(reader.warm.err, BL_ERR_NOT_FOUND);
  st_fini(&w.st); /* asserts that no file is open */
}

static void what_cannot_be_removed_stays(void **state) {
  (void)state;
  struct world w;
  begin(&w, 5);
  bl_disk_fake_fail(w.st.fake, BL_FAKE_REMOVE, "commitlog", 0, 1, BL_ERR_NO_PERMISSION);
  remove_first(&w);
  assert_int_equal(w.removed, 0);
  assert_int_equal(w.removal.err, BL_ERR_NO_PERMISSION);
  assert_non_null(strstr(w.removal.why.text, "cannot remove"));
  assert_int_equal(min_of(&w), 0);
  check_kept(&w);
  remove_first(&w);
  assert_int_equal(w.removed, 1);
  st_fini(&w.st);
}

static void on_op(void *context, enum bl_disk_fake_op op, const char *path) {
  struct world *w = context;
  (void)op;
  (void)path;
  if (w->countdown < 0 || w->countdown-- > 0) return;
  w->countdown = -1;
  w->off = true;
  bl_disk_fake_power_loss(w->st.fake, w->seed);
}

/* RETURNS false when the removals were over before the power went. */
static bool lose_power_at(int step, uint64_t seed) {
  struct world w;
  begin(&w, 1); /* a checkpoint that would be too old later */
  fill(&w, 6);
  w.seed = seed;
  w.countdown = step;
  bl_disk_fake_on_op(w.st.fake, on_op, &w);
  remove_first(&w);
  if (!w.off) remove_first(&w);
  bool lost = w.off;
  int removed = w.removed;
  w.countdown = -1;
  bl_disk_fake_on_op(w.st.fake, NULL, NULL);
  if (!lost) bl_disk_fake_power_loss(w.st.fake, seed);
  st_close(&w.st);
  bl_disk_fake_restart(w.st.fake);
  int64_t acked = w.st.acked;
  st_open(&w.st);
  assert_int_equal(w.st.toy.discards, 0);
  assert_int_equal(min_of(&w) % SEGMENT, 0);
  assert_in_range(min_of(&w), removed > 0 ? (removed - 1) * SEGMENT : 0, 2 * SEGMENT);
  for (int64_t i = 0; i < acked; i++) assert_true(w.st.toy.at[i] != 0);
  check_kept(&w);
  /* And it goes on. */
  st_send(&w.st, BODY);
  st_settle(&w.st);
  fill(&w, 8);
  remove_first(&w);
  check_kept(&w);
  st_fini(&w.st);
  return lost;
}

static void a_loss_of_power_at_any_step_leaves_no_hole(void **state) {
  (void)state;
  int steps = 0;
  while (lose_power_at(steps, 1000 + (uint64_t)steps)) steps++;
  assert_in_range(steps, 6, 1000); /* two removals have six operations */
  for (uint64_t seed = 1; seed <= 10; seed++) {
    for (int step = 0; step < 8; step++) lose_power_at(step, seed);
  }
}

static bl_err append_metadata(struct st *st, struct bl_record *record) {
  *record = (struct bl_record){.queue_id = 0,
                               .queue_offset = st->next,
                               .born_host = {{127, 0, 0, 1}, 4, 1000},
                               .store_host = {{127, 0, 0, 1}, 4, 10911},
                               .topic = BL_SLICE("TopicMeta"),
                               .body = BL_SLICE("{}"),
                               .properties = BL_SLICE("TAGS\001A\002")};
  bl_err err = bl_store_append_metadata(st->store, record);
  if (err == BL_OK) st->next++;
  return err;
}

static void a_full_disk_keeps_room_for_metadata(void **state) {
  (void)state;
  struct world w;
  struct st *st = &w.st;
  struct bl_why why = {""};
  struct bl_record record;
  memset(&w, 0, sizeof(w));
  st_init(st);
  st_open(st);
  st_send(st, BODY);
  st_settle(st);
  bl_disk_fake_set_free(st->fake, 0);
  bl_err err;
  while ((err = st_append(st, BODY)) == BL_OK) st_settle(st);
  assert_int_equal(err, BL_ERR_NO_SPACE);
  struct bl_store_marks marks = bl_store_marks(st->store);
  assert_in_range(SEGMENT - marks.appended, SEGMENT / 4, SEGMENT / 4 + 2000);
  assert_true(bl_store_full(st->store, &why));
  assert_non_null(strstr(why.text, "/commitlog/00000000000000065536"));
  assert_int_equal(bl_store_can_append(st->store, 2000), BL_ERR_NO_SPACE);
  /* While the next attempt is under way, too. */
  st->clock.now_mono_ns += 1000000000;
  bl_timers_run(&st->timers, bl_clock_mono_ms(&st->clock.clock), 100);
  assert_int_equal(bl_store_can_append(st->store, 2000), BL_ERR_NO_SPACE);
  int64_t before = st->next;
  while ((err = append_metadata(st, &record)) == BL_OK) st_settle(st);
  assert_int_equal(err, BL_ERR_NO_SPACE);
  assert_in_range(st->next - before, 60, 1000);
  st_settle(st);
  assert_int_equal(bl_store_marks(st->store).flushed, bl_store_marks(st->store).appended);
  for (int64_t i = 0; i < st->acked; i++) st_check_message(st, i); /* reads go on */
  bl_disk_fake_set_free(st->fake, -1);
  st_pass(st, 1000);
  assert_false(bl_store_full(st->store, NULL));
  assert_int_equal(st_append(st, BODY), BL_OK);
  int64_t acked = st->acked;
  st_settle(st);
  assert_int_equal(st->acked, acked + 1);
  st_fini(st);
}

/* The first file of a run has a successor only after the first sync: senders that wait for room do
 * not append meanwhile. */
static void the_second_file_comes_without_another_append(void **state) {
  (void)state;
  struct st st;
  st_init(&st);
  st.settings.flush_mode = BL_FLUSH_ASYNC;
  st_open(&st);
  while (st_append(&st, BODY) == BL_OK) bl_store_end_turn(st.store); /* the flush thread sleeps */
  assert_int_equal(bl_store_can_append(st.store, 2000), BL_ERR_BUSY);
  st_settle(&st);
  assert_int_equal(bl_store_can_append(st.store, 2000), BL_OK);
  st_fini(&st);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_may_go_is_what_nobody_needs),
      cmocka_unit_test(the_first_file_goes_and_the_rest_stays),
      cmocka_unit_test(the_age_of_a_file_is_that_of_its_newest_record),
      cmocka_unit_test(a_reader_of_a_file_that_goes_reads_to_the_end),
      cmocka_unit_test(what_cannot_be_removed_stays),
      cmocka_unit_test(a_loss_of_power_at_any_step_leaves_no_hole),
      cmocka_unit_test(a_full_disk_keeps_room_for_metadata),
      cmocka_unit_test(the_second_file_comes_without_another_append),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
