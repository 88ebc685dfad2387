#include <stdlib.h>

#include "base/assert.h"
#include "store/timers/pending_internal.h"

static struct bl_pending_count *row_of(struct bl_pending *pending, struct bl_slice topic) {
  struct bl_pending_count *row = bl_map_get(&pending->counts, topic);
  if (row != NULL) return row;
  row = calloc(1, sizeof(*row));
  BL_ASSERT(row != NULL);
  bl_map_put(&pending->counts, topic, row);
  return row;
}

/* A snapshot shows what was when it began. */
static void freeze(struct bl_pending *pending, struct bl_pending_count *row) {
  if (!pending->dump.running || row->frozen_in == pending->dump.number) return;
  row->frozen = row->count;
  row->frozen_ms = row->changed_ms;
  row->frozen_in = pending->dump.number;
}

void bl_pending__count(struct bl_pending *pending, struct bl_slice topic, int delta,
                       int64_t now_ms) {
  struct bl_pending_count *row = row_of(pending, topic);
  freeze(pending, row);
  if (row->count + delta < 0) return;
  row->count += delta;
  row->changed_ms = now_ms;
  pending->count += delta;
}

void bl_pending__set_count(struct bl_pending *pending, struct bl_slice topic, int64_t count,
                           int64_t changed_ms) {
  struct bl_pending_count *row = row_of(pending, topic);
  pending->count += count - row->count;
  row->count = count;
  row->changed_ms = changed_ms;
}

void bl_pending__clear_counts(struct bl_pending *pending) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&pending->counts, &cursor)) != NULL) free(entry->value);
  bl_map_fini(&pending->counts);
  bl_map_init(&pending->counts);
  pending->count = 0;
}

bool bl_pending_next_topic(const struct bl_pending *pending, size_t *cursor,
                           struct bl_slice *out_topic, int64_t *out_count,
                           int64_t *out_changed_ms) {
  const struct bl_map_entry *entry = bl_map_next(&pending->counts, cursor);
  if (entry == NULL) return false;
  const struct bl_pending_count *row = entry->value;
  *out_topic = entry->key;
  *out_count = row->count;
  *out_changed_ms = row->changed_ms;
  return true;
}
