#include "base/slice.h"

int bl_slice_cmp(struct bl_slice a, struct bl_slice b) {
  size_t common = a.len < b.len ? a.len : b.len;
  int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
  if (order != 0) return order;
  return (a.len > b.len) - (a.len < b.len);
}

struct bl_slice bl_slice_cut(struct bl_slice *rest, char separator) {
  struct bl_slice all = *rest;
  const char *at = all.len > 0 ? memchr(all.ptr, separator, all.len) : NULL;
  if (at == NULL) {
    *rest = (struct bl_slice){NULL, 0};
    return all;
  }
  size_t len = (size_t)(at - all.ptr);
  *rest = bl_slice_of(at + 1, all.len - len - 1);
  return bl_slice_of(all.ptr, len);
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

struct bl_slice bl_slice_trim(struct bl_slice a) {
  while (a.len > 0 && is_blank(a.ptr[a.len - 1])) a.len--;
  while (a.len > 0 && is_blank(a.ptr[0])) {
    a.ptr++;
    a.len--;
  }
  return a;
}

bool bl_slice_i64(struct bl_slice a, int64_t *out_value) {
  size_t i = 0;
  bool negative = false;
  if (a.len > 0 && (a.ptr[0] == '-' || a.ptr[0] == '+')) {
    negative = a.ptr[0] == '-';
    i = 1;
  }
  if (i == a.len) return false;
  /* Gathered as a negative number: that side has room for INT64_MIN. */
  int64_t value = 0;
  for (; i < a.len; i++) {
    unsigned digit = (unsigned)(unsigned char)a.ptr[i] - '0';
    if (digit > 9) return false;
    if (__builtin_mul_overflow(value, (int64_t)10, &value)) return false;
    if (__builtin_sub_overflow(value, (int64_t)digit, &value)) return false;
  }
  if (!negative && value == INT64_MIN) return false;
  *out_value = negative ? value : -value;
  return true;
}

bool bl_slice_i32(struct bl_slice a, int32_t *out_value) {
  int64_t value;
  if (!bl_slice_i64(a, &value) || value < INT32_MIN || value > INT32_MAX) return false;
  *out_value = (int32_t)value;
  return true;
}

bool bl_slice_bool(struct bl_slice a) {
  static const char word[] = "true";
  if (a.len != sizeof(word) - 1) return false;
  for (size_t i = 0; i < a.len; i++) {
    char c = a.ptr[i];
    if (c >= 'A' && c <= 'Z') c = (char)(c + ('a' - 'A'));
    if (c != word[i]) return false;
  }
  return true;
}
