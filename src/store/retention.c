#include "store/retention.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "store/store_internal.h"

/* Most records fit in the first read. */
#define HEAD_BYTES 4096
/* A damaged record may be the first one of a file: one behind it will do. */
#define LOOK_AHEAD 8

static int64_t end_of(const struct bl_segments *segments, int i) {
  return segments->items[i].first_offset + segments->segment_bytes;
}

bool bl_store_file(const struct bl_store *store, int i, struct bl_store_file *out_file) {
  const struct bl_segments *segments = &store->log.segments;
  if (i >= segments->count || segments->items[i].first_offset >= store->log.appended) return false;
  *out_file = (struct bl_store_file){
      .first_offset = segments->items[i].first_offset,
      .end_offset = end_of(segments, i),
      .newest_ms = -1,
  };
  int last = i + LOOK_AHEAD < segments->count ? i + LOOK_AHEAD : segments->count - 1;
  for (int next = i + 1; next <= last && out_file->newest_ms < 0; next++) {
    if (segments->items[next].first_ms > 0) out_file->newest_ms = segments->items[next].first_ms;
  }
  return true;
}

/* The store time of the record at the beginning of a file, verified; 0 when there is none. */
static int64_t read_first_ms(const struct bl_log *log, int file, int64_t first_offset) {
  struct bl_disk *disk = log->disk;
  char head[HEAD_BYTES];
  char *all = head;
  size_t got = 0;
  int64_t first_ms = 0;
  struct bl_record record;
  if (disk->ops->read(disk, file, head, sizeof(head), 0, &got) != BL_OK || got < sizeof(head))
    return 0;
  uint32_t size = bl_load_u32(head);
  if (size < BL_RECORD_BLANK_BYTES || size > BL_LOG_RECORD_BYTES_MAX) return 0;
  if (size > sizeof(head)) {
    all = malloc(size);
    BL_ASSERT(all != NULL);
    if (disk->ops->read(disk, file, all, size, 0, &got) != BL_OK) got = 0;
  }
  if (got >= size &&
      bl_record_decode(bl_slice_of(all, size), BL_RECORD_CHECKED, &record) == BL_OK &&
      record.log_offset == first_offset) {
    first_ms = record.store_ms;
  }
  if (all != head) free(all);
  return first_ms;
}

static void run_look(struct bl_job *job) {
  struct bl_store_look *look = BL_CONTAINER(job, struct bl_store_look, job);
  const struct bl_log *log = &look->store->log;
  for (int i = 0; i < look->head_count; i++) {
    look->heads[i].first_ms = read_first_ms(log, look->heads[i].file, look->heads[i].first_offset);
  }
  look->space_err =
      log->disk->ops->space(log->disk, log->settings.dir, &look->total_bytes, &look->free_bytes);
}

/* Files that lost their names and are not closed yet: their space is on its way back. */
static int64_t closing_bytes(const struct bl_segments *segments) {
  int64_t bytes = 0;
  for (const struct bl_list *node = segments->gone.next; node != &segments->gone; node = node->next)
    bytes += segments->segment_bytes;
  return bytes;
}

static void done_look(struct bl_job *job) {
  struct bl_store_look *look = BL_CONTAINER(job, struct bl_store_look, job);
  struct bl_segments *segments = &look->store->log.segments;
  for (int i = 0; i < look->head_count; i++) {
    struct bl_segment *segment = bl_segments_find(segments, look->heads[i].first_offset);
    if (segment != NULL) segment->first_ms = look->heads[i].first_ms;
    bl_segments_release(segments, look->heads[i].first_offset);
  }
  look->free_bytes += look->closing_bytes;
  if (look->free_bytes > look->total_bytes) look->free_bytes = look->total_bytes;
  look->done(look);
}

void bl_store_look(struct bl_store *store, struct bl_store_look *look,
                   void (*done)(struct bl_store_look *look)) {
  struct bl_segments *segments = &store->log.segments;
  *look = (struct bl_store_look){
      .job = {.run = run_look, .done = done_look}, .store = store, .done = done};
  look->closing_bytes = closing_bytes(segments); /* now: meanwhile they may be closed */
  for (int i = 0; i < segments->count && look->head_count < BL_STORE_LOOK_FILES; i++) {
    struct bl_segment *segment = &segments->items[i];
    if (segment->first_ms > 0 || segment->first_offset >= store->log.flushed) continue;
    bl_segments_hold(segment);
    look->heads[look->head_count].first_offset = segment->first_offset;
    look->heads[look->head_count++].file = segment->file;
  }
  bl_worker_submit(store->pool, &look->job);
}

