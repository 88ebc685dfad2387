#include "store/log/segments.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define NAME_DIGITS 20
#define RETRY_MS 1000

void bl_segments_path(const struct bl_segments *segments, int64_t offset,
                      char out_path[BL_STORE_PATH_BYTES_MAX]) {
  snprintf(out_path, BL_STORE_PATH_BYTES_MAX, "%s/commitlog/%020" PRId64, segments->dir, offset);
}

static void spare_of(const struct bl_segments *segments, int64_t offset,
                     char out_path[BL_STORE_PATH_BYTES_MAX]) {
  snprintf(out_path, BL_STORE_PATH_BYTES_MAX, "%s/bolide/spare/%020" PRId64, segments->dir, offset);
}

/* Makes the spare and renames it into commitlog/. `durable`: synced before the rename, and the name
 * after. */
static bl_err make_file(const struct bl_segments *segments, int64_t offset, bool durable,
                        int *out_file, struct bl_why *why) {
  struct bl_disk *disk = segments->disk;
  char spare[BL_STORE_PATH_BYTES_MAX];
  char path[BL_STORE_PATH_BYTES_MAX];
  char folder[BL_STORE_PATH_BYTES_MAX];
  spare_of(segments, offset, spare);
  bl_segments_path(segments, offset, path);
  snprintf(folder, sizeof(folder), "%s/commitlog", segments->dir);
  int file = -1;
  unsigned flags =
      BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE | BL_OPEN_TRUNCATE | BL_OPEN_NO_READ_AHEAD;
  bl_err err = disk->ops->open(disk, spare, flags, &file, why);
  if (err != BL_OK) return err;
  err = disk->ops->allocate(disk, file, segments->segment_bytes);
  if (err == BL_OK && durable) err = disk->ops->sync(disk, file);
  if (err == BL_OK) err = disk->ops->rename(disk, spare, path);
  if (err == BL_OK && durable) err = disk->ops->sync_dir(disk, folder);
  if (err == BL_OK) {
    *out_file = file;
    return BL_OK;
  }
  disk->ops->close(disk, file);
  (void)disk->ops->remove(disk, spare); /* a part-made spare only takes space */
  return bl_why_set(why, err, "cannot make %s of %" PRId64 " bytes: %s", path,
                    segments->segment_bytes, bl_err_text(err));
}

static void add_item(struct bl_segments *segments, int64_t offset, int file) {
  if (segments->count == segments->cap) {
    segments->cap = segments->cap > 0 ? segments->cap * 2 : 16;
    segments->items = realloc(segments->items, (size_t)segments->cap * sizeof(*segments->items));
    BL_ASSERT(segments->items != NULL);
  }
  BL_ASSERT(segments->count == 0 || offset == bl_segments_end(segments));
  segments->items[segments->count++] =
      (struct bl_segment){offset, offset + segments->segment_bytes, file, 0, 0};
}

static void run_prepare(struct bl_job *job) {
  struct bl_segments *segments = BL_CONTAINER(job, struct bl_segments, job);
  segments->job_err =
      make_file(segments, segments->job_offset, true, &segments->job_file, &segments->job_why);
}

static void done_prepare(struct bl_job *job) {
  struct bl_segments *segments = BL_CONTAINER(job, struct bl_segments, job);
  if (segments->job_err == BL_OK) {
    add_item(segments, segments->job_offset, segments->job_file);
    segments->next = BL_NEXT_READY;
    segments->next_err = BL_OK;
    return;
  }
  segments->next = BL_NEXT_FAILED;
  segments->next_err = segments->job_err;
  segments->next_why = segments->job_why;
  bl_timer_set(segments->timers, &segments->retry, bl_clock_mono_ms(segments->clock) + RETRY_MS);
}

static void start_prepare(struct bl_segments *segments) {
  segments->next = BL_NEXT_PREPARING;
  segments->job_offset = bl_segments_end(segments);
  bl_worker_submit(segments->pool, &segments->job);
}

