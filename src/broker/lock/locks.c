#include "broker/lock/locks.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"

#define KEY_BYTES_MAX 600
#define LOCKS_MAX 1000000

struct bl_lock {
  struct bl_slice client_id; /* HELD */
  int64_t until_ms;
};

static void free_lock(struct bl_lock *lock) {
  if (lock == NULL) return;
  bl_table_disown(lock->client_id);
  free(lock);
}

void bl_locks_init(struct bl_locks *locks) {
  bl_map_init(&locks->map);
}

void bl_locks_fini(struct bl_locks *locks) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&locks->map, &cursor)) != NULL) free_lock(entry->value);
  bl_map_fini(&locks->map);
}

static struct bl_slice key_of(struct bl_slice group, struct bl_slice topic, int32_t queue_id,
                              char space[KEY_BYTES_MAX]) {
  int len = snprintf(space, KEY_BYTES_MAX, "%.*s@%.*s@%d", BL_FMT(group), BL_FMT(topic), queue_id);
  if (len < 0 || len >= KEY_BYTES_MAX) return (struct bl_slice){NULL, 0};
  return bl_slice_of(space, (size_t)len);
}

/* Leases that ran out are dropped when the table is full. */
static void drop_expired(struct bl_locks *locks, int64_t now_ms) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&locks->map, &cursor)) != NULL) {
    struct bl_lock *lock = entry->value;
    if (lock->until_ms <= now_ms) free_lock(bl_map_remove(&locks->map, entry->key));
  }
}

bool bl_locks_take(struct bl_broker *broker, struct bl_slice group, struct bl_slice topic,
                   int32_t queue_id, struct bl_slice client_id) {
  char space[KEY_BYTES_MAX];
  struct bl_slice key = key_of(group, topic, queue_id, space);
  int64_t now_ms = bl_clock_mono_ms(broker->clock);
  if (key.ptr == NULL) return false;
  struct bl_lock *lock = bl_map_get(&broker->locks.map, key);
  if (lock == NULL) {
    if (broker->locks.map.count >= LOCKS_MAX) drop_expired(&broker->locks, now_ms);
    if (broker->locks.map.count >= LOCKS_MAX) return false;
    lock = calloc(1, sizeof(*lock));
    BL_ASSERT(lock != NULL);
    bl_map_put(&broker->locks.map, key, lock);
  }
  bool mine = bl_slice_eq(lock->client_id, client_id);
  if (!mine && lock->until_ms > now_ms) return false;
  if (!mine) {
    bl_table_disown(lock->client_id);
    lock->client_id = bl_table_own(client_id);
  }
  lock->until_ms = now_ms + BL_LOCK_LEASE_MS;
  return true;
}

void bl_locks_give(struct bl_broker *broker, struct bl_slice group, struct bl_slice topic,
                   int32_t queue_id, struct bl_slice client_id) {
  char space[KEY_BYTES_MAX];
  struct bl_slice key = key_of(group, topic, queue_id, space);
  struct bl_lock *lock = key.ptr != NULL ? bl_map_get(&broker->locks.map, key) : NULL;
  if (lock == NULL || !bl_slice_eq(lock->client_id, client_id)) return;
  free_lock(bl_map_remove(&broker->locks.map, key));
}
