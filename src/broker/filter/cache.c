#include "broker/filter/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

struct entry {
  struct bl_list node;
  struct bl_filter *filter; /* a reference */
  size_t bytes;
  size_t text_bytes;
  char text[];
};

static struct bl_slice text_of(const struct entry *entry) {
  return bl_slice_of(entry->text, entry->text_bytes);
}

void bl_filter_cache_init(struct bl_filter_cache *cache) {
  memset(cache, 0, sizeof(*cache));
  bl_map_init(&cache->by_text);
  bl_list_init(&cache->recent);
}

static void drop(struct bl_filter_cache *cache, struct entry *entry) {
  cache->bytes -= (int64_t)entry->bytes;
  bl_map_remove(&cache->by_text, text_of(entry));
  bl_list_remove(&entry->node);
  bl_filter_free(entry->filter);
  free(entry);
}

static struct entry *oldest(const struct bl_filter_cache *cache) {
  return BL_CONTAINER(cache->recent.next, struct entry, node);
}

void bl_filter_cache_fini(struct bl_filter_cache *cache) {
  while (!bl_list_empty(&cache->recent)) drop(cache, oldest(cache));
  bl_map_fini(&cache->by_text);
}

static void put(struct bl_filter_cache *cache, struct bl_slice text, struct bl_filter *filter) {
  struct entry *entry = malloc(sizeof(*entry) + text.len);
  BL_ASSERT(entry != NULL);
  entry->filter = filter;
  entry->text_bytes = text.len;
  entry->bytes = sizeof(*entry) + 2 * text.len + bl_filter_bytes(filter);
  memcpy(entry->text, text.ptr, text.len);
  bl_map_put(&cache->by_text, text_of(entry), entry);
  bl_list_add_last(&cache->recent, &entry->node);
  cache->bytes += (int64_t)entry->bytes;
  while (cache->by_text.count > BL_FILTER_CACHE_COUNT_MAX ||
         cache->bytes > BL_FILTER_CACHE_BYTES_MAX)
    drop(cache, oldest(cache));
}

bl_err bl_filter_cache_get(struct bl_filter_cache *cache, struct bl_slice expression,
                           struct bl_filter **out_filter, struct bl_why *why) {
  struct entry *entry = bl_map_get(&cache->by_text, expression);
  if (entry != NULL) {
    bl_list_remove(&entry->node);
    bl_list_add_last(&cache->recent, &entry->node);
    *out_filter = bl_filter_share(entry->filter);
    return BL_OK;
  }
  bl_err err = bl_filter_compile(expression, out_filter, why);
  if (err != BL_OK) {
    cache->refused++;
    return err;
  }
  cache->compiled++;
  put(cache, expression, bl_filter_share(*out_filter));
  return BL_OK;
}
