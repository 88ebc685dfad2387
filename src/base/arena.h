/* Bump memory freed all at once: results of one call or of one turn. Pure. */
#ifndef BOLIDE_BASE_ARENA_H
#define BOLIDE_BASE_ARENA_H

#include <stddef.h>

#include "base/slice.h"

struct bl_arena_block;

struct bl_arena {
  struct bl_arena_block *block; /* the newest; older ones behind it */
  size_t used_bytes;            /* handed out since the last reset */
};

/* Starts empty without allocating. */
void bl_arena_init(struct bl_arena *arena);
void bl_arena_fini(struct bl_arena *arena);
/* Everything handed out is gone; one block of ordinary size is kept for the next use. */
void bl_arena_reset(struct bl_arena *arena);

/* Memory aligned for any type, not zeroed; lives until reset. Aborts when the machine has none: the
 * caller has checked sizes that come from outside. */
void *bl_arena_take(struct bl_arena *arena, size_t bytes);
void *bl_arena_zero(struct bl_arena *arena, size_t bytes);
/* RETURNS a copy with a NUL behind it; the absent slice for the absent slice. */
struct bl_slice bl_arena_copy(struct bl_arena *arena, struct bl_slice text);
struct bl_slice bl_arena_printf(struct bl_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
