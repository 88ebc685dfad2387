/* Half messages against a list of all that happened, over restarts from snapshots that were written
 * while more went on, and with logs that lost their end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "os/fake/disk_fake.h"
#include "store/halves/halves.h"
#include "store/queues/driver_testlib.h"
#include "wire/properties.h"

enum { RECORD_BYTES = 100, SHOWN_MAX = 40000, HALVES_MAX = 20000 };

/* Record number i is at log offset i * 100. */
struct shown {
  enum { OTHER, HALF, COMMIT, OP, AGAIN } kind;
  int half;     /* number of the half: made, committed, copied */
  int ended[8]; /* halves that an op record names */
  int ended_count;
};

struct fixture {
  struct bl_disk_fake *fake;
  struct bl_disk *disk;
  struct bl_halves *halves;
  struct bl_follower *follower;
  struct shown log[SHOWN_MAX];
  int count;
  int half_record[HALVES_MAX]; /* number of its record */
  int half_count;
  int op_count;
};

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof(*f));
  f->fake = bl_disk_fake_new();
  f->disk = bl_disk_fake_disk(f->fake);
  struct bl_why why;
  assert_int_equal(f->disk->ops->make_dir(f->disk, "/store", &why), BL_OK);
  assert_int_equal(f->disk->ops->make_dir(f->disk, "/store/bolide", &why), BL_OK);
  f->halves = bl_halves_new("/store", f->disk);
  f->follower = bl_halves_follower(f->halves);
  assert_int_equal(bl_driver_load(f->follower), 0);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  bl_halves_free(f->halves);
  bl_disk_fake_free(f->fake);
  free(f);
  return 0;
}

static int queue_offset_of(const struct fixture *f, int record) {
  int before = 0;
  for (int i = 0; i < f->half_count; i++) before += f->half_record[i] < record;
  return before;
}

static void show(struct fixture *f, int number) {
  const struct shown *shown = &f->log[number];
  struct bl_buf properties;
  struct bl_buf body;
  bl_buf_init(&properties, 0);
  bl_buf_init(&body, 0);
  struct bl_record record = {.log_offset = (int64_t)number * RECORD_BYTES,
                             .size_bytes = RECORD_BYTES,
                             .born_ms = 1000 + number,
                             .topic = BL_SLICE("Orders")};
  if (shown->kind == HALF || shown->kind == AGAIN) {
    char topic[16];
    snprintf(topic, sizeof(topic), "T%d", shown->half % 7);
    record.topic = BL_SLICE(BL_HALF_TOPIC);
    bl_properties_put(&properties, BL_PROP_REAL_TOPIC, bl_slice_text(topic));
    bl_properties_put(&properties, BL_PROP_PGROUP, BL_SLICE("Shop"));
    record.queue_offset = queue_offset_of(f, number);
    if (shown->kind == AGAIN) {
      char first[16];
      snprintf(first, sizeof(first), "%d", shown->ended[0]);
      bl_properties_put(&properties, BL_PROP_TRAN_PREPARED_QUEUE_OFFSET, bl_slice_text(first));
    }
  } else if (shown->kind == COMMIT) {
    record.sys_flag = BL_SYS_COMMIT;
    record.prepared_offset = (int64_t)f->half_record[shown->half] * RECORD_BYTES;
  } else if (shown->kind == OP) {
    record.topic = BL_SLICE(BL_HALF_OP_TOPIC);
    for (int i = 0; i < shown->ended_count; i++) bl_buf_printf(&body, "%d,", shown->ended[i]);
    for (int i = 0; i < number; i++) record.queue_offset += f->log[i].kind == OP;
  }
  record.properties = bl_buf_slice(&properties);
  record.body = bl_buf_slice(&body);
  f->follower->ops->on_record(f->follower, &record);
  bl_buf_fini(&properties);
  bl_buf_fini(&body);
}

static void add(struct fixture *f, const struct shown *shown) {
  assert_true(f->count < SHOWN_MAX);
  f->log[f->count] = *shown;
  if (shown->kind == HALF || shown->kind == AGAIN) f->half_record[f->half_count++] = f->count;
  show(f, f->count++);
}

static void add_half(struct fixture *f) {
  struct shown half = {.kind = HALF, .half = f->half_count};
  add(f, &half);
}

