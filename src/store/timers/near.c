#include <stdlib.h>

#include "base/assert.h"
#include "store/timers/pending_internal.h"

#define FIRST_CAP 64

struct bl_pending_body *bl_pending_body_new(struct bl_pending *pending, uint32_t len) {
  struct bl_pending_body *body = malloc(sizeof(*body) + len);
  BL_ASSERT(body != NULL);
  body->len = len;
  body->reading = false;
  body->unreadable = false;
  body->failed = false;
  pending->body_bytes += (int64_t)sizeof(*body) + len;
  return body;
}

void bl_pending_body_free(struct bl_pending *pending, struct bl_pending_body *body) {
  if (body == NULL) return;
  pending->body_bytes -= (int64_t)sizeof(*body) + body->len;
  free(body);
}

bool bl_pending_has_room(const struct bl_pending *pending, uint32_t bytes) {
  return pending->body_bytes + bytes <= pending->limits.body_bytes;
}

/* Half of the memory is for those whose time comes. */
static bool keeps_body(const struct bl_pending *pending, const struct bl_pending_entry *entry) {
  if (!pending->live || entry->kind == BL_PENDING_DEAD) return false;
  if (entry->due_ms <= pending->frontier_ms) return bl_pending_has_room(pending, entry->size_bytes);
  return entry->due_ms - pending->frontier_ms <= pending->limits.early_ms &&
         pending->body_bytes + entry->size_bytes <= pending->limits.body_bytes / 2;
}

void bl_pending__add(struct bl_pending *pending, struct bl_pending_entry *entry,
                     const struct bl_record *record) {
  if (record != NULL && keeps_body(pending, entry)) {
    entry->body = bl_pending_body_new(pending, record->size_bytes);
    memcpy(entry->body->bytes, record->start, record->size_bytes);
  }
  bool near = entry->body != NULL || entry->due_ms <= pending->frontier_ms;
  bl_pending__heap_push(near ? &pending->near : &pending->far, entry);
}

void bl_pending_give_near(struct bl_pending *pending, const struct bl_pending_entry *entry) {
  bl_pending__heap_push(&pending->near, entry);
}

struct bl_pending_entry *bl_pending_top(struct bl_pending *pending) {
  struct bl_pending_heap *near = &pending->near;
  if (pending->adding) return NULL;
  while (near->count > 0) {
    struct bl_pending_entry *top = &near->items[0];
    /* A far one may come before it, or take it away. */
    if (top->due_ms > pending->frontier_ms) return NULL;
    /* A body that is being read is the reader's until then. */
    bool reading = top->body != NULL && top->body->reading;
    bool dropped = top->kind == BL_PENDING_DEAD || bl_pending__same(top, &pending->popped);
    if (!dropped || reading) return top;
    struct bl_pending_entry entry;
    bl_pending__heap_pop(near, &entry);
    bl_pending_body_free(pending, entry.body);
    entry.body = NULL;
    pending->popped = entry;
  }
  return NULL;
}

void bl_pending_pop(struct bl_pending *pending, struct bl_pending_entry *out_entry) {
  bl_pending__heap_pop(&pending->near, out_entry);
  pending->popped = *out_entry;
  pending->popped.body = NULL;
  bl_pending__unarm(pending);
}

void bl_pending_in_flight(struct bl_pending *pending, const struct bl_pending_entry *entry,
                          int64_t mark_offset) {
  if (pending->flight_to - pending->flight_from == pending->flight_cap) {
    size_t cap = pending->flight_cap > 0 ? pending->flight_cap * 2 : FIRST_CAP;
    struct bl_pending_flight *flight = malloc(cap * sizeof(*flight));
    BL_ASSERT(flight != NULL);
    size_t count = 0;
    for (size_t i = pending->flight_from; i != pending->flight_to; i++)
      flight[count++] = pending->flight[i % pending->flight_cap];
    free(pending->flight);
    pending->flight = flight;
    pending->flight_cap = cap;
    pending->flight_from = 0;
    pending->flight_to = count;
  }
  struct bl_pending_flight *at = &pending->flight[pending->flight_to++ % pending->flight_cap];
  at->entry = *entry;
  at->entry.body = NULL;
  at->mark_offset = mark_offset;
}

