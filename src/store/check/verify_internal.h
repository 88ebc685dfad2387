/* What the files of the verification share; nobody else includes it.
 *
 *   verify.c        findings, the order of things
 *   verify_log.c    the commit log
 *   verify_files.c  bolide's small files and config/
 *   verify_index.c  bolide's queue and key index
 *   verify_windows.c  bolide's key windows and expiring messages
 *   verify_timers.c  what waits for its time
 *   verify_java.c   consume queues, index and checkpoint of a Java broker */
#ifndef BOLIDE_STORE_CHECK_VERIFY_INTERNAL_H
#define BOLIDE_STORE_CHECK_VERIFY_INTERNAL_H

#include "base/map.h"
#include "store/check/scan.h"
#include "store/check/verify.h"
#include "store/entry.h"

/* A queue, as the records tell it. */
struct bl_verify_queue {
  struct bl_slice topic; /* of bytes[] */
  int32_t id;
  int64_t first;    /* queue offset of the first record */
  int64_t next;     /* the one that must come */
  int64_t records;  /* with an entry */
  int64_t last_log; /* of the last one: a light queue may be named twice by a record */
  int64_t gaps;     /* verify->totals.gaps when its last record came */
  int64_t fillers;  /* and .filler_records */
  /* Java's consume queue of it (verify_java.c). */
  int64_t units_first; /* of the window, by queue offset */
  int64_t units_count;
  char *units;     /* the window; NULL: none was read */
  int64_t missing; /* records without a unit, so far: ones at the end are not built yet */
  int64_t missing_first;
  char bytes[];
};

struct bl_verify {
  struct bl_source *source;
  const struct bl_verify_settings *settings;
  struct bl_verify_totals *totals;
  struct bl_map queues; /* struct bl_verify_queue by "topic\0id" */
  struct bl_verify_queue *last_queue;
  struct bl_buf scratch;
  struct bl_arena arena; /* of the file being looked at */
};

void bl_verify__tell(struct bl_verify *verify, const struct bl_finding *finding);
/* A finding about a whole file, or a place in it. */
void bl_verify__tell_file(struct bl_verify *verify, enum bl_finding_level level, const char *file,
                          int64_t offset, int64_t bytes, const char *what, const char *next);
/* FILLS the whole file into verify->arena; BL_ERR_NOT_FOUND. Counts it. */
bl_err bl_verify__read(struct bl_verify *verify, const char *name, struct bl_slice *out_bytes);
/* Before another look at a file that may be in work. RETURNS false when there was enough of it. */
bool bl_verify__again(struct bl_verify *verify, int *io_looks);
/* The names in a folder of the store, in verify->source's arena; none when it is not there. */
void bl_verify__list(struct bl_verify *verify, const char *folder, const char *const **out_names,
                     size_t *out_count);

bl_err bl_verify__log(struct bl_verify *verify, struct bl_why *why);
void bl_verify__files(struct bl_verify *verify);
void bl_verify__index(struct bl_verify *verify);
void bl_verify__windows(struct bl_verify *verify);
void bl_verify__timers(struct bl_verify *verify);
/* Compares the unit of a record, during the walk. */
void bl_verify__unit(struct bl_verify *verify, struct bl_verify_queue *queue,
                     const struct bl_record *record, const struct bl_entry *entry);
void bl_verify__java(struct bl_verify *verify);

#endif
