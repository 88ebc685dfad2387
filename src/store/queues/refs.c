/* The directory of a queue's chunks. References are in order; those of a higher level come first.
 * What is on the disk is a tree whose leaves are the chunks. */
#include <stdlib.h>

#include "base/assert.h"
#include "store/queues/queues_internal.h"

#define FIRST_REFS 2u

static void resize(struct bl_queue *queue, uint32_t cap) {
  struct bl_queues *queues = bl_queue__queues(queue);
  queues->ref_bytes += ((int64_t)cap - (int64_t)queue->ref_cap) * (int64_t)sizeof(*queue->refs);
  queue->ref_cap = cap;
  if (cap == 0) {
    free(queue->refs);
    queue->refs = NULL;
    return;
  }
  queue->refs = realloc(queue->refs, cap * sizeof(*queue->refs));
  BL_ASSERT(queue->refs != NULL);
}

void bl_queue__add_ref(struct bl_queue *queue, const struct bl_chunk_ref *ref) {
  if (queue->ref_count >= bl_queue__queues(queue)->refs_max)
    bl_queue__pack(queue, BL_QUEUE_NODE_REFS_IDLE);
  if (queue->ref_count >= queue->ref_cap) {
    resize(queue, queue->ref_cap > 0 ? queue->ref_cap * 2 : FIRST_REFS);
  }
  queue->refs[queue->ref_count++] = *ref;
  bl_queue__queues(queue)->chunk_count++;
}

void bl_queue__drop_refs(struct bl_queue *queue, uint32_t count) {
  struct bl_queues *queues = bl_queue__queues(queue);
  for (uint32_t i = 0; i < count; i++) queues->entry_count -= queue->refs[i].entries;
  queues->chunk_count -= count;
  queue->ref_count -= count;
  if (count == 0) return;
  memmove(queue->refs, queue->refs + count, queue->ref_count * sizeof(*queue->refs));
  if (queue->ref_count == 0) resize(queue, 0);
}

void bl_queue__replace_ref(struct bl_queue *queue, uint32_t at, const struct bl_chunk_ref *refs,
                           uint32_t count) {
  struct bl_queues *queues = bl_queue__queues(queue);
  queues->entry_count -= queue->refs[at].entries;
  uint32_t behind = queue->ref_count - at - 1;
  uint32_t total = queue->ref_count - 1 + count;
  if (total > queue->ref_cap) resize(queue, total);
  memmove(queue->refs + at + count, queue->refs + at + 1, behind * sizeof(*refs));
  if (count > 0) memcpy(queue->refs + at, refs, count * sizeof(*refs));
  for (uint32_t i = 0; i < count; i++) queues->entry_count += refs[i].entries;
  queues->chunk_count += (int64_t)count - 1;
  queue->ref_count = total;
  if (total == 0) resize(queue, 0);
}

/* References [at, at + count) become one. false: the disk refused. */
static bool pack_run(struct bl_queue *queue, uint32_t at, uint32_t count) {
  struct bl_chunk_ref node = {
      .base = queue->refs[at].base,
      .last_log = queue->refs[at + count - 1].last_log,
      .units = (uint16_t)count,
      .level = (uint16_t)(queue->refs[at].level + 1),
  };
  if (node.level > BL_QUEUE_LEVELS_MAX) return false;
  uint64_t entries = 0;
  for (uint32_t i = at; i < at + count; i++) entries += queue->refs[i].entries;
  node.entries = entries < UINT32_MAX ? (uint32_t)entries : UINT32_MAX;
  struct bl_queues *queues = bl_queue__queues(queue);
  if (bl_index__append(queues, queue, queue->refs + at, &node) != BL_OK) return false;
  queue->refs[at] = node;
  memmove(queue->refs + at + 1, queue->refs + at + count,
          (queue->ref_count - at - count) * sizeof(*queue->refs));
  queue->ref_count -= count - 1;
  queues->chunk_count -= count - 1;
  return true;
}

/* The longest run of one level. */
static uint32_t longest_run(const struct bl_queue *queue, uint32_t *out_at) {
  uint32_t longest = 0;
  for (uint32_t at = 0; at < queue->ref_count;) {
    uint32_t end = at + 1;
    while (end < queue->ref_count && queue->refs[end].level == queue->refs[at].level) end++;
    if (end - at >= longest) {
      longest = end - at;
      *out_at = at;
    }
    at = end;
  }
  return longest;
}

bool bl_queue__can_pack(const struct bl_queue *queue, uint32_t least) {
  uint32_t at = 0;
  return queue->ref_count >= least && longest_run(queue, &at) >= least;
}

void bl_queue__pack(struct bl_queue *queue, uint32_t least) {
  uint32_t most = bl_queue__queues(queue)->refs_max;
  bool full = queue->ref_count >= most; /* that of an active queue: half of it is enough */
  for (;;) {
    uint32_t at = 0;
    uint32_t run = longest_run(queue, &at);
    if (run < least || run < 2) break;
    if (!pack_run(queue, at, run < BL_QUEUE_NODE_REFS_MAX ? run : BL_QUEUE_NODE_REFS_MAX)) break;
    if (full && queue->ref_count <= most / 2) break;
  }
}

uint32_t bl_queue__ref_at(const struct bl_chunk_ref *refs, uint32_t count, int64_t offset) {
  uint32_t low = 0;
  uint32_t high = count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (refs[middle].base <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low > 0 ? low - 1 : 0;
}

bl_err bl_queue__min_of(struct bl_queue *queue, const struct bl_chunk_ref *ref, int64_t floor,
                        bool wait, int64_t *out_min) {
  struct bl_chunk_ref at = *ref;
  for (;;) {
    *out_min = at.base;
    const void *units = NULL;
    bl_err err = bl_index__units(bl_queue__queues(queue), queue, &at, wait, &units);
    if (err != BL_OK) return err;
    uint32_t i = 0;
    if (at.level == 0) {
      i = bl_queue__unit_from_floor(units, at.units, floor);
      /* Its last unit is a record, and at or above the floor. */
      if (i < at.units) *out_min = at.base + bl_queue__unit_start(units, i);
      return BL_OK;
    }
    const struct bl_chunk_ref *refs = units;
    while (i + 1 < at.units && refs[i].last_log < floor) i++;
    at = refs[i];
  }
}