bool bl_pending__landed(struct bl_pending *pending, int64_t mark_offset) {
  bool landed = false;
  while (pending->flight_from != pending->flight_to) {
    const struct bl_pending_flight *first =
        &pending->flight[pending->flight_from % pending->flight_cap];
    if (first->mark_offset > mark_offset) break;
    landed = first->mark_offset == mark_offset;
    pending->flight_from++;
  }
  return landed;
}

bool bl_pending_park(struct bl_pending *pending, int64_t until_ms) {
  struct bl_pending_entry entry;
  if (pending->parked_to - pending->parked_from == BL_PENDING_PARKED_MAX) return false;
  if (pending->parked == NULL) {
    pending->parked = malloc(BL_PENDING_PARKED_MAX * sizeof(*pending->parked));
    BL_ASSERT(pending->parked != NULL);
  }
  bl_pending__heap_pop(&pending->near, &entry);
  bl_pending_body_free(pending, entry.body);
  entry.body = NULL;
  /* It is there twice: then that one stays. */
  if (pending->near.count > 0 && bl_pending__same(&pending->near.items[0], &entry)) return true;
  pending->parked[pending->parked_to++ % BL_PENDING_PARKED_MAX] =
      (struct bl_pending_parked){.entry = entry, .until_ms = until_ms};
  return true;
}

bool bl_pending_unpark(struct bl_pending *pending, int64_t now_ms) {
  while (pending->parked_from != pending->parked_to) {
    const struct bl_pending_parked *first =
        &pending->parked[pending->parked_from % BL_PENDING_PARKED_MAX];
    if (first->until_ms > now_ms) return true;
    bl_pending__heap_push(&pending->near, &first->entry);
    pending->parked_from++;
  }
  return false;
}

void bl_pending__unpark_dead(struct bl_pending *pending, const struct bl_pending_entry *dead) {
  for (size_t i = pending->parked_from; i != pending->parked_to; i++) {
    struct bl_pending_entry *entry = &pending->parked[i % BL_PENDING_PARKED_MAX].entry;
    if (bl_pending__same(entry, dead)) entry->kind = BL_PENDING_DEAD;
  }
}

void bl_pending_drop(struct bl_pending *pending, const struct bl_pending_entry *entry,
                     struct bl_slice topic) {
  if (topic.len > 0 && entry->kind == BL_PENDING_MESSAGE)
    bl_pending__count(pending, topic, -1, pending->last_ms);
}

/* FNV-1a. Only in memory. */
uint64_t bl_pending_key_hash(struct bl_slice topic_and_key) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < topic_and_key.len; i++) {
    hash ^= (uint8_t)topic_and_key.ptr[i];
    hash *= 0x100000001b3u;
  }
  return hash;
}

static void put_in_bucket(struct bl_pending *pending, size_t place) {
  struct bl_pending_armed *armed = &pending->armed[place];
  size_t *bucket = &pending->armed_buckets[armed->key_hash % BL_PENDING_ARMED_BUCKETS];
  armed->next = *bucket;
  *bucket = place + 1;
}

void bl_pending_arm(struct bl_pending *pending, const struct bl_pending_entry *entry,
                    uint64_t key_hash) {
  if (pending->armed_count == pending->armed_cap) {
    pending->armed_cap = pending->armed_cap > 0 ? pending->armed_cap * 2 : FIRST_CAP;
    pending->armed = realloc(pending->armed, pending->armed_cap * sizeof(*pending->armed));
    BL_ASSERT(pending->armed != NULL);
  }
  struct bl_pending_armed *armed = &pending->armed[pending->armed_count++];
  armed->entry = *entry;
  armed->entry.body = NULL;
  armed->key_hash = key_hash;
  put_in_bucket(pending, pending->armed_count - 1);
}

