/* The body of a batch: every message lies within it, and all of them together are the whole of it.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "broker/send/send.h"
#include "wire/properties.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct bl_slice part, struct bl_slice whole) {
  if (part.len == 0) return;
  BL_ASSERT(part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bl_slice body = bl_slice_of(data, size);
  struct bl_slice rest = body;
  struct bl_batch_message message;
  bool bad = false;
  size_t left = size;
  while (bl_batch_next(&rest, &message, &bad)) {
    BL_ASSERT(!bad && rest.len < left);
    /* Six numbers around two texts. */
    BL_ASSERT(left - rest.len == 22 + message.body.len + message.properties.len);
    left = rest.len;
    check_within(message.body, body);
    check_within(message.properties, body);
    struct bl_slice pairs = message.properties;
    struct bl_slice name;
    struct bl_slice value;
    while (bl_properties_next(&pairs, &name, &value)) check_within(value, message.properties);
  }
  BL_ASSERT(bad || rest.len == 0);
  return 0;
}
