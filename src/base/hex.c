#include "base/hex.h"

void bl_hex_encode(struct bl_slice bytes, char *out) {
  static const char digits[] = "0123456789ABCDEF";
  for (size_t i = 0; i < bytes.len; i++) {
    unsigned char byte = (unsigned char)bytes.ptr[i];
    *out++ = digits[byte >> 4];
    *out++ = digits[byte & 15];
  }
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool bl_hex_decode(struct bl_slice text, void *out) {
  if (text.len % 2 != 0) return false;
  unsigned char *to = out;
  for (size_t i = 0; i < text.len; i += 2) {
    int high = digit_of(text.ptr[i]);
    int low = digit_of(text.ptr[i + 1]);
    if (high < 0 || low < 0) return false;
    *to++ = (unsigned char)(high << 4 | low);
  }
  return true;
}
