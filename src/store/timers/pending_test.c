/* What no snapshot, roll or damaged file may lose or give out twice. */
#include "store/timers/pending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/fake/disk_fake.h"
#include "store/timers/pending_internal.h"

#define RECORD_BYTES 100

static struct bl_disk_fake *fake;
static struct bl_disk *disk;
static struct bl_worker *worker;
static struct bl_pending *pending;
static struct bl_follower *follower;

static void open_pending(void) {
  int64_t covered;
  struct bl_why why;
  pending = bl_pending_new("/store", disk, worker);
  follower = bl_pending_follower(pending);
  assert_int_equal(follower->ops->load(follower, &covered, &why), BL_OK);
}

static void go(int64_t now_ms) {
  struct bl_pending_limits limits = {.body_bytes = 1 << 20, .early_ms = 0};
  bl_pending_go(pending, &limits, now_ms);
}

static int setup(void **state) {
  struct bl_why why;
  (void)state;
  fake = bl_disk_fake_new();
  disk = bl_disk_fake_disk(fake);
  worker = bl_worker_new_inline();
  assert_int_equal(disk->ops->make_dir(disk, "/store", &why), BL_OK);
  assert_int_equal(disk->ops->make_dir(disk, "/store/bolide", &why), BL_OK);
  open_pending();
  return 0;
}

static int teardown(void **state) {
  (void)state;
  bl_pending_free(pending);
  bl_worker_free(worker);
  bl_disk_fake_free(fake);
  return 0;
}

/* A message for topic T that is due at due_ms, and takes away what was at old_offset (-1: nothing).
 */
static struct bl_record record_of(int64_t log_offset, int64_t due_ms, int64_t old_offset) {
  static char properties[256];
  char mark[64] = "";
  if (old_offset >= 0)
    snprintf(mark, sizeof(mark), "BOLIDE_TIMER\1%lld,%lld\2", (long long)old_offset,
             (long long)due_ms);
  snprintf(properties, sizeof(properties),
           "%sREAL_TOPIC\1T\2REAL_QID\0010\2TIMER_OUT_MS\0011\2BOLIDE_DUE_MS\1%lld\2", mark,
           (long long)due_ms);
  return (struct bl_record){.topic = BL_SLICE(BL_PENDING_TIMER_TOPIC),
                            .properties = bl_slice_text(properties),
                            .log_offset = log_offset,
                            .store_ms = 1 + log_offset / RECORD_BYTES,
                            .start = properties,
                            .size_bytes = RECORD_BYTES};
}

static void show(int64_t log_offset, int64_t due_ms, int64_t old_offset) {
  struct bl_record record = record_of(log_offset, due_ms, old_offset);
  follower->ops->on_record(follower, &record);
}

static void write_snapshot(int64_t covered_offset) {
  struct bl_snapshot snapshot = {.covered_offset = covered_offset};
  while (follower->ops->snapshot_step(follower, &snapshot)) continue;
  assert_int_equal(bl_disk_replace_file(disk, snapshot.files[0].path,
                                        bl_buf_slice(&snapshot.files[0].bytes), false, NULL),
                   BL_OK);
  follower->ops->snapshot_done(follower, &snapshot, BL_OK);
  bl_buf_fini(&snapshot.files[0].bytes);
}

/* RETURNS the log offset of the next that is due until then; -1: none. */
static int64_t take(int64_t until_ms) {
  struct bl_pending_entry entry;
  bool wait = true;
  while (wait) {
    while (bl_pending_take_far(pending, until_ms, &entry, &wait))
      bl_pending_give_near(pending, &entry);
    bl_worker_drain(worker);
  }
  const struct bl_pending_entry *top = bl_pending_top(pending);
  if (top == NULL || top->due_ms > until_ms) return -1;
  bl_pending_pop(pending, &entry);
  bl_pending_body_free(pending, entry.body);
  return entry.log_offset;
}

static int64_t count(void) {
  struct bl_pending_stats stats;
  bl_pending_stats(pending, &stats);
  return stats.count;
}

/* The snapshot knows the message where it was; its file went after the roll. */
static void a_roll_is_known_though_the_file_is_gone(void **state) {
  (void)state;
  show(100, 9000, -1);
  write_snapshot(200);
  bl_pending_free(pending);
  open_pending();
  follower->ops->log_min_moved(follower, 1000);
  show(2000, 9000, 100);
  go(5000);
  assert_int_equal(count(), 1);
  assert_int_equal(take(9000), 2000);
  assert_int_equal(take(9000), -1);
}

/* Without a snapshot that knows it nothing is counted away. */
static void a_roll_of_what_is_not_known(void **state) {
  (void)state;
  follower->ops->log_min_moved(follower, 1000);
  show(1900, 9000, -1);
  show(2000, 9100, 100);
  go(5000);
  assert_int_equal(count(), 2);
  assert_int_equal(take(9999), 1900);
  assert_int_equal(take(9999), 2000);
  assert_int_equal(take(9999), -1);
}

