/* MD5 (RFC 1321), for a hash ring that must equal Java's; not for secrets. Pure. */
#ifndef BOLIDE_BASE_MD5_H
#define BOLIDE_BASE_MD5_H

#include <stdint.h>

#include "base/slice.h"

#define BL_MD5_BYTES 16

void bl_md5(struct bl_slice bytes, uint8_t out_digest[BL_MD5_BYTES]);

#endif
