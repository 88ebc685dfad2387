/* Hexadecimal text, upper case as RocketMQ's ids are (UtilAll.bytes2string). Pure. */
#ifndef BOLIDE_BASE_HEX_H
#define BOLIDE_BASE_HEX_H

#include <stdbool.h>

#include "base/slice.h"

/* FILLS 2 * bytes.len characters of `out`; no NUL. */
void bl_hex_encode(struct bl_slice bytes, char *out);

/* FILLS text.len / 2 bytes of `out`; digits in either case. false: an odd length or another
 * character; then `out` holds anything. */
bool bl_hex_decode(struct bl_slice text, void *out);

#endif
