#include "store/log/ring.h"

#include "os/ringmem.h"

#define RING_BYTES_MIN 65536

bl_err bl_ring_init(struct bl_ring *ring, int64_t bytes) {
  *ring = (struct bl_ring){.bytes = bytes};
  if (bytes < RING_BYTES_MIN || (bytes & (bytes - 1)) != 0) return BL_ERR_PARAMETER;
  ring->memory = bl_ringmem_new((size_t)bytes);
  return ring->memory != NULL ? BL_OK : BL_ERR_NO_SPACE;
}

void bl_ring_fini(struct bl_ring *ring) {
  if (ring->memory != NULL) bl_ringmem_free(ring->memory, (size_t)ring->bytes);
  ring->memory = NULL;
}

void bl_ring_start(struct bl_ring *ring, int64_t offset) {
  ring->from = offset;
  ring->to = offset;
}
