/* <dir>/bolide/log.checkpoint: up to where the log was durable, rewritten each second while it
 * moves. Two slots, written in turn, so that a torn write leaves the other. It is not synced (an
 * older one is true as well), only at close.
 *
 * Slot, big-endian, at 0 and 4096: magic 8, version 4, zero 4, sequence 8, flushed 8, last store ms
 * 8, tail bytes 4, tail CRC 4, CRC of all before 4. The tail is the log's last bytes before
 * `flushed`, at most 4096 of the same file: a log that was cut and written anew by somebody else is
 * recognised by it.
 *
 * Thread: core; the job writes. */
#ifndef BOLIDE_STORE_LOG_CHECKPOINT_H
#define BOLIDE_STORE_LOG_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "os/disk.h"
#include "os/worker.h"

#define BL_CHECKPOINT_TAIL_BYTES_MAX 4096
#define BL_CHECKPOINT_SLOT_BYTES 52
#define BL_CHECKPOINT_SLOT_SPACING 4096

struct bl_checkpoint_mark {
  uint64_t sequence;
  int64_t flushed;
  int64_t store_ms; /* of the last record: store times never go back */
  uint32_t tail_bytes;
  uint32_t tail_crc;
};

struct bl_checkpoint {
  struct bl_disk *disk;
  int file; /* -1: not open */
  bool found;
  struct bl_checkpoint_mark mark; /* the newest that was read or handed to be written */
  bool writing;
  struct bl_job job;
  char slot[BL_CHECKPOINT_SLOT_BYTES];
  bl_err err;
};

/* Opens or makes the file and FILLS mark (found false, all zero: none that can be read). Blocks. */
BL_MUST_CHECK bl_err bl_checkpoint_open(struct bl_checkpoint *checkpoint, struct bl_disk *disk,
                                        const char *dir, struct bl_why *why);
void bl_checkpoint_close(struct bl_checkpoint *checkpoint);
/* Writes the mark on the pool. Not while writing. */
void bl_checkpoint_write(struct bl_checkpoint *checkpoint, struct bl_worker *pool,
                         const struct bl_checkpoint_mark *mark);
/* Writes and syncs it now: at close. */
BL_MUST_CHECK bl_err bl_checkpoint_write_now(struct bl_checkpoint *checkpoint,
                                             const struct bl_checkpoint_mark *mark);

/* FILLS the mark of a slot's BL_CHECKPOINT_SLOT_BYTES; false: it is none. */
bool bl_checkpoint_decode(const char *from, struct bl_checkpoint_mark *out_mark);

#endif
