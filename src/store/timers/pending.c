#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "store/timers/pending_internal.h"

void bl_pending__path(const struct bl_pending *pending, const char *name, char out_path[512]) {
  int len =
      snprintf(out_path, 512, "%s/bolide%s%s", pending->dir, name[0] != '\0' ? "/" : "", name);
  BL_ASSERT(len > 0 && len < 512);
}

/* In this run it was popped before; in a replay it is in one of the heaps, or in none because the
 * log does not reach back that far. */
static void take_away(struct bl_pending *pending, const struct bl_record *record,
                      struct bl_slice topic, int64_t log_offset, int64_t due_ms) {
  struct bl_pending_entry dead = {
      .due_ms = due_ms, .log_offset = log_offset, .kind = BL_PENDING_DEAD};
  if (pending->rebuilding) bl_pending__heap_push(&pending->rebuild, &dead);
  if (!bl_pending__landed(pending, record->log_offset)) {
    /* A snapshot may know it all the same. */
    if (log_offset < pending->log_min && log_offset >= pending->covered) return;
    bl_pending__unpark_dead(pending, &dead);
    bl_pending__taken(pending, log_offset, due_ms);
    bl_pending__add(pending, &dead, NULL);
  }
  if (topic.ptr != NULL) bl_pending__count(pending, topic, -1, record->store_ms);
}

static void on_record(struct bl_follower *follower, const struct bl_record *record) {
  struct bl_pending *pending = (struct bl_pending *)follower;
  struct bl_pending_entry entry;
  int64_t due_ms;
  int64_t log_offset;
  if (record->log_offset <= pending->last_log) return;
  pending->last_log = record->log_offset;
  pending->last_ms = record->store_ms;
  bool waits = bl_pending_read(pending, record, &entry) && !bl_pending__java_did(pending, record);
  struct bl_slice topic =
      bl_pending__is_message(record) ? bl_pending__real_topic(record) : record->topic;
  if (waits && entry.kind == BL_PENDING_CANCEL) topic.ptr = NULL; /* it counts for nothing */
  if (bl_pending_marked(record->properties, &log_offset, &due_ms))
    take_away(pending, record, topic, log_offset, due_ms);
  if (!waits) return;
  struct bl_pending_entry old;
  if (bl_pending__java_rolls(pending, record, &entry, &old)) {
    bl_pending__add(pending, &old, NULL);
    if (topic.ptr != NULL) bl_pending__count(pending, topic, -1, record->store_ms);
  }
  bl_pending__add(pending, &entry, record);
  if (entry.kind == BL_PENDING_MESSAGE) bl_pending__count(pending, topic, 1, record->store_ms);
}

int64_t bl_pending_needs(const struct bl_pending *pending) {
  int64_t from = bl_pending__far_min_offset(pending);
  int64_t near = bl_pending__slots_min(&pending->near.slots);
  if (near < from) from = near;
  for (size_t i = 0; i < pending->armed_count; i++) {
    if (pending->armed[i].entry.log_offset < from) from = pending->armed[i].entry.log_offset;
  }
  for (size_t i = pending->parked_from; i != pending->parked_to; i++) {
    int64_t offset = pending->parked[i % BL_PENDING_PARKED_MAX].entry.log_offset;
    if (offset < from) from = offset;
  }
  for (size_t i = pending->flight_from; i != pending->flight_to; i++) {
    int64_t offset = pending->flight[i % pending->flight_cap].entry.log_offset;
    if (offset < from) from = offset;
  }
  return from < pending->rebuild_from ? from : pending->rebuild_from;
}

static int64_t needs_from(struct bl_follower *follower) {
  const struct bl_pending *pending = (struct bl_pending *)follower;
  int64_t from = bl_pending_needs(pending);
  return from < pending->covered ? from : pending->covered;
}

static void log_min_moved(struct bl_follower *follower, int64_t min_offset) {
  struct bl_pending *pending = (struct bl_pending *)follower;
  if (min_offset > pending->log_min) pending->log_min = min_offset;
}

static void discard(struct bl_follower *follower) {
  struct bl_pending *pending = (struct bl_pending *)follower;
  char path[512];
  if (pending->jobs > 0) bl_worker_finish(pending->pool); /* at start */
  bl_pending__clear(pending);
  pending->last_log = -1;
  pending->covered = 0;
  bl_pending__path(pending, "timers.snapshot", path);
  (void)pending->disk->ops->remove(pending->disk, path); /* the next snapshot replaces what stays */
  bl_pending__path(pending, "", path);
  (void)pending->disk->ops->sync_dir(pending->disk, path);
}

