/* Big-endian loads and stores on unaligned memory. Pure. */
#ifndef BOLIDE_BASE_BYTES_H
#define BOLIDE_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t bl_load_u16(const void *p) {
  uint16_t v;
  memcpy(&v, p, sizeof(v));
  return __builtin_bswap16(v);
}
static inline uint32_t bl_load_u32(const void *p) {
  uint32_t v;
  memcpy(&v, p, sizeof(v));
  return __builtin_bswap32(v);
}
static inline uint64_t bl_load_u64(const void *p) {
  uint64_t v;
  memcpy(&v, p, sizeof(v));
  return __builtin_bswap64(v);
}
static inline void bl_store_u16(void *p, uint16_t v) {
  v = __builtin_bswap16(v);
  memcpy(p, &v, sizeof(v));
}
static inline void bl_store_u32(void *p, uint32_t v) {
  v = __builtin_bswap32(v);
  memcpy(p, &v, sizeof(v));
}
static inline void bl_store_u64(void *p, uint64_t v) {
  v = __builtin_bswap64(v);
  memcpy(p, &v, sizeof(v));
}

#endif
