/* Every bit of every file of a small store, flipped one at a time: each is found, and named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "os/clock.h"
#include "store/check/check_testlib.h"
#include "store/queues/driver_testlib.h"

static int set_up(void **state) {
  struct ct *ct = calloc(1, sizeof(*ct));
  ct_init(ct);
  *state = ct;
  return 0;
}

static int tear_down(void **state) {
  ct_fini(*state);
  free(*state);
  return 0;
}

static void expect_clean(struct ct *ct) {
  if (ct_verify(ct) != 0)
    fail_msg("%s at %lld: %s", ct->first_file, (long long)ct->first_offset, ct->kinds);
}

/* The names of all files below the store. */
static size_t all_files(struct ct *ct, struct bl_arena *arena, const char *folder,
                        const char **out_names, size_t max) {
  char path[300];
  const char *const *names = NULL;
  size_t count = 0, used = 0;
  snprintf(path, sizeof(path), CT_DIR "%s%s", folder[0] != 0 ? "/" : "", folder);
  assert_int_equal(ct->disk->ops->list(ct->disk, path, arena, &names, &count), BL_OK);
  for (size_t i = 0; i < count; i++) {
    struct bl_disk_stat info;
    struct bl_slice name =
        bl_arena_printf(arena, "%s%s%s", folder, folder[0] != 0 ? "/" : "", names[i]);
    snprintf(path, sizeof(path), CT_DIR "/%s", name.ptr);
    assert_int_equal(ct->disk->ops->stat(ct->disk, path, &info), BL_OK);
    if (info.is_dir)
      used += all_files(ct, arena, name.ptr, out_names + used, max - used);
    else if (used < max)
      out_names[used++] = name.ptr;
  }
  return used;
}

static bool has(const char *const *names, size_t count, const char *part) {
  for (size_t i = 0; i < count; i++) {
    if (strstr(names[i], part) != NULL) return true;
  }
  return false;
}

/* Of zeros, where all bits are alike, one in each byte; else every `step`th. */
static int64_t flip_all(struct ct *ct, const char *name, uint64_t step, uint64_t *seed) {
  int64_t size = ct_size(ct, name);
  char *bytes = malloc((size_t)size + 1);
  int64_t flipped = 0;
  ct_read(ct, name, 0, bytes, (size_t)size);
  for (int64_t bit = 0; bit < size * 8; bit++) {
    bool zero = bytes[bit / 8] == 0;
    if (zero && bit % 8 != (bit / 8) % 8) continue;
    if (step > 1 && bl_driver_random(seed) % step != 0) continue;
    ct_flip(ct, name, bit);
    if (ct_verify(ct) == 0) fail_msg("bit %lld of %s is not found", (long long)bit, name);
    if (strcmp(ct->first_file, name) != 0)
      fail_msg("bit %lld of %s: named %s", (long long)bit, name, ct->first_file);
    if (ct->first_offset > bit / 8 || (ct->first_offset >= 0 && ct->first_bytes >= 0 &&
                                       ct->first_offset + ct->first_bytes <= bit / 8))
      fail_msg("bit %lld of %s, byte %lld: found at %lld, %lld bytes", (long long)bit, name,
               (long long)bit / 8, (long long)ct->first_offset, (long long)ct->first_bytes);
    ct_flip(ct, name, bit);
    flipped++;
  }
  free(bytes);
  return flipped;
}

