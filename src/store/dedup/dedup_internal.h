/* What the files of the key windows share; nobody else includes it.
 *
 *   dedup.c     a record becomes an entry; classes, time, the limit; lifecycle
 *   table.c     the hash table of a class
 *   snapshot.c  bolide/dedup.snapshot and bolide/dedup/NUMBER.part written
 *   load.c      ... and read */
#ifndef BOLIDE_STORE_DEDUP_DEDUP_INTERNAL_H
#define BOLIDE_STORE_DEDUP_DEDUP_INTERNAL_H

#include "base/list.h"
#include "store/dedup/dedup.h"

/* table.c */
#define BL_DEDUP_OFFSET_BITS 40
#define BL_DEDUP_SPAN_BYTES ((int64_t)1 << BL_DEDUP_OFFSET_BITS)

/* 2^depth places, each with the page of the hashes that begin so. */
struct bl_dedup_page;
struct bl_dedup_place {
  struct bl_dedup_page *page;
  uint32_t slots; /* of the page: a search need not look at its head */
};
struct bl_dedup_table {
  struct bl_dedup_place *places; /* NULL: empty */
  uint32_t depth;
  int64_t pages;
  int64_t bytes;
};

/* floor <= offset < floor + BL_DEDUP_SPAN_BYTES; offsets below the floor are dead, and it never
 * goes back. RETURNS false when that entry was there. */
bool bl_dedup__table_add(struct bl_dedup_table *table, uint64_t hash, int64_t offset,
                         int64_t floor);
/* FILLS the offsets of that hash, oldest first; of more than `max` the oldest. */
uint32_t bl_dedup__table_find(const struct bl_dedup_table *table, uint64_t hash, int64_t floor,
                              int64_t *out_offsets, uint32_t max);
/* Frees what is dead in some pages from *at on. RETURNS false when it came to the end. */
bool bl_dedup__table_sweep(struct bl_dedup_table *table, int64_t floor, uint32_t *at);
void bl_dedup__table_clear(struct bl_dedup_table *table);
/* An empty table gets room for so many. */
void bl_dedup__table_reserve(struct bl_dedup_table *table, int64_t count, int64_t floor);
/* Brings the memory that an add of that hash will look at. */
void bl_dedup__table_prefetch(const struct bl_dedup_table *table, uint64_t hash);

/* dedup.c */
#define BL_DEDUP_SAMPLES_MAX 192
#define BL_DEDUP_SAMPLES_PER_WINDOW 64
#define BL_DEDUP_CHUNK_ENTRIES 4096u
#define BL_DEDUP_ENTRY_BYTES 14u /* hash 8, log offset 6 */

/* The keys from one log offset on, up to the next sample. */
struct bl_dedup_sample {
  int64_t from;
  int64_t start_ms; /* when the first came, and the last */
  int64_t end_ms;
  int64_t count;
};

/* Entries that are in no part yet, as they will stand there, in log order. */
struct bl_dedup_chunk {
  struct bl_list node;
  uint32_t count;
  bool sealed; /* the next entry goes into another */
  char bytes[BL_DEDUP_CHUNK_ENTRIES * BL_DEDUP_ENTRY_BYTES];
};

struct bl_dedup_part {
  struct bl_list node;
  int64_t sequence;
  int64_t count;
  int64_t last; /* log offset of its newest */
};

struct bl_dedup_class {
  struct bl_list node;
  int64_t window_ms; /* of its topics at most */
  int64_t floor;     /* log offsets below do not count any more */
  int64_t newest;    /* log offset; -1: none */
  int64_t keys;
  int sample_count;
  uint32_t sweep_at;
  struct bl_dedup_sample samples[BL_DEDUP_SAMPLES_MAX];
  struct bl_dedup_table table;
  struct bl_list tail; /* struct bl_dedup_chunk */
  int64_t tail_count;
  int64_t tail_last;    /* log offset of its newest; -1: none ever */
  struct bl_list parts; /* struct bl_dedup_part, oldest first */
};

/* A class in the snapshot that is under way. */
struct bl_dedup_plan {
  struct bl_dedup_class *of;
  int file;                   /* of the snapshot */
  int64_t count;              /* entries of the tail */
  struct bl_dedup_part *part; /* HELD; NULL: the entries go into the snapshot itself */
};

struct bl_dedup_dump {
  bool running;
  struct bl_dedup_plan *plans; /* HELD */
  int plan_count;
  int at_plan;
  struct bl_list *at_chunk; /* NULL: the plan begins */
  int64_t left;
  uint32_t crc; /* of the file being made */
  size_t crc_len;
};

#define BL_DEDUP_REMOVALS_MAX 64

struct bl_dedup {
  struct bl_follower follower; /* first: the store knows only this */
  char *dir;
  struct bl_disk *disk;
  struct bl_worker *pool;
  const struct bl_clock *clock;
  struct bl_dedup_topics topics;
  uint64_t seed;
  int64_t wall_base_ms; /* our time: the wall clock's at the start, and what passed since */
  int64_t mono_base_ms;
  int64_t covered;
  int64_t last_log; /* of the last record taken; -1: none */
  int64_t log_min;
  int64_t keys;
  int64_t keys_max;
  int64_t forgotten;
  int64_t next_sequence;
  int64_t close_entries;  /* so many make a part */
  struct bl_list classes; /* struct bl_dedup_class */
  struct bl_list dead;    /* parts that are in no class any more, perhaps in the last snapshot */
  struct bl_dedup_dump dump;
  struct bl_job job; /* removes files */
  bool removing;
  int removal_count;
  int64_t removals[BL_DEDUP_REMOVALS_MAX];
};

/* Smaller parts, for tests. */
void bl_dedup__set_close_entries(struct bl_dedup *dedup, int64_t entries);
int64_t bl_dedup__now_ms(const struct bl_dedup *dedup);
/* Found or made. */
struct bl_dedup_class *bl_dedup__class(struct bl_dedup *dedup, int64_t window_ms);
/* Into table and samples. RETURNS false when it is dead or was there. */
bool bl_dedup__count(struct bl_dedup *dedup, struct bl_dedup_class *of, uint64_t hash,
                     int64_t offset, int64_t at_ms);
/* An entry in the form of the files, behind the tail. */
void bl_dedup__put_tail(struct bl_dedup_class *of, uint64_t hash, int64_t offset);
/* Samples that are over go. */
void bl_dedup__expire(struct bl_dedup *dedup, struct bl_dedup_class *of, int64_t now_ms);
void bl_dedup__clear(struct bl_dedup *dedup);
void bl_dedup__path(const struct bl_dedup *dedup, const char *name, char out_path[512]);
void bl_dedup__part_path(const struct bl_dedup *dedup, int64_t sequence, char out_path[512]);
/* snapshot.c, load.c */
#define BL_DEDUP_SNAPSHOT_MAGIC 0x424C4453u /* "BLDS" */
#define BL_DEDUP_PART_MAGIC 0x424C4450u     /* "BLDP" */
#define BL_DEDUP_VERSION 1u
#define BL_DEDUP_CRC_FROM 12u
#define BL_DEDUP_PART_HEAD_BYTES 44u
bool bl_dedup__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot);
void bl_dedup__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                             bl_err err);
void bl_dedup__end_dump(struct bl_dedup *dedup);
/* So that the next start does not read it; blocks. */
void bl_dedup__remove_snapshot(struct bl_dedup *dedup);
bl_err bl_dedup__load(struct bl_follower *follower, int64_t *out_covered_offset,
                      struct bl_why *why);

#endif
