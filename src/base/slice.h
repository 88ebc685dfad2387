/* A borrowed run of bytes. Pure.
 *
 * A slice never owns and needs no NUL. Whoever stores one beyond the call says who keeps the bytes
 * alive. ptr == NULL means "absent"; an empty but present value has ptr != NULL and len == 0. */
#ifndef BOLIDE_BASE_SLICE_H
#define BOLIDE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bl_slice {
  const char *ptr;
  size_t len;
};

/* A slice of a string literal. */
#define BL_SLICE(literal) ((struct bl_slice){(literal), sizeof(literal) - 1})

/* printf helper: printf("%.*s", BL_FMT(slice)). The caller bounds the length. */
#define BL_FMT(slice) (int)(slice).len, ((slice).ptr != NULL ? (slice).ptr : "")

static inline struct bl_slice bl_slice_of(const void *ptr, size_t len) {
  return (struct bl_slice){ptr, len};
}

/* BORROWS a NUL-terminated text; NULL gives the absent slice. */
static inline struct bl_slice bl_slice_text(const char *text) {
  return (struct bl_slice){text, text != NULL ? strlen(text) : 0};
}

/* The first byte settles most comparisons without a call. */
static inline bool bl_slice_eq(struct bl_slice a, struct bl_slice b) {
  if (a.len != b.len) return false;
  return a.len == 0 || (a.ptr[0] == b.ptr[0] && memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool bl_slice_is(struct bl_slice a, const char *text) {
  size_t len = strlen(text);
  if (a.len != len) return false;
  return len == 0 || (a.ptr != NULL && a.ptr[0] == text[0] && memcmp(a.ptr, text, len) == 0);
}

static inline bool bl_slice_starts(struct bl_slice a, struct bl_slice prefix) {
  return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

/* The part of `a` from `from` on; empty when `from` is beyond the end. */
static inline struct bl_slice bl_slice_from(struct bl_slice a, size_t from) {
  if (from > a.len) from = a.len;
  return (struct bl_slice){a.ptr != NULL ? a.ptr + from : NULL, a.len - from};
}

/* Byte order, shorter first on a common prefix. */
int bl_slice_cmp(struct bl_slice a, struct bl_slice b);

/* Cut `*rest` at the first `separator`: returns the part before it and leaves what follows. When
 * there is none, returns all and leaves the absent slice. */
struct bl_slice bl_slice_cut(struct bl_slice *rest, char separator);

/* Without leading and trailing blanks and tabs. */
struct bl_slice bl_slice_trim(struct bl_slice a);

/* The whole slice as a decimal number with an optional sign. false: not a number or out of
 * range. */
bool bl_slice_i64(struct bl_slice a, int64_t *out_value);
bool bl_slice_i32(struct bl_slice a, int32_t *out_value);

/* "true" in any letter case is true; anything else is false (as Boolean.parseBoolean). */
bool bl_slice_bool(struct bl_slice a);

#endif
