#include "base/map.h"

#include <stdlib.h>

#include "base/assert.h"

/* A slot is the hash in the upper half and index + 1 in the lower; 0 is empty. The hash is there so
 * that a probe reads an entry only when it is most likely the right one. Slots are at most half
 * full, probed in line, and closed up on removal, so there are no tombstones. Old slots are not
 * closed up: one counts only if its entry is alive and has the key. */

#define MAP_FIRST_COUNT 8u
#define MAP_MOVE_SLOTS 8u /* with each insertion; twice the entries there is room for would do */
#define MAP_MAX_COUNT (1ull << 31)

static inline uint64_t load_8(const char *p) {
  uint64_t v;
  memcpy(&v, p, sizeof(v));
  return v;
}

static inline uint64_t load_4(const char *p) {
  uint32_t v;
  memcpy(&v, p, sizeof(v));
  return v;
}

/* The 128-bit product folded: every bit of both sides reaches the result. */
static inline uint64_t mix(uint64_t a, uint64_t b) {
  __extension__ unsigned __int128 product = (unsigned __int128)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Odd numbers with about as many ones as zeros (digits of the square roots of 2, 3, 5 and 7). */
#define HASH_A 0x6a09e667f3bcc909ull
#define HASH_B 0xbb67ae8584caa73bull
#define HASH_C 0x3c6ef372fe94f82bull
#define HASH_D 0xa54ff53a5f1d36f1ull

uint32_t bl_hash(struct bl_slice bytes) {
  const char *p = bytes.ptr;
  size_t len = bytes.len;
  uint64_t state = HASH_A ^ len;
  for (; len > 16; p += 16, len -= 16) {
    state = mix(load_8(p) ^ HASH_B, load_8(p + 8) ^ state);
  }
  uint64_t a = 0;
  uint64_t b = 0;
  if (len >= 8) { /* the two loads overlap, and so cover every length without a loop */
    a = load_8(p);
    b = load_8(p + len - 8);
  } else if (len >= 4) {
    a = load_4(p);
    b = load_4(p + len - 4);
  } else if (len > 0) {
    a = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[len / 2] << 8 |
        (unsigned char)p[len - 1];
  }
  uint64_t hash = mix(mix(a ^ HASH_C, b ^ state), HASH_D ^ state);
  return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

void bl_map_init(struct bl_map *map) {
  *map = (struct bl_map){0};
}

void bl_map_fini(struct bl_map *map) {
  for (size_t i = 0; i < map->used; i++) {
    if (map->entries[i].value != NULL) free((char *)map->entries[i].key.ptr);
  }
  free(map->entries);
  free(map->slots);
  free(map->old);
  *map = (struct bl_map){0};
}

static size_t slot_mask(const struct bl_map *map) {
  return map->cap * 2 - 1;
}

static uint64_t slot_of(uint32_t hash, size_t index) {
  return (uint64_t)hash << 32 | (index + 1);
}

static size_t slot_index(uint64_t slot) {
  return (uint32_t)slot - 1;
}

static uint32_t slot_hash(uint64_t slot) {
  return (uint32_t)(slot >> 32);
}

/* The slot that holds the key, or the empty slot where it belongs. The map has slots. */
static inline size_t find_slot(const struct bl_map *map, struct bl_slice key, uint32_t hash) {
  size_t mask = slot_mask(map);
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    uint64_t slot = map->slots[at];
    if (slot == 0) return at;
    if (slot_hash(slot) == hash && bl_slice_eq(map->entries[slot_index(slot)].key, key)) return at;
  }
}

static bool is_live(const struct bl_map *map, size_t index) {
  return index < map->used && map->entries[index].value != NULL;
}

/* The entry that has the key by an old slot, or NULL. */
static struct bl_map_entry *find_old(const struct bl_map *map, struct bl_slice key, uint32_t hash) {
  if (map->old == NULL) return NULL;
  size_t mask = map->old_cap - 1;
  for (size_t at = hash & mask; map->old[at] != 0; at = (at + 1) & mask) {
    size_t index = slot_index(map->old[at]);
    if (slot_hash(map->old[at]) != hash || !is_live(map, index)) continue;
    if (bl_slice_eq(map->entries[index].key, key)) return &map->entries[index];
  }
  return NULL;
}

/* The map has slots. */
static struct bl_map_entry *find_entry(const struct bl_map *map, struct bl_slice key,
                                       uint32_t hash) {
  uint64_t slot = map->slots[find_slot(map, key, hash)];
  return slot != 0 ? &map->entries[slot_index(slot)] : find_old(map, key, hash);
}

void *bl_map_get(const struct bl_map *map, struct bl_slice key) {
  if (map->count == 0) return NULL;
  const struct bl_map_entry *entry = find_entry(map, key, bl_hash(key));
  return entry != NULL ? entry->value : NULL;
}

static void drop_old(struct bl_map *map) {
  free(map->old);
  map->old = NULL;
}

static void move_some(struct bl_map *map, size_t count) {
  if (map->old == NULL) return;
  for (; count > 0 && map->moved < map->old_cap; count--) {
    uint64_t slot = map->old[map->moved++];
    size_t index = slot_index(slot);
    if (slot == 0 || !is_live(map, index)) continue;
    /* Its place may have another entry by now. */
    if (bl_hash(map->entries[index].key) != slot_hash(slot)) continue;
    map->slots[find_slot(map, map->entries[index].key, slot_hash(slot))] = slot;
  }
  if (map->moved == map->old_cap) drop_old(map);
}

/* Closes the holes and gives room for as many entries again as there are. */
static void rebuild(struct bl_map *map) {
  size_t cap = MAP_FIRST_COUNT;
  while (cap < map->count * 2) cap *= 2;
  BL_ASSERT(cap <= MAP_MAX_COUNT);
  uint64_t *slots = calloc(cap * 2, sizeof(*slots));
  struct bl_map_entry *entries = malloc(cap * sizeof(*entries));
  BL_ASSERT(slots != NULL && entries != NULL);
  size_t used = 0;
  for (size_t i = 0; i < map->used; i++) {
    if (map->entries[i].value == NULL) continue;
    uint32_t hash = bl_hash(map->entries[i].key);
    size_t at = hash & (cap * 2 - 1);
    while (slots[at] != 0) at = (at + 1) & (cap * 2 - 1);
    slots[at] = slot_of(hash, used);
    entries[used++] = map->entries[i];
  }
  BL_ASSERT(used == map->count);
  free(map->entries);
  free(map->slots);
  drop_old(map);
  map->entries = entries;
  map->slots = slots;
  map->used = used;
  map->cap = cap;
}

/* Room for as many again. The slots move with the insertions that follow: all of them before the
 * room is used up. */
static void grow(struct bl_map *map) {
  if (map->cap == 0 || map->count < map->used / 4 * 3) {
    rebuild(map);
    return;
  }
  BL_ASSERT(map->cap <= MAP_MAX_COUNT / 2);
  move_some(map, map->old_cap);
  map->old = map->slots;
  map->old_cap = map->cap * 2;
  map->moved = 0;
  map->cap *= 2;
  map->slots = calloc(map->cap * 2, sizeof(*map->slots));
  map->entries = realloc(map->entries, map->cap * sizeof(*map->entries));
  BL_ASSERT(map->slots != NULL && map->entries != NULL);
}

static struct bl_slice copy_key(struct bl_slice key) {
  char *bytes = malloc(key.len > 0 ? key.len : 1);
  BL_ASSERT(bytes != NULL);
  if (key.len > 0) memcpy(bytes, key.ptr, key.len);
  return bl_slice_of(bytes, key.len);
}

void *bl_map_put(struct bl_map *map, struct bl_slice key, void *value) {
  BL_ASSERT(value != NULL);
  uint32_t hash = bl_hash(key);
  struct bl_map_entry *entry = map->cap > 0 ? find_entry(map, key, hash) : NULL;
  if (entry != NULL) {
    void *replaced = entry->value;
    entry->value = value;
    return replaced;
  }
  struct bl_slice copy = copy_key(key);
  if (map->used == map->cap) grow(map);
  move_some(map, MAP_MOVE_SLOTS);
  size_t at = find_slot(map, copy, hash);
  map->entries[map->used] = (struct bl_map_entry){copy, value, map->next_order++};
  map->slots[at] = slot_of(hash, map->used++);
  map->count++;
  return NULL;
}

/* Empties the slot by moving back what was probed past it. */
static void close_slot(struct bl_map *map, size_t hole) {
  size_t mask = slot_mask(map);
  for (size_t at = (hole + 1) & mask; map->slots[at] != 0; at = (at + 1) & mask) {
    size_t home = slot_hash(map->slots[at]) & mask;
    /* May move when its home is not between the hole and where it stands. */
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    map->slots[hole] = map->slots[at];
    hole = at;
  }
  map->slots[hole] = 0;
}

void *bl_map_remove(struct bl_map *map, struct bl_slice key) {
  if (map->count == 0) return NULL;
  uint32_t hash = bl_hash(key);
  size_t at = find_slot(map, key, hash);
  uint64_t slot = map->slots[at];
  struct bl_map_entry *entry =
      slot != 0 ? &map->entries[slot_index(slot)] : find_old(map, key, hash);
  if (entry == NULL) return NULL;
  if (slot != 0) close_slot(map, at);
  void *value = entry->value;
  free((char *)entry->key.ptr); /* `key` may be this very slice: not used any more */
  entry->key = (struct bl_slice){NULL, 0};
  entry->value = NULL;
  map->count--;
  while (map->used > 0 && map->entries[map->used - 1].value == NULL) map->used--;
  return value;
}

/* Index of the first entry whose order is not below `order`. */
static size_t index_of_order(const struct bl_map *map, uint64_t order) {
  uint64_t first = map->entries[0].order;
  uint64_t last = map->entries[map->used - 1].order;
  if (order <= first) return 0;
  if (order > last) return map->used;
  if (last - first == map->used - 1) return (size_t)(order - first); /* none was ever closed up */
  size_t low = 0;
  size_t high = map->used;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (map->entries[middle].order < order) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

const struct bl_map_entry *bl_map_next(const struct bl_map *map, size_t *cursor) {
  if (map->used == 0) return NULL;
  for (size_t i = index_of_order(map, *cursor); i < map->used; i++) {
    const struct bl_map_entry *entry = &map->entries[i];
    if (entry->value == NULL) continue;
    *cursor = entry->order + 1;
    return entry;
  }
  return NULL;
}
