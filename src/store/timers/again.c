/* A file that cannot be read: what it had is in the log, from the lowest offset in it on. All that
 * began there and was not taken away since is collected first, because what takes a message away
 * stands behind it. */
#include "store/timers/pending_internal.h"

#define AGAIN_MS 1000
#define ADD_AT_ONCE 512 /* about 100 us */

void bl_pending__distrust(struct bl_pending *pending, struct bl_pending_run *run) {
  run->dead = true;
  run->head_ms = INT64_MAX;
  if (run->min_offset < pending->rebuild_from) pending->rebuild_from = run->min_offset;
}

bool bl_pending__wants_again(struct bl_follower *follower, int64_t *out_from, int64_t *out_to) {
  struct bl_pending *pending = (struct bl_pending *)follower;
  if (pending->rebuild_from == INT64_MAX || pending->rebuilding || pending->adding) return false;
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

static void end_adding(struct bl_pending *pending) {
  pending->adding = false;
  bl_pending__heap_fini(&pending->rebuild);
}

/* What is on its way out, or waits elsewhere, is pending once; what is known already is there twice
 * otherwise, which is noticed. Nothing is popped until all is added. */
void bl_pending__again_done(struct bl_follower *follower, bl_err err) {
  struct bl_pending *pending = (struct bl_pending *)follower;
  pending->rebuilding = false;
  if (err != BL_OK) {
    pending->seal_again_ms = pending->last_ms + AGAIN_MS;
    end_adding(pending);
    return;
  }
  pending->adding = true;
  for (size_t i = pending->flight_from; i != pending->flight_to; i++) {
    const struct bl_pending_entry *entry = &pending->flight[i % pending->flight_cap].entry;
    add_dead(pending, entry->log_offset, entry->due_ms);
  }
  for (size_t i = pending->parked_from; i != pending->parked_to; i++) {
    const struct bl_pending_entry *entry = &pending->parked[i % BL_PENDING_PARKED_MAX].entry;
    add_dead(pending, entry->log_offset, entry->due_ms);
  }
  for (size_t i = pending->roll_at; i < pending->roll_count; i++)
    add_dead(pending, pending->rolls[i].log_offset, pending->rolls[i].due_ms);
}

/* In order, so that what takes a message away is met before it. It is added nowhere: what it takes
 * away that was not looked up is gone already, or is what waits elsewhere. */
void bl_pending__add_some(struct bl_pending *pending) {
  struct bl_pending_heap *rebuild = &pending->rebuild;
  struct bl_pending_entry dead = {.due_ms = INT64_MIN};
  struct bl_pending_entry entry;
  for (int i = 0; rebuild->count > 0; i++) {
    if (i >= ADD_AT_ONCE && !bl_pending__same(&rebuild->items[0], &dead)) return;
    bl_pending__heap_pop(rebuild, &entry);
    if (entry.kind == BL_PENDING_DEAD) {
      dead = entry;
    } else if (!bl_pending__same(&entry, &dead)) {
      bl_pending__add(pending, &entry, NULL);
    }
  }
  pending->rebuild_from = INT64_MAX;
  end_adding(pending);
}