/* What it cancels is due within a slot of it. */
static bool is_over(const struct bl_pending *pending, const struct bl_pending_armed *armed) {
  return pending->popped.due_ms > armed->entry.due_ms + BL_PENDING_SLOT_MS;
}

void bl_pending__unarm(struct bl_pending *pending) {
  if (pending->armed_count == 0 || !is_over(pending, &pending->armed[0])) return;
  size_t kept = 0;
  for (size_t i = 0; i < pending->armed_count; i++) {
    if (!is_over(pending, &pending->armed[i])) pending->armed[kept++] = pending->armed[i];
  }
  pending->armed_count = kept;
  memset(pending->armed_buckets, 0, sizeof(pending->armed_buckets));
  for (size_t i = 0; i < kept; i++) put_in_bucket(pending, i);
}

bool bl_pending_any_armed(const struct bl_pending *pending) {
  return pending->armed_count > 0;
}

bool bl_pending_is_cancelled(struct bl_pending *pending, uint64_t key_hash, int64_t due_ms) {
  size_t place = pending->armed_buckets[key_hash % BL_PENDING_ARMED_BUCKETS];
  for (; place != 0; place = pending->armed[place - 1].next) {
    const struct bl_pending_armed *armed = &pending->armed[place - 1];
    if (armed->key_hash == key_hash && due_ms >= armed->entry.due_ms &&
        due_ms <= armed->entry.due_ms + BL_PENDING_SLOT_MS)
      return true;
  }
  return false;
}

int64_t bl_pending_next_ms(const struct bl_pending *pending, int64_t ahead_ms) {
  int64_t far_ms = bl_pending__far_next_ms(pending);
  int64_t next_ms =
      far_ms == INT64_MAX || far_ms < INT64_MIN + ahead_ms ? far_ms : far_ms - ahead_ms;
  if (pending->near.count > 0 && pending->near.items[0].due_ms < next_ms)
    next_ms = pending->near.items[0].due_ms;
  return next_ms;
}

bool bl_pending_take_roll(struct bl_pending *pending, struct bl_pending_entry *out_entry) {
  if (pending->roll_at == pending->roll_count) return false;
  *out_entry = pending->rolls[pending->roll_at];
  return true;
}

void bl_pending_rolled(struct bl_pending *pending, int64_t mark_offset) {
  BL_ASSERT(pending->roll_at < pending->roll_count);
  const struct bl_pending_entry *entry = &pending->rolls[pending->roll_at++];
  if (mark_offset >= 0) bl_pending_in_flight(pending, entry, mark_offset);
}

void bl_pending_not_rolled(struct bl_pending *pending) {
  BL_ASSERT(pending->roll_at < pending->roll_count);
  struct bl_pending_entry entry = pending->rolls[pending->roll_at++];
  bl_pending__add(pending, &entry, NULL);
  pending->roll_below = 0;
  pending->roll_sealed = false;
}

void bl_pending__clear(struct bl_pending *pending) {
  for (size_t i = 0; i < pending->near.count; i++)
    bl_pending_body_free(pending, pending->near.items[i].body);
  bl_pending__heap_fini(&pending->near);
  bl_pending__clear_far(pending);
  free(pending->flight);
  free(pending->armed);
  pending->flight = NULL;
  pending->flight_cap = pending->flight_from = pending->flight_to = 0;
  pending->armed = NULL;
  pending->armed_count = pending->armed_cap = 0;
  memset(pending->armed_buckets, 0, sizeof(pending->armed_buckets));
  free(pending->parked);
  pending->parked = NULL;
  pending->parked_from = pending->parked_to = 0;
  pending->popped = (struct bl_pending_entry){.due_ms = INT64_MIN};
  pending->rebuild_from = INT64_MAX;
  pending->rebuilding = pending->adding = false;
  bl_pending__heap_fini(&pending->rebuild);
  pending->frontier_ms = INT64_MIN;
  bl_pending__clear_counts(pending);
  bl_pending__end_java(pending);
}
