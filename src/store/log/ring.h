/* The ring: the newest bytes of the log in memory, write buffer and tail cache in one. Log offset o
 * is at o modulo the ring's size, and because the memory is mapped twice every run of up to half
 * the ring is contiguous.
 *
 * Rule that makes borrowed bytes safe until the end of a turn: at most half the ring is unwritten
 * (so an append overwrites only what is more than half a ring old), and only the newest half is
 * lent. Thread: the core writes; the flush worker reads what is not written yet. */
#ifndef BOLIDE_STORE_LOG_RING_H
#define BOLIDE_STORE_LOG_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct bl_ring {
  char *memory;
  int64_t bytes; /* power of two */
  int64_t from;  /* first log offset that was ever put in */
  int64_t to;    /* end of what was put in: the log's appended mark */
};

/* BL_ERR_NO_SPACE: no address space. BL_ERR_PARAMETER: not a power of two of pages. */
BL_MUST_CHECK bl_err bl_ring_init(struct bl_ring *ring, int64_t bytes);
void bl_ring_fini(struct bl_ring *ring);
/* Forgets all; the next byte is at `offset`. */
void bl_ring_start(struct bl_ring *ring, int64_t offset);

static inline char *bl_ring_at(const struct bl_ring *ring, int64_t offset) {
  return ring->memory + (offset & (ring->bytes - 1));
}
/* [offset, end) is in the ring; lent: and may be lent until the end of the turn. */
static inline bool bl_ring_holds(const struct bl_ring *ring, int64_t offset, int64_t end,
                                 bool lent) {
  int64_t oldest = ring->to - (lent ? ring->bytes / 2 : ring->bytes);
  return offset >= ring->from && offset >= oldest && end <= ring->to;
}

#endif
