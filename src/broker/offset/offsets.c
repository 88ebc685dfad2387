#include "broker/offset/offsets.h"

#include <stdlib.h>

#include "base/assert.h"
#include "store/entry.h"

#define KEY_BYTES_MAX 600

static void free_row(void *value) {
  struct bl_offset_row *row = value;
  bl_list_remove(&row->changed_node);
  bl_table_disown(row->key);
  free(row->committed);
  free(row->pulled);
  free(row->reset);
  bl_series_free(row->series);
  free(row);
}

/* {0:12,1:3}: the queue ids are bare numbers. */
void bl_offset_row_write(struct bl_json_writer *w, const void *value) {
  const struct bl_offset_row *row = value;
  bl_json_open_object(w);
  for (int32_t id = 0; id < row->queue_slots; id++) {
    if (row->committed[id] == BL_OFFSET_NONE) continue;
    bl_json_key_number(w, id, false);
    bl_json_put_i64(w, row->committed[id]);
  }
  bl_json_close_object(w);
}

bool bl_offset_row_is_committed(const struct bl_offset_row *row) {
  for (int32_t id = 0; id < row->queue_slots; id++) {
    if (row->committed[id] != BL_OFFSET_NONE) return true;
  }
  return false;
}

/* Rows that only know pulls are not kept. */
static bool is_kept(const void *value) {
  return bl_offset_row_is_committed(value);
}

void bl_offsets_init(struct bl_offsets *offsets, const struct bl_clock *clock) {
  memset(offsets, 0, sizeof(*offsets));
  bl_map_init(&offsets->table.map);
  offsets->table.member = "offsetTable";
  offsets->table.free_value = free_row;
  offsets->table.write_value = bl_offset_row_write;
  offsets->table.is_kept = is_kept;
  offsets->table.version.timestamp_ms = bl_clock_wall_ms(clock);
  offsets->clock = clock;
  offsets->slots_max = BL_OFFSET_SLOTS_MAX;
  bl_list_init(&offsets->changed);
}

void bl_offsets_fini(struct bl_offsets *offsets) {
  bl_table_fini(&offsets->table);
}

/* The key in `space`; the absent slice when it is too long to be one. */
static struct bl_slice key_of(struct bl_slice topic, struct bl_slice group,
                              char space[KEY_BYTES_MAX]) {
  size_t len = topic.len + 1 + group.len;
  if (len > KEY_BYTES_MAX || topic.len == 0 || group.len == 0) return (struct bl_slice){NULL, 0};
  memcpy(space, topic.ptr, topic.len);
  space[topic.len] = '@';
  memcpy(space + topic.len + 1, group.ptr, group.len);
  return bl_slice_of(space, len);
}

struct bl_offset_row *bl_offsets_find(const struct bl_offsets *offsets, struct bl_slice topic,
                                      struct bl_slice group) {
  char space[KEY_BYTES_MAX];
  struct bl_slice key = key_of(topic, group, space);
  return key.ptr != NULL ? bl_map_get(&offsets->table.map, key) : NULL;
}

int64_t bl_offsets_committed(const struct bl_offsets *offsets, struct bl_slice topic,
                             struct bl_slice group, int32_t queue_id) {
  const struct bl_offset_row *row = bl_offsets_find(offsets, topic, group);
  if (row == NULL || queue_id < 0 || queue_id >= row->queue_slots) return BL_OFFSET_NONE;
  return row->committed[queue_id];
}

int64_t bl_offsets_pulled(const struct bl_offsets *offsets, struct bl_slice topic,
                          struct bl_slice group, int32_t queue_id) {
  const struct bl_offset_row *row = bl_offsets_find(offsets, topic, group);
  if (row == NULL || queue_id < 0 || queue_id >= row->queue_slots) return BL_OFFSET_NONE;
  return row->pulled[queue_id];
}

static struct bl_offset_row *new_row(struct bl_offsets *offsets, struct bl_slice key) {
  struct bl_offset_row *row = calloc(1, sizeof(*row));
  BL_ASSERT(row != NULL);
  row->key = bl_table_own(key);
  struct bl_slice rest = row->key;
  row->topic = bl_slice_cut(&rest, '@');
  row->group = rest;
  if (bl_slice_starts(row->group, BL_LIGHT_PREFIX) || bl_slice_starts(row->topic, BL_LIGHT_PREFIX))
    offsets->light_rows++;
  bl_map_put(&offsets->table.map, row->key, row);
  return row;
}

static void grow_resets(struct bl_offset_row *row, int32_t slots) {
  int32_t before = row->reset != NULL ? row->queue_slots : 0;
  row->reset = realloc(row->reset, (size_t)slots * sizeof(int64_t));
  BL_ASSERT(row->reset != NULL);
  for (int32_t id = before; id < slots; id++) row->reset[id] = BL_OFFSET_NONE;
}

