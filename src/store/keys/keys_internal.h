/* What the files of the key index share; nobody else includes it.
 *
 *   keys.c      a record becomes entries; blocks; lifecycle
 *   run.c       a run file: written, opened, searched
 *   jobs.c      on the pool: a full block becomes a run, runs are merged, dead ones deleted
 *   find.c      a search
 *   repair.c    a run that is damaged or missing: its part of the log is shown again
 *   snapshot.c  bolide/keys.snapshot written;  load.c  read
 *
 * Blocks and runs do not change once they are full; the core counts who uses them, and only the
 * core frees. */
#ifndef BOLIDE_STORE_KEYS_KEYS_INTERNAL_H
#define BOLIDE_STORE_KEYS_KEYS_INTERNAL_H

#include <stdbool.h>

#include "store/keys/keys.h"

#define BL_KEYS_BLOCK_ENTRIES (128u << 10)
#define BL_KEYS_FROZEN_MAX                                                                         \
  8 /* beyond it the core writes a run itself: a replay, or a pool that is stuck */
#define BL_KEYS_MERGE_ABOVE 8 /* runs of one level */
#define BL_KEYS_PAGE_BYTES 4096u
#define BL_KEYS_PAGE_ENTRIES 255u
#define BL_KEYS_FIND_MAX 256u

struct bl_key_entry {
  uint64_t hash;
  int64_t offset;
};

struct bl_key_block {
  uint32_t users;
  uint32_t count;
  struct bl_key_entry entries[];
};

struct bl_key_run {
  uint32_t users; /* searches, merges; not the list it is in */
  bool damaged;   /* in no list any more but `dead` */
  bool merging;
  bool doomed; /* dead when the snapshot that is under way began */
  int file;
  uint32_t level; /* 0: of a block; else one more than what was merged */
  int64_t sequence;
  int64_t first; /* log offsets */
  int64_t last;
  int64_t count;
};

struct bl_key_runs {
  struct bl_key_run **items;
  size_t count;
  size_t cap;
};

/* A range of the log whose keys are not all in the index, [from, to): they are shown again. */
struct bl_key_hole {
  int64_t from;
  int64_t to;
};
#define BL_KEYS_HOLES_MAX 64

/* A full block on its way to a run. */
struct bl_key_freeze {
  struct bl_job job;
  struct bl_keys *keys;
  struct bl_key_block *block;
  struct bl_key_run *run;
  int64_t sequence;
  bl_err err;
  bool pending;
};

struct bl_keys_dump {
  bool running;
  struct bl_key_block *blocks[BL_KEYS_FROZEN_MAX + 1];
  uint32_t counts[BL_KEYS_FROZEN_MAX + 1];
  int block_count;
  int at_block;
  uint32_t at_entry;
  uint32_t crc;
  size_t crc_len;
};

struct bl_keys {
  struct bl_follower follower; /* first: the store knows only this */
  char *dir;
  struct bl_disk *disk;
  struct bl_worker *pool;
  uint32_t block_entries;
  int64_t last_log;   /* of the last record taken; -1: none */
  int64_t newest_log; /* of the last one that had a key; -1: none since the start */
  int64_t newest_ms;
  int64_t log_min;
  int64_t covered; /* of the last snapshot on the disk */
  int64_t next_sequence;
  struct bl_key_block *active;
  struct bl_key_freeze *frozen[BL_KEYS_FROZEN_MAX];
  int frozen_count;
  struct bl_key_runs runs;
  struct bl_key_runs dead; /* in no search any more, perhaps in the last snapshot */
  bool merging;
  struct bl_key_hole holes[BL_KEYS_HOLES_MAX]; /* the first one may be under way */
  int hole_count;
  bool repaired; /* since the last snapshot */
  uint32_t jobs;
  struct bl_keys_dump dump;
};

/* Smaller blocks, for tests; before load. */
void bl_keys__set_block_entries(struct bl_keys *keys, uint32_t entries);
/* On the disk: never changes. */
uint64_t bl_keys__hash(struct bl_slice topic, struct bl_slice key);
void bl_keys__append(struct bl_keys *keys, uint64_t hash, int64_t offset);
void bl_keys__clear(struct bl_keys *keys);
void bl_keys__path(const struct bl_keys *keys, const char *name, char out_path[512]);
struct bl_key_block *bl_keys__use_block(struct bl_key_block *block);
void bl_keys__unuse_block(struct bl_key_block *block);
void bl_keys__add_run(struct bl_key_runs *runs, struct bl_key_run *run);
bool bl_keys__take_run(struct bl_key_runs *runs, const struct bl_key_run *run);
/* Closes the file and frees. */
void bl_keys__free_run(struct bl_keys *keys, struct bl_key_run *run);

