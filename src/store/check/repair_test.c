/* Damage of every kind in a small store; after the repair the log is walked from end to end, every
 * intact record is where it was, what was written over is saved, and the store goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/check/check_testlib.h"
#include "store/check/export.h"
#include "store/check/repair.h"
#include "store/check/scan.h"
#include "store/entry.h"
#include "store/queues/driver_testlib.h"

#define MESSAGES 110

static int set_up(void **state) {
  struct ct *ct = calloc(1, sizeof(*ct));
  ct_init(ct);
  ct_fill(ct, MESSAGES);
  *state = ct;
  return 0;
}

static int tear_down(void **state) {
  ct_fini(*state);
  free(*state);
  return 0;
}

/* The whole records that are there, but a repair's. */
struct list {
  struct {
    int64_t offset;
    uint32_t size;
  } items[256];
  int count;
  int64_t end;
};

static void list_records(struct ct *ct, struct list *out) {
  struct bl_source source;
  struct bl_scan scan;
  struct bl_scan_item item = {.kind = BL_SCAN_RECORD};
  out->count = 0;
  assert_int_equal(bl_source_open(&source, ct->disk, CT_DIR, CT_SEGMENT_BYTES, NULL), BL_OK);
  bl_scan_init(&scan, &source, bl_source_min(&source), 0);
  while (item.kind != BL_SCAN_END) {
    assert_int_equal(bl_scan_next(&scan, &item), BL_OK);
    if (item.kind != BL_SCAN_RECORD || bl_entry_is_filler(&item.record)) continue;
    out->items[out->count].offset = item.from;
    out->items[out->count++].size = item.record.size_bytes;
  }
  out->end = item.from;
  bl_scan_fini(&scan);
  bl_source_close(&source);
}

static void repair(struct ct *ct, struct bl_repair *out) {
  struct bl_source source;
  struct bl_why why = {""};
  assert_int_equal(bl_source_open(&source, ct->disk, CT_DIR, CT_SEGMENT_BYTES, &why), BL_OK);
  bl_err err = bl_repair_plan(out, &source, ct->disk, &ct->clock.clock, &why);
  if (err == BL_OK) err = bl_repair_apply(out, &why);
  if (err != BL_OK) fail_msg("repair: %s", why.text);
  bl_source_close(&source);
}

static const char *name_of(int64_t offset) {
  static char name[64];
  snprintf(name, sizeof(name), "commitlog/%020lld",
           (long long)(offset / CT_SEGMENT_BYTES * CT_SEGMENT_BYTES));
  return name;
}

/* Writes over log bytes of one file. */
static void spoil(struct ct *ct, int64_t offset, const void *bytes, size_t len) {
  ct_write(ct, name_of(offset), offset % CT_SEGMENT_BYTES, bytes, len);
}

/* What was there before and is whole now must be the same after the repair; all else is gone. */
static void expect_repaired(struct ct *ct, int min_steps) {
  static struct list intact, after;
  struct bl_repair plan;
  list_records(ct, &intact);
  assert_true(ct_verify(ct) > 0);
  repair(ct, &plan);
  for (int i = 0; getenv("VERBOSE") != NULL && i < plan.count; i++)
    print_message("step %d: %lld to %lld\n", (int)plan.steps[i].kind, (long long)plan.steps[i].from,
                  (long long)plan.steps[i].to);
  assert_true(plan.count >= min_steps);
  assert_int_equal(plan.unbridged, 0);
  bl_repair_fini(&plan);
  if (ct_verify(ct) != 0)
    fail_msg("after: %s at %lld: %s", ct->first_file, (long long)ct->first_offset, ct->kinds);
  list_records(ct, &after);
  assert_int_equal(after.count, intact.count);
  for (int i = 0; i < after.count; i++) {
    assert_int_equal(after.items[i].offset, intact.items[i].offset);
    assert_int_equal(after.items[i].size, intact.items[i].size);
  }
  /* The store opens without a word of damage, and goes on behind what it has. */
  ct->note[0] = 0;
  ct_open(ct);
  if (strstr(ct->note, "damage") != NULL || strstr(ct->note, "shorter") != NULL)
    fail_msg("%s", ct->note);
  assert_int_equal(bl_store_marks(ct->store).appended, after.end);
  ct_send(ct, 30);
  ct_close(ct);
  list_records(ct, &after);
  assert_int_equal(after.count, intact.count + 1);
  assert_int_equal(ct_verify(ct), 0);
}

