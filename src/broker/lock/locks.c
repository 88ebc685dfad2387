#include "broker/lock/locks.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"

#define KEY_BYTES_MAX 300
#define DROP_INTERVAL_MS 1000
#define CHANGES_BYTES_MAX (1 << 20)

static void free_lock(struct bl_lock *lock) {
  bl_table_disown(lock->client_id);
  free(lock);
}

void bl_locks_init(struct bl_locks *locks, const struct bl_clock *clock) {
  memset(locks, 0, sizeof(*locks));
  locks->clock = clock;
  locks->lease_ms = BL_LOCK_LEASE_MS;
  bl_map_init(&locks->groups);
  bl_buf_init(&locks->changes, CHANGES_BYTES_MAX);
}

static void free_lock_group(struct bl_lock_group *group) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&group->queues, &cursor)) != NULL) free_lock(entry->value);
  bl_map_fini(&group->queues);
  free(group);
}

void bl_locks__clear(struct bl_locks *locks) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&locks->groups, &cursor)) != NULL) free_lock_group(entry->value);
  bl_map_fini(&locks->groups);
  bl_map_init(&locks->groups);
  locks->count = 0;
}

void bl_locks_fini(struct bl_locks *locks) {
  bl_locks__clear(locks);
  bl_map_fini(&locks->groups);
  bl_buf_fini(&locks->changes);
}

/* "topic@queue" in `space`; the absent slice when the topic is too long to be one. */
static struct bl_slice key_of(struct bl_slice topic, int32_t queue_id, char space[KEY_BYTES_MAX]) {
  if (topic.len > BL_TOPIC_SPECIAL_BYTES_MAX) return (struct bl_slice){NULL, 0};
  int len = snprintf(space, KEY_BYTES_MAX, "%.*s@%d", BL_FMT(topic), queue_id);
  return bl_slice_of(space, (size_t)len);
}

static void drop_expired_in(struct bl_locks *locks, struct bl_lock_group *group, int64_t now_ms) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&group->queues, &cursor)) != NULL) {
    struct bl_lock *lock = entry->value;
    if (lock->until_ms > now_ms) continue;
    bl_map_remove(&group->queues, entry->key);
    free_lock(lock);
    locks->count--;
  }
}

/* Leases that ran out are dropped when the table is full, not with every request of that time. */
static void drop_expired(struct bl_locks *locks, int64_t now_ms) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  if (now_ms < locks->drop_at_ms) return;
  locks->drop_at_ms = now_ms + DROP_INTERVAL_MS;
  while ((entry = bl_map_next(&locks->groups, &cursor)) != NULL) {
    struct bl_lock_group *group = entry->value;
    drop_expired_in(locks, group, now_ms);
    if (group->queues.count > 0) continue;
    bl_map_remove(&locks->groups, entry->key);
    free_lock_group(group);
  }
}

/* A lock that nobody has yet; NULL when the table is full. */
static struct bl_lock *new_lock(struct bl_locks *locks, struct bl_slice group_name,
                                struct bl_slice key, int64_t now_ms) {
  if (locks->count >= BL_LOCKS_MAX) drop_expired(locks, now_ms);
  if (locks->count >= BL_LOCKS_MAX) return NULL;
  struct bl_lock_group *group = bl_map_get(&locks->groups, group_name);
  if (group == NULL) {
    group = calloc(1, sizeof(*group));
    BL_ASSERT(group != NULL);
    bl_map_init(&group->queues);
    bl_map_put(&locks->groups, group_name, group);
  }
  struct bl_lock *lock = calloc(1, sizeof(*lock));
  BL_ASSERT(lock != NULL);
  lock->until_ms = now_ms;
  bl_map_put(&group->queues, key, lock);
  locks->count++;
  return lock;
}

static void note_change(struct bl_locks *locks, struct bl_slice key) {
  struct bl_json_writer w = bl_json_writer_of(&locks->changes, false);
  if (locks->changes.len > 0) bl_buf_put_char(&locks->changes, ',');
  bl_json_put_text(&w, key);
}

struct bl_lock *bl_locks__hold(struct bl_locks *locks, struct bl_slice group_name,
                               struct bl_slice key, struct bl_slice client_id) {
  struct bl_lock_group *group = bl_map_get(&locks->groups, group_name);
  struct bl_lock *lock = group != NULL ? bl_map_get(&group->queues, key) : NULL;
  if (lock == NULL) lock = new_lock(locks, group_name, key, bl_clock_mono_ms(locks->clock));
  if (lock == NULL) return NULL;
  bl_table_disown(lock->client_id);
  lock->client_id = bl_table_own(client_id);
  return lock;
}

bool bl_locks_take(struct bl_broker *broker, struct bl_slice group_name, struct bl_slice topic,
                   int32_t queue_id, struct bl_slice client_id) {
  char space[KEY_BYTES_MAX];
  struct bl_locks *locks = &broker->locks;
  struct bl_slice key = key_of(topic, queue_id, space);
  int64_t now_ms = bl_clock_mono_ms(locks->clock);
  if (key.ptr == NULL || group_name.len > BL_GROUP_BYTES_MAX) return false;
  if (client_id.len > BL_CLIENT_ID_BYTES_MAX) return false;
  struct bl_lock_group *group = bl_map_get(&locks->groups, group_name);
  struct bl_lock *lock = group != NULL ? bl_map_get(&group->queues, key) : NULL;
  bool mine = lock != NULL && bl_slice_eq(lock->client_id, client_id);
  if (lock != NULL && !mine && lock->until_ms > now_ms) return false;
  if (!mine) {
    if (bl_group_name_check(group_name, NULL) != BL_OK) return false;
    lock = bl_locks__hold(locks, group_name, key, client_id);
    if (lock == NULL) return false;
    note_change(locks, key);
  }
  lock->until_ms = now_ms + locks->lease_ms;
  return true;
}

void bl_locks__drop(struct bl_locks *locks, struct bl_slice group_name, struct bl_slice key,
                    struct bl_slice client_id) {
  struct bl_lock_group *group = bl_map_get(&locks->groups, group_name);
  struct bl_lock *lock = group != NULL ? bl_map_get(&group->queues, key) : NULL;
  if (lock == NULL || !bl_slice_eq(lock->client_id, client_id)) return;
  bl_map_remove(&group->queues, key);
  free_lock(lock);
  locks->count--;
  note_change(locks, key);
  if (group->queues.count > 0) return;
  bl_map_remove(&locks->groups, group_name);
  free_lock_group(group);
}

void bl_locks_give(struct bl_broker *broker, struct bl_slice group_name, struct bl_slice topic,
                   int32_t queue_id, struct bl_slice client_id) {
  char space[KEY_BYTES_MAX];
  struct bl_slice key = key_of(topic, queue_id, space);
  if (key.ptr != NULL) bl_locks__drop(&broker->locks, group_name, key, client_id);
}

bool bl_locks_any(const struct bl_broker *broker, struct bl_slice group_name) {
  const struct bl_lock_group *group = bl_map_get(&broker->locks.groups, group_name);
  int64_t now_ms = bl_clock_mono_ms(broker->locks.clock);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  if (group == NULL) return false;
  while ((entry = bl_map_next(&group->queues, &cursor)) != NULL) {
    if (((const struct bl_lock *)entry->value)->until_ms > now_ms) return true;
  }
  return false;
}
