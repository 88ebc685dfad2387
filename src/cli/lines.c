#include "cli/lines.h"

#include <string.h>

void bl_lines_init(struct bl_lines *lines, size_t max_bytes) {
  *lines = (struct bl_lines){.max_bytes = max_bytes};
  bl_buf_init(&lines->bytes, 0);
}

void bl_lines_fini(struct bl_lines *lines) {
  bl_buf_fini(&lines->bytes);
}

void bl_lines_put(struct bl_lines *lines, struct bl_slice bytes) {
  bl_buf_drop_front(&lines->bytes, lines->at);
  lines->scanned -= lines->at;
  lines->at = 0;
  bl_buf_put_slice(&lines->bytes, bytes);
}

void bl_lines_end(struct bl_lines *lines) {
  lines->ended = true;
}

static bl_err give(struct bl_lines *lines, size_t end, size_t next, struct bl_slice *out_line) {
  if (end - lines->at > lines->max_bytes) return BL_ERR_FULL;
  *out_line = bl_slice_of(lines->bytes.data + lines->at, end - lines->at);
  lines->at = next;
  lines->scanned = next;
  lines->count++;
  return BL_OK;
}

bl_err bl_lines_next(struct bl_lines *lines, struct bl_slice *out_line) {
  size_t len = lines->bytes.len;
  const char *from = lines->bytes.data + lines->scanned;
  const char *end = len > lines->scanned ? memchr(from, '\n', len - lines->scanned) : NULL;
  if (end != NULL) {
    size_t at = (size_t)(end - lines->bytes.data);
    return give(lines, at, at + 1, out_line);
  }
  lines->scanned = len;
  if (len - lines->at > lines->max_bytes) return BL_ERR_FULL;
  if (!lines->ended) return BL_ERR_SHORT;
  return len == lines->at ? BL_ERR_CLOSED : give(lines, len, len, out_line);
}
