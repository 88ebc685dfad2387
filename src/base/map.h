/* A hash map from byte strings to pointers, with a stable walk. Pure.
 *
 * Open addressing over a dense array of entries in order of insertion. A cursor names an entry by
 * its place in that order, not by its index, so it stays valid while other entries come and go,
 * also when the array is rebuilt: an entry is visited at most once, and one that stays for the
 * whole walk is visited. Deletion leaves a hole; holes are closed when the array is next full.
 *
 * A map that grows moves some slots with each insertion, so that no insertion waits for all of
 * them. Only one that had many removals is rebuilt in one go. */
#ifndef BOLIDE_BASE_MAP_H
#define BOLIDE_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct bl_map_entry {
  struct bl_slice key; /* HELD by the map */
  void *value;         /* NULL marks a hole */
  uint64_t order;      /* grows with each insertion */
};

struct bl_map {
  struct bl_map_entry *entries;
  uint64_t *slots; /* hash and index + 1 into entries; 0 empty */
  size_t count;    /* live entries */
  size_t used;     /* entries incl. holes */
  size_t cap;      /* of entries; slots are twice that */
  uint64_t *old;   /* slots that are being moved, or NULL; some say what is not there any more */
  size_t old_cap;
  size_t moved;
  uint64_t next_order;
};

void bl_map_init(struct bl_map *map);
/* Frees the map, not the values. */
void bl_map_fini(struct bl_map *map);

/* The value, or NULL. */
void *bl_map_get(const struct bl_map *map, struct bl_slice key);
/* Copies the key on insertion. RETURNS the value it replaced, or NULL. `value` must not be NULL. */
void *bl_map_put(struct bl_map *map, struct bl_slice key, void *value);
/* RETURNS the removed value, or NULL. */
void *bl_map_remove(struct bl_map *map, struct bl_slice key);

/* Walks: start with cursor 0; RETURNS the next live entry and moves the cursor, NULL at the end.
 * Entries may be removed during the walk. BORROWS the entry until the next change. */
const struct bl_map_entry *bl_map_next(const struct bl_map *map, size_t *cursor);

/* A fast hash of bytes, the same in every run. Not for values that leave the process: it may
 * change. */
uint32_t bl_hash(struct bl_slice bytes);

#endif
