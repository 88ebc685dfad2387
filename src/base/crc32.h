/* CRC32 (the zlib polynomial), by libdeflate. Pure. */
#ifndef BOLIDE_BASE_CRC32_H
#define BOLIDE_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* `crc` is 0 at the start, or the result so far. */
uint32_t bl_crc32(uint32_t crc, const void *bytes, size_t len);

#endif
