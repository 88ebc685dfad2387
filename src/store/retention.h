/* What goes from the front of the log: whole files, the oldest first, one at a time. When they go
 * is for the caller to say (src/broker/retention); what may go is known here: no file that is still
 * written or shown to followers, nothing that a follower or the checkpoint needs at a start.
 *
 * A file goes in this order: the checkpoint is synced, the name is removed, the folder is synced,
 * all on the pool; then the core takes it off the list, tells the followers, and has it closed when
 * the last reader is done. A crash at any step leaves a log without a hole.
 *
 * Thread: core. */
#ifndef BOLIDE_STORE_RETENTION_H
#define BOLIDE_STORE_RETENTION_H

#include "store/store.h"

/* One file of the log. */
struct bl_store_file {
  int64_t first_offset;
  int64_t end_offset;
  /* No record in it is newer than this store time; -1: not known. It is the time of the first
   * record behind the file: store times never go back. */
  int64_t newest_ms;
};
/* FILLS the i-th file from the front; false: there are not so many that hold records. */
bool bl_store_file(const struct bl_store *store, int i, struct bl_store_file *out_file);

/* Looks up on the pool what a decision is made of: the times of the oldest files and the space of
 * the file system. HOLDS the request until done. */
#define BL_STORE_LOOK_FILES 32
struct bl_store_look {
  struct bl_job job;
  struct bl_store *store;
  struct {
    int64_t first_offset;
    int64_t first_ms; /* 0: there is no whole record */
    int file;
  } heads[BL_STORE_LOOK_FILES];
  int head_count;
  bl_err space_err;
  int64_t total_bytes;   /* FILLED: of the file system, what others may not use left out */
  int64_t closing_bytes; /* of files removed before it began */
  int64_t free_bytes;    /* that of removed files that are being closed is in it */
  void (*done)(struct bl_store_look *look);
};
void bl_store_look(struct bl_store *store, struct bl_store_look *look,
                   void (*done)(struct bl_store_look *look));

/* Log offset below which whole files may go now. */
int64_t bl_store_removable(const struct bl_store *store);

struct bl_store_removal {
  struct bl_job job;
  struct bl_store *store;
  int64_t first_offset;
  int checkpoint_file;
  bl_err err; /* FILLED; BL_OK: the file is gone */
  struct bl_why why;
  void (*done)(struct bl_store_removal *removal);
};
/* Removes the first file; it ends at or below bl_store_removable (asserted), and no other removal
 * is under way. HOLDS the request until done. */
void bl_store_remove_first(struct bl_store *store, struct bl_store_removal *removal,
                           void (*done)(struct bl_store_removal *removal));

#endif
