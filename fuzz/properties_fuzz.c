/* A properties string: read, written again, looked into, and without each of its names. */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "wire/properties.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t write_pairs(struct bl_slice properties, struct bl_buf *out) {
  struct bl_slice name;
  struct bl_slice value;
  size_t count = 0;
  for (; bl_properties_next(&properties, &name, &value); count++) {
    BL_ASSERT(name.len > 0 && value.len > 0);
    bl_properties_put(out, name, value);
  }
  return count;
}

/* The first names only: the work would grow with their square. */
static void check_names(struct bl_slice properties) {
  struct bl_slice rest = properties;
  struct bl_slice name;
  struct bl_slice value;
  for (int i = 0; i < 8 && bl_properties_next(&rest, &name, &value); i++) {
    BL_ASSERT(bl_properties_get(properties, name).len > 0);
    struct bl_buf without;
    bl_buf_init(&without, 0);
    bl_properties_put_without(&without, properties, name);
    BL_ASSERT(bl_properties_get(bl_buf_slice(&without), name).ptr == NULL);
    bl_buf_fini(&without);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bl_slice properties = bl_slice_of(data, size);
  struct bl_buf once;
  struct bl_buf twice;
  bl_buf_init(&once, 0);
  bl_buf_init(&twice, 0);
  size_t count = write_pairs(properties, &once);
  BL_ASSERT(write_pairs(bl_buf_slice(&once), &twice) == count);
  BL_ASSERT(bl_slice_eq(bl_buf_slice(&once), bl_buf_slice(&twice)));
  check_names(properties);
  bl_buf_fini(&once);
  bl_buf_fini(&twice);
  return 0;
}
