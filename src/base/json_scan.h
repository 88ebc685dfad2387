/* Eight bytes of a JSON text at a time. For json*.c only. Pure. */
#ifndef BOLIDE_BASE_JSON_SCAN_H
#define BOLIDE_BASE_JSON_SCAN_H

#include <stdint.h>
#include <string.h>

#define BL_JSON_ONES 0x0101010101010101ull
#define BL_JSON_HIGHS 0x8080808080808080ull

static inline uint64_t bl_json__load_8(const char *p) {
  uint64_t word;
  memcpy(&word, p, sizeof(word));
  return word;
}

/* Not zero when a byte of `word` is `c`. */
static inline uint64_t bl_json__has(uint64_t word, unsigned char c) {
  uint64_t differs = word ^ (BL_JSON_ONES * c);
  return (differs - BL_JSON_ONES) & ~differs & BL_JSON_HIGHS;
}

/* Not zero when a byte of `word` is `quote`, a backslash or below a blank. */
static inline uint64_t bl_json__special(uint64_t word, char quote) {
  return bl_json__has(word, (unsigned char)quote) | bl_json__has(word, '\\') |
         ((word - BL_JSON_ONES * 0x20) & ~word & BL_JSON_HIGHS);
}

#endif
