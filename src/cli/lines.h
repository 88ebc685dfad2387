/* Bytes as they come in, cut into lines. Pure. A line is what stands before a new line, any other
 * bytes are kept as they are; what stands behind the last new line is a line too when the input
 * ends. */
#ifndef BOLIDE_CLI_LINES_H
#define BOLIDE_CLI_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct bl_lines {
  struct bl_buf bytes;
  size_t at;      /* start of the next line */
  size_t scanned; /* no new line before it, from `at` on */
  size_t max_bytes;
  uint64_t count; /* lines given so far */
  bool ended;
};

/* max_bytes: of one line. */
void bl_lines_init(struct bl_lines *lines, size_t max_bytes);
void bl_lines_fini(struct bl_lines *lines);
void bl_lines_put(struct bl_lines *lines, struct bl_slice bytes);
/* No more bytes will come. */
void bl_lines_end(struct bl_lines *lines);
/* The next line, BORROWED until the next put. BL_ERR_SHORT: more input is needed. BL_ERR_CLOSED: it
 * was the last. BL_ERR_FULL: the next line is longer than max_bytes. */
BL_MUST_CHECK bl_err bl_lines_next(struct bl_lines *lines, struct bl_slice *out_line);

#endif