/* The row with a slot for the queue; NULL over slots_max. */
static struct bl_offset_row *open_slot(struct bl_offsets *offsets, struct bl_slice key,
                                       int32_t queue_id) {
  struct bl_offset_row *row = bl_map_get(&offsets->table.map, key);
  int32_t before = row != NULL ? row->queue_slots : 0;
  if (queue_id < before) return row;
  int32_t slots = before < 4 ? 4 : before * 2;
  if (slots <= queue_id) slots = queue_id + 1;
  if (offsets->slots + slots - before > offsets->slots_max) return NULL;
  if (row == NULL) row = new_row(offsets, key);
  row->committed = realloc(row->committed, (size_t)slots * sizeof(int64_t));
  row->pulled = realloc(row->pulled, (size_t)slots * sizeof(int64_t));
  BL_ASSERT(row->committed != NULL && row->pulled != NULL);
  for (int32_t id = before; id < slots; id++) {
    row->committed[id] = BL_OFFSET_NONE;
    row->pulled[id] = BL_OFFSET_NONE;
  }
  if (row->reset != NULL) grow_resets(row, slots);
  row->queue_slots = slots;
  offsets->slots += slots - before;
  return row;
}

static void note_change(struct bl_offsets *offsets, struct bl_offset_row *row, int32_t queue_id) {
  if (!bl_list_linked(&row->changed_node)) {
    bl_list_add_last(&offsets->changed, &row->changed_node);
    row->changed_from = queue_id;
    row->changed_to = queue_id + 1;
    return;
  }
  if (queue_id < row->changed_from) row->changed_from = queue_id;
  if (queue_id >= row->changed_to) row->changed_to = queue_id + 1;
}

bl_err bl_offsets_commit(struct bl_offsets *offsets, struct bl_slice topic, struct bl_slice group,
                         int32_t queue_id, int64_t offset) {
  char space[KEY_BYTES_MAX];
  struct bl_slice key = key_of(topic, group, space);
  if (key.ptr == NULL || queue_id < 0 || queue_id >= BL_OFFSET_QUEUES_MAX) return BL_ERR_PARAMETER;
  struct bl_offset_row *row = open_slot(offsets, key, queue_id);
  if (row == NULL) return BL_ERR_FULL;
  if (offset < 0) offset = BL_OFFSET_NONE;
  if (row->committed[queue_id] == offset) return BL_OK;
  row->committed[queue_id] = offset;
  note_change(offsets, row, queue_id);
  return BL_OK;
}

bl_err bl_offsets_reset(struct bl_offsets *offsets, struct bl_slice topic, struct bl_slice group,
                        int32_t queue_id, int64_t offset) {
  if (offset < 0) return BL_ERR_PARAMETER;
  bl_err err = bl_offsets_commit(offsets, topic, group, queue_id, offset);
  if (err != BL_OK) return err;
  struct bl_offset_row *row = bl_offsets_find(offsets, topic, group);
  if (row->reset == NULL) grow_resets(row, row->queue_slots);
  if (row->reset[queue_id] == BL_OFFSET_NONE) {
    row->resets++;
    offsets->resets++;
  }
  row->reset[queue_id] = offset;
  return BL_OK;
}

static struct bl_offset_row *row_with_reset(const struct bl_offsets *offsets, struct bl_slice topic,
                                            struct bl_slice group, int32_t queue_id) {
  if (offsets->resets == 0) return NULL;
  struct bl_offset_row *row = bl_offsets_find(offsets, topic, group);
  bool has = row != NULL && row->reset != NULL && queue_id >= 0 && queue_id < row->queue_slots;
  return has ? row : NULL;
}

int64_t bl_offsets_pending_reset(const struct bl_offsets *offsets, struct bl_slice topic,
                                 struct bl_slice group, int32_t queue_id) {
  const struct bl_offset_row *row = row_with_reset(offsets, topic, group, queue_id);
  return row != NULL ? row->reset[queue_id] : BL_OFFSET_NONE;
}

int64_t bl_offsets_take_reset(struct bl_offsets *offsets, struct bl_slice topic,
                              struct bl_slice group, int32_t queue_id) {
  struct bl_offset_row *row = row_with_reset(offsets, topic, group, queue_id);
  if (row == NULL || row->reset[queue_id] == BL_OFFSET_NONE) return BL_OFFSET_NONE;
  int64_t offset = row->reset[queue_id];
  row->reset[queue_id] = BL_OFFSET_NONE;
  offsets->resets--;
  if (--row->resets == 0) {
    free(row->reset);
    row->reset = NULL;
  }
  return offset;
}

bl_err bl_offsets_clone(struct bl_offsets *offsets, struct bl_slice topic, struct bl_slice from,
                        struct bl_slice to) {
  char space[KEY_BYTES_MAX];
  const struct bl_offset_row *source = bl_offsets_find(offsets, topic, from);
  struct bl_slice key = key_of(topic, to, space);
  if (key.ptr == NULL) return BL_ERR_PARAMETER;
  if (source == NULL || !bl_offset_row_is_committed(source)) return BL_OK;
  struct bl_offset_row *row = open_slot(offsets, key, source->queue_slots - 1);
  if (row == NULL) return BL_ERR_FULL;
  for (int32_t id = 0; id < row->queue_slots; id++) {
    int64_t offset = id < source->queue_slots ? source->committed[id] : BL_OFFSET_NONE;
    if (row->committed[id] == offset) continue;
    row->committed[id] = offset;
    note_change(offsets, row, id);
  }
  return BL_OK;
}

