#include "base/javahash.h"

#define NOT_UTF8 0xfffdu

/* The code at `p` and how many bytes it takes. Of a broken sequence, the part that could have begun
 * a right one is one U+FFFD. */
static size_t code_at(const unsigned char *p, size_t left, uint32_t *out_code) {
  *out_code = NOT_UTF8;
  size_t len = p[0] < 0xc2 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 1;
  if (len == 1) return 1;
  unsigned least = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80; /* no overlong forms */
  unsigned most = p[0] == 0xf4 ? 0x8f : 0xbf;                        /* nothing beyond U+10FFFF */
  uint32_t code = p[0] & (0xffu >> (len + 1));
  for (size_t i = 1; i < len; i++) {
    if (i == left || p[i] < least || p[i] > most) return i;
    code = code << 6 | (p[i] & 0x3f);
    least = 0x80;
    most = 0xbf;
  }
  if (code < 0xd800 || code >= 0xe000) *out_code = code; /* a surrogate is one U+FFFD */
  return len;
}

int32_t bl_javahash(struct bl_slice text) {
  const unsigned char *p = (const unsigned char *)text.ptr;
  uint32_t hash = 0;
  size_t i = 0;
  while (i < text.len) {
    if (p[i] < 0x80) {
      hash = hash * 31 + p[i++];
      continue;
    }
    uint32_t code;
    i += code_at(p + i, text.len - i, &code);
    if (code >= 0x10000) {
      hash = hash * 31 + (0xd800 + ((code - 0x10000) >> 10));
      code = 0xdc00 + ((code - 0x10000) & 0x3ff);
    }
    hash = hash * 31 + code;
  }
  return (int32_t)hash;
}