static void add_commit(struct fixture *f, int half) {
  struct shown commit = {.kind = COMMIT, .half = half};
  add(f, &commit);
}

static void add_op(struct fixture *f, int half) {
  struct shown op = {.kind = OP, .ended = {half}, .ended_count = 1};
  add(f, &op);
}

static const struct bl_half *half_of(struct fixture *f, int half) {
  return bl_halves_find(f->halves, (int64_t)f->half_record[half] * RECORD_BYTES);
}

static int state_of(struct fixture *f, int half) {
  const struct bl_half *found = half_of(f, half);
  assert_non_null(found);
  return found->state;
}

static void ends_are_told_apart(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 4; i++) add_half(f);
  add_commit(f, 1);
  add_op(f, 1); /* what RocketMQ writes behind a commit */
  add_op(f, 2);
  assert_int_equal(state_of(f, 0), BL_HALF_OPEN);
  assert_int_equal(state_of(f, 1), BL_HALF_COMMITTED);
  assert_int_equal(state_of(f, 2), BL_HALF_ROLLED_BACK);
  add_commit(f, 2); /* too late */
  assert_int_equal(state_of(f, 2), BL_HALF_ROLLED_BACK);
  struct bl_halves_stats stats;
  bl_halves_stats(f->halves, &stats);
  assert_int_equal(stats.open, 2);
  assert_int_equal(stats.committed, 1);
  assert_int_equal(stats.rolled_back, 1);
  int64_t half_offset;
  int64_t op_offset;
  bl_halves_done_to(f->halves, &half_offset, &op_offset);
  assert_int_equal(half_offset, 0);
  assert_int_equal(op_offset, 0);
  add_op(f, 0);
  add_half(f);
  bl_halves_done_to(f->halves, &half_offset, &op_offset);
  assert_int_equal(half_offset, 3);
  assert_int_equal(op_offset, 0);
  add_op(f, 3);
  bl_halves_done_to(f->halves, &half_offset, &op_offset);
  assert_int_equal(half_offset, 4);
  assert_int_equal(op_offset, 3); /* those that came before the half cannot name it */
}

static void commits_without_an_op_record_are_found(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 4; i++) add_half(f);
  add_commit(f, 1);
  add_op(f, 1);
  add_commit(f, 2);
  add_op(f, 3);
  const struct bl_half *half = bl_halves_next_unnamed(f->halves, -1);
  assert_non_null(half);
  assert_int_equal(half->queue_offset, 2);
  assert_true(bl_slice_is(bl_halves_name(f->halves, half->group), "Shop"));
  assert_null(bl_halves_next_unnamed(f->halves, half->log_offset));
}

static void what_java_stored_again_is_followed(void **state) {
  struct fixture *f = *state;
  add_half(f);
  add_half(f);
  struct shown again = {.kind = AGAIN, .half = 0, .ended = {0}};
  add(f, &again);
  assert_int_equal(half_of(f, 0)->queue_offset, 2);
  assert_int_equal(state_of(f, 0), BL_HALF_OPEN);
  add_op(f, 0); /* the first offset counts for the copy */
  assert_int_equal(state_of(f, 0), BL_HALF_ROLLED_BACK);
  assert_int_equal(state_of(f, 1), BL_HALF_OPEN);
  bl_halves_passed(f->halves, 2);
  struct bl_halves_stats stats;
  bl_halves_stats(f->halves, &stats);
  assert_int_equal(stats.open, 0);
}

static void unreadable_bodies_change_nothing(void **state) {
  struct fixture *f = *state;
  static const char *const bodies[] = {
      "",    ",",   ",,,", "x", "0x0",     "-1", "99999999999999999999",
      "1 0", "0.0", " 0",  "+", "\xff\xff"};
  add_half(f);
  add_half(f);
  for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
    struct bl_record record = {.log_offset = (f->count + (int64_t)i) * RECORD_BYTES,
                               .size_bytes = RECORD_BYTES,
                               .queue_offset = (int64_t)i,
                               .topic = BL_SLICE(BL_HALF_OP_TOPIC),
                               .body = bl_slice_text(bodies[i])};
    f->follower->ops->on_record(f->follower, &record);
  }
  assert_int_equal(state_of(f, 0), BL_HALF_OPEN);
  assert_int_equal(state_of(f, 1), BL_HALF_OPEN);
}

