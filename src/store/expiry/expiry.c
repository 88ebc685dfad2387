#include "store/expiry/expiry.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "store/expiry/expiry_internal.h"
#include "wire/properties.h"

#define EXPIRES_AT BL_SLICE("__EXPIRES_AT")

static struct bl_slice key_of(const int64_t *offset) {
  return bl_slice_of(offset, sizeof(*offset));
}

void bl_expiry__add(struct bl_expiry_entries *entries, struct bl_expiry_entry entry) {
  if (entries->count == entries->cap) {
    entries->cap = entries->cap > 0 ? entries->cap * 2 : 64;
    entries->items = realloc(entries->items, entries->cap * sizeof(entry));
    BL_ASSERT(entries->items != NULL);
  }
  entries->items[entries->count++] = entry;
}

static void clear(struct bl_expiry_entries *entries) {
  free(entries->items);
  *entries = (struct bl_expiry_entries){0};
}

/* Those of one time in the order of the log. */
static bool is_before(const struct bl_expiry_entry *a, const struct bl_expiry_entry *b) {
  return a->expires_ms != b->expires_ms ? a->expires_ms < b->expires_ms
                                        : a->log_offset < b->log_offset;
}

void bl_expiry__push(struct bl_expiry *expiry, struct bl_expiry_entry entry) {
  if (expiry->dumping) {
    bl_expiry__add(&expiry->fresh, entry);
    return;
  }
  bl_expiry__add(&expiry->heap, entry);
  struct bl_expiry_entry *items = expiry->heap.items;
  size_t at = expiry->heap.count - 1;
  for (size_t up; at > 0 && is_before(&entry, &items[up = (at - 1) / 2]); at = up)
    items[at] = items[up];
  items[at] = entry;
}

static void pop(struct bl_expiry *expiry) {
  struct bl_expiry_entry *items = expiry->heap.items;
  BL_ASSERT(expiry->heap.count > 0 && !expiry->dumping);
  size_t count = --expiry->heap.count;
  struct bl_expiry_entry last = items[count];
  size_t at = 0;
  for (size_t down; (down = 2 * at + 1) < count; at = down) {
    if (down + 1 < count && is_before(&items[down + 1], &items[down])) down++;
    if (!is_before(&items[down], &last)) break;
    items[at] = items[down];
  }
  if (count > 0) items[at] = last;
}

static size_t waiting(const struct bl_expiry *expiry) {
  return expiry->heap.count + expiry->fresh.count + expiry->in_flight.count;
}

/* A record that may wait. RETURNS false when there is no room for it. */
static bool take(struct bl_expiry *expiry, const struct bl_record *record) {
  if (bl_list_empty(expiry->topics.active)) return true;
  if (!expiry->topics.moves(expiry->topics.context, record->topic)) return true;
  int64_t expires_ms;
  struct bl_slice text = bl_properties_get(record->properties, EXPIRES_AT);
  if (text.ptr == NULL || !bl_slice_i64(text, &expires_ms)) return true;
  if ((int64_t)waiting(expiry) >= expiry->limit) return false;
  bl_expiry__push(expiry, (struct bl_expiry_entry){expires_ms, record->log_offset});
  return true;
}

/* Where the message was that this record is a copy of. */
static bool source_of(const struct bl_record *record, int64_t *out_offset) {
  if (record->prepared_offset <= 0) return false;
  struct bl_slice rest = bl_properties_get(record->properties, BL_SLICE(BL_EXPIRY_MARK));
  if (rest.ptr == NULL) return false;
  for (int i = 0; i < 3; i++) (void)bl_slice_cut(&rest, '@');
  return rest.ptr != NULL && bl_slice_i64(rest, out_offset) &&
         *out_offset == record->prepared_offset - 1;
}

static void note_copy(struct bl_expiry *expiry, const struct bl_record *record) {
  struct bl_expiry_entries *in_flight = &expiry->in_flight;
  int64_t source;
  if (!source_of(record, &source)) return;
  for (size_t i = 0; i < in_flight->count; i++) {
    if (in_flight->items[i].log_offset != source) continue;
    in_flight->count--;
    memmove(in_flight->items + i, in_flight->items + i + 1,
            (in_flight->count - i) * sizeof(in_flight->items[0]));
    return;
  }
  bl_map_put(&expiry->done, key_of(&source), expiry);
}

static void on_record(struct bl_follower *follower, const struct bl_record *record) {
  struct bl_expiry *expiry = (struct bl_expiry *)follower;
  if (record->log_offset <= expiry->last_log) return;
  bool behind = expiry->taken_to < expiry->seen_to;
  expiry->last_log = record->log_offset;
  if (record->prepared_offset > 0 && (waiting(expiry) > 0 || behind)) note_copy(expiry, record);
  if (!behind && !take(expiry, record)) {
    expiry->taken_to = record->log_offset;
    behind = true;
  }
  expiry->seen_to = record->log_offset + record->size_bytes;
  if (!behind) expiry->taken_to = expiry->seen_to;
}

static bool wants_again(struct bl_follower *follower, int64_t *out_from, int64_t *out_to) {
  struct bl_expiry *expiry = (struct bl_expiry *)follower;
  if (expiry->again || expiry->taken_to >= expiry->seen_to) return false;
  if ((int64_t)waiting(expiry) > expiry->limit / 2) return false;
  expiry->again = true;
  expiry->again_to = expiry->seen_to;
  *out_from = expiry->taken_to;
  *out_to = expiry->again_to;
  return true;
}

