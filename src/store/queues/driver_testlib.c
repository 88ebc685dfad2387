#include "store/queues/driver_testlib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/fake/disk_fake.h"

int64_t bl_driver_load(struct bl_follower *follower) {
  int64_t covered = -1;
  struct bl_why why = {"(nothing said)"};
  bl_err err = follower->ops->load(follower, &covered, &why);
  if (err != BL_OK) fail_msg("load: %s: %s", bl_err_name(err), why.text);
  return covered;
}

void bl_driver_begin(struct bl_snapshot *snapshot, int64_t covered) {
  *snapshot = (struct bl_snapshot){.covered_offset = covered};
}

void bl_driver_drop(struct bl_snapshot *snapshot) {
  for (int i = 0; i < snapshot->file_count; i++) bl_buf_fini(&snapshot->files[i].bytes);
}

bl_err bl_driver_write(struct bl_follower *follower, struct bl_disk *disk,
                       struct bl_snapshot *snapshot) {
  bl_err err = BL_OK;
  for (int i = 0; i < snapshot->sync_count && err == BL_OK; i++) {
    err = disk->ops->sync(disk, snapshot->sync_files[i]);
  }
  for (int i = 0; i < snapshot->file_count && err == BL_OK; i++) {
    struct bl_snapshot_file *file = &snapshot->files[i];
    if (file->bytes.failed) err = BL_ERR_FULL;
    if (err == BL_OK) {
      err = bl_disk_replace_file(disk, file->path, bl_buf_slice(&file->bytes), file->keep_previous,
                                 NULL);
    }
  }
  follower->ops->snapshot_done(follower, snapshot, err);
  bl_driver_drop(snapshot);
  return err;
}

bl_err bl_driver_snapshot(struct bl_follower *follower, struct bl_disk *disk, int64_t covered) {
  static struct bl_snapshot snapshot;
  bl_driver_begin(&snapshot, covered);
  while (follower->ops->snapshot_step(follower, &snapshot)) {}
  return bl_driver_write(follower, disk, &snapshot);
}

static void count_down(void *context, enum bl_disk_fake_op op, const char *path) {
  struct bl_driver_crash *crash = context;
  (void)op;
  (void)path;
  if (crash->happened || crash->countdown-- > 0) return;
  crash->happened = true;
  bl_disk_fake_power_loss(crash->fake, crash->seed);
}

void bl_driver_crash_after(struct bl_driver_crash *crash, struct bl_disk_fake *fake,
                           int64_t countdown, uint64_t seed) {
  *crash = (struct bl_driver_crash){.fake = fake, .countdown = countdown, .seed = seed};
  bl_disk_fake_on_op(fake, count_down, crash);
}

uint64_t bl_driver_random(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}
