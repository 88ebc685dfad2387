#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "store/queues/queues_internal.h"

/* Dirty files beside the current one; the oldest is synced at once beyond that. Only a replay of
 * tens of gigabytes, at start, gets there. */
#define DIRTY_SEGMENTS_MAX 3u

void bl_index__segment_path(const struct bl_queues *queues, int64_t number, char out_path[512]) {
  char name[64];
  snprintf(name, sizeof(name), "index/%020" PRId64, number * queues->segment_bytes);
  bl_queues__path(queues, name, out_path);
}

static bl_err create_file(struct bl_queues *queues, int64_t number, int *out_file) {
  char path[512];
  bl_index__segment_path(queues, number, path);
  unsigned flags = BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE | BL_OPEN_NO_READ_AHEAD;
  bl_err err = queues->disk->ops->open(queues->disk, path, flags, out_file, NULL);
  char folder[512];
  bl_queues__path(queues, "index", folder);
  if (err == BL_ERR_NOT_FOUND) { /* somebody removed the folder */
    err = queues->disk->ops->make_dir(queues->disk, folder, NULL);
    if (err == BL_OK) err = queues->disk->ops->open(queues->disk, path, flags, out_file, NULL);
  }
  if (err != BL_OK) return err;
  err = queues->disk->ops->sync_dir(queues->disk, folder);
  if (err != BL_OK) queues->disk->ops->close(queues->disk, *out_file);
  return err;
}

static void prepare_run(struct bl_job *job) {
  struct bl_index_prepare *prepare = BL_CONTAINER(job, struct bl_index_prepare, job);
  if (create_file(prepare->queues, prepare->number, &prepare->file) != BL_OK) prepare->file = -1;
}

static void prepare_done(struct bl_job *job) {
  struct bl_index_prepare *prepare = BL_CONTAINER(job, struct bl_index_prepare, job);
  struct bl_queues *queues = prepare->queues;
  prepare->pending = false;
  queues->jobs--;
  /* The core could not wait and made it itself. */
  if (bl_index__segment(queues, prepare->number * queues->segment_bytes) != NULL) {
    queues->disk->ops->close(queues->disk, prepare->file);
    prepare->file = -1;
  }
}

static void prepare_next(struct bl_queues *queues) {
  struct bl_index_prepare *prepare = &queues->prepare;
  int64_t number = queues->index_end / queues->segment_bytes + 1;
  if (prepare->pending || (prepare->file >= 0 && prepare->number == number)) return;
  queues->disk->ops->close(queues->disk, prepare->file);
  *prepare = (struct bl_index_prepare){
      .job = {.run = prepare_run, .done = prepare_done},
      .queues = queues,
      .number = number,
      .file = -1,
      .pending = true,
  };
  queues->jobs++;
  bl_worker_submit(queues->pool, &prepare->job);
}

struct bl_index_segment *bl_index__segment(struct bl_queues *queues, int64_t position) {
  int64_t number = position / queues->segment_bytes;
  size_t low = 0;
  size_t high = queues->segment_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (queues->segments[middle].number < number) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == queues->segment_count || queues->segments[low].number != number) return NULL;
  return &queues->segments[low];
}

static void add_segment(struct bl_queues *queues, int64_t number, int64_t last_log, int file) {
  if (queues->segment_count == queues->segment_cap) {
    queues->segment_cap = queues->segment_cap > 0 ? queues->segment_cap * 2 : 4;
    queues->segments =
        realloc(queues->segments, queues->segment_cap * sizeof(struct bl_index_segment));
    BL_ASSERT(queues->segments != NULL);
  }
  size_t place = queues->segment_count++;
  for (; place > 0 && queues->segments[place - 1].number > number; place--) {
    queues->segments[place] = queues->segments[place - 1];
  }
  queues->segments[place] =
      (struct bl_index_segment){.number = number, .last_log = last_log, .file = file};
}

bl_err bl_index__open_segment(struct bl_queues *queues, int64_t number, int64_t last_log) {
  char path[512];
  bl_index__segment_path(queues, number, path);
  int file;
  unsigned flags = BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_NO_READ_AHEAD;
  bl_err err = queues->disk->ops->open(queues->disk, path, flags, &file, NULL);
  if (err != BL_OK) return err;
  add_segment(queues, number, last_log, file);
  struct bl_index_segment *segment = bl_index__segment(queues, number * queues->segment_bytes);
  return queues->disk->ops->size(queues->disk, file, &segment->size_bytes);
}

static bl_err sync_oldest_dirty(struct bl_queues *queues) {
  struct bl_index_segment *oldest = NULL;
  uint32_t dirty = 0;
  for (size_t i = 0; i < queues->segment_count; i++) {
    struct bl_index_segment *segment = &queues->segments[i];
    if (!segment->dirty) continue;
    if (oldest == NULL) oldest = segment;
    dirty++;
  }
  if (dirty < DIRTY_SEGMENTS_MAX) return BL_OK;
  bl_err err = queues->disk->ops->sync(queues->disk, oldest->file);
  if (err == BL_OK) oldest->dirty = false;
  return err;
}

