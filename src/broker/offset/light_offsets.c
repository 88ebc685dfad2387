#include "broker/offset/light_offsets.h"

#include <stdlib.h>

#include "base/assert.h"
#include "store/entry.h"

#define ROWS_PER_STEP 100
/* A member that Java does not know: it reads past it and does not write it. */
#define OURS "writtenBy"

void bl_light_offsets_apply(void *context, struct bl_slice name, const struct bl_json *json,
                            int64_t log_offset) {
  (void)context;
  (void)name;
  (void)json;
  (void)log_offset;
}

/* What is over a limit is not taken: the limits are far above what a broker writes. */
static void take(struct bl_offsets *offsets, struct bl_slice key, int32_t queue_id,
                 int64_t offset) {
  struct bl_slice group = key;
  struct bl_slice topic = bl_slice_cut(&group, '@');
  if (topic.len == 0 || group.len == 0 || offset < 0) return;
  bl_err err = bl_offsets_commit(offsets, topic, group, queue_id, offset);
  (void)err;
}

bl_err bl_light_offsets_replace(void *context, const struct bl_json *root, struct bl_why *why) {
  struct bl_offsets *offsets = context;
  (void)why;
  if (root == NULL || bl_json_get(root, OURS) != NULL) return BL_OK;
  const struct bl_json *table = bl_json_get(root, "offsetTable");
  const struct bl_json *light = bl_json_get(root, "lmqOffsetTable");
  for (const struct bl_json *row = table != NULL ? table->child : NULL; row != NULL;
       row = row->next) {
    for (const struct bl_json *cell = row->child; cell != NULL; cell = cell->next) {
      int32_t id;
      if (bl_slice_i32(cell->key, &id))
        take(offsets, row->key, id, bl_json_i64(cell, BL_OFFSET_NONE));
    }
  }
  for (const struct bl_json *row = light != NULL ? light->child : NULL; row != NULL;
       row = row->next) {
    take(offsets, row->key, BL_LIGHT_QUEUE_ID, bl_json_i64(row, BL_OFFSET_NONE));
  }
  return BL_OK;
}

struct writing {
  struct bl_json_writer w;
  size_t cursor;
  bool light_done; /* the groups of light queues come first */
};

static struct writing *start(struct bl_buf *out) {
  struct writing *writing = calloc(1, sizeof(*writing));
  BL_ASSERT(writing != NULL);
  writing->w = bl_json_writer_of(out, true);
  bl_json_open_object(&writing->w);
  bl_json_member_text(&writing->w, OURS, BL_SLICE("bolide"));
  bl_json_key(&writing->w, "lmqOffsetTable");
  bl_json_open_object(&writing->w);
  return writing;
}

static void put_row(struct writing *writing, const struct bl_offset_row *row) {
  bool light = bl_slice_starts(row->group, BL_LIGHT_PREFIX);
  if (light == writing->light_done || !bl_offset_row_is_committed(row)) return;
  if (light && row->committed[BL_LIGHT_QUEUE_ID] == BL_OFFSET_NONE) return;
  bl_json_key_slice(&writing->w, row->key);
  if (light) {
    bl_json_put_i64(&writing->w, row->committed[BL_LIGHT_QUEUE_ID]);
  } else {
    bl_offset_row_write(&writing->w, row);
  }
}

bool bl_light_offsets_write_step(void *context, struct bl_buf *out, void **progress) {
  const struct bl_offsets *offsets = context;
  if (*progress == NULL) *progress = start(out);
  struct writing *writing = *progress;
  writing->w.out = out;
  for (int i = 0; i < ROWS_PER_STEP; i++) {
    const struct bl_map_entry *entry =
        offsets->light_rows > 0 ? bl_map_next(&offsets->table.map, &writing->cursor) : NULL;
    if (entry != NULL) {
      put_row(writing, entry->value);
      continue;
    }
    bl_json_close_object(&writing->w);
    if (!writing->light_done) {
      writing->light_done = true;
      writing->cursor = 0;
      bl_json_key(&writing->w, "offsetTable");
      bl_json_open_object(&writing->w);
      continue;
    }
    bl_json_close_object(&writing->w);
    free(writing);
    *progress = NULL;
    return false;
  }
  return true;
}
