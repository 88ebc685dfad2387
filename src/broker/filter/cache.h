/* Compiled filters by their text, so that pulls and heartbeats that carry one again and again find
 * it. The least recently used go. Thread: core. */
#ifndef BOLIDE_BROKER_FILTER_CACHE_H
#define BOLIDE_BROKER_FILTER_CACHE_H

#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "broker/filter/filter.h"

#define BL_FILTER_CACHE_COUNT_MAX 1024
#define BL_FILTER_CACHE_BYTES_MAX (8 << 20)

struct bl_filter_cache {
  struct bl_map by_text; /* -> struct entry */
  struct bl_list recent; /* the most recently used last */
  int64_t bytes;
  int64_t compiled; /* how often one was; refused: how often it could not be */
  int64_t refused;
};

void bl_filter_cache_init(struct bl_filter_cache *cache);
void bl_filter_cache_fini(struct bl_filter_cache *cache);

/* RETURNS in out_filter a reference of the caller's own. Errors as bl_filter_compile. */
BL_MUST_CHECK bl_err bl_filter_cache_get(struct bl_filter_cache *cache, struct bl_slice expression,
                                         struct bl_filter **out_filter, struct bl_why *why);

#endif
