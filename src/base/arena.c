#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#endif

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
/* Bytes not handed out are poisoned, so that a use after the reset or past the end is seen. Not
 * inlined, because gcc would take the poisoning for a read of bytes never written. */
static __attribute__((noinline)) void poison(void *at, size_t bytes) {
  __asan_poison_memory_region(at, bytes);
}
static void unpoison(void *at, size_t bytes) {
  __asan_unpoison_memory_region(at, bytes);
}
#else
static void poison(void *at, size_t bytes) {
  (void)at, (void)bytes;
}
static void unpoison(void *at, size_t bytes) {
  (void)at, (void)bytes;
}
#endif

#define ARENA_ALIGN 16u
/* Data bytes of a block of ordinary size; a larger take gets a block of its own. */
#define ARENA_BLOCK_BYTES (16384u - sizeof(struct bl_arena_block))
#define ARENA_OWN_BLOCK_BYTES 4096u

struct bl_arena_block {
  struct bl_arena_block *older;
  size_t used;
  size_t cap;
  size_t unused; /* keeps data[] aligned */
  char data[];
};

_Static_assert(sizeof(struct bl_arena_block) % ARENA_ALIGN == 0, "data is aligned");
_Static_assert(_Alignof(max_align_t) <= ARENA_ALIGN, "a take fits any type");

void bl_arena_init(struct bl_arena *arena) {
  *arena = (struct bl_arena){0};
}

static void free_block(struct bl_arena_block *block) {
  unpoison(block->data, block->cap);
  free(block);
}

void bl_arena_fini(struct bl_arena *arena) {
  struct bl_arena_block *block = arena->block;
  while (block != NULL) {
    struct bl_arena_block *older = block->older;
    free_block(block);
    block = older;
  }
  *arena = (struct bl_arena){0};
}

void bl_arena_reset(struct bl_arena *arena) {
  struct bl_arena_block *kept = NULL;
  struct bl_arena_block *block = arena->block;
  while (block != NULL) {
    struct bl_arena_block *older = block->older;
    if (kept == NULL && block->cap == ARENA_BLOCK_BYTES) {
      kept = block;
    } else {
      free_block(block);
    }
    block = older;
  }
  if (kept != NULL) {
    kept->older = NULL;
    kept->used = 0;
    poison(kept->data, kept->cap);
  }
  arena->block = kept;
  arena->used_bytes = 0;
}

static struct bl_arena_block *new_block(size_t cap) {
  BL_ASSERT(cap <= SIZE_MAX - sizeof(struct bl_arena_block));
  struct bl_arena_block *block = malloc(sizeof(*block) + cap);
  BL_ASSERT(block != NULL);
  block->older = NULL;
  block->used = 0;
  block->cap = cap;
  poison(block->data, cap);
  return block;
}

static void *take_from(struct bl_arena_block *block, size_t rounded, size_t bytes) {
  void *at = block->data + block->used;
  block->used += rounded;
  unpoison(at, bytes);
  return at;
}

static __attribute__((noinline)) void *take_slow(struct bl_arena *arena, size_t rounded,
                                                 size_t bytes) {
  if (rounded <= ARENA_OWN_BLOCK_BYTES) {
    struct bl_arena_block *block = new_block(ARENA_BLOCK_BYTES);
    block->older = arena->block;
    arena->block = block;
    return take_from(block, rounded, bytes);
  }
  /* Behind the newest block, which goes on serving small takes. */
  struct bl_arena_block *own = new_block(rounded);
  if (arena->block != NULL) {
    own->older = arena->block->older;
    arena->block->older = own;
  } else {
    arena->block = own;
  }
  return take_from(own, rounded, bytes);
}

void *bl_arena_take(struct bl_arena *arena, size_t bytes) {
  BL_ASSERT(bytes <= SIZE_MAX - ARENA_ALIGN);
  size_t rounded = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
  arena->used_bytes += rounded;
  struct bl_arena_block *block = arena->block;
  if (block == NULL || rounded > block->cap - block->used) return take_slow(arena, rounded, bytes);
  return take_from(block, rounded, bytes);
}

void *bl_arena_zero(struct bl_arena *arena, size_t bytes) {
  void *at = bl_arena_take(arena, bytes);
  if (bytes > 0) memset(at, 0, bytes);
  return at;
}

struct bl_slice bl_arena_copy(struct bl_arena *arena, struct bl_slice text) {
  if (text.ptr == NULL) return text;
  char *at = bl_arena_take(arena, text.len + 1);
  memcpy(at, text.ptr, text.len);
  at[text.len] = '\0';
  return bl_slice_of(at, text.len);
}

struct bl_slice bl_arena_printf(struct bl_arena *arena, const char *format, ...) {
  char small[256];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(small, sizeof(small), format, args);
  va_end(args);
  BL_ASSERT(len >= 0);
  char *at = bl_arena_take(arena, (size_t)len + 1);
  if ((size_t)len < sizeof(small)) {
    memcpy(at, small, (size_t)len + 1);
    return bl_slice_of(at, (size_t)len);
  }
  va_start(args, format);
  vsnprintf(at, (size_t)len + 1, format, args);
  va_end(args);
  return bl_slice_of(at, (size_t)len);
}
