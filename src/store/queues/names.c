#include <stdlib.h>

#include "base/assert.h"
#include "base/map.h"
#include "store/queues/queues_internal.h"

#define FIRST_SLOTS 16u
/* Old slots that move with each topic that is added: they are moved long before the new ones are
 * used up. */
#define MOVE_SLOTS 8u

static uint64_t slot_of(uint32_t hash, uint32_t number) {
  return (uint64_t)hash << 32 | (number + 1);
}

static struct bl_queue_topic *find_in(const struct bl_queue_names *names, const uint64_t *slots,
                                      uint32_t cap, struct bl_slice name, uint32_t hash) {
  if (cap == 0) return NULL;
  for (uint32_t at = hash & (cap - 1); slots[at] != 0; at = (at + 1) & (cap - 1)) {
    if (slots[at] >> 32 != hash) continue;
    struct bl_queue_topic *topic = names->topics[(uint32_t)slots[at] - 1];
    if (bl_slice_eq(bl_queue__topic_name(topic), name)) return topic;
  }
  return NULL;
}

struct bl_queue_topic *bl_queue_names__find(const struct bl_queue_names *names,
                                            struct bl_slice name) {
  uint32_t hash = bl_hash(name);
  struct bl_queue_topic *topic = find_in(names, names->slots, names->cap, name, hash);
  if (topic != NULL || names->old == NULL) return topic;
  return find_in(names, names->old, names->old_cap, name, hash);
}

static void put_slot(struct bl_queue_names *names, uint64_t slot) {
  uint32_t at = (uint32_t)(slot >> 32) & (names->cap - 1);
  while (names->slots[at] != 0) at = (at + 1) & (names->cap - 1);
  names->slots[at] = slot;
}

static void move_some(struct bl_queue_names *names) {
  if (names->old == NULL) return;
  for (uint32_t i = 0; i < MOVE_SLOTS && names->moved < names->old_cap; i++, names->moved++) {
    if (names->old[names->moved] != 0) put_slot(names, names->old[names->moved]);
  }
  if (names->moved < names->old_cap) return;
  free(names->old);
  names->old = NULL;
}

/* At three quarters full; then there is room for as many again, and the old slots are moved after
 * an eighth of that. */
static void grow(struct bl_queue_names *names) {
  if (names->count < names->cap / 4 * 3) return;
  BL_ASSERT(names->old == NULL);
  names->old = names->slots;
  names->old_cap = names->cap;
  names->moved = 0;
  names->cap = names->cap > 0 ? names->cap * 2 : FIRST_SLOTS;
  names->slots = calloc(names->cap, sizeof(uint64_t));
  BL_ASSERT(names->slots != NULL);
}

struct bl_queue_topic *bl_queue_names__add(struct bl_queues *queues, struct bl_slice name) {
  struct bl_queue_names *names = &queues->names;
  grow(names);
  move_some(names);
  if (names->count == names->topics_cap) {
    names->topics_cap = names->topics_cap > 0 ? names->topics_cap * 2 : 16;
    names->topics = realloc(names->topics, names->topics_cap * sizeof(struct bl_queue_topic *));
    BL_ASSERT(names->topics != NULL);
  }
  struct bl_queue_topic *topic = malloc(sizeof(*topic) + name.len);
  BL_ASSERT(topic != NULL);
  *topic = (struct bl_queue_topic){.cap = 1, .name_len = (uint32_t)name.len, .list = &topic->one};
  memcpy(topic->name, name.ptr, name.len);
  put_slot(names, slot_of(bl_hash(name), names->count));
  names->topics[names->count++] = topic;
  queues->name_bytes += (int64_t)(sizeof(*topic) + name.len + 3 * sizeof(uint64_t));
  return topic;
}

void bl_queue_names__fini(struct bl_queue_names *names) {
  for (uint32_t i = 0; i < names->count; i++) {
    if (names->topics[i]->list != &names->topics[i]->one) free(names->topics[i]->list);
    free(names->topics[i]);
  }
  free(names->topics);
  free(names->slots);
  free(names->old);
  *names = (struct bl_queue_names){0};
}
