/* What the files of the expiring messages share; nobody else includes it.
 *
 *   expiry.c    the heap, the follower
 *   snapshot.c  bolide/expiry.snapshot */
#ifndef BOLIDE_STORE_EXPIRY_EXPIRY_INTERNAL_H
#define BOLIDE_STORE_EXPIRY_EXPIRY_INTERNAL_H

#include "base/map.h"
#include "store/expiry/expiry.h"

struct bl_expiry_entries {
  struct bl_expiry_entry *items;
  size_t count;
  size_t cap;
};

struct bl_expiry {
  struct bl_follower follower; /* first: the store knows only this */
  char *dir;
  struct bl_disk *disk;
  struct bl_expiry_topics topics;
  int64_t limit;
  int64_t covered;
  int64_t last_log; /* of the last record seen; -1: none */
  int64_t seen_to;  /* its end */
  int64_t taken_to; /* records before were taken; behind seen_to when there was no room */
  bool again;       /* they are being shown again */
  int64_t again_to;
  struct bl_expiry_entries heap;
  struct bl_expiry_entries fresh;     /* came while a snapshot copies the heap */
  struct bl_expiry_entries in_flight; /* copied, and the copy is not visible yet; in log order */
  struct bl_map
      done; /* log offsets, 8 bytes: their copies came in a replay, before they are taken */
  bool dumping;
  size_t dumped;
  uint32_t crc;
  size_t crc_len;
};

void bl_expiry__push(struct bl_expiry *expiry, struct bl_expiry_entry entry);
void bl_expiry__add(struct bl_expiry_entries *entries, struct bl_expiry_entry entry);
void bl_expiry__clear(struct bl_expiry *expiry);
void bl_expiry__end_dump(struct bl_expiry *expiry);
void bl_expiry__path(const struct bl_expiry *expiry, char out_path[512]);

#define BL_EXPIRY_MAGIC 0x424C4558u /* "BLEX" */
#define BL_EXPIRY_VERSION 1u
#define BL_EXPIRY_CRC_FROM 12u
bool bl_expiry__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot);
void bl_expiry__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                              bl_err err);
bl_err bl_expiry__load(struct bl_follower *follower, int64_t *out_covered_offset,
                       struct bl_why *why);

#endif
