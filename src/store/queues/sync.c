/* Index segments and snapshots: what is synced before one, and what is deleted after one. */
#include <stdlib.h>

#include "base/assert.h"
#include "store/queues/queues_internal.h"

void bl_index__mark_doomed(struct bl_queues *queues) {
  int64_t current = queues->index_end / queues->segment_bytes;
  for (size_t i = 0; i < queues->segment_count; i++) {
    struct bl_index_segment *segment = &queues->segments[i];
    segment->doomed = segment->live == 0 && segment->number < current;
  }
}

void bl_index__list_dirty(struct bl_queues *queues, struct bl_snapshot *snapshot) {
  for (size_t i = 0; i < queues->segment_count; i++) {
    struct bl_index_segment *segment = &queues->segments[i];
    if (!segment->dirty) continue;
    BL_ASSERT((size_t)snapshot->sync_count <
              sizeof(snapshot->sync_files) / sizeof(snapshot->sync_files[0]));
    snapshot->sync_files[snapshot->sync_count++] = segment->file;
    segment->dirty = false;
    segment->syncing = true;
  }
}

struct delete_job {
  struct bl_job job;
  struct bl_queues *queues;
  int64_t number;
  int file;
};

static void delete_run(struct bl_job *job) {
  struct delete_job *delete = BL_CONTAINER(job, struct delete_job, job);
  struct bl_disk *disk = delete->queues->disk;
  char path[512];
  bl_index__segment_path(delete->queues, delete->number, path);
  disk->ops->close(disk, delete->file);
  (void)disk->ops->remove(disk, path); /* what stays is removed at the next start */
}

static void delete_done(struct bl_job *job) {
  struct delete_job *delete = BL_CONTAINER(job, struct delete_job, job);
  delete->queues->jobs--;
  free(delete);
}

static void delete_segment(struct bl_queues *queues, const struct bl_index_segment *segment) {
  struct delete_job *delete = malloc(sizeof(*delete));
  BL_ASSERT(delete != NULL);
  *delete = (struct delete_job){
      .job = {.run = delete_run, .done = delete_done},
      .queues = queues,
      .number = segment->number,
      .file = segment->file,
  };
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
      delete_segment(queues, &segment);
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
  queues->disk->ops->close(queues->disk, queues->prepare.file);
  queues->prepare.file = -1;
  for (int i = 0; i < BL_INDEX_CACHE_CHUNKS; i++) queues->cache[i].position = -1;
}
