#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash64.h"
#include "store/keys/keys_internal.h"
#include "wire/properties.h"

uint64_t bl_keys__hash(struct bl_slice topic, struct bl_slice key) {
  uint64_t state = bl_hash64_mix(bl_hash64_bytes(BL_HASH64_B, topic) ^ '#', BL_HASH64_A);
  return bl_hash64_mix(bl_hash64_bytes(state, key) ^ BL_HASH64_B, BL_HASH64_A);
}

static struct bl_key_block *new_block(const struct bl_keys *keys) {
  /* Pages of it are touched as it fills. */
  struct bl_key_block *block =
      malloc(sizeof(*block) + keys->block_entries * sizeof(struct bl_key_entry));
  BL_ASSERT(block != NULL);
  block->users = 1;
  block->count = 0;
  return block;
}

struct bl_key_block *bl_keys__use_block(struct bl_key_block *block) {
  block->users++;
  return block;
}

void bl_keys__unuse_block(struct bl_key_block *block) {
  if (block == NULL || --block->users > 0) return;
  free(block);
}

void bl_keys__append(struct bl_keys *keys, uint64_t hash, int64_t offset) {
  if (keys->active == NULL) keys->active = new_block(keys);
  struct bl_key_block *block = keys->active;
  block->entries[block->count++] = (struct bl_key_entry){hash, offset};
  if (block->count < keys->block_entries) return;
  keys->active = NULL;
  bl_keys__freeze(keys, block);
}

/* RETURNS whether it has a key. Source: IndexService.buildIndex. */
static bool take_record(struct bl_keys *keys, const struct bl_record *record) {
  if ((record->sys_flag & BL_SYS_TRANSACTION_MASK) == BL_SYS_ROLLBACK) return false;
  bool taken = false;
  struct bl_slice rest = record->properties;
  struct bl_slice name;
  struct bl_slice value;
  while (bl_properties_next(&rest, &name, &value)) {
    if (bl_slice_eq(name, BL_PROP_UNIQ_KEY)) {
      bl_keys__append(keys, bl_keys__hash(record->topic, value), record->log_offset);
      taken = true;
    } else if (bl_slice_eq(name, BL_PROP_KEYS)) {
      while (value.ptr != NULL) {
        struct bl_slice key = bl_slice_cut(&value, ' ');
        if (key.len == 0) continue;
        bl_keys__append(keys, bl_keys__hash(record->topic, key), record->log_offset);
        taken = true;
      }
    }
  }
  return taken;
}

static void on_record(struct bl_follower *follower, const struct bl_record *record) {
  struct bl_keys *keys = (struct bl_keys *)follower;
  if (record->log_offset <= keys->last_log) return;
  keys->last_log = record->log_offset;
  if (!take_record(keys, record)) return;
  keys->newest_log = record->log_offset;
  keys->newest_ms = record->store_ms;
}

/* Some of it may be in other runs, too; a search finds each offset once. */
static void on_again(struct bl_follower *follower, const struct bl_record *record) {
  (void)take_record((struct bl_keys *)follower, record);
}

static int64_t needs_from(struct bl_follower *follower) {
  return ((struct bl_keys *)follower)->covered;
}

static void log_min_moved(struct bl_follower *follower, int64_t min_offset) {
  struct bl_keys *keys = (struct bl_keys *)follower;
  if (min_offset <= keys->log_min) return;
  keys->log_min = min_offset;
  bl_keys__drop_below_min(keys);
}

static void discard(struct bl_follower *follower) {
  struct bl_keys *keys = (struct bl_keys *)follower;
  if (keys->jobs > 0) bl_worker_finish(keys->pool); /* at start */
  bl_keys__clear(keys);
  bl_keys__remove_snapshot(keys);
}

