/* The lowest log offset of many entries, kept up to date as they come and go: how many begin in
 * each MiB of the log. */
#include <stdlib.h>

#include "base/assert.h"
#include "store/timers/pending_internal.h"

#define SLOT_SHIFT 20
#define FIRST_CAP 16

/* Where the slot is, or belongs. Offsets come in order, so it is mostly the last. */
static size_t find(const struct bl_pending_slots *slots, int64_t slot) {
  size_t from = 0;
  size_t to = slots->count;
  if (to > 0 && slots->items[to - 1].slot < slot) return to;
  while (from < to) {
    size_t middle = from + (to - from) / 2;
    if (slots->items[middle].slot < slot) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from;
}

void bl_pending__slots_add(struct bl_pending_slots *slots, int64_t log_offset) {
  int64_t slot = log_offset >> SLOT_SHIFT;
  size_t i = find(slots, slot);
  if (i < slots->count && slots->items[i].slot == slot) {
    slots->items[i].entries++;
    return;
  }
  if (slots->count == slots->cap) {
    slots->cap = slots->cap > 0 ? slots->cap * 2 : FIRST_CAP;
    slots->items = realloc(slots->items, slots->cap * sizeof(*slots->items));
    BL_ASSERT(slots->items != NULL);
  }
  memmove(slots->items + i + 1, slots->items + i, (slots->count - i) * sizeof(*slots->items));
  slots->items[i].slot = slot;
  slots->items[i].entries = 1;
  slots->count++;
}

void bl_pending__slots_remove(struct bl_pending_slots *slots, int64_t log_offset) {
  int64_t slot = log_offset >> SLOT_SHIFT;
  size_t i = find(slots, slot);
  BL_ASSERT(i < slots->count && slots->items[i].slot == slot && slots->items[i].entries > 0);
  if (--slots->items[i].entries > 0) return;
  slots->count--;
  memmove(slots->items + i, slots->items + i + 1, (slots->count - i) * sizeof(*slots->items));
}

int64_t bl_pending__slots_min(const struct bl_pending_slots *slots) {
  return slots->count > 0 ? slots->items[0].slot << SLOT_SHIFT : INT64_MAX;
}

void bl_pending__slots_fini(struct bl_pending_slots *slots) {
  free(slots->items);
  *slots = (struct bl_pending_slots){0};
}