/* The whole state by counting, from the list. */
static void compare(struct fixture *f) {
  static int expected[HALVES_MAX];
  int made = 0;
  int open = 0;
  for (int i = 0; i < f->count; i++) {
    const struct shown *shown = &f->log[i];
    if (shown->kind == HALF) {
      expected[made++] = BL_HALF_OPEN;
    } else if (shown->kind == COMMIT) {
      if (expected[shown->half] == BL_HALF_OPEN) expected[shown->half] = BL_HALF_COMMITTED;
    } else if (shown->kind == OP) {
      for (int k = 0; k < shown->ended_count; k++) {
        int half = shown->ended[k];
        if (half < made && expected[half] == BL_HALF_OPEN) expected[half] = BL_HALF_ROLLED_BACK;
      }
    }
  }
  for (int i = 0; i < made; i++) {
    assert_int_equal(state_of(f, i), expected[i]);
    open += expected[i] == BL_HALF_OPEN;
  }
  struct bl_halves_stats stats;
  bl_halves_stats(f->halves, &stats);
  assert_int_equal(stats.open, open);
  int64_t at = -1;
  int64_t walked = 0;
  do {
    const struct bl_half *half = bl_halves_next_open(f->halves, at, 5, &at);
    walked += half != NULL;
  } while (at != INT64_MAX);
  assert_int_equal(walked, open);
  int64_t by_topic = 0;
  size_t cursor = 0;
  const struct bl_half_name *topic;
  while ((topic = bl_halves_next_topic(f->halves, &cursor)) != NULL) by_topic += topic->open;
  assert_int_equal(by_topic, open);
}

/* The log goes on from `count` records; what the follower knew beyond them never was. */
static void restart(struct fixture *f, int count) {
  while (f->half_count > 0 && f->half_record[f->half_count - 1] >= count) f->half_count--;
  f->count = count;
  bl_halves_free(f->halves);
  f->halves = bl_halves_new("/store", f->disk);
  f->follower = bl_halves_follower(f->halves);
  int64_t covered = bl_driver_load(f->follower);
  assert_true(covered <= (int64_t)count * RECORD_BYTES);
  /* Some are shown again. */
  int from = (int)(covered / RECORD_BYTES);
  for (int i = from > 20 ? from - 20 : 0; i < count; i++) show(f, i);
}

static void step(struct fixture *f, uint64_t *seed) {
  uint64_t choice = bl_driver_random(seed) % 10;
  struct shown shown = {.kind = OTHER};
  if (choice < 5 && f->half_count < HALVES_MAX) {
    add_half(f);
  } else if (choice < 7 && f->half_count > 0) {
    add_commit(f, (int)(bl_driver_random(seed) % (uint64_t)f->half_count));
  } else if (choice < 9 && f->half_count > 0) {
    shown.kind = OP;
    shown.ended_count = (int)(bl_driver_random(seed) % 8);
    for (int i = 0; i < shown.ended_count; i++)
      shown.ended[i] = (int)(bl_driver_random(seed) % (uint64_t)(f->half_count + 2));
    add(f, &shown);
  } else {
    add(f, &shown);
  }
}

static void random_histories(void **state) {
  struct fixture *f = *state;
  uint64_t seed = 20261123;
  print_message("seed %llu\n", (unsigned long long)seed);
  for (int round = 0; round < 60; round++) {
    for (int i = 0; i < 120; i++) step(f, &seed);
    int covered = f->count;
    struct bl_snapshot snapshot;
    bl_driver_begin(&snapshot, (int64_t)covered * RECORD_BYTES);
    bool more = f->follower->ops->snapshot_step(f->follower, &snapshot);
    for (int i = 0; i < 40; i++) { /* while it is written */
      step(f, &seed);
      if (more && i % 8 == 0) more = f->follower->ops->snapshot_step(f->follower, &snapshot);
    }
    while (more) more = f->follower->ops->snapshot_step(f->follower, &snapshot);
    assert_int_equal(bl_driver_write(f->follower, f->disk, &snapshot), BL_OK);
    compare(f);
    /* The log is known to be durable up to what the snapshot covers. */
    int kept = covered + (int)(bl_driver_random(&seed) % (uint64_t)(f->count - covered + 1));
    if (round % 3 == 0) restart(f, kept);
    compare(f);
  }
}