/* run.c; any thread unless said otherwise */
struct bl_key_writer {
  struct bl_keys *keys;
  struct bl_key_run *run; /* being made */
  char *buffer;
  uint32_t page;       /* pages in the buffer before the one being filled */
  uint32_t page_count; /* entries in the page being filled */
  int64_t file_pages;  /* written */
  struct bl_key_entry before;
  char path[512];
  bl_err err;
};
void bl_keys__run_path(const struct bl_keys *keys, const struct bl_key_run *run,
                       char out_path[512]);
/* first and last only name the file; those of the run are counted. */
bl_err bl_keys__writer_open(struct bl_key_writer *writer, struct bl_keys *keys, int64_t sequence,
                            uint32_t level, int64_t first, int64_t last);
/* In order of (hash up, offset down); the same entry again is dropped. Errors come at the end. */
void bl_keys__writer_put(struct bl_key_writer *writer, struct bl_key_entry entry);
/* RETURNS OWNED the run in out_run, durable, or removes the file. NULL when nothing was put. */
bl_err bl_keys__writer_close(struct bl_key_writer *writer, struct bl_key_run **out_run);
/* Opens the file of a run that a snapshot describes. */
bl_err bl_keys__run_open(struct bl_keys *keys, struct bl_key_run *run);
int64_t bl_keys__run_pages(const struct bl_key_run *run);
/* FILLS the entries of a page, verified. */
bl_err bl_keys__run_page(struct bl_keys *keys, const struct bl_key_run *run, int64_t page,
                         struct bl_key_entry out_entries[BL_KEYS_PAGE_ENTRIES],
                         uint32_t *out_count);
/* Calls `take` with each offset of the hash, newest first, until it says false. */
bl_err bl_keys__run_search(struct bl_keys *keys, const struct bl_key_run *run, uint64_t hash,
                           bool (*take)(void *context, int64_t offset), void *context);

/* jobs.c */
/* FILLS `to` with the entries sorted by (hash up, offset down). */
void bl_keys__sort(const struct bl_key_entry *entries, uint32_t count, struct bl_key_entry *to);
void bl_keys__freeze(struct bl_keys *keys, struct bl_key_block *block);
void bl_keys__retry_frozen(struct bl_keys *keys);
void bl_keys__drop_below_min(struct bl_keys *keys);
void bl_keys__mark_doomed(struct bl_keys *keys);
void bl_keys__delete_doomed(struct bl_keys *keys, bool done);

/* find.c */
/* Which of those that were read is damaged: errors of the disk and of what it gave. */
static inline bool bl_keys__is_damage(bl_err err) {
  return err == BL_ERR_CRC || err == BL_ERR_FORMAT || err == BL_ERR_SHORT || err == BL_ERR_IO ||
         err == BL_ERR_NOT_FOUND || err == BL_ERR_VERSION;
}

/* repair.c */
/* The run is in use no more, its file goes (so that the next start misses it), and what it held is
 * shown again. */
void bl_keys__damaged(struct bl_keys *keys, struct bl_key_run *run, bl_err err);
void bl_keys__add_hole(struct bl_keys *keys, int64_t from, int64_t to);
bool bl_keys__wants_again(struct bl_follower *follower, int64_t *out_from, int64_t *out_to);
void bl_keys__again_done(struct bl_follower *follower, bl_err err);
bool bl_keys__unsettled(struct bl_follower *follower);

/* snapshot.c, load.c */
#define BL_KEYS_SNAPSHOT_MAGIC 0x424C4B53u /* "BLKS" */
#define BL_KEYS_SNAPSHOT_VERSION 1u
#define BL_KEYS_SNAPSHOT_CRC_FROM 12u
#define BL_KEYS_SNAPSHOT_RUN_BYTES 36u
bool bl_keys__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot);
void bl_keys__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                            bl_err err);
void bl_keys__end_dump(struct bl_keys *keys);
/* So that the next start does not read it; blocks. The runs it names are leftovers then. */
void bl_keys__remove_snapshot(struct bl_keys *keys);
bl_err bl_keys__load(struct bl_follower *follower, int64_t *out_covered_offset, struct bl_why *why);

#endif
