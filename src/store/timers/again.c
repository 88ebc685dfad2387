/* A file that cannot be read: what it had is in the log, from the lowest offset in it on. All that
 * began there and was not taken away since is collected first, because what takes a message away
 * stands behind it. */
#include "store/timers/pending_internal.h"

#define AGAIN_MS 1000

void bl_pending__distrust(struct bl_pending *pending, struct bl_pending_run *run) {
  run->dead = true;
  run->head_ms = INT64_MAX;
  if (run->min_offset < pending->rebuild_from) pending->rebuild_from = run->min_offset;
}

bool bl_pending__wants_again(struct bl_follower *follower, int64_t *out_from, int64_t *out_to) {
  struct bl_pending *pending = (struct bl_pending *)follower;
  if (pending->rebuild_from == INT64_MAX || pending->rebuilding) return false;
  if (pending->last_ms < pending->seal_again_ms) return false;
  pending->rebuilding = true;
  *out_from = pending->rebuild_from;
  *out_to = pending->last_log + 1;
  return true;
}

static void add_dead(struct bl_pending *pending, int64_t log_offset, int64_t due_ms) {
  struct bl_pending_entry dead = {
      .due_ms = due_ms, .log_offset = log_offset, .kind = BL_PENDING_DEAD};
  bl_pending__heap_push(&pending->rebuild, &dead);
}

void bl_pending__on_again(struct bl_follower *follower, const struct bl_record *record) {
  struct bl_pending *pending = (struct bl_pending *)follower;
  struct bl_pending_entry entry;
  int64_t log_offset;
  int64_t due_ms;
  if (bl_pending_marked(record->properties, &log_offset, &due_ms))
    add_dead(pending, log_offset, due_ms);
  if (bl_pending_read(pending, record, &entry) && !bl_pending__java_did(pending, record))
    bl_pending__heap_push(&pending->rebuild, &entry);
}

/* What is on its way out is not pending; what is known already is there twice, which is noticed. */
void bl_pending__again_done(struct bl_follower *follower, bl_err err) {
  struct bl_pending *pending = (struct bl_pending *)follower;
  pending->rebuilding = false;
  if (err == BL_OK) {
    pending->rebuild_from = INT64_MAX;
    for (size_t i = pending->flight_from; i != pending->flight_to; i++) {
      const struct bl_pending_entry *entry = &pending->flight[i % pending->flight_cap].entry;
      add_dead(pending, entry->log_offset, entry->due_ms);
    }
    for (size_t i = 0; i < pending->rebuild.count; i++)
      bl_pending__add(pending, &pending->rebuild.items[i], NULL);
  } else {
    pending->seal_again_ms = pending->last_ms + AGAIN_MS;
  }
  bl_pending__heap_fini(&pending->rebuild);
}