static void fire_retry(struct bl_timer *timer, int64_t now_ms) {
  (void)now_ms;
  struct bl_segments *segments = BL_CONTAINER(timer, struct bl_segments, retry);
  if (segments->next == BL_NEXT_FAILED) start_prepare(segments);
}

void bl_segments_init(struct bl_segments *segments, const char *dir, int64_t segment_bytes,
                      struct bl_disk *disk, struct bl_worker *pool, struct bl_timers *timers,
                      const struct bl_clock *clock) {
  *segments = (struct bl_segments){.dir = dir,
                                   .segment_bytes = segment_bytes,
                                   .disk = disk,
                                   .pool = pool,
                                   .timers = timers,
                                   .clock = clock,
                                   .retry = {.fire = fire_retry},
                                   .job = {.run = run_prepare, .done = done_prepare}};
  bl_list_init(&segments->gone);
}

void bl_segments_fini(struct bl_segments *segments) {
  if (segments->disk == NULL) return;
  BL_ASSERT(segments->next != BL_NEXT_PREPARING && bl_list_empty(&segments->gone));
  bl_timer_cancel(segments->timers, &segments->retry);
  for (int i = 0; i < segments->count; i++)
    segments->disk->ops->close(segments->disk, segments->items[i].file);
  free(segments->items);
  segments->items = NULL;
  segments->count = 0;
}

static void run_close(struct bl_job *job) {
  struct bl_segment_gone *gone = BL_CONTAINER(job, struct bl_segment_gone, job);
  gone->segments->disk->ops->close(gone->segments->disk, gone->file);
}

static void done_close(struct bl_job *job) {
  struct bl_segment_gone *gone = BL_CONTAINER(job, struct bl_segment_gone, job);
  bl_list_remove(&gone->node);
  free(gone);
}

static void close_unheld(struct bl_segment_gone *gone) {
  if (gone->holders > 0) return;
  gone->job = (struct bl_job){.run = run_close, .done = done_close};
  bl_worker_submit(gone->segments->pool, &gone->job);
}

void bl_segments_forget_first(struct bl_segments *segments) {
  BL_ASSERT(segments->count > 1);
  const struct bl_segment *first = &segments->items[0];
  struct bl_segment_gone *gone = calloc(1, sizeof(*gone));
  BL_ASSERT(gone != NULL);
  gone->segments = segments;
  gone->first_offset = first->first_offset;
  gone->file = first->file;
  gone->holders = first->holders;
  bl_list_add_last(&segments->gone, &gone->node);
  segments->count--;
  memmove(segments->items, segments->items + 1, (size_t)segments->count * sizeof(*first));
  close_unheld(gone);
}

void bl_segments_release(struct bl_segments *segments, int64_t first_offset) {
  struct bl_segment *segment = bl_segments_find(segments, first_offset);
  if (segment != NULL) {
    BL_ASSERT(segment->first_offset == first_offset && segment->holders > 0);
    segment->holders--;
    return;
  }
  struct bl_list *node = segments->gone.next;
  while (BL_CONTAINER(node, struct bl_segment_gone, node)->first_offset != first_offset) {
    node = node->next;
    BL_ASSERT(node != &segments->gone);
  }
  struct bl_segment_gone *gone = BL_CONTAINER(node, struct bl_segment_gone, node);
  BL_ASSERT(gone->holders > 0);
  gone->holders--;
  close_unheld(gone);
}

void bl_segments_prepare(struct bl_segments *segments) {
  if (segments->next == BL_NEXT_NONE) start_prepare(segments);
}

bl_err bl_segments_make(struct bl_segments *segments, int64_t offset, struct bl_why *why) {
  int file = -1;
  bl_err err = make_file(segments, offset, false, &file, why);
  if (err == BL_OK) add_item(segments, offset, file);
  return err;
}

bl_err bl_segments_drop_last(struct bl_segments *segments, const char *aside) {
  BL_ASSERT(segments->count > 0);
  struct bl_disk *disk = segments->disk;
  struct bl_segment *last = &segments->items[--segments->count];
  char path[BL_STORE_PATH_BYTES_MAX];
  bl_segments_path(segments, last->first_offset, path);
  disk->ops->close(disk, last->file);
  return aside != NULL ? disk->ops->rename(disk, path, aside) : disk->ops->remove(disk, path);
}

