#include "wire/properties.h"

#include <string.h>

#define NAME_END '\x01'
#define PAIR_END '\x02'

bool bl_properties_next(struct bl_slice *rest, struct bl_slice *out_name,
                        struct bl_slice *out_value) {
  while (rest->ptr != NULL && rest->len > 0) {
    struct bl_slice pair = bl_slice_cut(rest, PAIR_END);
    const char *end = pair.len > 0 ? memchr(pair.ptr, NAME_END, pair.len) : NULL;
    if (end == NULL || end == pair.ptr || end + 1 == pair.ptr + pair.len) continue;
    *out_name = bl_slice_of(pair.ptr, (size_t)(end - pair.ptr));
    *out_value = bl_slice_of(end + 1, pair.len - out_name->len - 1);
    return true;
  }
  return false;
}

struct bl_slice bl_properties_get(struct bl_slice properties, struct bl_slice name) {
  struct bl_slice found;
  struct bl_slice value;
  struct bl_slice last = {NULL, 0};
  while (bl_properties_next(&properties, &found, &value)) {
    if (bl_slice_eq(found, name)) last = value;
  }
  return last;
}

void bl_properties_put(struct bl_buf *out, struct bl_slice name, struct bl_slice value) {
  bl_buf_put_slice(out, name);
  bl_buf_put_char(out, NAME_END);
  bl_buf_put_slice(out, value);
  bl_buf_put_char(out, PAIR_END);
}

void bl_properties_put_i64(struct bl_buf *out, struct bl_slice name, int64_t value) {
  bl_buf_put_slice(out, name);
  bl_buf_put_char(out, NAME_END);
  bl_buf_put_i64_text(out, value);
  bl_buf_put_char(out, PAIR_END);
}

void bl_properties_put_without(struct bl_buf *out, struct bl_slice properties,
                               struct bl_slice name) {
  struct bl_slice found;
  struct bl_slice value;
  while (bl_properties_next(&properties, &found, &value)) {
    if (!bl_slice_eq(found, name)) bl_properties_put(out, found, value);
  }
}