/* Files that no snapshot after the next one names. */
static bool unsettled(struct bl_follower *follower) {
  const struct bl_pending *pending = (struct bl_pending *)follower;
  for (size_t i = 0; i < pending->run_count; i++) {
    if (pending->runs[i]->dead && pending->runs[i]->users == 0) return true;
  }
  return false;
}

static const struct bl_follower_ops follower_ops = {
    .name = "timers",
    .load = bl_pending__load,
    .discard = discard,
    .on_record = on_record,
    .snapshot_step = bl_pending__snapshot_step,
    .snapshot_done = bl_pending__snapshot_done,
    .needs_from = needs_from,
    .log_min_moved = log_min_moved,
    .unsettled = unsettled,
    .wants_again = bl_pending__wants_again,
    .on_again = bl_pending__on_again,
    .again_done = bl_pending__again_done,
};

struct bl_pending *bl_pending_new(const char *dir, struct bl_disk *disk, struct bl_worker *pool) {
  struct bl_pending *pending = calloc(1, sizeof(*pending));
  BL_ASSERT(pending != NULL);
  size_t dir_bytes = strlen(dir) + 1;
  pending->dir = malloc(dir_bytes);
  BL_ASSERT(pending->dir != NULL);
  memcpy(pending->dir, dir, dir_bytes);
  pending->follower.ops = &follower_ops;
  pending->disk = disk;
  pending->pool = pool;
  pending->last_log = -1;
  pending->seal_entries = BL_PENDING_SEAL_ENTRIES;
  bl_map_init(&pending->counts);
  bl_map_init(&pending->java.rolled);
  bl_map_init(&pending->gone);
  bl_list_init(&pending->holds);
  bl_pending__clear(pending);
  return pending;
}

void bl_pending_free(struct bl_pending *pending) {
  if (pending == NULL) return;
  if (pending->jobs > 0) bl_worker_finish(pending->pool);
  bl_pending__end_dump(pending);
  bl_pending__clear(pending);
  bl_map_fini(&pending->counts);
  bl_map_fini(&pending->java.rolled);
  bl_map_fini(&pending->gone);
  BL_ASSERT(pending->body_bytes == 0);
  free(pending->dir);
  free(pending);
}

struct bl_follower *bl_pending_follower(struct bl_pending *pending) {
  return &pending->follower;
}

void bl_pending_set_levels(struct bl_pending *pending, const int64_t *delays_ms, int count) {
  BL_ASSERT(count >= 0 && count <= BL_PENDING_LEVELS_MAX);
  memcpy(pending->levels_ms, delays_ms, (size_t)count * sizeof(*delays_ms));
  pending->level_count = count;
}

void bl_pending_go(struct bl_pending *pending, const struct bl_pending_limits *limits,
                   int64_t now_ms) {
  pending->limits = *limits;
  pending->live = true;
  bl_pending__end_java(pending);
  if (now_ms > pending->frontier_ms) pending->frontier_ms = now_ms;
}

void bl_pending__set_seal_entries(struct bl_pending *pending, size_t entries) {
  pending->seal_entries = entries;
}

void bl_pending_stats(const struct bl_pending *pending, struct bl_pending_stats *out_stats) {
  int64_t on_disk = 0;
  int64_t sealed = 0;
  int64_t windows = 0;
  for (size_t i = 0; i < pending->run_count; i++) {
    const struct bl_pending_run *run = pending->runs[i];
    if (!run->dead) on_disk += run->count - run->at;
    if (run->window != NULL) windows++;
  }
  for (int i = 0; i < pending->sealed_count; i++) sealed += (int64_t)pending->sealed[i]->count;
  *out_stats = (struct bl_pending_stats){
      .count = pending->count,
      .near_count = (int64_t)pending->near.count,
      .far_count = (int64_t)pending->far.count + sealed,
      .disk_count = on_disk,
      .files = (int64_t)pending->run_count,
      .in_flight = (int64_t)(pending->flight_to - pending->flight_from),
      .parked = (int64_t)(pending->parked_to - pending->parked_from),
      .body_bytes = pending->body_bytes,
      .memory_bytes =
          pending->body_bytes +
          (int64_t)((pending->near.cap + pending->far.cap) * sizeof(struct bl_pending_entry)) +
          (sealed + windows * BL_PENDING_WINDOW_PAGES * BL_PENDING_PAGE_ENTRIES) *
              (int64_t)sizeof(struct bl_pending_entry) +
          (int64_t)(pending->flight_cap * sizeof(struct bl_pending_flight)),
  };
}
