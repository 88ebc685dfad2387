#include "base/cursor.h"

#include "base/bytes.h"

struct bl_cursor bl_cursor_of(struct bl_slice bytes) {
  const char *at = bytes.ptr != NULL ? bytes.ptr : "";
  return (struct bl_cursor){.at = at, .end = at + bytes.len};
}

size_t bl_cursor_left(const struct bl_cursor *cursor) {
  return (size_t)(cursor->end - cursor->at);
}

/* NULL (and failed, with nothing left to read) when `len` bytes are not there. */
static const char *step(struct bl_cursor *cursor, size_t len) {
  if (cursor->failed || len > bl_cursor_left(cursor)) {
    cursor->failed = true;
    cursor->at = cursor->end;
    return NULL;
  }
  const char *at = cursor->at;
  cursor->at += len;
  return at;
}

uint8_t bl_cursor_u8(struct bl_cursor *cursor) {
  const char *at = step(cursor, sizeof(uint8_t));
  return at != NULL ? (uint8_t)*at : 0;
}

uint16_t bl_cursor_u16(struct bl_cursor *cursor) {
  const char *at = step(cursor, sizeof(uint16_t));
  return at != NULL ? bl_load_u16(at) : 0;
}

uint32_t bl_cursor_u32(struct bl_cursor *cursor) {
  const char *at = step(cursor, sizeof(uint32_t));
  return at != NULL ? bl_load_u32(at) : 0;
}

uint64_t bl_cursor_u64(struct bl_cursor *cursor) {
  const char *at = step(cursor, sizeof(uint64_t));
  return at != NULL ? bl_load_u64(at) : 0;
}

struct bl_slice bl_cursor_bytes(struct bl_cursor *cursor, size_t len) {
  const char *at = step(cursor, len);
  return at != NULL ? bl_slice_of(at, len) : (struct bl_slice){NULL, 0};
}
