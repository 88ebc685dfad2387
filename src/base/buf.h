/* A growable byte buffer with a limit and a sticky error. Pure.
 *
 * Writers never check each step: after a put beyond the limit nothing more is written, `failed`
 * stays set, and whoever ends the work looks once. Allocation that fails for another reason
 * aborts. */
#ifndef BOLIDE_BASE_BUF_H
#define BOLIDE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct bl_buf {
  char *data;
  size_t len;
  size_t cap;
  size_t max_bytes; /* limit of len; 0 means 2 GiB */
  bool failed;      /* a put did not fit */
};

/* Starts empty without allocating. */
void bl_buf_init(struct bl_buf *buf, size_t max_bytes);
/* Frees the memory; the buffer is empty and usable again. Accepts a zeroed struct. */
void bl_buf_fini(struct bl_buf *buf);
/* Forgets the content and the error, keeps the memory. */
void bl_buf_clear(struct bl_buf *buf);

/* Of bl_buf_reserve: the buffer grows, or fails. */
char *bl_buf__reserve_more(struct bl_buf *buf, size_t bytes);
/* Room for `bytes` more at data + len; NULL (and failed) when that is beyond the limit. The caller
 * writes and then adds to len. */
static inline char *bl_buf_reserve(struct bl_buf *buf, size_t bytes) {
  if (!buf->failed && buf->data != NULL && bytes <= buf->cap - buf->len)
    return buf->data + buf->len;
  return bl_buf__reserve_more(buf, bytes);
}

static inline void bl_buf_put(struct bl_buf *buf, const void *bytes, size_t len) {
  if (len == 0) return;
  char *at = bl_buf_reserve(buf, len);
  if (at == NULL) return;
  memcpy(at, bytes, len);
  buf->len += len;
}
static inline void bl_buf_put_slice(struct bl_buf *buf, struct bl_slice slice) {
  bl_buf_put(buf, slice.ptr, slice.len);
}
void bl_buf_put_text(struct bl_buf *buf, const char *text);
void bl_buf_put_char(struct bl_buf *buf, char c);
void bl_buf_put_i64_text(struct bl_buf *buf, int64_t value); /* decimal */
void bl_buf_printf(struct bl_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Big-endian numbers. */
void bl_buf_put_u8(struct bl_buf *buf, uint8_t value);
void bl_buf_put_u16(struct bl_buf *buf, uint16_t value);
void bl_buf_put_u32(struct bl_buf *buf, uint32_t value);
void bl_buf_put_u64(struct bl_buf *buf, uint64_t value);

/* Drops the first `bytes` by moving the rest to the front. */
void bl_buf_drop_front(struct bl_buf *buf, size_t bytes);

static inline struct bl_slice bl_buf_slice(const struct bl_buf *buf) {
  return bl_slice_of(buf->data != NULL ? buf->data : "", buf->len);
}

#endif