/* The segment in which the next chunk goes, made when missing. */
static bl_err current_segment(struct bl_queues *queues, struct bl_index_segment **out_segment) {
  struct bl_index_segment *segment = bl_index__segment(queues, queues->index_end);
  if (segment == NULL) {
    int64_t number = queues->index_end / queues->segment_bytes;
    bl_err err = sync_oldest_dirty(queues);
    if (err != BL_OK) return err;
    int file = -1;
    if (!queues->prepare.pending && queues->prepare.file >= 0 && queues->prepare.number == number) {
      file = queues->prepare.file;
      queues->prepare.file = -1;
    } else {
      err = create_file(queues, number, &file);
      if (err != BL_OK) return err;
    }
    add_segment(queues, number, -1, file);
    segment = bl_index__segment(queues, queues->index_end);
  }
  *out_segment = segment;
  return BL_OK;
}

bl_err bl_index__write_pending(struct bl_queues *queues) {
  struct bl_index_pending *pending = &queues->pending;
  if (pending->len == 0) return BL_OK;
  const struct bl_index_segment *segment = bl_index__segment(queues, pending->from);
  BL_ASSERT(segment != NULL);
  bl_err err = queues->disk->ops->write(queues->disk, segment->file, pending->bytes, pending->len,
                                        pending->from % queues->segment_bytes);
  if (err == BL_OK) pending->len = 0;
  return err;
}

bl_err bl_index__append(struct bl_queues *queues, const struct bl_queue *queue, const void *units,
                        struct bl_chunk_ref *ref) {
  struct bl_index_pending *pending = &queues->pending;
  size_t len = bl_chunk__bytes(ref->units, ref->level);
  int64_t used = queues->index_end % queues->segment_bytes;
  bool next_file = used + (int64_t)len > queues->segment_bytes;
  /* used 0: the file before is full to its last byte. */
  if (next_file || used == 0 || pending->len + len > BL_INDEX_PENDING_BYTES) {
    bl_err err = bl_index__write_pending(queues);
    if (err != BL_OK) return err;
  }
  if (next_file) queues->index_end += queues->segment_bytes - used;
  struct bl_index_segment *segment = NULL;
  bl_err err = current_segment(queues, &segment);
  if (err != BL_OK) return err;
  BL_ASSERT(segment != NULL);
  if (pending->len == 0) pending->from = queues->index_end;
  ref->position = queues->index_end;
  bl_chunk__encode(queue, ref, units, pending->bytes + pending->len);
  pending->len += (uint32_t)len;
  queues->index_end += (int64_t)len;
  segment->dirty = true;
  if (ref->last_log > segment->last_log) segment->last_log = ref->last_log;
  if (queues->index_end % queues->segment_bytes > queues->segment_bytes / 2) prepare_next(queues);
  return BL_OK;
}

static struct bl_index_cached *cached_at(struct bl_queues *queues, int64_t position) {
  for (int i = 0; i < BL_INDEX_CACHE_CHUNKS; i++) {
    if (queues->cache[i].position == position) return &queues->cache[i];
  }
  return NULL;
}

bool bl_index__is_cached(struct bl_queues *queues, int64_t position) {
  return cached_at(queues, position) != NULL;
}

bl_err bl_index__take_bytes(struct bl_queues *queues, const struct bl_queue *queue,
                            const struct bl_chunk_ref *ref, const char *bytes, size_t len,
                            const void **out_units) {
  if (len < bl_chunk__bytes(ref->units, ref->level)) {
    queues->bad = *ref;
    return BL_ERR_SHORT;
  }
  struct bl_index_cached *slot = cached_at(queues, ref->position);
  if (slot == NULL) {
    slot = &queues->cache[0];
    for (int i = 1; i < BL_INDEX_CACHE_CHUNKS; i++) {
      if (queues->cache[i].used_at < slot->used_at) slot = &queues->cache[i];
    }
  }
  if (slot->units == NULL) {
    slot->units = malloc(BL_QUEUE_CHUNK_UNITS * sizeof(struct bl_queue_unit));
    BL_ASSERT(slot->units != NULL);
  }
  slot->position = -1;
  bl_err err = bl_chunk__decode(queue, ref, bytes, slot->units);
  if (err != BL_OK) queues->bad = *ref;
  if (err != BL_OK) return err;
  slot->position = ref->position;
  slot->used_at = ++queues->cache_clock;
  *out_units = slot->units;
  return BL_OK;
}

bl_err bl_index__units(struct bl_queues *queues, const struct bl_queue *queue,
                       const struct bl_chunk_ref *ref, bool wait, const void **out_units) {
  struct bl_index_cached *slot = cached_at(queues, ref->position);
  if (slot != NULL) {
    slot->used_at = ++queues->cache_clock;
    *out_units = slot->units;
    return BL_OK;
  }
  size_t len = bl_chunk__bytes(ref->units, ref->level);
  const struct bl_index_pending *pending = &queues->pending;
  int64_t ahead = ref->position - pending->from;
  if (pending->len > 0 && ahead >= 0 && ahead < (int64_t)pending->len) {
    return bl_index__take_bytes(queues, queue, ref, pending->bytes + ahead, len, out_units);
  }
  struct bl_index_segment *segment = bl_index__segment(queues, ref->position);
  queues->bad = *ref;
  if (segment == NULL) return BL_ERR_FORMAT; /* a node named it that is not what it says */
  const struct bl_disk_ops *ops = queues->disk->ops;
  bl_err err =
      (wait ? ops->read : ops->read_cached)(queues->disk, segment->file, queues->scratch, len,
                                            ref->position % queues->segment_bytes, &len);
  if (err == BL_ERR_COLD) {
    queues->cold = *ref;
  } else if (err != BL_OK) {
    queues->bad = *ref;
  }
  if (err != BL_OK) return err;
  return bl_index__take_bytes(queues, queue, ref, queues->scratch, len, out_units);
}
