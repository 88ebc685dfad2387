#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"

#define BUF_FIRST_BYTES 256u
#define BUF_MAX_BYTES (1ull << 31)

void bl_buf_init(struct bl_buf *buf, size_t max_bytes) {
  *buf = (struct bl_buf){.max_bytes = max_bytes};
}

void bl_buf_fini(struct bl_buf *buf) {
  free(buf->data);
  *buf = (struct bl_buf){.max_bytes = buf->max_bytes};
}

void bl_buf_clear(struct bl_buf *buf) {
  buf->len = 0;
  buf->failed = false;
}

static void grow(struct bl_buf *buf, size_t need, size_t max_bytes) {
  size_t cap = buf->cap > 0 ? buf->cap : BUF_FIRST_BYTES;
  while (cap < need) cap *= 2;
  if (cap > max_bytes) cap = need > max_bytes ? need : max_bytes;
  char *data = realloc(buf->data, cap > 0 ? cap : 1);
  BL_ASSERT(data != NULL);
  buf->data = data;
  buf->cap = cap;
}

char *bl_buf__reserve_more(struct bl_buf *buf, size_t bytes) {
  if (buf->failed) return NULL;
  size_t max_bytes = buf->max_bytes > 0 ? buf->max_bytes : BUF_MAX_BYTES;
  if (buf->len > max_bytes || bytes > max_bytes - buf->len) {
    buf->failed = true;
    return NULL;
  }
  grow(buf, buf->len + bytes, max_bytes);
  return buf->data + buf->len;
}

void bl_buf_put_text(struct bl_buf *buf, const char *text) {
  bl_buf_put(buf, text, strlen(text));
}

void bl_buf_put_char(struct bl_buf *buf, char c) {
  char *at = bl_buf_reserve(buf, 1);
  if (at == NULL) return;
  *at = c;
  buf->len++;
}

void bl_buf_put_i64_text(struct bl_buf *buf, int64_t value) {
  char digits[20];
  size_t at = sizeof(digits);
  uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do {
    digits[--at] = (char)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (value < 0) digits[--at] = '-';
  bl_buf_put(buf, digits + at, sizeof(digits) - at);
}

void bl_buf_printf(struct bl_buf *buf, const char *format, ...) {
  char small[256];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(small, sizeof(small), format, args);
  va_end(args);
  BL_ASSERT(len >= 0);
  if ((size_t)len < sizeof(small)) {
    bl_buf_put(buf, small, (size_t)len);
    return;
  }
  char *text = malloc((size_t)len + 1);
  BL_ASSERT(text != NULL);
  va_start(args, format);
  vsnprintf(text, (size_t)len + 1, format, args);
  va_end(args);
  bl_buf_put(buf, text, (size_t)len);
  free(text);
}

void bl_buf_put_u8(struct bl_buf *buf, uint8_t value) {
  bl_buf_put_char(buf, (char)value);
}

void bl_buf_put_u16(struct bl_buf *buf, uint16_t value) {
  char *at = bl_buf_reserve(buf, sizeof(value));
  if (at == NULL) return;
  bl_store_u16(at, value);
  buf->len += sizeof(value);
}

void bl_buf_put_u32(struct bl_buf *buf, uint32_t value) {
  char *at = bl_buf_reserve(buf, sizeof(value));
  if (at == NULL) return;
  bl_store_u32(at, value);
  buf->len += sizeof(value);
}

void bl_buf_put_u64(struct bl_buf *buf, uint64_t value) {
  char *at = bl_buf_reserve(buf, sizeof(value));
  if (at == NULL) return;
  bl_store_u64(at, value);
  buf->len += sizeof(value);
}

void bl_buf_drop_front(struct bl_buf *buf, size_t bytes) {
  BL_ASSERT(bytes <= buf->len);
  if (bytes == 0) return;
  buf->len -= bytes;
  memmove(buf->data, buf->data + bytes, buf->len);
}
