/* Who holds a queue, through restarts: records of the metadata, and config/queueLocks.json. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/group/groups.h"
#include "broker/lock/locks.h"
#include "broker/members/members.h"
#include "broker/topic/topics.h"

#define TABLE "lockTable"

bool bl_locks_write_changes(struct bl_locks *locks, struct bl_slice client_id, bool given,
                            struct bl_buf *out) {
  int64_t now_ms = bl_clock_mono_ms(locks->clock);
  bool said = locks->changes.len == 0 && (given || now_ms < locks->logged_ms + BL_LOCK_ALIVE_MS);
  if (said) return false;
  locks->logged_ms = now_ms;
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_member_text(&w, "clientId", client_id);
  bl_json_member_bool(&w, "given", given);
  bl_buf_put_text(out, ",\"queues\":[");
  if (!locks->changes.failed) bl_buf_put_slice(out, bl_buf_slice(&locks->changes));
  bl_buf_put_text(out, "]}");
  bl_buf_clear(&locks->changes);
  return true;
}

static bool is_sound(struct bl_slice group, struct bl_slice key, struct bl_slice client_id) {
  return group.len > 0 && group.len <= BL_GROUP_BYTES_MAX && key.len > 0 &&
         key.len <= BL_TOPIC_SPECIAL_BYTES_MAX + 16 && client_id.len > 0 &&
         client_id.len <= BL_CLIENT_ID_BYTES_MAX;
}

void bl_locks_apply(void *context, struct bl_slice group, const struct bl_json *json,
                    int64_t log_offset) {
  struct bl_locks *locks = context;
  struct bl_slice client_id = bl_json_text(bl_json_get(json, "clientId"));
  bool given = bl_json_bool(bl_json_get(json, "given"), false);
  const struct bl_json *queues = bl_json_get(json, "queues");
  (void)log_offset;
  if (queues == NULL || queues->kind != BL_JSON_ARRAY) return;
  for (const struct bl_json *node = queues->child; node != NULL; node = node->next) {
    struct bl_slice key = bl_json_text(node);
    if (!is_sound(group, key, client_id)) continue;
    if (given) {
      bl_locks__drop(locks, group, key, client_id);
    } else {
      bl_locks__hold(locks, group, key, client_id);
    }
  }
  bl_buf_clear(&locks->changes); /* they are in the log */
}

bl_err bl_locks_replace(void *context, const struct bl_json *root, struct bl_why *why) {
  struct bl_locks *locks = context;
  const struct bl_json *table = bl_json_get(root, TABLE);
  if (root != NULL && (table == NULL || table->kind != BL_JSON_OBJECT))
    return bl_why_set(why, BL_ERR_FORMAT, "it has no object " TABLE);
  bl_locks__clear(locks);
  if (root == NULL) return BL_OK;
  for (const struct bl_json *group = table->child; group != NULL; group = group->next) {
    if (group->kind != BL_JSON_OBJECT) continue;
    for (const struct bl_json *node = group->child; node != NULL; node = node->next) {
      if (is_sound(group->key, node->key, bl_json_text(node)))
        bl_locks__hold(locks, group->key, node->key, bl_json_text(node));
    }
  }
  return BL_OK;
}

void bl_locks_resume(struct bl_locks *locks, int64_t last_ms) {
  int64_t now_ms = bl_clock_mono_ms(locks->clock);
  /* The last renewal came at most that much after the last record. */
  int64_t left_ms = last_ms + BL_LOCK_ALIVE_MS + locks->lease_ms - bl_clock_wall_ms(locks->clock);
  if (left_ms > locks->lease_ms) left_ms = locks->lease_ms;
  size_t cursor = 0;
  const struct bl_map_entry *group;
  while ((group = bl_map_next(&locks->groups, &cursor)) != NULL) {
    size_t at = 0;
    const struct bl_map_entry *entry;
    const struct bl_lock_group *of = group->value;
    while ((entry = bl_map_next(&of->queues, &at)) != NULL)
      ((struct bl_lock *)entry->value)->until_ms = now_ms + left_ms;
  }
}

struct writing {
  struct bl_json_writer w;
  size_t cursor;
};

static void write_group(struct bl_json_writer *w, const struct bl_map_entry *group,
                        int64_t now_ms) {
  const struct bl_lock_group *of = group->value;
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  bl_json_key_slice(w, group->key);
  bl_json_open_object(w);
  while ((entry = bl_map_next(&of->queues, &cursor)) != NULL) {
    const struct bl_lock *lock = entry->value;
    if (lock->until_ms <= now_ms) continue;
    bl_json_key_slice(w, entry->key);
    bl_json_put_text(w, lock->client_id);
  }
  bl_json_close_object(w);
}

bool bl_locks_write_step(void *context, struct bl_buf *out, void **progress) {
  const struct bl_locks *locks = context;
  struct writing *writing = *progress;
  if (writing == NULL) {
    writing = calloc(1, sizeof(*writing));
    BL_ASSERT(writing != NULL);
    writing->w = bl_json_writer_of(out, true);
    bl_json_open_object(&writing->w);
    bl_json_key(&writing->w, TABLE);
    bl_json_open_object(&writing->w);
    *progress = writing;
  }
  writing->w.out = out;
  const struct bl_map_entry *group = bl_map_next(&locks->groups, &writing->cursor);
  if (group != NULL) {
    write_group(&writing->w, group, bl_clock_mono_ms(locks->clock));
    return true;
  }
  bl_json_close_object(&writing->w);
  bl_json_close_object(&writing->w);
  free(writing);
  *progress = NULL;
  return false;
}