/* Opens one file; *out_file -1: it was an empty last file and is gone. */
static bl_err open_file(struct bl_segments *segments, const char *path, bool is_last, int *out_file,
                        struct bl_why *why) {
  struct bl_disk *disk = segments->disk;
  int file = -1;
  unsigned flags = BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_NO_READ_AHEAD;
  bl_err err = disk->ops->open(disk, path, flags, &file, why);
  if (err != BL_OK) return err;
  int64_t size = 0;
  err = disk->ops->size(disk, file, &size);
  if (err == BL_OK && size == segments->segment_bytes) {
    *out_file = file;
    return BL_OK;
  }
  disk->ops->close(disk, file);
  if (err != BL_OK) return bl_why_set(why, err, "cannot read the size of %s", path);
  if (is_last && size == 0) {
    *out_file = -1;
    return disk->ops->remove(disk, path);
  }
  return bl_why_set(why, BL_ERR_VERSION,
                    "%s has %" PRId64
                    " bytes, but the commit log is configured with files of %" PRId64
                    " bytes; set mappedFileSizeCommitLog to the size of the files",
                    path, size, segments->segment_bytes);
}

static bl_err load_file(struct bl_segments *segments, const char *name, bool is_last,
                        struct bl_why *why) {
  char path[BL_STORE_PATH_BYTES_MAX];
  int64_t offset = 0;
  snprintf(path, sizeof(path), "%s/commitlog/%.64s", segments->dir, name);
  if (strlen(name) != NAME_DIGITS || !bl_slice_i64(bl_slice_text(name), &offset) || offset < 0) {
    return bl_why_set(
        why, BL_ERR_FORMAT,
        "%s is not a commit log file (its name is not a 20-digit offset); move it away", path);
  }
  int file = -1;
  bl_err err = open_file(segments, path, is_last, &file, why);
  if (err != BL_OK || file < 0) return err;
  if (segments->count > 0 && offset != bl_segments_end(segments)) {
    segments->disk->ops->close(segments->disk, file);
    return bl_why_set(why, BL_ERR_FORMAT,
                      "the commit log has a hole: behind offset %" PRId64
                      " comes %s; put the missing "
                      "files back or move the older ones away",
                      bl_segments_end(segments), path);
  }
  add_item(segments, offset, file);
  return BL_OK;
}

/* What a crash left half made is of no use. */
static void empty_spare(struct bl_segments *segments, const char *folder, struct bl_arena *arena) {
  const char *const *names;
  size_t count = 0;
  if (segments->disk->ops->list(segments->disk, folder, arena, &names, &count) != BL_OK) return;
  for (size_t i = 0; i < count; i++) {
    struct bl_slice path = bl_arena_printf(arena, "%s/%s", folder, names[i]);
    (void)segments->disk->ops->remove(segments->disk, path.ptr);
  }
}

bl_err bl_segments_load(struct bl_segments *segments, struct bl_why *why) {
  struct bl_disk *disk = segments->disk;
  char folder[BL_STORE_PATH_BYTES_MAX];
  snprintf(folder, sizeof(folder), "%s/bolide/spare", segments->dir);
  bl_err err = disk->ops->make_dir(disk, folder, why);
  if (err != BL_OK) return err;
  struct bl_arena arena;
  bl_arena_init(&arena);
  empty_spare(segments, folder, &arena);
  snprintf(folder, sizeof(folder), "%s/commitlog", segments->dir);
  err = disk->ops->make_dir(disk, folder, why);
  const char *const *names = NULL;
  size_t count = 0;
  if (err == BL_OK) err = disk->ops->list(disk, folder, &arena, &names, &count);
  for (size_t i = 0; err == BL_OK && i < count; i++)
    err = load_file(segments, names[i], i + 1 == count, why);
  bl_arena_fini(&arena);
  return err;
}