static void on_again(struct bl_follower *follower, const struct bl_record *record) {
  struct bl_expiry *expiry = (struct bl_expiry *)follower;
  if (!expiry->again || record->log_offset < expiry->taken_to) return;
  if (take(expiry, record)) {
    expiry->taken_to = record->log_offset + record->size_bytes;
  } else {
    expiry->again = false; /* the rest another time */
  }
}

/* What cannot be read is gone. */
static void again_done(struct bl_follower *follower, bl_err err) {
  struct bl_expiry *expiry = (struct bl_expiry *)follower;
  (void)err;
  if (expiry->again) expiry->taken_to = expiry->again_to;
  expiry->again = false;
}

bool bl_expiry_first(struct bl_expiry *expiry, struct bl_expiry_entry *out_entry) {
  if (expiry->dumping || expiry->in_flight.count >= BL_EXPIRY_IN_FLIGHT_MAX) return false;
  while (expiry->heap.count > 0) {
    *out_entry = expiry->heap.items[0];
    if (expiry->done.count == 0) return true;
    if (bl_map_remove(&expiry->done, key_of(&out_entry->log_offset)) == NULL) return true;
    pop(expiry);
  }
  return false;
}

void bl_expiry_drop_first(struct bl_expiry *expiry) {
  pop(expiry);
}

void bl_expiry_moved_first(struct bl_expiry *expiry) {
  BL_ASSERT(expiry->heap.count > 0);
  bl_expiry__add(&expiry->in_flight, expiry->heap.items[0]);
  pop(expiry);
}

static int64_t needs_from(struct bl_follower *follower) {
  const struct bl_expiry *expiry = (const struct bl_expiry *)follower;
  bool behind = expiry->taken_to < expiry->seen_to;
  return behind && expiry->taken_to < expiry->covered ? expiry->taken_to : expiry->covered;
}

static void log_min_moved(struct bl_follower *follower, int64_t min_offset) {
  struct bl_expiry *expiry = (struct bl_expiry *)follower;
  if (expiry->taken_to < min_offset) expiry->taken_to = min_offset;
  if (expiry->seen_to < min_offset) expiry->seen_to = min_offset;
}

void bl_expiry__clear(struct bl_expiry *expiry) {
  bl_expiry__end_dump(expiry);
  clear(&expiry->heap);
  clear(&expiry->fresh);
  clear(&expiry->in_flight);
  bl_map_fini(&expiry->done);
  bl_map_init(&expiry->done);
  expiry->last_log = -1;
  expiry->seen_to = expiry->taken_to = 0;
  expiry->covered = 0;
  expiry->again = false;
}

static void discard(struct bl_follower *follower) {
  struct bl_expiry *expiry = (struct bl_expiry *)follower;
  char path[512];
  bl_expiry__clear(expiry);
  bl_expiry__path(expiry, path);
  (void)expiry->disk->ops->remove(expiry->disk, path); /* the next snapshot replaces what stays */
}

static const struct bl_follower_ops follower_ops = {
    .name = "expiry",
    .load = bl_expiry__load,
    .discard = discard,
    .on_record = on_record,
    .snapshot_step = bl_expiry__snapshot_step,
    .snapshot_done = bl_expiry__snapshot_done,
    .needs_from = needs_from,
    .log_min_moved = log_min_moved,
    .wants_again = wants_again,
    .on_again = on_again,
    .again_done = again_done,
};

struct bl_expiry *bl_expiry_new(const char *dir, struct bl_disk *disk,
                                const struct bl_expiry_topics *topics, int64_t limit) {
  struct bl_expiry *expiry = calloc(1, sizeof(*expiry));
  BL_ASSERT(expiry != NULL);
  size_t dir_bytes = strlen(dir) + 1;
  expiry->dir = malloc(dir_bytes);
  BL_ASSERT(expiry->dir != NULL);
  memcpy(expiry->dir, dir, dir_bytes);
  expiry->follower.ops = &follower_ops;
  expiry->disk = disk;
  expiry->topics = *topics;
  expiry->limit = limit;
  expiry->last_log = -1;
  bl_map_init(&expiry->done);
  return expiry;
}

void bl_expiry_free(struct bl_expiry *expiry) {
  if (expiry == NULL) return;
  bl_expiry__clear(expiry);
  bl_map_fini(&expiry->done);
  free(expiry->dir);
  free(expiry);
}

struct bl_follower *bl_expiry_follower(struct bl_expiry *expiry) {
  return &expiry->follower;
}

void bl_expiry_stats(const struct bl_expiry *expiry, struct bl_expiry_stats *out_stats) {
  *out_stats = (struct bl_expiry_stats){.waiting = (int64_t)waiting(expiry),
                                        .limit = expiry->limit,
                                        .late = expiry->taken_to < expiry->seen_to};
}

void bl_expiry__path(const struct bl_expiry *expiry, char out_path[512]) {
  int len = snprintf(out_path, 512, "%s/bolide/expiry.snapshot", expiry->dir);
  BL_ASSERT(len > 0 && len < 512);
}
