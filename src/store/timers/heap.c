#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "store/timers/pending_internal.h"

#define FIRST_CAP 64

void bl_pending__encode(const struct bl_pending_entry *entry, char *to) {
  bl_store_u64(to, (uint64_t)entry->due_ms);
  bl_store_u64(to + 8, (uint64_t)entry->log_offset);
  bl_store_u32(to + 16, entry->size_bytes);
  bl_store_u32(to + 20, entry->kind);
}

void bl_pending__decode(const char *from, struct bl_pending_entry *out_entry) {
  out_entry->due_ms = (int64_t)bl_load_u64(from);
  out_entry->log_offset = (int64_t)bl_load_u64(from + 8);
  out_entry->size_bytes = bl_load_u32(from + 16);
  out_entry->kind = bl_load_u32(from + 20);
  out_entry->body = NULL;
}

void bl_pending__put_entry(struct bl_buf *out, const struct bl_pending_entry *entry) {
  char *at = bl_buf_reserve(out, BL_PENDING_ENTRY_BYTES);
  if (at == NULL) return;
  bl_pending__encode(entry, at);
  out->len += BL_PENDING_ENTRY_BYTES;
}

/* It would be missed: a walk comes from the other side. */
static void leave(struct bl_pending_heap *heap, size_t from, size_t to) {
  if (from < heap->walk && to >= heap->walk)
    bl_pending__put_entry(heap->walk_out, &heap->items[from]);
  if (from < heap->look && to >= heap->look)
    bl_pending__put_entry(heap->look_out, &heap->items[from]);
}

static void move(struct bl_pending_heap *heap, size_t from, size_t to) {
  leave(heap, from, to);
  heap->items[to] = heap->items[from];
}

void bl_pending__heap_push(struct bl_pending_heap *heap, const struct bl_pending_entry *entry) {
  if (heap->count == heap->cap) {
    heap->cap = heap->cap > 0 ? heap->cap * 2 : FIRST_CAP;
    heap->items = realloc(heap->items, heap->cap * sizeof(*heap->items));
    BL_ASSERT(heap->items != NULL);
  }
  if (entry->kind != BL_PENDING_DEAD) bl_pending__slots_add(&heap->slots, entry->log_offset);
  size_t i = heap->count++;
  while (i > 0) {
    size_t parent = (i - 1) / 2;
    if (bl_pending__compare(&heap->items[parent], entry) <= 0) break;
    move(heap, parent, i);
    i = parent;
  }
  heap->items[i] = *entry;
}

void bl_pending__heap_pop(struct bl_pending_heap *heap, struct bl_pending_entry *out_entry) {
  BL_ASSERT(heap->count > 0);
  leave(heap, 0, SIZE_MAX);
  *out_entry = heap->items[0];
  if (out_entry->kind != BL_PENDING_DEAD)
    bl_pending__slots_remove(&heap->slots, out_entry->log_offset);
  size_t last = --heap->count;
  size_t i = 0;
  if (last == 0) {
    heap->walk = heap->look = 0;
    return;
  }
  struct bl_pending_entry entry = heap->items[last];
  if (last < heap->walk) { /* not seen: it may land behind the walk */
    bl_pending__put_entry(heap->walk_out, &entry);
    heap->walk = last;
  }
  if (last < heap->look) {
    bl_pending__put_entry(heap->look_out, &entry);
    heap->look = last;
  }
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= last) break;
    if (child + 1 < last && bl_pending__compare(&heap->items[child + 1], &heap->items[child]) < 0) {
      child++;
    }
    if (bl_pending__compare(&entry, &heap->items[child]) <= 0) break;
    move(heap, child, i); /* towards the front: it is never missed */
    i = child;
  }
  heap->items[i] = entry;
}

void bl_pending__heap_fini(struct bl_pending_heap *heap) {
  free(heap->items);
  bl_pending__slots_fini(&heap->slots);
  *heap = (struct bl_pending_heap){0};
}

void bl_pending__walk_begin(struct bl_pending_heap *heap, struct bl_buf *out) {
  heap->walk = heap->count;
  heap->walk_out = out;
}

bool bl_pending__walk_step(struct bl_pending_heap *heap, size_t max) {
  for (; max > 0 && heap->walk > 0; max--) {
    heap->walk--;
    bl_pending__put_entry(heap->walk_out, &heap->items[heap->walk]);
  }
  return heap->walk > 0;
}

void bl_pending__walk_end(struct bl_pending_heap *heap) {
  heap->walk = 0;
  heap->walk_out = NULL;
}
