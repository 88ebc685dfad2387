#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "namesrv/internal.h"

struct bl_slice bl_ns_text_copy(struct bl_slice text) {
  if (text.ptr == NULL) return text;
  char *copy = malloc(text.len + 1);
  BL_ASSERT(copy != NULL);
  memcpy(copy, text.ptr, text.len);
  copy[text.len] = '\0';
  return bl_slice_of(copy, text.len);
}

void bl_ns_text_free(struct bl_slice *text) {
  free((char *)text->ptr);
  *text = bl_slice_text(NULL);
}

bool bl_ns_text_set(struct bl_slice *text, struct bl_slice to) {
  if (bl_slice_eq(*text, to) && (text->ptr == NULL) == (to.ptr == NULL)) return false;
  struct bl_slice copy = bl_ns_text_copy(to);
  bl_ns_text_free(text);
  *text = copy;
  return true;
}

void *bl_ns_grow(void *array, size_t count, size_t *cap, size_t item_bytes) {
  if (count < *cap) return array;
  size_t more = *cap == 0 ? 1 : *cap * 2;
  void *grown = realloc(array, more * item_bytes);
  BL_ASSERT(grown != NULL);
  *cap = more;
  return grown;
}
