#include <stdlib.h>

#include "base/assert.h"
#include "store/keys/keys_internal.h"

/* What a search looks through: all that was there when it began. */
struct looking {
  struct bl_key_block *blocks[BL_KEYS_FROZEN_MAX + 1];
  uint32_t counts[BL_KEYS_FROZEN_MAX + 1];
  int block_count;
  size_t run_count;
  int64_t log_min;
  struct bl_key_run *damaged; /* found so by the search */
  struct bl_key_run *runs[];
};

/* Keeps the newest `max`, each once. RETURNS false when older ones are not wanted any more. */
static bool take(void *context, int64_t offset) {
  struct bl_keys_search *search = context;
  const struct looking *looking = search->internal;
  if (offset < looking->log_min) return false;
  if (offset >= search->below) return true;
  uint32_t at = search->count;
  while (at > 0 && search->offsets[at - 1] < offset) at--;
  if (at > 0 && search->offsets[at - 1] == offset) return true;
  if (at == search->max) return false;
  if (search->count < search->max) search->count++;
  memmove(search->offsets + at + 1, search->offsets + at,
          (search->count - 1 - at) * sizeof(search->offsets[0]));
  search->offsets[at] = offset;
  return true;
}

static void find_run(struct bl_job *job) {
  struct bl_keys_search *search = BL_CONTAINER(job, struct bl_keys_search, job);
  struct looking *looking = search->internal;
  for (int b = 0; b < looking->block_count; b++) {
    const struct bl_key_entry *entries = looking->blocks[b]->entries;
    for (uint32_t i = looking->counts[b]; i > 0; i--) {
      /* To the end: what was shown again is not in order. */
      if (entries[i - 1].hash == search->hash) (void)take(search, entries[i - 1].offset);
    }
  }
  for (size_t i = 0; i < looking->run_count && search->err == BL_OK; i++) {
    search->err = bl_keys__run_search(search->keys, looking->runs[i], search->hash, take, search);
    if (bl_keys__is_damage(search->err)) looking->damaged = looking->runs[i];
  }
}

/* What is being taken from the log again may be what is asked for: unless enough newer is found. */
static bool lacks_some(const struct bl_keys_search *search) {
  const struct bl_keys *keys = search->keys;
  for (int i = 0; i < keys->hole_count; i++) {
    if (keys->holes[i].from >= search->below) continue;
    if (search->count < search->max || search->count == 0 ||
        keys->holes[i].to > search->offsets[search->count - 1])
      return true;
  }
  return false;
}

static void find_done(struct bl_job *job) {
  struct bl_keys_search *search = BL_CONTAINER(job, struct bl_keys_search, job);
  struct looking *looking = search->internal;
  for (int b = 0; b < looking->block_count; b++) bl_keys__unuse_block(looking->blocks[b]);
  for (size_t i = 0; i < looking->run_count; i++) looking->runs[i]->users--;
  struct bl_keys *keys = search->keys;
  if (looking->damaged != NULL) bl_keys__damaged(keys, looking->damaged, search->err);
  if (looking->damaged != NULL || (search->err == BL_OK && lacks_some(search)))
    search->err = BL_ERR_BUSY;
  free(looking);
  search->internal = NULL;
  search->keys->jobs--;
  search->done(search);
}

void bl_keys_find(struct bl_keys *keys, struct bl_keys_search *search, struct bl_slice topic,
                  struct bl_slice key, int64_t below, uint32_t max,
                  void (*done)(struct bl_keys_search *search)) {
  search->job = (struct bl_job){.run = find_run, .done = find_done};
  search->keys = keys;
  search->hash = bl_keys__hash(topic, key);
  search->max = max < BL_KEYS_FIND_MAX ? max : BL_KEYS_FIND_MAX;
  search->below = below;
  search->count = 0;
  search->err = BL_OK;
  search->done = done;
  struct looking *looking =
      malloc(sizeof(*looking) + keys->runs.count * sizeof(struct bl_key_run *));
  BL_ASSERT(looking != NULL);
  looking->log_min = keys->log_min;
  looking->damaged = NULL;
  looking->block_count = 0;
  if (keys->active != NULL) looking->blocks[looking->block_count++] = keys->active;
  for (int i = 0; i < keys->frozen_count; i++) {
    looking->blocks[looking->block_count++] = keys->frozen[i]->block;
  }
  for (int b = 0; b < looking->block_count; b++) {
    /* The core goes on filling the active block behind this count. */
    looking->counts[b] = bl_keys__use_block(looking->blocks[b])->count;
  }
  looking->run_count = keys->runs.count;
  for (size_t i = 0; i < looking->run_count; i++) {
    looking->runs[i] = keys->runs.items[i];
    looking->runs[i]->users++;
  }
  search->internal = looking;
  keys->jobs++;
  bl_worker_submit(keys->pool, &search->job);
}
