/* A derived structure is a follower of the log: the log is the truth, and each follower can be
 * loaded from its snapshot and brought up to date by replay. Followers know nothing of one another.
 *
 * Thread: all calls on the core thread, at start before the loop runs.
 * Order: load, then on_record for every record from the covered offset on, in log order. Records
 * before the offset that a follower's snapshot covers may be shown again: on_record is idempotent
 * by log_offset. */
#ifndef BOLIDE_STORE_FOLLOWER_H
#define BOLIDE_STORE_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/record.h"

#define BL_SNAPSHOT_FILES_MAX 16
/* What load says that has no snapshot and needs none: it is shown what the others need. */
#define BL_FOLLOWER_NEEDS_NOTHING INT64_MAX

/* What a follower writes in one snapshot. The store writes the files in order (new file, sync,
 * rename, folder sync), after the log is flushed up to `covered_end_offset` and after the listed
 * open files are synced, on the disk pool. */
struct bl_snapshot_file {
  char path[512]; /* absolute */
  struct bl_buf bytes;
  bool keep_previous; /* as path + ".bak" */
};
struct bl_snapshot {
  int64_t covered_offset; /* replay starts here: the log's visible end when the snapshot began */
  struct bl_snapshot_file files[BL_SNAPSHOT_FILES_MAX];
  int file_count;
  int sync_files[4]; /* open files of the follower to sync first */
  int sync_count;
  void *progress; /* the follower's own cursor between steps; freed by it at the last step */
  bool started;
};

/* RETURNS a new file of the snapshot with an empty buffer. */
struct bl_snapshot_file *bl_snapshot_add(struct bl_snapshot *snapshot, const char *path,
                                         bool keep_previous);

struct bl_follower;
struct bl_follower_ops {
  const char *name;
  /* FILLS the log offset from which records must be shown. A missing or damaged snapshot is not an
   * error: start empty and ask for 0 (the store shows everything from the log's min offset). */
  bl_err (*load)(struct bl_follower *follower, int64_t *out_covered_offset, struct bl_why *why);
  /* What load read was covered by another log than the one that is there (the log ends before it,
   * or was cut and written anew): forget all that came from log records, keep what came from
   * elsewhere. Every record from the log's min offset follows. Called after load, before any
   * on_record. */
  void (*discard)(struct bl_follower *follower);
  /* A record that is visible, in log order. BORROWS the record for the call. */
  void (*on_record)(struct bl_follower *follower, const struct bl_record *record);
  /* Writes a part of the snapshot, at most about 100 us of work; true: call again on a later turn.
   * The first call finds started == false and covered_offset set. */
  bool (*snapshot_step)(struct bl_follower *follower, struct bl_snapshot *snapshot);
  /* The snapshot is on disk (err BL_OK) or was given up. */
  void (*snapshot_done)(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                        bl_err err);
  /* The log offset below which this follower needs nothing of the log any more (before deletion).
   */
  int64_t (*needs_from)(struct bl_follower *follower);
  /* Log bytes below this offset are gone. */
  void (*log_min_moved)(struct bl_follower *follower, int64_t min_offset);

  /* The rest may be NULL. */

  /* true: another snapshot would give memory or files back though no record came since the last. */
  bool (*unsettled)(struct bl_follower *follower);
  /* FILLS a range of the log whose records the follower wants to be shown again, because something
   * that it made of them is damaged; false: none. Then on_again for each readable record of the
   * range that is still there, some a turn, while on_record goes on; then again_done: BL_OK, or why
   * the range could not be read. One range at a time. */
  bool (*wants_again)(struct bl_follower *follower, int64_t *out_from, int64_t *out_to);
  void (*on_again)(struct bl_follower *follower, const struct bl_record *record);
  void (*again_done)(struct bl_follower *follower, bl_err err);
};

struct bl_follower {
  const struct bl_follower_ops *ops;
};

#endif
