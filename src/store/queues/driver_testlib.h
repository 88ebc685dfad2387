/* The store's part towards one follower, for tests: records out of a list, snapshots step by step.
 */
#ifndef BOLIDE_STORE_QUEUES_DRIVER_TESTLIB_H
#define BOLIDE_STORE_QUEUES_DRIVER_TESTLIB_H

#include "os/disk.h"
#include "store/follower.h"

/* RETURNS the covered offset; fails the test on an error. */
int64_t bl_driver_load(struct bl_follower *follower);

/* A snapshot that covers `covered`: begin, then step until it says false, then write. */
void bl_driver_begin(struct bl_snapshot *snapshot, int64_t covered);
/* Syncs, replaces the files, tells the follower; frees the buffers. RETURNS what the follower was
 * told. */
bl_err bl_driver_write(struct bl_follower *follower, struct bl_disk *disk,
                       struct bl_snapshot *snapshot);
/* Frees the buffers of a snapshot that will not be written. */
void bl_driver_drop(struct bl_snapshot *snapshot);
/* All of it. */
bl_err bl_driver_snapshot(struct bl_follower *follower, struct bl_disk *disk, int64_t covered);

/* A power loss at one of the next operations of the fake disk. */
struct bl_disk_fake;
struct bl_driver_crash {
  struct bl_disk_fake *fake;
  int64_t countdown; /* operations that still succeed */
  uint64_t seed;
  bool happened;
};
void bl_driver_crash_after(struct bl_driver_crash *crash, struct bl_disk_fake *fake,
                           int64_t countdown, uint64_t seed);

/* splitmix64. */
uint64_t bl_driver_random(uint64_t *state);

#endif