int64_t bl_store_removable(const struct bl_store *store) {
  const struct bl_log *log = &store->log;
  const struct bl_segments *segments = &log->segments;
  int64_t min = bl_segments_min(segments);
  if (log->failed || log->closing) return min;
  /* The file that is written and the one before it stay. */
  int64_t limit = log->segment_end - 2 * segments->segment_bytes;
  if (store->dispatch.offset < limit) limit = store->dispatch.offset;
  if (log->flushed < limit) limit = log->flushed;
  const struct bl_checkpoint_mark *mark = &store->checkpoint.mark;
  if (store->checkpoint.writing || mark->flushed < 0) return min;
  if (mark->flushed - mark->tail_bytes < limit) limit = mark->flushed - mark->tail_bytes;
  for (int i = 0; i < store->follower_count; i++) {
    int64_t needs = store->followers[i]->ops->needs_from(store->followers[i]);
    if (needs < limit) limit = needs;
  }
  if (limit <= min) return min;
  return limit - (limit - min) % segments->segment_bytes;
}

/* The checkpoint that names a later end is on the disk before the file goes: with an older one the
 * next start would take the log for another. */
static void run_remove(struct bl_job *job) {
  struct bl_store_removal *removal = BL_CONTAINER(job, struct bl_store_removal, job);
  const struct bl_log *log = &removal->store->log;
  struct bl_disk *disk = log->disk;
  char path[BL_STORE_PATH_BYTES_MAX];
  char folder[BL_STORE_PATH_BYTES_MAX];
  bl_segments_path(&log->segments, removal->first_offset, path);
  snprintf(folder, sizeof(folder), "%s/commitlog", log->settings.dir);
  removal->err = disk->ops->sync(disk, removal->checkpoint_file);
  if (removal->err != BL_OK) {
    bl_why_set(&removal->why, removal->err, "cannot sync the checkpoint: %s",
               bl_err_text(removal->err));
    return;
  }
  removal->err = disk->ops->remove(disk, path);
  if (removal->err == BL_ERR_NOT_FOUND) removal->err = BL_OK; /* somebody did it for us */
  if (removal->err != BL_OK) {
    bl_why_set(&removal->why, removal->err, "cannot remove %s: %s", path,
               bl_err_text(removal->err));
    return;
  }
  /* Before the next one goes. When it fails the file may be back after a loss of power: as the
   * first one, which harms nobody. */
  (void)disk->ops->sync_dir(disk, folder);
}

static void done_remove(struct bl_job *job) {
  struct bl_store_removal *removal = BL_CONTAINER(job, struct bl_store_removal, job);
  struct bl_store *store = removal->store;
  struct bl_log *log = &store->log;
  if (removal->err == BL_OK) {
    BL_ASSERT(bl_segments_min(&log->segments) == removal->first_offset);
    bl_segments_forget_first(&log->segments);
    int64_t min = bl_segments_min(&log->segments);
    if (log->segments.items[0].first_ms > 0)
      log->stats.first_store_ms = log->segments.items[0].first_ms;
    int kept = 0;
    for (int i = 0; i < log->fence_count; i++) {
      if (log->fences[i].to > min) log->fences[kept++] = log->fences[i];
    }
    log->fence_count = kept;
    for (int i = 0; i < store->follower_count; i++)
      store->followers[i]->ops->log_min_moved(store->followers[i], min);
  }
  removal->done(removal);
}

void bl_store_remove_first(struct bl_store *store, struct bl_store_removal *removal,
                           void (*done)(struct bl_store_removal *removal)) {
  const struct bl_segments *segments = &store->log.segments;
  BL_ASSERT(end_of(segments, 0) <= bl_store_removable(store));
  *removal = (struct bl_store_removal){.job = {.run = run_remove, .done = done_remove},
                                       .store = store,
                                       .first_offset = bl_segments_min(segments),
                                       .checkpoint_file = store->checkpoint.file,
                                       .done = done};
  bl_worker_submit(store->pool, &removal->job);
}