static const struct bl_follower_ops follower_ops = {
    .name = "keys",
    .load = bl_keys__load,
    .discard = discard,
    .on_record = on_record,
    .snapshot_step = bl_keys__snapshot_step,
    .snapshot_done = bl_keys__snapshot_done,
    .needs_from = needs_from,
    .log_min_moved = log_min_moved,
    .unsettled = bl_keys__unsettled,
    .wants_again = bl_keys__wants_again,
    .on_again = on_again,
    .again_done = bl_keys__again_done,
};

struct bl_keys *bl_keys_new(const char *dir, struct bl_disk *disk, struct bl_worker *pool) {
  struct bl_keys *keys = calloc(1, sizeof(*keys));
  BL_ASSERT(keys != NULL);
  size_t dir_bytes = strlen(dir) + 1;
  keys->dir = malloc(dir_bytes);
  BL_ASSERT(keys->dir != NULL);
  memcpy(keys->dir, dir, dir_bytes);
  keys->follower.ops = &follower_ops;
  keys->disk = disk;
  keys->pool = pool;
  keys->block_entries = BL_KEYS_BLOCK_ENTRIES;
  keys->last_log = -1;
  keys->newest_log = -1;
  return keys;
}

void bl_keys__free_run(struct bl_keys *keys, struct bl_key_run *run) {
  if (run == NULL) return;
  keys->disk->ops->close(keys->disk, run->file);
  free(run);
}

static void free_runs(struct bl_keys *keys, struct bl_key_runs *runs) {
  for (size_t i = 0; i < runs->count; i++) bl_keys__free_run(keys, runs->items[i]);
  free(runs->items);
  *runs = (struct bl_key_runs){0};
}

void bl_keys__clear(struct bl_keys *keys) {
  bl_keys__unuse_block(keys->active);
  keys->active = NULL;
  for (int i = 0; i < keys->frozen_count; i++) {
    bl_keys__unuse_block(keys->frozen[i]->block);
    free(keys->frozen[i]);
  }
  keys->frozen_count = 0;
  free_runs(keys, &keys->runs);
  free_runs(keys, &keys->dead);
  keys->last_log = -1;
  keys->newest_log = -1;
  keys->covered = 0;
  keys->hole_count = 0;
}

void bl_keys_free(struct bl_keys *keys) {
  if (keys == NULL) return;
  if (keys->jobs > 0) bl_worker_finish(keys->pool);
  BL_ASSERT(keys->jobs == 0);
  bl_keys__end_dump(keys);
  bl_keys__clear(keys);
  free(keys->dir);
  free(keys);
}

bool bl_keys_newest(const struct bl_keys *keys, int64_t *out_offset, int64_t *out_store_ms) {
  *out_offset = keys->newest_log;
  *out_store_ms = keys->newest_ms;
  return keys->newest_log >= 0;
}

struct bl_follower *bl_keys_follower(struct bl_keys *keys) {
  return &keys->follower;
}

void bl_keys__set_block_entries(struct bl_keys *keys, uint32_t entries) {
  BL_ASSERT(keys->active == NULL && entries > 0);
  keys->block_entries = entries;
}

void bl_keys__path(const struct bl_keys *keys, const char *name, char out_path[512]) {
  int len = snprintf(out_path, 512, "%s/bolide%s%s", keys->dir, name[0] != '\0' ? "/" : "", name);
  BL_ASSERT(len > 0 && len < 512);
}

void bl_keys__add_run(struct bl_key_runs *runs, struct bl_key_run *run) {
  if (runs->count == runs->cap) {
    runs->cap = runs->cap > 0 ? runs->cap * 2 : 8;
    runs->items = realloc(runs->items, runs->cap * sizeof(struct bl_key_run *));
    BL_ASSERT(runs->items != NULL);
  }
  runs->items[runs->count++] = run;
}

bool bl_keys__take_run(struct bl_key_runs *runs, const struct bl_key_run *run) {
  for (size_t i = 0; i < runs->count; i++) {
    if (runs->items[i] != run) continue;
    runs->count--;
    memmove(runs->items + i, runs->items + i + 1, (runs->count - i) * sizeof(struct bl_key_run *));
    return true;
  }
  return false;
}
