#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "store/halves/halves_internal.h"

#define REMEMBERED_CHUNKS (BL_HALVES_REMEMBERED / BL_HALVES_CHUNK)
#define TIDIED_AT_ONCE 4

void bl_half_table__fini(struct bl_half_table *table) {
  for (size_t i = 0; i < table->count; i++) free(table->chunks[i].items);
  free(table->chunks);
  *table = (struct bl_half_table){0};
}

static struct bl_half_chunk *new_chunk(struct bl_half_table *table) {
  if (table->count == table->cap) {
    table->cap = table->cap > 0 ? table->cap * 2 : 16;
    table->chunks = realloc(table->chunks, table->cap * sizeof(struct bl_half_chunk));
    BL_ASSERT(table->chunks != NULL);
  }
  struct bl_half_chunk *chunk = &table->chunks[table->count++];
  *chunk = (struct bl_half_chunk){.cap = BL_HALVES_CHUNK};
  chunk->items = malloc(BL_HALVES_CHUNK * sizeof(struct bl_half));
  BL_ASSERT(chunk->items != NULL);
  return chunk;
}

bool bl_half_table__add(struct bl_half_table *table, const struct bl_half *half) {
  struct bl_half_chunk *last = table->count > 0 ? &table->chunks[table->count - 1] : NULL;
  if (last != NULL) {
    const struct bl_half *before = &last->items[last->count - 1];
    BL_ASSERT(half->log_offset > before->log_offset);
  }
  if (last == NULL || last->count == last->cap) last = new_chunk(table);
  last->items[last->count++] = *half;
  table->entries++;
  if (half->state == BL_HALF_OPEN) {
    last->open++;
    table->open++;
  }
  return last->count == 1;
}

/* Index of the first chunk whose last half is at that offset or behind; count: none. */
static size_t chunk_at(const struct bl_half_table *table, int64_t offset, bool by_queue) {
  size_t low = 0;
  size_t high = table->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const struct bl_half_chunk *chunk = &table->chunks[middle];
    const struct bl_half *last = &chunk->items[chunk->count - 1];
    if ((by_queue ? last->queue_offset : last->log_offset) < offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* The first half at that offset or behind; NULL: none. */
static struct bl_half *half_at(const struct bl_half_table *table, int64_t offset, bool by_queue) {
  size_t place = chunk_at(table, offset, by_queue);
  if (place == table->count) return NULL;
  struct bl_half_chunk *chunk = &table->chunks[place];
  uint32_t low = 0;
  uint32_t high = chunk->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    const struct bl_half *half = &chunk->items[middle];
    if ((by_queue ? half->queue_offset : half->log_offset) < offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return &chunk->items[low];
}

struct bl_half *bl_half_table__by_log(struct bl_half_table *table, int64_t log_offset) {
  struct bl_half *half = half_at(table, log_offset, false);
  return half != NULL && half->log_offset == log_offset ? half : NULL;
}

struct bl_half *bl_half_table__by_queue(struct bl_half_table *table, int64_t queue_offset) {
  struct bl_half *half = half_at(table, queue_offset, true);
  return half != NULL && half->queue_offset == queue_offset ? half : NULL;
}

struct bl_half *bl_half_table__after(struct bl_half_table *table, int64_t log_offset) {
  return half_at(table, log_offset + 1, false);
}

struct bl_half *bl_half_table__next_open(struct bl_half_table *table, int64_t log_offset,
                                         uint32_t most, int64_t *out_reached) {
  size_t place = chunk_at(table, log_offset + 1, false);
  uint32_t looked = 0;
  *out_reached = INT64_MAX;
  for (; place < table->count; place++) {
    const struct bl_half_chunk *chunk = &table->chunks[place];
    if (chunk->open == 0) continue;
    for (uint32_t i = 0; i < chunk->count; i++) {
      struct bl_half *half = &chunk->items[i];
      if (half->log_offset <= log_offset) continue;
      *out_reached = half->log_offset;
      if (half->state == BL_HALF_OPEN) return half;
      if (++looked == most) return NULL;
    }
  }
  *out_reached = INT64_MAX;
  return NULL;
}

static void remove_chunk(struct bl_half_table *table, size_t place) {
  BL_ASSERT(table->chunks[place].open == 0);
  table->entries -= table->chunks[place].count;
  free(table->chunks[place].items);
  table->count--;
  memmove(table->chunks + place, table->chunks + place + 1,
          (table->count - place) * sizeof(struct bl_half_chunk));
}

/* Keeps the open ones alone. */
static void squeeze(struct bl_half_table *table, struct bl_half_chunk *chunk) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < chunk->count; i++) {
    if (chunk->items[i].state == BL_HALF_OPEN) chunk->items[kept++] = chunk->items[i];
  }
  BL_ASSERT(kept == chunk->open && kept > 0);
  table->entries -= chunk->count - kept;
  chunk->count = kept;
  chunk->cap = kept;
  chunk->items = realloc(chunk->items, kept * sizeof(struct bl_half));
  BL_ASSERT(chunk->items != NULL);
}

void bl_half_table__end(struct bl_half_table *table, struct bl_half *half, enum bl_half_state state,
                        int64_t end_log_offset) {
  BL_ASSERT(half->state == BL_HALF_OPEN && state != BL_HALF_OPEN);
  struct bl_half_chunk *chunk = &table->chunks[chunk_at(table, half->log_offset, false)];
  half->state = (uint8_t)state;
  half->op_or_end = end_log_offset;
  chunk->open--;
  table->open--;
}

/* An old chunk of which little or nothing is open. RETURNS whether it went. */
static bool tidy(struct bl_half_table *table, size_t place) {
  struct bl_half_chunk *chunk = &table->chunks[place];
  if (chunk->open == 0) {
    remove_chunk(table, place);
    return true;
  }
  if (chunk->open < chunk->count - chunk->count / 4) squeeze(table, chunk);
  return false;
}

void bl_half_table__trim(struct bl_half_table *table) {
  size_t old = table->count > REMEMBERED_CHUNKS ? table->count - REMEMBERED_CHUNKS : 0;
  if (old == 0) return;
  if (tidy(table, old - 1)) old--; /* has just become old */
  for (int i = 0; i < TIDIED_AT_ONCE && old > 0; i++) {
    if (table->sweep >= old) table->sweep = 0;
    if (tidy(table, table->sweep)) {
      old--;
    } else {
      table->sweep++;
    }
  }
}