static void a_flipped_bit_in_the_middle(void **state) {
  struct ct *ct = *state;
  ct_flip(ct, name_of(0), (ct->ends[3] + 50) * 8 + 3);
  expect_repaired(ct, 1);
}

static void noise_over_several_records(void **state) {
  struct ct *ct = *state;
  char noise[1500];
  uint64_t seed = 7;
  for (size_t i = 0; i < sizeof(noise); i++) noise[i] = (char)bl_driver_random(&seed);
  spoil(ct, ct->ends[5] + 7, noise, sizeof(noise));
  expect_repaired(ct, 1);
}

/* The end of one file and the beginning of the next. */
static void noise_across_two_files(void **state) {
  struct ct *ct = *state;
  char noise[400];
  int i = 0;
  while (ct->ends[i + 1] < CT_SEGMENT_BYTES - 250) i++;
  int64_t from = ct->ends[i] + 60;
  memset(noise, 0x5a, sizeof(noise));
  spoil(ct, from, noise, (size_t)(CT_SEGMENT_BYTES - from));
  spoil(ct, CT_SEGMENT_BYTES, noise, 250);
  expect_repaired(ct, 2);
}

static void the_blank_record(void **state) {
  struct ct *ct = *state;
  int i = 0;
  while (ct->ends[i + 1] < CT_SEGMENT_BYTES) i++;
  assert_true(CT_SEGMENT_BYTES - ct->ends[i] >= 8);
  ct_flip(ct, name_of(0), (ct->ends[i] + 5) * 8);
  expect_repaired(ct, 1);
}

static void what_fills_a_file(void **state) {
  struct ct *ct = *state;
  ct_flip(ct, name_of(0), (CT_SEGMENT_BYTES - 1) * 8);
  expect_repaired(ct, 1);
}

static void a_whole_file(void **state) {
  struct ct *ct = *state;
  static char zeros[CT_SEGMENT_BYTES];
  assert_true(ct->ends[ct->sent - 1] > 2 * CT_SEGMENT_BYTES);
  spoil(ct, CT_SEGMENT_BYTES, zeros, sizeof(zeros));
  expect_repaired(ct, 2);
}

static void a_missing_file(void **state) {
  struct ct *ct = *state;
  assert_int_equal(ct->disk->ops->remove(ct->disk, CT_DIR "/commitlog/00000000000000008192"),
                   BL_OK);
  expect_repaired(ct, 2);
}

static void the_first_record(void **state) {
  struct ct *ct = *state;
  ct_flip(ct, name_of(0), 4 * 8);
  expect_repaired(ct, 1);
}

/* Not below what the checkpoint says: it would count as lost. */
static void the_rest_of_a_write_that_a_crash_cut(void **state) {
  struct ct *ct = *state;
  char torn[100];
  memset(torn, 1, sizeof(torn));
  spoil(ct, ct->ends[ct->sent - 1], torn, sizeof(torn));
  assert_true(ct_verify(ct) > 0);
  assert_string_equal(ct->kinds, "tail ");
  expect_repaired(ct, 1);
}

static void the_last_record(void **state) {
  struct ct *ct = *state;
  ct_flip(ct, name_of(ct->ends[ct->sent - 1]),
          (ct->ends[ct->sent - 2] % CT_SEGMENT_BYTES + 60) * 8);
  expect_repaired(ct, 1);
}

