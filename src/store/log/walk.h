/* Reads the log record by record from the files, trusting nothing: for recovery. Blocks. */
#ifndef BOLIDE_STORE_LOG_WALK_H
#define BOLIDE_STORE_LOG_WALK_H

#include "store/log/log.h"

struct bl_walk {
  const struct bl_log *log;
  char *window; /* bytes of one file */
  int64_t cap;
  int64_t from; /* log offsets */
  int64_t to;
};

void bl_walk_init(struct bl_walk *walk, const struct bl_log *log);
void bl_walk_fini(struct bl_walk *walk);

/* FILLS *out_bytes with [offset, offset + len), all in one file; valid until the next call.
 * BL_ERR_IO. */
BL_MUST_CHECK bl_err bl_walk_bytes(struct bl_walk *walk, int64_t offset, int64_t len,
                                   const char **out_bytes);
/* FILLS the record at `offset`, which is verified: sizes, magic, its own offset, CRC.
 * BL_ERR_NOT_FOUND: the blank record that ends the file; BL_ERR_IO; anything else: no record is
 * there. */
BL_MUST_CHECK bl_err bl_walk_record(struct bl_walk *walk, int64_t offset,
                                    struct bl_record *out_record);
/* FILLS the offset of the first good record in [offset, limit), or `limit`. */
BL_MUST_CHECK bl_err bl_walk_find(struct bl_walk *walk, int64_t offset, int64_t limit,
                                  int64_t *out_offset);

#endif