static void look_up(int entries) {
  int64_t from;
  int64_t to;
  assert_true(follower->ops->wants_again(follower, &from, &to));
  for (int i = 1; i <= entries; i++) {
    struct bl_record record = record_of(i * RECORD_BYTES, 9000 + i, -1);
    follower->ops->on_again(follower, &record);
  }
  follower->ops->again_done(follower, BL_OK);
}

/* All of the file is looked up in the log; those that are about to be appended again, put off or on
 * their way out are pending elsewhere. Until all is added nothing goes out. */
static void what_waits_elsewhere_is_not_added_again(void **state) {
  enum { ENTRIES = 3000 };
  struct bl_pending_entry entry;
  (void)state;
  bl_pending__set_seal_entries(pending, ENTRIES);
  for (int i = 1; i <= ENTRIES; i++) show(i * RECORD_BYTES, 9000 + i, -1);
  go(5000);
  bl_pending_turn(pending);
  bl_worker_drain(worker);
  assert_int_equal(pending->run_count, 1);
  assert_int_equal(take(9001), 100); /* on its way */
  bl_pending_in_flight(pending, &(struct bl_pending_entry){.due_ms = 9001, .log_offset = 100},
                       1000000);
  bool wait;
  assert_true(bl_pending_take_far(pending, 9002, &entry, &wait));
  bl_pending_give_near(pending, &entry);
  assert_non_null(bl_pending_top(pending));
  assert_true(bl_pending_park(pending, 77)); /* put off */
  pending->rolls = calloc(1, sizeof(entry)); /* to be appended again */
  pending->rolls[0] = (struct bl_pending_entry){
      .due_ms = 9003, .log_offset = 300, .size_bytes = RECORD_BYTES, .kind = BL_PENDING_MESSAGE};
  pending->roll_count = 1;
  bl_pending__distrust(pending, pending->runs[0]);
  look_up(ENTRIES);
  assert_null(bl_pending_top(pending));
  int turns = 1;
  while (bl_pending_turn(pending)) turns++;
  assert_true(turns > 3);
  for (int i = 4; i <= ENTRIES; i++) assert_int_equal(take(99999), i * RECORD_BYTES);
  assert_int_equal(take(99999), -1);
  assert_false(bl_pending_unpark(pending, 77));
  assert_int_equal(take(99999), 200);
  assert_true(bl_pending_take_roll(pending, &entry));
  bl_pending_rolled(pending, -1);
}

/* What is put off stays what its snapshot has, holds its file, and may be taken away. */
static void what_is_put_off_is_pending(void **state) {
  struct bl_pending_entry entry;
  bool wait;
  (void)state;
  for (int i = 1; i <= 3; i++) show(i * RECORD_BYTES, 9000, -1);
  go(5000);
  for (int i = 1; i <= 3; i++) {
    assert_true(bl_pending_take_far(pending, 9000, &entry, &wait));
    bl_pending_give_near(pending, &entry);
  }
  for (int i = 1; i <= 2; i++) {
    assert_non_null(bl_pending_top(pending));
    assert_true(bl_pending_park(pending, 50 + i));
  }
  assert_int_equal(bl_pending_needs(pending), 0); /* to the MiB, or exactly */
  write_snapshot(400);
  assert_true(bl_pending_unpark(pending, 50));
  assert_int_equal(take(9000), 300);
  assert_int_equal(take(9000), -1);
  assert_int_equal(bl_pending_needs(pending), 100);
  show(1000, 9000, 100);
  assert_false(bl_pending_unpark(pending, 60));
  assert_int_equal(take(9000), 200);
  bl_pending_free(pending);
  open_pending();
  go(9000);
  for (int i = 1; i <= 3; i++) assert_int_equal(take(9000), i * RECORD_BYTES);
}

/* Many cancellations at once, some of the same bucket, are found each, until they are over. */
static void cancellations_are_found(void **state) {
  (void)state;
  go(5000);
  for (uint64_t i = 0; i < 20000; i++) {
    struct bl_pending_entry entry = {.due_ms = i < 10000 ? 8000 : 9000, .log_offset = 0};
    bl_pending_arm(pending, &entry, i * 512);
  }
  for (uint64_t i = 0; i < 20000; i++) {
    assert_true(bl_pending_is_cancelled(pending, i * 512, i < 10000 ? 8000 : 10000));
    assert_false(bl_pending_is_cancelled(pending, i * 512, i < 10000 ? 7999 : 10001));
    assert_false(bl_pending_is_cancelled(pending, i * 512 + 1, 8500));
  }
  show(100, 9001, -1);
  assert_int_equal(take(9001), 100);
  assert_false(bl_pending_is_cancelled(pending, 512, 8000));
  assert_true(bl_pending_is_cancelled(pending, 10000 * 512, 9001));
  assert_int_equal(pending->armed_count, 10000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_roll_is_known_though_the_file_is_gone, setup, teardown),
      cmocka_unit_test_setup_teardown(a_roll_of_what_is_not_known, setup, teardown),
      cmocka_unit_test_setup_teardown(what_waits_elsewhere_is_not_added_again, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_put_off_is_pending, setup, teardown),
      cmocka_unit_test_setup_teardown(cancellations_are_found, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
