/* The key index: which log records carry a key (KEYS, UNIQ_KEY). A follower of the log.
 *
 * Sorted immutable runs of (64-bit hash of topic + '#' + key, log offset) in bolide/keys/, merged
 * in the background on the pool; the newest entries in memory. Hash hits are candidates: the reader
 * of the record decides.
 *
 * Thread: core; the pool writes and merges runs. */
#ifndef BOLIDE_STORE_KEYS_KEYS_H
#define BOLIDE_STORE_KEYS_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "os/disk.h"
#include "os/worker.h"
#include "store/follower.h"

struct bl_keys;

/* RETURNS OWNED. BORROWS all. dir: the store directory. */
struct bl_keys *bl_keys_new(const char *dir, struct bl_disk *disk, struct bl_worker *pool);
/* Before the pool: waits for its own jobs on it. Accepts NULL. */
void bl_keys_free(struct bl_keys *keys);
struct bl_follower *bl_keys_follower(struct bl_keys *keys);
/* FILLS log offset and store time of the newest record with a key that was shown since the start;
 * false: none was. */
bool bl_keys_newest(const struct bl_keys *keys, int64_t *out_offset, int64_t *out_store_ms);

/* err BL_ERR_BUSY: a part of the index was damaged and is made again from the log; try again.
 *
 * A search runs on the pool (runs may be cold). HOLDS the request until done; texts are copied at
 * once. FILLS log offsets below `below`, newest first, at most `max` (<= 256); those of the memory
 * part included. */
struct bl_keys_search {
  struct bl_job job;
  struct bl_keys *keys;
  uint64_t hash;
  uint32_t max;
  int64_t below;
  int64_t offsets[256];
  uint32_t count;
  bl_err err;
  void (*done)(struct bl_keys_search *search);
  void *internal;
};
void bl_keys_find(struct bl_keys *keys, struct bl_keys_search *search, struct bl_slice topic,
                  struct bl_slice key, int64_t below, uint32_t max,
                  void (*done)(struct bl_keys_search *search));

#endif
