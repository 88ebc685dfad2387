#include "broker/assign/ring.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/md5.h"
#include "broker/members/members.h"

static int by_text(const void *a, const void *b) {
  return bl_slice_cmp(*(const struct bl_slice *)a, *(const struct bl_slice *)b);
}

struct bl_ring *bl_ring_new(struct bl_slice *ids, uint32_t id_count) {
  struct bl_ring *ring = calloc(1, sizeof(*ring));
  BL_ASSERT(ring != NULL);
  ring->ids = ids;
  ring->id_count = id_count;
  qsort(ids, id_count, sizeof(*ids), by_text);
  return ring;
}

void bl_ring_free(struct bl_ring *ring) {
  if (ring == NULL) return;
  free(ring->ids);
  free(ring->points);
  free(ring);
}

int64_t bl_ring_index(const struct bl_ring *ring, struct bl_slice id) {
  if (ring->id_count == 0) return -1;
  const struct bl_slice *found =
      bsearch(&id, ring->ids, ring->id_count, sizeof(*ring->ids), by_text);
  return found != NULL ? found - ring->ids : -1;
}

/* The first four bytes of the MD5, as ConsistentHashRouter.MD5Hash. */
static uint32_t hash_of(struct bl_slice key) {
  uint8_t digest[BL_MD5_BYTES];
  bl_md5(key, digest);
  return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 |
         digest[3];
}

/* Of equal hashes the point that was put last counts: members go in order, so it is that of the
 * later member, and points of one member are the same to us. */
static int by_hash(const void *a, const void *b) {
  const struct bl_ring_point *x = a;
  const struct bl_ring_point *y = b;
  if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
  return x->member < y->member ? -1 : x->member > y->member;
}

static void place(struct bl_ring *ring) {
  char key[BL_CLIENT_ID_BYTES_MAX + 16];
  uint32_t all = ring->id_count * BL_RING_POINTS_PER_MEMBER;
  ring->points = calloc(all, sizeof(*ring->points));
  BL_ASSERT(ring->points != NULL);
  for (uint32_t i = 0; i < all; i++) {
    uint32_t member = i / BL_RING_POINTS_PER_MEMBER;
    int len = snprintf(key, sizeof(key), "%.*s-%u", BL_FMT(ring->ids[member]),
                       i % BL_RING_POINTS_PER_MEMBER);
    ring->points[i] = (struct bl_ring_point){hash_of(bl_slice_of(key, (size_t)len)), member};
  }
  qsort(ring->points, all, sizeof(*ring->points), by_hash);
  for (uint32_t i = 0; i < all; i++) {
    if (i + 1 < all && ring->points[i + 1].hash == ring->points[i].hash) continue;
    ring->points[ring->point_count++] = ring->points[i];
  }
}

uint32_t bl_ring_owner(struct bl_ring *ring, struct bl_slice key) {
  BL_ASSERT(ring->id_count > 0 && ring->id_count <= BL_RING_MEMBERS_MAX);
  if (ring->points == NULL) place(ring);
  uint32_t hash = hash_of(key);
  uint32_t low = 0;
  uint32_t high = ring->point_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (ring->points[middle].hash < hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return ring->points[low < ring->point_count ? low : 0].member;
}
