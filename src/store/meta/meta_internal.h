/* What the files of the metadata follower share; nobody else includes it.
 *
 *   meta.c     tables, records, the follower's table of functions
 *   covered.c  bolide/meta.covered written and read
 *   load.c     which generation of a table's file is on the disk
 *   snapshot.c new generations
 *
 * Generations. A file that we write is known by its size and CRC and covers the log up to an
 * offset: that is a generation. A file on the disk that is none of those that meta.covered names
 * was written by someone else. So meta.covered must name a generation before its file can appear,
 * and until nothing can bring it back:
 *
 *   snapshot    1. meta.covered: those known so far and the new ones       (the intent)
 *               2. each config/NAME.json; the one before it stays as NAME.json.bak
 *               3. meta.covered: the new ones and those that are now .bak
 *
 * A crash at any point leaves each file in a generation that meta.covered names, and the file's own
 * generation says from where its table is replayed. After a snapshot that failed nobody knows which
 * of its files were written, so its generations stay known until one succeeds. A table that did not
 * change is not written again, only its covered offset moves. */
#ifndef BOLIDE_STORE_META_META_INTERNAL_H
#define BOLIDE_STORE_META_META_INTERNAL_H

#include "store/meta/meta.h"

/* Of one table; when so many snapshots failed in a row, those that are not on the disk are
 * forgotten. */
#define BL_META_GENERATIONS_MAX 8
#define BL_META_FILE_BYTES_MAX (256u << 20)

struct bl_meta_generation {
  int64_t covered; /* replay from here */
  uint64_t size_bytes;
  uint32_t crc;
  bool intended; /* it may never have been written */
};

struct bl_meta_generations {
  struct bl_meta_generation items[BL_META_GENERATIONS_MAX]; /* the newest last */
  int count;
};

struct bl_meta_entry {
  struct bl_meta_table table;
  struct bl_meta_generations known;
  bool sure;          /* the file is the last one of `known`, or damaged */
  bool damaged;       /* the file: it does not become .bak */
  bool is_new;        /* no program that wrote the other files knew the table */
  int64_t apply_from; /* records below are in the file, or another program's word is final */
  /* `adopted` is a file whose word is final for the log that is here; meta.covered does not say so
   * yet. */
  bool foreign;
  struct bl_meta_generation adopted;
  /* The snapshot under way. */
  struct bl_meta_generation next;
  bool unchanged; /* `next` is what the file has */
};

/* What meta.covered names: the generations now on the disk, those beside the new ones, those after
 * them. */
enum bl_meta_phase { BL_META_NOW, BL_META_INTENT, BL_META_FINAL };

struct bl_meta {
  struct bl_follower follower; /* first: the store knows only this */
  char *dir;
  struct bl_disk *disk;
  struct bl_meta_entry entries[BL_META_TABLES_MAX];
  int count;
  bool replaying;
  int64_t covered;           /* of the last snapshot on the disk */
  bool covered_damaged;      /* meta.covered itself: keep its .bak */
  struct bl_why version_why; /* a record of a later version */
  struct bl_meta_stats stats;
  /* The snapshot under way. */
  int step_table;
  void *step_progress;
  uint32_t step_crc; /* of the table's bytes so far */
  size_t step_crc_len;
  bool snapshot_runs;
  bool steps_done; /* from here on the files may be on the disk */
};

void bl_meta__path(const struct bl_meta *meta, const char *folder, const char *name,
                   char out_path[512]);
struct bl_meta_entry *bl_meta__find(struct bl_meta *meta, struct bl_slice name);
struct bl_meta_generation bl_meta__generation_of(struct bl_slice bytes, int64_t covered);
/* The generation of these bytes, or NULL. */
const struct bl_meta_generation *bl_meta__known(const struct bl_meta_generations *known,
                                                struct bl_slice bytes);
/* Adds it as the newest. The same content counts once, with the later covered offset: content that
 * was the table at two offsets may be replayed from either. The caller saw to it that there is
 * room. */
void bl_meta__add(struct bl_meta_generations *known, struct bl_meta_generation generation);
struct bl_meta_generations bl_meta__generations(const struct bl_meta_entry *entry,
                                                enum bl_meta_phase phase);
bool bl_meta__same(const struct bl_meta_generation *a, const struct bl_meta_generation *b);

/* covered.c */
/* FILLS entries[].known. BL_ERR_NOT_FOUND: neither meta.covered nor its .bak can be read;
 * BL_ERR_VERSION. */
bl_err bl_meta__read_covered(struct bl_meta *meta, struct bl_why *why);
void bl_meta__put_covered(const struct bl_meta *meta, enum bl_meta_phase phase, struct bl_buf *out);

/* load.c */
bl_err bl_meta__load(struct bl_follower *follower, int64_t *out_covered_offset, struct bl_why *why);
void bl_meta__discard(struct bl_follower *follower);
/* Forgets generations that are neither the file nor its .bak. Blocks. */
void bl_meta__forget_absent(struct bl_meta *meta, struct bl_meta_entry *entry);

/* snapshot.c */
/* Lets a table free its cursor when a snapshot is given up. */
void bl_meta__end_step(struct bl_meta *meta);
bool bl_meta__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot);
void bl_meta__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                            bl_err err);

#endif
