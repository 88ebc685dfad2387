#include "broker/table.h"

#include <stdlib.h>

#include "base/assert.h"

#define ENTRIES_PER_STEP 64

struct bl_slice bl_table_own(struct bl_slice text) {
  char *copy = malloc(text.len + 1);
  BL_ASSERT(copy != NULL);
  if (text.len > 0) memcpy(copy, text.ptr, text.len);
  copy[text.len] = '\0';
  return bl_slice_of(copy, text.len);
}

void bl_table_disown(struct bl_slice text) {
  free((void *)(uintptr_t)text.ptr);
}

void bl_table_clear(struct bl_table *table) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&table->map, &cursor)) != NULL) table->free_value(entry->value);
  bl_map_fini(&table->map);
  bl_map_init(&table->map);
}

void bl_table_fini(struct bl_table *table) {
  bl_table_clear(table);
  bl_map_fini(&table->map);
}

struct writing {
  struct bl_json_writer w;
  size_t cursor;
};

static struct writing *start(const struct bl_table *table, struct bl_buf *out) {
  struct writing *writing = calloc(1, sizeof(*writing));
  BL_ASSERT(writing != NULL);
  writing->w = bl_json_writer_of(out, true);
  bl_json_open_object(&writing->w);
  bl_json_key(&writing->w, "dataVersion");
  bl_version_write(&writing->w, &table->version);
  if (table->empty_member != NULL) {
    bl_json_key(&writing->w, table->empty_member);
    bl_json_open_object(&writing->w);
    bl_json_close_object(&writing->w);
  }
  bl_json_key(&writing->w, table->member);
  bl_json_open_object(&writing->w);
  return writing;
}

bool bl_table_write_step(const struct bl_table *table, struct bl_buf *out, void **progress) {
  if (*progress == NULL) *progress = start(table, out);
  struct writing *writing = *progress;
  writing->w.out = out;
  for (int i = 0; i < ENTRIES_PER_STEP; i++) {
    const struct bl_map_entry *entry = bl_map_next(&table->map, &writing->cursor);
    if (entry == NULL) {
      bl_json_close_object(&writing->w);
      bl_json_close_object(&writing->w);
      free(writing);
      *progress = NULL;
      return false;
    }
    if (table->is_kept != NULL && !table->is_kept(entry->value)) continue;
    bl_json_key_slice(&writing->w, entry->key);
    table->write_value(&writing->w, entry->value);
  }
  return true;
}