struct bl_offset_row *bl_offsets_note_pull(struct bl_offsets *offsets, struct bl_slice topic,
                                           struct bl_slice group, int32_t queue_id,
                                           int64_t next_offset) {
  char space[KEY_BYTES_MAX];
  struct bl_slice key = key_of(topic, group, space);
  if (key.ptr == NULL || queue_id < 0 || queue_id >= BL_OFFSET_QUEUES_MAX) return NULL;
  struct bl_offset_row *row = open_slot(offsets, key, queue_id);
  if (row != NULL) row->pulled[queue_id] = next_offset;
  return row;
}

static bool matches(const struct bl_offset_row *row, struct bl_slice topic, struct bl_slice group) {
  return (topic.len == 0 || bl_slice_eq(row->topic, topic)) &&
         (group.len == 0 || bl_slice_eq(row->group, group));
}

size_t bl_offsets_forget(struct bl_offsets *offsets, struct bl_slice pattern) {
  struct bl_slice group = pattern;
  struct bl_slice topic = bl_slice_cut(&group, '@');
  if (topic.len == 0 && group.len == 0) return 0;
  size_t count = 0;
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&offsets->table.map, &cursor)) != NULL) {
    struct bl_offset_row *row = entry->value;
    if (!matches(row, topic, group)) continue;
    offsets->slots -= row->queue_slots;
    offsets->resets -= row->resets;
    bl_map_remove(&offsets->table.map, row->key);
    free_row(row);
    count++;
  }
  return count;
}

/* The changed queues of the row, also those without an offset now (-1), until `out` is long enough.
 */
static void write_changes(struct bl_json_writer *w, struct bl_offset_row *row, size_t max_bytes) {
  bl_json_key_slice(w, row->key);
  bl_json_open_object(w);
  while (row->changed_from < row->changed_to && w->out->len < max_bytes) {
    bl_json_key_number(w, row->changed_from, false);
    bl_json_put_i64(w, row->committed[row->changed_from++]);
  }
  bl_json_close_object(w);
}

bool bl_offsets_take_changed(struct bl_offsets *offsets, struct bl_buf *out, size_t max_bytes) {
  if (bl_list_empty(&offsets->changed)) return false;
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_key(&w, "offsetTable");
  bl_json_open_object(&w);
  while (!bl_list_empty(&offsets->changed) && out->len < max_bytes) {
    struct bl_offset_row *row =
        BL_CONTAINER(offsets->changed.next, struct bl_offset_row, changed_node);
    write_changes(&w, row, max_bytes);
    if (row->changed_from == row->changed_to) bl_list_remove(&row->changed_node);
  }
  bl_json_close_object(&w);
  bl_json_close_object(&w);
  bl_version_next(&offsets->table.version, bl_clock_wall_ms(offsets->clock));
  return true;
}

static void take_table(struct bl_offsets *offsets, const struct bl_json *table) {
  for (const struct bl_json *node = table != NULL ? table->child : NULL; node != NULL;
       node = node->next) {
    struct bl_slice group = node->key;
    struct bl_slice topic = bl_slice_cut(&group, '@');
    if (topic.len == 0 || group.len == 0 || node->key.len > KEY_BYTES_MAX) continue;
    for (const struct bl_json *cell = node->child; cell != NULL; cell = cell->next) {
      int32_t id;
      if (!bl_slice_i32(cell->key, &id) || id < 0 || id >= BL_OFFSET_QUEUES_MAX) continue;
      struct bl_offset_row *row = open_slot(offsets, node->key, id);
      int64_t offset = bl_json_i64(cell, BL_OFFSET_NONE);
      /* Over the limit it is not taken: the limit is far above what a log was written with. */
      if (row != NULL) row->committed[id] = offset < 0 ? BL_OFFSET_NONE : offset;
    }
  }
}

void bl_offsets_apply(void *context, struct bl_slice name, const struct bl_json *json,
                      int64_t log_offset) {
  (void)log_offset;
  if (json == NULL) {
    bl_offsets_forget(context, name);
  } else {
    take_table(context, bl_json_get(json, "offsetTable"));
  }
}

bl_err bl_offsets_replace(void *context, const struct bl_json *root, struct bl_why *why) {
  struct bl_offsets *offsets = context;
  const struct bl_json *table = bl_json_get(root, "offsetTable");
  if (root != NULL && (table == NULL || table->kind != BL_JSON_OBJECT)) {
    return bl_why_set(why, BL_ERR_FORMAT, "it has no object offsetTable");
  }
  bl_table_clear(&offsets->table);
  offsets->slots = 0;
  offsets->resets = 0;
  offsets->light_rows = 0;
  take_table(offsets, table);
  if (root != NULL) bl_version_read(bl_json_get(root, "dataVersion"), &offsets->table.version);
  return BL_OK;
}

bool bl_offsets_write_step(void *context, struct bl_buf *out, void **progress) {
  return bl_table_write_step(&((struct bl_offsets *)context)->table, out, progress);
}
