#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "store/store_internal.h"

struct bl_snapshot_file *bl_snapshot_add(struct bl_snapshot *snapshot, const char *path,
                                         bool keep_previous) {
  BL_ASSERT(snapshot->file_count < BL_SNAPSHOT_FILES_MAX);
  struct bl_snapshot_file *file = &snapshot->files[snapshot->file_count++];
  size_t path_bytes = strlen(path) + 1;
  BL_ASSERT(path_bytes <= sizeof(file->path));
  memcpy(file->path, path, path_bytes);
  bl_buf_init(&file->bytes, 0);
  file->keep_previous = keep_previous;
  return file;
}

static void fini_snapshot(struct bl_snapshot *snapshot) {
  for (int i = 0; i < snapshot->file_count; i++) bl_buf_fini(&snapshot->files[i].bytes);
  snapshot->file_count = 0;
  snapshot->sync_count = 0;
}

static bl_err write_file(struct bl_store *store, const struct bl_snapshot_file *file,
                         struct bl_why *why) {
  if (file->bytes.failed) return bl_why_set(why, BL_ERR_FULL, "%s would be too long", file->path);
  char folder[sizeof(file->path)];
  memcpy(folder, file->path, sizeof(folder));
  char *slash = strrchr(folder, '/');
  BL_ASSERT(slash != NULL);
  *slash = 0;
  struct bl_disk *disk = store->log.disk;
  bl_err err = disk->ops->make_dir(disk, folder, why);
  if (err != BL_OK) return err;
  return bl_disk_replace_file(disk, file->path, bl_buf_slice(&file->bytes), file->keep_previous,
                              why);
}

static void run_write(struct bl_job *job) {
  struct bl_store *store = BL_CONTAINER(job, struct bl_store, snapshots.job);
  struct bl_snapshots *snapshots = &store->snapshots;
  const struct bl_snapshot *snapshot = &snapshots->snapshot;
  snapshots->err = BL_OK;
  for (int i = 0; snapshots->err == BL_OK && i < snapshot->sync_count; i++)
    snapshots->err = store->log.disk->ops->sync(store->log.disk, snapshot->sync_files[i]);
  if (snapshots->err != BL_OK) bl_why_set(&snapshots->why, snapshots->err, "cannot sync its files");
  for (int i = 0; snapshots->err == BL_OK && i < snapshot->file_count; i++)
    snapshots->err = write_file(store, &snapshot->files[i], &snapshots->why);
}

static struct bl_follower *current(const struct bl_store *store) {
  return store->followers[store->snapshots.current];
}

static void begin_snapshot(struct bl_store *store, int i) {
  struct bl_snapshots *snapshots = &store->snapshots;
  memset(&snapshots->snapshot, 0, sizeof(snapshots->snapshot));
  snapshots->snapshot.covered_offset = store->dispatch.offset;
  snapshots->current = i;
  snapshots->soon_ms[i] = INT64_MAX;
  snapshots->state = BL_SNAP_STEPPING;
}

static bool has_something(const struct bl_store *store, int i) {
  struct bl_follower *follower = store->followers[i];
  return store->snapshots.covered[i] < store->dispatch.offset ||
         (follower->ops->unsettled != NULL && follower->ops->unsettled(follower));
}

/* The next follower with something new, or none: the round is over. */
static void next_follower(struct bl_store *store) {
  struct bl_snapshots *snapshots = &store->snapshots;
  snapshots->state = BL_SNAP_IDLE;
  if (snapshots->alone) {
    snapshots->alone = false;
    return;
  }
  for (int i = snapshots->current + 1; i < store->follower_count; i++) {
    if (!has_something(store, i)) continue;
    begin_snapshot(store, i);
    return;
  }
}

static void end_snapshot(struct bl_store *store, bl_err err) {
  struct bl_snapshots *snapshots = &store->snapshots;
  struct bl_follower *follower = current(store);
  if (err == BL_OK) {
    snapshots->covered[snapshots->current] = snapshots->snapshot.covered_offset;
  } else {
    bl_log_note(&store->log, "store.snapshot that of %s failed: %s; trying again later",
                follower->ops->name, snapshots->why.text);
  }
  follower->ops->snapshot_done(follower, &snapshots->snapshot, err);
  fini_snapshot(&snapshots->snapshot);
  next_follower(store);
}

static void done_write(struct bl_job *job) {
  struct bl_store *store = BL_CONTAINER(job, struct bl_store, snapshots.job);
  end_snapshot(store, store->snapshots.err);
}

static bool is_behind(const struct bl_store *store) {
  for (int i = 0; i < store->follower_count; i++) {
    if (has_something(store, i)) return true;
  }
  return false;
}

static void fire_snapshot(struct bl_timer *timer, int64_t now_ms) {
  (void)now_ms;
  struct bl_snapshots *snapshots = BL_CONTAINER(timer, struct bl_snapshots, timer);
  snapshots->wanted = true; /* the turn that follows the timers begins */
}

static void fire_soon(struct bl_timer *timer, int64_t now_ms) {
  (void)now_ms;
  BL_CONTAINER(timer, struct bl_snapshots, soon_timer)->soon_due = true;
}