static void a_snapshot_does_not_know_what_came_later(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 3000; i++) add_half(f);
  int covered = f->count;
  struct bl_snapshot snapshot;
  bl_driver_begin(&snapshot, (int64_t)covered * RECORD_BYTES);
  assert_true(f->follower->ops->snapshot_step(f->follower, &snapshot));
  add_commit(f, 2999); /* not written yet */
  add_op(f, 2500);
  while (f->follower->ops->snapshot_step(f->follower, &snapshot)) continue;
  assert_int_equal(bl_driver_write(f->follower, f->disk, &snapshot), BL_OK);
  restart(f, covered); /* the power went before the ends were durable */
  assert_int_equal(state_of(f, 2999), BL_HALF_OPEN);
  assert_int_equal(state_of(f, 2500), BL_HALF_OPEN);
  compare(f);
}

static void memory_stays_with_what_is_open(void **state) {
  struct fixture *f = *state;
  struct bl_record record = {.size_bytes = RECORD_BYTES};
  int64_t at = 0;
  enum { MANY = 1000000 };
  /* Every 500th stays open. */
  for (int i = 0; i < MANY; i++) {
    record.topic = BL_SLICE(BL_HALF_TOPIC);
    record.log_offset = at;
    record.queue_offset = i;
    record.sys_flag = 0;
    f->follower->ops->on_record(f->follower, &record);
    at += RECORD_BYTES;
    if (i % 500 == 0) continue;
    record.topic = BL_SLICE("Orders");
    record.sys_flag = BL_SYS_COMMIT;
    record.prepared_offset = record.log_offset;
    record.log_offset = at;
    f->follower->ops->on_record(f->follower, &record);
    at += RECORD_BYTES;
  }
  struct bl_halves_stats stats;
  bl_halves_stats(f->halves, &stats);
  assert_int_equal(stats.open, MANY / 500);
  assert_true(stats.remembered >= BL_HALVES_REMEMBERED - 1024);
  assert_true(stats.remembered < BL_HALVES_REMEMBERED + 16 * 1024);
  assert_int_equal(bl_halves_find(f->halves, 0)->state, BL_HALF_OPEN);
  assert_null(bl_halves_find(f->halves, RECORD_BYTES)); /* long ago */
}

static void a_damaged_snapshot_is_made_anew(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 10; i++) add_half(f);
  add_op(f, 3);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, (int64_t)f->count * RECORD_BYTES),
                   BL_OK);
  struct bl_arena arena;
  struct bl_slice bytes;
  bl_arena_init(&arena);
  assert_int_equal(bl_disk_read_file(f->disk, "/store/bolide/halves", 1 << 20, &arena, &bytes),
                   BL_OK);
  assert_true(bl_halves_file_is_sound(bytes));
  char *copy = malloc(bytes.len);
  for (size_t bit = 0; bit < bytes.len * 8; bit++) {
    memcpy(copy, bytes.ptr, bytes.len);
    copy[bit / 8] ^= (char)(1 << (bit % 8));
    assert_false(bl_halves_file_is_sound(bl_slice_of(copy, bytes.len)));
  }
  copy[0] ^= 1;
  int file;
  struct bl_why why;
  assert_int_equal(f->disk->ops->open(f->disk, "/store/bolide/halves", BL_OPEN_READ | BL_OPEN_WRITE,
                                      &file, &why),
                   BL_OK);
  assert_int_equal(f->disk->ops->write(f->disk, file, copy, bytes.len, 0), BL_OK);
  f->disk->ops->close(f->disk, file);
  free(copy);
  bl_arena_fini(&arena);
  restart(f, f->count);
  compare(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(ends_are_told_apart, setup, teardown),
      cmocka_unit_test_setup_teardown(commits_without_an_op_record_are_found, setup, teardown),
      cmocka_unit_test_setup_teardown(what_java_stored_again_is_followed, setup, teardown),
      cmocka_unit_test_setup_teardown(unreadable_bodies_change_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(random_histories, setup, teardown),
      cmocka_unit_test_setup_teardown(a_snapshot_does_not_know_what_came_later, setup, teardown),
      cmocka_unit_test_setup_teardown(memory_stays_with_what_is_open, setup, teardown),
      cmocka_unit_test_setup_teardown(a_damaged_snapshot_is_made_anew, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
