/* Makes a damaged log one that can be walked from end to end again, by bolide and by a Java broker,
 * without touching an intact record.
 *
 * A Java broker ends the log at the first place without a record, and deletes what follows. So a
 * damaged range between intact records is covered by records of topic rmq_sys_bolide_repair that
 * say they belong to a transaction that was rolled back: both brokers pass over such records, and
 * no queue gets an entry. When the range reaches the end of its file, the blank record that ends
 * files covers it. What is behind the end of the log is zeroed. Everything that is written over is
 * first saved, synced, in bolide/aside/repair-TIME/, one file for each range, named by its log
 * offset.
 *
 * Blocks; one thread. */
#ifndef BOLIDE_STORE_CHECK_REPAIR_H
#define BOLIDE_STORE_CHECK_REPAIR_H

#include "store/check/source.h"

enum bl_repair_kind {
  BL_REPAIR_FILLER, /* records of a rolled back transaction */
  BL_REPAIR_BLANK,  /* the record that ends a file, and zeros */
  BL_REPAIR_ZERO,   /* zeros: behind the end of the log, or of a file */
  BL_REPAIR_NONE,   /* too short for a record: it stays as it is */
};

struct bl_repair_step {
  enum bl_repair_kind kind;
  int64_t from; /* log offsets, in one file */
  int64_t to;
  int64_t store_ms; /* for the records */
};

struct bl_repair {
  struct bl_source *source; /* BORROWED */
  struct bl_disk *disk;     /* to write with */
  const struct bl_clock *clock;
  struct bl_repair_step *steps; /* by offset */
  int count;
  int cap;
  int unbridged;   /* steps of BL_REPAIR_NONE */
  int files;       /* of the log that are missing or short: they get their size */
  int64_t log_end; /* afterwards */
  char aside[BL_STORE_PATH_BYTES_MAX]; /* folder with what was saved */
  int64_t saved_bytes;
  int removed;       /* files that the next start makes anew */
  bool queues_moved; /* Java's consume queues: they speak of what is gone */
};

/* FILLS the steps, in memory only. BORROWS all. */
BL_MUST_CHECK bl_err bl_repair_plan(struct bl_repair *repair, struct bl_source *source,
                                    struct bl_disk *disk, const struct bl_clock *clock,
                                    struct bl_why *why);
/* Does it. The caller has the lock of the store, and planned after taking it. */
BL_MUST_CHECK bl_err bl_repair_apply(struct bl_repair *repair, struct bl_why *why);
void bl_repair_fini(struct bl_repair *repair);

#endif
