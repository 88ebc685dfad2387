/* Which log record first carried a key (UNIQ_KEY) in a topic, for as long as the topic's window
 * (attribute dedup.window) lasts. A follower of the log.
 *
 * In memory: 10 bytes for each slot of a hash table (40 bits of the hash, 40 bits of log offset),
 * 68 to 85 % of them in use. Entries are found by hash alone: they are candidates, and the reader
 * of the record decides. Time is the log offset: a class (all topics with about the same window)
 * knows from which offset on its keys count, so what is too old is dead without being looked at,
 * and pages of the table lose their dead entries when they are full or swept. On disk: parts of 64
 * Ki entries and more that are written once, and bolide/dedup.snapshot with the rest.
 *
 * Thread: core; the pool removes files. */
#ifndef BOLIDE_STORE_DEDUP_DEDUP_H
#define BOLIDE_STORE_DEDUP_DEDUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/slice.h"
#include "os/clock.h"
#include "os/disk.h"
#include "os/worker.h"
#include "store/follower.h"

#define BL_DEDUP_FIND_MAX 8
#define BL_DEDUP_KEYS_MAX_DEFAULT 10000000

struct bl_dedup;

/* What topics say. BORROWED. */
struct bl_dedup_topics {
  const struct bl_list *active; /* those with a window now; empty: no record is looked at */
  int64_t (*window_ms)(void *context, struct bl_slice topic); /* 0: none */
  void *context;
};

/* RETURNS OWNED. BORROWS all. dir: the store directory. seed: of the hash, when the store has none
 * yet. */
struct bl_dedup *bl_dedup_new(const char *dir, struct bl_disk *disk, struct bl_worker *pool,
                              const struct bl_clock *clock, const struct bl_dedup_topics *topics,
                              uint64_t seed);
/* Before the pool: waits for its own job on it. Accepts NULL. */
void bl_dedup_free(struct bl_dedup *dedup);
struct bl_follower *bl_dedup_follower(struct bl_dedup *dedup);

/* Keys at most. When there are more the oldest of the class that has the most are forgotten, so
 * that their window is shorter than asked for; bl_dedup_stats counts them. */
void bl_dedup_set_limit(struct bl_dedup *dedup, int64_t keys);

uint64_t bl_dedup_hash(const struct bl_dedup *dedup, struct bl_slice topic, struct bl_slice key);
/* A record with that key was just appended; what is visible comes by itself, as to any follower. */
void bl_dedup_add(struct bl_dedup *dedup, uint64_t hash, int64_t log_offset, int64_t window_ms);
/* FILLS the log offsets of records that may carry the key and were stored within the window (or up
 * to 1/32 of it earlier), oldest first. RETURNS how many, BL_DEDUP_FIND_MAX at most. */
uint32_t bl_dedup_find(struct bl_dedup *dedup, uint64_t hash, int64_t window_ms,
                       int64_t out_offsets[BL_DEDUP_FIND_MAX]);

/* Gives back memory of what is too old, some pages at a time, about 100 us. RETURNS after how many
 * ms to call it again; 0: there is nothing to come back for. */
int64_t bl_dedup_sweep(struct bl_dedup *dedup);

struct bl_dedup_stats {
  int64_t keys;         /* that count now */
  int64_t keys_max;     /* the limit */
  int64_t forgotten;    /* before their time, because of the limit, since the start */
  int64_t memory_bytes; /* of the tables and of what is not on the disk yet */
  int64_t parts;        /* files */
};
void bl_dedup_stats(const struct bl_dedup *dedup, struct bl_dedup_stats *out_stats);

#endif
