#include "base/crc32.h"

#include <libdeflate.h>

uint32_t bl_crc32(uint32_t crc, const void *bytes, size_t len) {
  if (len == 0) return crc; /* libdeflate starts afresh when given NULL */
  return libdeflate_crc32(crc, bytes, len);
}