static void what_is_saved_is_what_was_there(void **state) {
  struct ct *ct = *state;
  struct bl_repair plan;
  struct bl_arena arena;
  struct bl_slice saved;
  static char before[4096];
  size_t len = (size_t)(ct->ends[4] - ct->ends[3]);
  ct_flip(ct, name_of(0), (ct->ends[3] + 50) * 8);
  ct_read(ct, name_of(0), ct->ends[3], before, len);
  repair(ct, &plan);
  assert_int_equal(plan.count, 1);
  assert_int_equal(plan.saved_bytes, (int64_t)len);
  char path[BL_STORE_PATH_BYTES_MAX + 32];
  snprintf(path, sizeof(path), "%s/%020lld", plan.aside, (long long)ct->ends[3]);
  bl_arena_init(&arena);
  assert_int_equal(bl_disk_read_file(ct->disk, path, 1 << 20, &arena, &saved), BL_OK);
  assert_int_equal(saved.len, len);
  assert_memory_equal(saved.ptr, before, len);
  bl_arena_fini(&arena);
  bl_repair_fini(&plan);
}

/* A sector that cannot be read: what is around it is found, and named. */
static void a_sector_that_cannot_be_read(void **state) {
  struct ct *ct = *state;
  bl_disk_fake_fail(ct->fake, BL_FAKE_READ, "commitlog/00000000000000008192", 0, 3, BL_ERR_IO);
  assert_true(ct_verify(ct) > 0);
  assert_non_null(strstr(ct->kinds, "unreadable"));
  bl_disk_fake_fail(ct->fake, BL_FAKE_READ, "", -1, 0, BL_OK);
  assert_int_equal(ct_verify(ct), 0);
}

/* Entries at their queue offsets; those of lost records name the next record. */
static void exported_queues_keep_offsets(void **state) {
  struct ct *ct = *state;
  struct bl_repair plan;
  struct bl_source source;
  struct bl_export_totals totals;
  struct bl_why why = {""};
  /* Messages 10 and 12 are numbers 5 and 6 of queue 0. */
  ct_flip(ct, name_of(0), (ct->ends[9] + 50) * 8);
  ct_flip(ct, name_of(0), (ct->ends[11] + 50) * 8);
  repair(ct, &plan);
  assert_int_equal(plan.count, 2);
  bl_repair_fini(&plan);
  assert_int_equal(bl_source_open(&source, ct->disk, CT_DIR, 0, &why), BL_OK);
  assert_int_equal(bl_export(&source, ct->disk, "/out", 0, &totals, &why), BL_OK);
  bl_source_close(&source);
  assert_int_equal(totals.queues, 2);
  assert_int_equal(totals.entries, ct->sent - 2);
  assert_int_equal(totals.holes, 2);
  struct bl_arena arena;
  struct bl_slice bytes;
  bl_arena_init(&arena);
  assert_int_equal(bl_disk_read_file(ct->disk, "/out/consumequeue/Small/0/00000000000000000000",
                                     7000000, &arena, &bytes),
                   BL_OK);
  assert_int_equal(bytes.len, 6000000);
  for (int i = 0; i < 10; i++) {
    int64_t offset;
    memcpy(&offset, bytes.ptr + i * 20, 8);
    offset = (int64_t)__builtin_bswap64((uint64_t)offset);
    int message = i == 5 || i == 6 ? 14 : i * 2;
    assert_int_equal(offset, message == 0 ? 0 : ct->ends[message - 1]);
  }
  bl_arena_fini(&arena);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      CASE(a_flipped_bit_in_the_middle),
      CASE(noise_over_several_records),
      CASE(noise_across_two_files),
      CASE(the_blank_record),
      CASE(what_fills_a_file),
      CASE(a_whole_file),
      CASE(a_missing_file),
      CASE(the_first_record),
      CASE(the_rest_of_a_write_that_a_crash_cut),
      CASE(the_last_record),
      CASE(what_is_saved_is_what_was_there),
      CASE(a_sector_that_cannot_be_read),
      CASE(exported_queues_keep_offsets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
