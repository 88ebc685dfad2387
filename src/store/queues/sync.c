/* Index segments and snapshots: what is synced before one, and what is deleted after one. */
#include <stdlib.h>

#include "base/assert.h"
#include "store/queues/queues_internal.h"

void bl_index__mark_doomed(struct bl_queues *queues) {
  int64_t current = queues->index_end / queues->segment_bytes;
  for (size_t i = 0; i < queues->segment_count; i++) {
    struct bl_index_segment *segment = &queues->segments[i];
    segment->doomed = segment->last_log < queues->log_min && segment->number < current;
    if (segment->last_log < 0) segment->doomed = segment->number < current; /* discarded */
  }
}

bool bl_index__list_dirty(struct bl_queues *queues, struct bl_snapshot *snapshot) {
  if (bl_index__write_pending(queues) != BL_OK) return false;
  for (size_t i = 0; i < queues->segment_count; i++) {
    struct bl_index_segment *segment = &queues->segments[i];
    if (!segment->dirty || segment->doomed) continue;
    size_t most = sizeof(snapshot->sync_files) / sizeof(snapshot->sync_files[0]);
    if ((size_t)snapshot->sync_count < most) {
      snapshot->sync_files[snapshot->sync_count++] = segment->file;
    } else if (queues->disk->ops->sync(queues->disk, segment->file) != BL_OK) {
      return false; /* more than that only after snapshots that failed */
    }
    segment->dirty = false;
    segment->syncing = true;
  }
  return true;
}

/* Removes a file. */
struct delete_job {
  struct bl_job job;
  struct bl_queues *queues;
  int file;
  char path[512];
};

static void delete_run(struct bl_job *job) {
  struct delete_job *delete = BL_CONTAINER(job, struct delete_job, job);
  struct bl_disk *disk = delete->queues->disk;
  disk->ops->close(disk, delete->file);
  (void)disk->ops->remove(disk, delete->path); /* what stays is removed at the next start */
}

static void delete_done(struct bl_job *job) {
  struct delete_job *delete = BL_CONTAINER(job, struct delete_job, job);
  delete->queues->jobs--;
  free(delete);
}

void bl_index__remove_later(struct bl_queues *queues, const char *path, int file) {
  struct delete_job *delete = malloc(sizeof(*delete));
  BL_ASSERT(delete != NULL);
  *delete = (struct delete_job){
      .job = {.run = delete_run, .done = delete_done},
      .queues = queues,
      .file = file,
  };
  memcpy(delete->path, path, strlen(path) + 1);
  queues->jobs++;
  bl_worker_submit(queues->pool, &delete->job);
}

void bl_index__synced(struct bl_queues *queues, bool done) {
  size_t kept = 0;
  for (size_t i = 0; i < queues->segment_count; i++) {
    struct bl_index_segment segment = queues->segments[i];
    if (segment.syncing && !done) segment.dirty = true;
    segment.syncing = false;
    bool gone = segment.doomed && done && segment.readers == 0;
    segment.doomed = false;
    if (gone) {
      char path[512];
      bl_index__segment_path(queues, segment.number, path);
      bl_index__remove_later(queues, path, segment.file);
    } else {
      queues->segments[kept++] = segment;
    }
  }
  queues->segment_count = kept;
}

void bl_index__close_all(struct bl_queues *queues) {
  for (size_t i = 0; i < queues->segment_count; i++) {
    queues->disk->ops->close(queues->disk, queues->segments[i].file);
  }
  queues->segment_count = 0;
  queues->pending.len = 0;
  queues->disk->ops->close(queues->disk, queues->prepare.file);
  queues->prepare.file = -1;
  for (int i = 0; i < BL_INDEX_CACHE_CHUNKS; i++) queues->cache[i].position = -1;
}