void bl_store__snapshots_init(struct bl_store *store) {
  struct bl_snapshots *snapshots = &store->snapshots;
  size_t count = (size_t)store->follower_count;
  snapshots->timer.fire = fire_snapshot;
  snapshots->soon_timer.fire = fire_soon;
  snapshots->job.run = run_write;
  snapshots->job.done = done_write;
  snapshots->covered = calloc(count + 1, sizeof(int64_t));
  snapshots->soon_ms = calloc(count + 1, sizeof(int64_t));
  BL_ASSERT(snapshots->covered != NULL && snapshots->soon_ms != NULL);
  for (size_t i = 0; i < count; i++) snapshots->soon_ms[i] = INT64_MAX;
}

void bl_store__snapshots_fini(struct bl_store *store) {
  struct bl_snapshots *snapshots = &store->snapshots;
  bl_timer_cancel(store->log.timers, &snapshots->timer);
  bl_timer_cancel(store->log.timers, &snapshots->soon_timer);
  free(snapshots->covered);
  free(snapshots->soon_ms);
}

void bl_store_snapshot_soon(struct bl_store *store, const struct bl_follower *follower,
                            int64_t delay_ms) {
  struct bl_snapshots *snapshots = &store->snapshots;
  int64_t at_ms = bl_clock_mono_ms(store->log.clock) + delay_ms;
  int i = 0;
  while (i < store->follower_count && store->followers[i] != follower) i++;
  BL_ASSERT(i < store->follower_count && delay_ms >= 0);
  if (at_ms >= snapshots->soon_ms[i]) return;
  snapshots->soon_ms[i] = at_ms;
  if (snapshots->soon_timer.place != 0 && snapshots->soon_timer.deadline_ms <= at_ms) return;
  bl_timer_set(store->log.timers, &snapshots->soon_timer, at_ms);
}

/* RETURNS true when a snapshot of one follower began. One whose news are not visible yet is due
 * until they are: the turn that follows their flush looks again. */
static bool begin_soon(struct bl_store *store) {
  struct bl_snapshots *snapshots = &store->snapshots;
  int64_t now_ms = bl_clock_mono_ms(store->log.clock);
  int64_t next_ms = INT64_MAX;
  bool waits = false;
  for (int i = 0; i < store->follower_count; i++) {
    if (snapshots->covered[i] >= store->log.appended) snapshots->soon_ms[i] = INT64_MAX;
    if (snapshots->soon_ms[i] <= now_ms) {
      if (snapshots->covered[i] < store->dispatch.offset) {
        snapshots->alone = true;
        begin_snapshot(store, i);
        return true;
      }
      waits = true;
    } else if (snapshots->soon_ms[i] < next_ms) {
      next_ms = snapshots->soon_ms[i];
    }
  }
  snapshots->soon_due = waits;
  if (next_ms != INT64_MAX) bl_timer_set(store->log.timers, &snapshots->soon_timer, next_ms);
  return false;
}

static void idle_turn(struct bl_store *store) {
  struct bl_snapshots *snapshots = &store->snapshots;
  struct bl_log *log = &store->log;
  bool many = store->dispatch.offset - snapshots->round_from >= log->settings.snapshot_bytes;
  if (snapshots->wanted || many) {
    snapshots->wanted = false;
    snapshots->round_from = store->dispatch.offset;
    snapshots->current = -1;
    bl_timer_cancel(log->timers, &snapshots->timer);
    next_follower(store);
    return;
  }
  if (snapshots->soon_due && begin_soon(store)) return;
  if (snapshots->timer.place != 0) return;
  if (!is_behind(store)) {
    snapshots->settled = store->dispatch.offset;
  } else {
    bl_timer_set(log->timers, &snapshots->timer,
                 bl_clock_mono_ms(log->clock) + log->settings.snapshot_interval_ms);
  }
}

bool bl_store__snapshots_turn(struct bl_store *store) {
  struct bl_snapshots *snapshots = &store->snapshots;
  if (snapshots->state == BL_SNAP_IDLE) idle_turn(store);
  if (snapshots->state == BL_SNAP_STEPPING) {
    struct bl_follower *follower = current(store);
    bool more = follower->ops->snapshot_step(follower, &snapshots->snapshot);
    snapshots->snapshot.started = true;
    if (more) return true;
    snapshots->seen_end = store->log.appended; /* the tables are ahead of what is visible */
    snapshots->state = BL_SNAP_FLUSHING;
  }
  if (snapshots->state == BL_SNAP_FLUSHING) {
    if (store->log.failed) {
      bl_why_set(&snapshots->why, BL_ERR_IO, "the log stopped");
      end_snapshot(store, BL_ERR_IO);
      return snapshots->state == BL_SNAP_STEPPING;
    }
    if (store->log.flushed < snapshots->seen_end) {
      store->log.flush.due = true; /* ASYNC_FLUSH: it would come later */
      bl_log_flush_turn(&store->log);
      return false;
    }
    snapshots->state = BL_SNAP_WRITING;
    bl_worker_submit(store->pool, &snapshots->job);
  }
  return false;
}

void bl_store__snapshots_finish(struct bl_store *store) {
  struct bl_snapshots *snapshots = &store->snapshots;
  bl_worker_finish(store->pool);
  if (!store->log.failed && is_behind(store)) snapshots->wanted = true;
  while (snapshots->state != BL_SNAP_IDLE || snapshots->wanted) {
    while (bl_store__snapshots_turn(store)) continue;
    bl_worker_finish(store->log.flush_worker);
    bl_worker_finish(store->pool);
  }
}
