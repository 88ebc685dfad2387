/* Entries that are taken away before their time. From the append of the record that does so until
 * it is seen they are in `gone`; while messages are being appended again they stay there, because
 * what takes them away may be in another heap or file than those that are collected. */
#include "base/bytes.h"
#include "store/timers/pending_internal.h"

#define KEY_BYTES 16

static struct bl_slice key_of(const struct bl_pending_place *place, char to[KEY_BYTES]) {
  bl_store_u64(to, (uint64_t)place->due_ms);
  bl_store_u64(to + 8, (uint64_t)place->log_offset);
  return bl_slice_of(to, KEY_BYTES);
}

static bool is_at(const struct bl_pending_hold *hold, const struct bl_pending_place *place) {
  return hold->place.due_ms == place->due_ms && hold->place.log_offset == place->log_offset;
}

static void break_holds(struct bl_pending *pending, const struct bl_pending_place *place) {
  for (struct bl_list *node = pending->holds.next; node != &pending->holds; node = node->next) {
    struct bl_pending_hold *hold = BL_CONTAINER(node, struct bl_pending_hold, node);
    if (is_at(hold, place)) hold->broken = true;
  }
}

/* `seen`: the record that took it away. */
static void put_gone(struct bl_pending *pending, const struct bl_pending_place *place, bool seen) {
  char key[KEY_BYTES];
  void *value = seen ? (void *)&pending->gone : (void *)pending;
  bl_map_put(&pending->gone, key_of(place, key), value);
}

void bl_pending_hold(struct bl_pending *pending, struct bl_pending_hold *hold,
                     const struct bl_pending_entry *entry) {
  char key[KEY_BYTES];
  bl_pending_let_go(hold);
  hold->place = (struct bl_pending_place){entry->due_ms, entry->log_offset};
  hold->broken = bl_map_get(&pending->gone, key_of(&hold->place, key)) != NULL;
  bl_list_add_last(&pending->holds, &hold->node);
}

void bl_pending_let_go(struct bl_pending_hold *hold) {
  bl_list_remove(&hold->node);
}

void bl_pending_claim(struct bl_pending *pending, struct bl_pending_hold *hold) {
  break_holds(pending, &hold->place);
  put_gone(pending, &hold->place, false);
}

bool bl_pending_leaves(struct bl_pending *pending, const struct bl_pending_entry *entry) {
  char key[KEY_BYTES];
  struct bl_pending_place place = {entry->due_ms, entry->log_offset};
  if (pending->gone.count > 0 && bl_map_get(&pending->gone, key_of(&place, key)) != NULL)
    return true;
  if (!bl_list_empty(&pending->holds)) break_holds(pending, &place);
  return false;
}

static bool is_rolling(const struct bl_pending *pending) {
  return pending->roll_below > 0 || pending->roll_at < pending->roll_count;
}

void bl_pending__taken(struct bl_pending *pending, int64_t log_offset, int64_t due_ms) {
  struct bl_pending_place place = {due_ms, log_offset};
  char key[KEY_BYTES];
  break_holds(pending, &place);
  if (is_rolling(pending)) {
    put_gone(pending, &place, true);
    pending->gone_stays = true;
  } else if (pending->gone.count > 0) {
    bl_map_remove(&pending->gone, key_of(&place, key));
  }
}

void bl_pending__forget_gone(struct bl_pending *pending) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  if (!pending->gone_stays || is_rolling(pending)) return;
  while ((entry = bl_map_next(&pending->gone, &cursor)) != NULL) {
    if (entry->value == &pending->gone) bl_map_remove(&pending->gone, entry->key);
  }
  pending->gone_stays = false;
}
