/* JSON in either mode: what was read is written, read and written again, and must be the same. */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_node(const struct bl_json *node, bool pretty, struct bl_buf *out) {
  struct bl_json_writer writer = bl_json_writer_of(out, pretty);
  bl_json_put_node(&writer, node);
}

/* The first byte: bit 0 the mode, bit 1 the form in which it is written. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  enum bl_json_mode mode = (data[0] & 1) != 0 ? BL_JSON_DIALECT : BL_JSON_STRICT;
  bool pretty = (data[0] & 2) != 0;
  struct bl_arena arena;
  const struct bl_json *root = NULL;
  struct bl_why why;
  bl_arena_init(&arena);
  if (bl_json_parse(bl_slice_of(data + 1, size - 1), mode, &arena, &root, &why) == BL_OK) {
    struct bl_buf once;
    struct bl_buf twice;
    const struct bl_json *again = NULL;
    bl_buf_init(&once, 0);
    bl_buf_init(&twice, 0);
    write_node(root, pretty, &once);
    BL_ASSERT(bl_json_parse(bl_buf_slice(&once), mode, &arena, &again, &why) == BL_OK);
    write_node(again, pretty, &twice);
    BL_ASSERT(bl_slice_eq(bl_buf_slice(&once), bl_buf_slice(&twice)));
    bl_json_i64(root, 0);
    bl_json_i32(root, 0);
    bl_json_bool(root, false);
    bl_buf_fini(&once);
    bl_buf_fini(&twice);
  }
  bl_arena_fini(&arena);
  return 0;
}
