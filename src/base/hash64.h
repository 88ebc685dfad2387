/* A hash of 64 bits that stays the same for ever: values of it are in files (bl_hash of base/map.h
 * may change). Pure. */
#ifndef BOLIDE_BASE_HASH64_H
#define BOLIDE_BASE_HASH64_H

#include "base/bytes.h"
#include "base/slice.h"

/* Odd, as many ones as zeros. */
#define BL_HASH64_A 0x9e3779b97f4a7c15ull
#define BL_HASH64_B 0xd1b54a32d192ed03ull

static inline uint64_t bl_hash64_mix(uint64_t a, uint64_t b) {
  __extension__ unsigned __int128 product = (unsigned __int128)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t bl_hash64_bytes(uint64_t state, struct bl_slice bytes) {
  const char *p = bytes.ptr;
  size_t left = bytes.len;
  for (; left >= 8; p += 8, left -= 8) state = bl_hash64_mix(state ^ bl_load_u64(p), BL_HASH64_A);
  uint64_t tail = 0;
  for (; left > 0; p++, left--) tail = tail << 8 | (unsigned char)*p;
  return bl_hash64_mix(state ^ tail ^ ((uint64_t)bytes.len << 56), BL_HASH64_B);
}

#endif