static void every_flipped_bit_is_found_and_named(void **state) {
  struct ct *ct = *state;
  struct bl_arena arena;
  const char *names[64];
  const char *text = getenv("BOLIDE_SOAK");
  bool whole = text != NULL && strcmp(text, "1") == 0;
  uint64_t seed = (uint64_t)bl_clock_mono_ns(bl_clock_real());
  const char *given = getenv("SEED");
  if (given != NULL) seed = strtoull(given, NULL, 10);
  print_message("SEED=%llu\n", (unsigned long long)seed);
  ct->expires = true;
  ct_fill(ct, 42);
  expect_clean(ct);
  assert_int_equal(ct->totals.crc_records, ct->totals.records);
  assert_int_equal(ct->totals.uncovered_bytes, 0);
  assert_int_equal(ct->totals.unchecked_bytes, 0);
  bl_arena_init(&arena);
  size_t count = all_files(ct, &arena, "", names, 64);
  static const char *const wanted[] = {"commitlog/00000000000000008192",
                                       "bolide/index/",
                                       ".run",
                                       ".part",
                                       "keys.snapshot",
                                       "bolide/dedup/",
                                       "dedup.snapshot",
                                       "expiry.snapshot",
                                       "meta.covered",
                                       "log.checkpoint",
                                       "config/topics.json",
                                       "bolide/identity"};
  for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
    if (!has(names, count, wanted[i])) fail_msg("the store has no %s", wanted[i]);
  }
  int64_t flipped = 0;
  for (size_t i = 0; i < count; i++) {
    /* What is in these says nothing: that they are there does. */
    if (strcmp(names[i], "abort") == 0 || strcmp(names[i], "lock") == 0) continue;
    bool log = strstr(names[i], "commitlog/") != NULL;
    flipped += flip_all(ct, names[i], whole ? 1 : (log ? 12 : 6), &seed);
  }
  print_message("%lld bits flipped in %d files%s\n", (long long)flipped, (int)count,
                whole ? "" : ", a sample; BOLIDE_SOAK=1 takes all");
  expect_clean(ct);
  bl_arena_fini(&arena);
}

/* A log without the property checksum, as Java writes it. */
static void without_the_checksum_it_counts_what_is_not_covered(void **state) {
  struct ct *ct = *state;
  ct->settings.append_crc = false;
  ct_fill(ct, 40);
  expect_clean(ct);
  assert_int_equal(ct->totals.crc_records, 0);
  int64_t bodies = 40 * 40 + 2 * 16;
  assert_int_equal(ct->totals.uncovered_bytes,
                   ct->totals.record_bytes - bodies - 4 * ct->totals.records);
  /* The record of message 9: lengths, magic, own offset, queue offset, checksum and body. */
  static const struct {
    int64_t from;
    int64_t to;
  } found[] = {{0, 12}, {20, 36}, {84, 88 + 40 + 1}};
  char name[] = "commitlog/00000000000000000000";
  for (size_t i = 0; i < 3; i++) {
    for (int64_t bit = found[i].from * 8; bit < found[i].to * 8; bit++) {
      ct_flip(ct, name, ct->ends[8] * 8 + bit);
      if (ct_verify(ct) == 0) fail_msg("bit %lld of a record is not found", (long long)bit);
      ct_flip(ct, name, ct->ends[8] * 8 + bit);
    }
  }
  expect_clean(ct);
}

/* A message is named although its bytes are damaged, and one that is gone by its queue offset. */
static void a_finding_names_the_message(void **state) {
  struct ct *ct = *state;
  ct_fill(ct, 42);
  ct_flip(ct, "commitlog/00000000000000000000", (ct->ends[20] + 95) * 8); /* in the body of 21 */
  assert_true(ct_verify(ct) >= 2);
  assert_string_equal(ct->kinds, "record lost ");
  assert_string_equal(ct->first_topic, "Small");
  assert_int_equal(ct->first_queue_offset, 10);
  assert_int_equal(ct->first_offset, ct->ends[20]);
  assert_int_equal(ct->first_bytes, ct->ends[21] - ct->ends[20]);
  char id[64];
  snprintf(id, sizeof(id), "7F00000100002A9F%016llX", (long long)ct->ends[20]);
  assert_string_equal(ct->first_id, id);
  assert_int_equal(ct->totals.lost_records, 1);
}

static void a_log_that_is_shorter_than_it_was(void **state) {
  struct ct *ct = *state;
  ct_fill(ct, 42);
  static char zeros[512];
  int64_t last = ct->ends[ct->sent - 2];
  assert_true(last / CT_SEGMENT_BYTES == ct->ends[ct->sent - 1] / CT_SEGMENT_BYTES);
  char name[64];
  snprintf(name, sizeof(name), "commitlog/%020lld",
           (long long)(last / CT_SEGMENT_BYTES * CT_SEGMENT_BYTES));
  ct_write(ct, name, last % CT_SEGMENT_BYTES, zeros, (size_t)(ct->ends[ct->sent - 1] - last));
  assert_int_equal(ct_verify(ct), 1);
  assert_string_equal(ct->kinds, "end ");
  assert_int_equal(ct->totals.log_end, last);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_flipped_bit_is_found_and_named, set_up, tear_down),
      cmocka_unit_test_setup_teardown(without_the_checksum_it_counts_what_is_not_covered, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(a_finding_names_the_message, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_log_that_is_shorter_than_it_was, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
