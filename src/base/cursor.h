/* A bounded big-endian reader with a sticky error: reads past the end give zeros and set `failed`.
 * Pure. */
#ifndef BOLIDE_BASE_CURSOR_H
#define BOLIDE_BASE_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct bl_cursor {
  const char *at;
  const char *end;
  bool failed;
};

/* BORROWS the bytes for the cursor's life. */
struct bl_cursor bl_cursor_of(struct bl_slice bytes);
size_t bl_cursor_left(const struct bl_cursor *cursor);
uint8_t bl_cursor_u8(struct bl_cursor *cursor);
uint16_t bl_cursor_u16(struct bl_cursor *cursor);
uint32_t bl_cursor_u32(struct bl_cursor *cursor);
uint64_t bl_cursor_u64(struct bl_cursor *cursor);
/* BORROWS `len` bytes of the input; the absent slice (and failed) when they are not there. */
struct bl_slice bl_cursor_bytes(struct bl_cursor *cursor, size_t len);

#endif
