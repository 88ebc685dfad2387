/* Inside of src/store/halves. */
#ifndef BOLIDE_STORE_HALVES_HALVES_INTERNAL_H
#define BOLIDE_STORE_HALVES_HALVES_INTERNAL_H

#include "store/halves/halves.h"

#define BL_HALVES_CHUNK 1024u
#define BL_HALVES_FILE "bolide/halves"

/* Halves in order of log offset, which is that of their queue offsets, too. */
struct bl_half_chunk {
  struct bl_half *items; /* HELD */
  uint32_t count;
  uint32_t cap;
  uint32_t open;
};

struct bl_half_table {
  struct bl_half_chunk *chunks;
  size_t count;
  size_t cap;
  size_t sweep; /* the next old chunk to be looked at */
  int64_t entries;
  int64_t open;
};

struct bl_halves_dump {
  bool running;
  int64_t behind; /* log offset of the last one written */
  uint32_t crc;
  size_t crc_len;
};

struct bl_halves {
  struct bl_follower follower;
  struct bl_disk *disk;
  char *dir; /* HELD */
  struct bl_half_table table;
  struct bl_map names;            /* text -> struct bl_half_name */
  struct bl_half_name **by_index; /* names.count of them */
  uint32_t name_cap;
  int64_t seen_to;
  int64_t covered;
  int64_t next_op;   /* queue offset of the next op record */
  int64_t next_half; /* of the next half */
  int64_t committed;
  int64_t rolled_back;
  struct bl_halves_dump dump;
};

/* table.c */
void bl_half_table__fini(struct bl_half_table *table);
/* RETURNS whether it is the first of a chunk. */
bool bl_half_table__add(struct bl_half_table *table, const struct bl_half *half);
struct bl_half *bl_half_table__by_log(struct bl_half_table *table, int64_t log_offset);
struct bl_half *bl_half_table__by_queue(struct bl_half_table *table, int64_t queue_offset);
/* The first one behind that log offset, in whatever state; NULL: none. */
struct bl_half *bl_half_table__after(struct bl_half_table *table, int64_t log_offset);
/* The first open one behind that log offset among the next `most`. */
struct bl_half *bl_half_table__next_open(struct bl_half_table *table, int64_t log_offset,
                                         uint32_t most, int64_t *out_reached);
/* Open becomes `state`, which a record at `end_log_offset` said. */
void bl_half_table__end(struct bl_half_table *table, struct bl_half *half, enum bl_half_state state,
                        int64_t end_log_offset);
/* Forgets some of the ended ones that are older than those that are remembered; to be called when a
 * chunk was begun. Halves move in memory. */
void bl_half_table__trim(struct bl_half_table *table);

/* snapshot.c */
bl_err bl_halves__load(struct bl_follower *follower, int64_t *out_covered_offset,
                       struct bl_why *why);
bool bl_halves__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot);
void bl_halves__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                              bl_err err);

/* halves.c */
/* The name, made when missing. */
struct bl_half_name *bl_halves__name(struct bl_halves *halves, struct bl_slice text);
void bl_halves__forget(struct bl_halves *halves);

#endif
