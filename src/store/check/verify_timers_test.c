/* Every flipped bit in the files of the delayed messages is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/check/check_testlib.h"
#include "store/timers/pending_internal.h"

#define ENTRIES 400

static struct ct ct;

static void flip(const char *path, int64_t offset, int bit) {
  char byte;
  size_t got = 0;
  int file = -1;
  assert_int_equal(ct.disk->ops->open(ct.disk, path, BL_OPEN_READ | BL_OPEN_WRITE, &file, NULL),
                   BL_OK);
  assert_int_equal(ct.disk->ops->read(ct.disk, file, &byte, 1, offset, &got), BL_OK);
  byte = (char)(byte ^ (1 << bit));
  assert_int_equal(ct.disk->ops->write(ct.disk, file, &byte, 1, offset), BL_OK);
  ct.disk->ops->close(ct.disk, file);
}

static void every_bit_counts(void **state) {
  (void)state;
  ct_init(&ct);
  ct_fill(&ct, 10);
  struct bl_pending *pending = bl_pending_new(CT_DIR, ct.disk, ct.worker);
  struct bl_follower *follower = bl_pending_follower(pending);
  int64_t covered;
  struct bl_why why;
  assert_int_equal(follower->ops->load(follower, &covered, &why), BL_OK);
  struct bl_pending_writer writer;
  struct bl_pending_run *run;
  assert_int_equal(bl_pending__writer_open(&writer, pending, 7, 0), BL_OK);
  for (int i = 0; i < ENTRIES; i++) {
    struct bl_pending_entry entry = {
        .due_ms = 1000 + i, .log_offset = i * 100, .size_bytes = 90, .kind = BL_PENDING_MESSAGE};
    bl_pending__writer_put(&writer, &entry);
  }
  assert_int_equal(bl_pending__writer_close(&writer, &run), BL_OK);
  bl_pending__run_free(pending, run);
  struct bl_snapshot snapshot = {.covered_offset = 0};
  while (follower->ops->snapshot_step(follower, &snapshot)) continue;
  assert_int_equal(snapshot.file_count, 1);
  assert_int_equal(bl_disk_replace_file(ct.disk, snapshot.files[0].path,
                                        bl_buf_slice(&snapshot.files[0].bytes), false, NULL),
                   BL_OK);
  int64_t snapshot_bytes = (int64_t)snapshot.files[0].bytes.len;
  bl_buf_fini(&snapshot.files[0].bytes);
  bl_pending_free(pending);
  assert_int_equal(ct_verify(&ct), 0);
  const struct {
    const char *path;
    int64_t bytes;
    int64_t step;
  } files[] = {{CT_DIR "/bolide/timers.snapshot", snapshot_bytes, 1},
               {CT_DIR "/bolide/timers/00000000000000000007.run", 4 * 4096, 37}};
  for (size_t i = 0; i < 2; i++) {
    for (int64_t at = 0; at < files[i].bytes; at += files[i].step) {
      flip(files[i].path, at, (int)(at % 8));
      if (ct_verify(&ct) == 0)
        fail_msg("byte %lld of %s does not count", (long long)at, files[i].path);
      flip(files[i].path, at, (int)(at % 8));
    }
  }
  assert_int_equal(ct_verify(&ct), 0);
  ct_fini(&ct);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_bit_counts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
