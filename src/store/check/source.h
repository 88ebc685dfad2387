/* The commit log of a store directory, opened to be looked at: bolide's or a Java broker's, in use
 * or not. Takes no lock and changes nothing.
 *
 * The size of the files comes from their names (how far they are apart) or, with one file, from its
 * size. A file that is missing in the row, or shorter than the others, reads as zeros there and is
 * listed among the faults. */
#ifndef BOLIDE_STORE_CHECK_SOURCE_H
#define BOLIDE_STORE_CHECK_SOURCE_H

#include "base/arena.h"
#include "store/check/guard.h"
#include "store/log/checkpoint.h"
#include "store/log/log.h"

#define BL_SOURCE_FAULTS_MAX 32

enum bl_source_fault_kind {
  BL_SOURCE_MISSING, /* a file of the row is not there */
  BL_SOURCE_SHORT,   /* it has fewer bytes than the others */
  BL_SOURCE_LONG,
  BL_SOURCE_STRANGE, /* something in commitlog/ that is no file of the row */
};

struct bl_source_fault {
  enum bl_source_fault_kind kind;
  char name[64]; /* in commitlog/ */
  int64_t offset;
  int64_t bytes; /* of the file */
};

struct bl_source {
  struct bl_guard guard;
  struct bl_disk *disk; /* the guard's */
  struct bl_log log;    /* only what bl_walk uses: disk and segments */
  char dir[BL_STORE_PATH_BYTES_MAX - 128];
  struct bl_arena arena;
  char *chunk;     /* of bl_source_data */
  bool ours;       /* bolide/ is there, with what a server leaves in it */
  bool java;       /* checkpoint is there: a Java broker was here last */
  bool has_queues; /* consumequeue/ is there */
  bool has_mark;   /* bolide/log.checkpoint could be read, before anything else */
  struct bl_checkpoint_mark mark;
  struct bl_source_fault faults[BL_SOURCE_FAULTS_MAX];
  int fault_count; /* may be more than fits */
};

/* segment_bytes 0: to be found out. BORROWS the disk. BL_ERR_NOT_FOUND: there is no commitlog/ in
 * it; BL_ERR_FORMAT: no file in it; BL_ERR_IO and the like: `why` has the sentence. */
BL_MUST_CHECK bl_err bl_source_open(struct bl_source *source, struct bl_disk *disk, const char *dir,
                                    int64_t segment_bytes, struct bl_why *why);
/* Accepts one that bl_source_open refused. */
void bl_source_close(struct bl_source *source);

static inline int64_t bl_source_min(const struct bl_source *source) {
  return bl_segments_min(&source->log.segments);
}
/* Where the files end, not the records. */
static inline int64_t bl_source_end(const struct bl_source *source) {
  return bl_segments_end(&source->log.segments);
}
/* Bytes in all files. */
int64_t bl_source_bytes(const struct bl_source *source);
/* FILLS "commitlog/00000000000000000000" of the file that holds `offset`, and RETURNS the place in
 * it. */
int64_t bl_source_place(const struct bl_source *source, int64_t offset, char out_name[64]);
/* FILLS the first log offset in [from, to) whose byte is not zero, and with out_last, when it is
 * not NULL, one after the last such byte; `to` when there is none. Skips what was never written. */
void bl_source_data(struct bl_source *source, int64_t from, int64_t to, int64_t *out_first,
                    int64_t *out_last);
#endif
