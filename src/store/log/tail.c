#include "store/log/tail.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define CHUNK_BYTES ((int64_t)1 << 20)
#define RANGES_MAX 64

/* Start of the last run of work: a file, the range in it, a chunk of memory. */
struct tail {
  struct bl_log *log;
  struct bl_disk *disk;
  char *chunk;
};

static bl_err io_error(const struct bl_log *log, bl_err err, const char *what, struct bl_why *why) {
  return bl_why_set(why, err, "cannot %s behind the end of the log in %s/commitlog: %s", what,
                    log->settings.dir, bl_err_text(err));
}

static bl_err read_chunk(struct tail *tail, int file, int64_t at, int64_t to, int64_t *out_len) {
  int64_t len = to - at < CHUNK_BYTES ? to - at : CHUNK_BYTES;
  size_t got = 0;
  bl_err err = tail->disk->ops->read(tail->disk, file, tail->chunk, (size_t)len, at, &got);
  if (err == BL_OK && (int64_t)got != len) err = BL_ERR_IO;
  *out_len = len;
  return err;
}

struct range {
  int64_t from;
  int64_t to;
};

/* All ranges before any is read: reading would make more of them. When there are too many the last
 * one goes to the end. */
static bl_err list_ranges(struct tail *tail, int file, int64_t at, int64_t size,
                          struct range ranges[RANGES_MAX], int *out_count) {
  int count = 0;
  while (at < size && count < RANGES_MAX) {
    struct range *range = &ranges[count];
    bl_err err = tail->disk->ops->next_data(tail->disk, file, at, &range->from, &range->to);
    if (err != BL_OK) return err;
    if (range->from >= size) break;
    at = range->to;
    count++;
  }
  if (count == RANGES_MAX) ranges[count - 1].to = size;
  *out_count = count;
  return BL_OK;
}

/* FILLS one after the last byte in [at, size) that is not zero; `at` when all are. */
static bl_err find_last(struct tail *tail, int file, int64_t at, int64_t size, int64_t *out_last) {
  struct range ranges[RANGES_MAX];
  int count = 0;
  *out_last = at;
  bl_err err = list_ranges(tail, file, at, size, ranges, &count);
  if (err != BL_OK) return err;
  for (int i = 0; i < count; i++) {
    for (int64_t from = ranges[i].from; from < ranges[i].to;) {
      int64_t len = 0;
      err = read_chunk(tail, file, from, ranges[i].to, &len);
      if (err != BL_OK) return err;
      int64_t used = len;
      while (used > 0 && tail->chunk[used - 1] == 0) used--;
      if (used > 0) *out_last = from + used;
      from += len;
    }
  }
  return BL_OK;
}

static bl_err make_aside(const struct bl_log *log, int64_t offset,
                         char out_path[BL_STORE_PATH_BYTES_MAX], struct bl_why *why) {
  char folder[BL_STORE_PATH_BYTES_MAX - 64];
  snprintf(folder, sizeof(folder), "%s/bolide/aside", log->settings.dir);
  snprintf(out_path, BL_STORE_PATH_BYTES_MAX, "%s/%" PRId64 "-%020" PRId64, folder,
           bl_clock_wall_ms(log->clock), offset);
  return log->disk->ops->make_dir(log->disk, folder, why);
}

static bl_err copy_to(struct tail *tail, int file, int64_t from, int64_t to, int copy) {
  for (int64_t at = from; at < to;) {
    int64_t len = 0;
    bl_err err = read_chunk(tail, file, at, to, &len);
    if (err == BL_OK)
      err = tail->disk->ops->write(tail->disk, copy, tail->chunk, (size_t)len, at - from);
    if (err != BL_OK) return err;
    at += len;
  }
  return tail->disk->ops->sync(tail->disk, copy);
}

static bl_err zero(struct tail *tail, int file, int64_t from, int64_t to) {
  memset(tail->chunk, 0, (size_t)CHUNK_BYTES);
  for (int64_t at = from; at < to;) {
    int64_t len = to - at < CHUNK_BYTES ? to - at : CHUNK_BYTES;
    bl_err err = tail->disk->ops->write(tail->disk, file, tail->chunk, (size_t)len, at);
    if (err != BL_OK) return err;
    at += len;
  }
  return tail->disk->ops->sync(tail->disk, file);
}

/* A file that is gone must stay gone: its records would be taken for real when the log reaches
 * there. */
static bl_err sync_folders(const struct bl_log *log, struct bl_why *why) {
  struct bl_disk *disk = log->disk;
  char folder[BL_STORE_PATH_BYTES_MAX];
  struct bl_disk_stat info;
  snprintf(folder, sizeof(folder), "%s/bolide/aside", log->settings.dir);
  bl_err err = BL_OK;
  if (disk->ops->stat(disk, folder, &info) == BL_OK) err = disk->ops->sync_dir(disk, folder);
  snprintf(folder, sizeof(folder), "%s/commitlog", log->settings.dir);
  if (err == BL_OK) err = disk->ops->sync_dir(disk, folder);
  return err == BL_OK ? BL_OK : io_error(log, err, "sync folders", why);
}

static bl_err clean_file(struct tail *tail, const struct bl_segment *segment, int64_t end,
                         struct bl_why *why) {
  struct bl_log *log = tail->log;
  int64_t from = end - segment->first_offset;
  int64_t last = from;
  bl_err err = find_last(tail, segment->file, from, log->segments.segment_bytes, &last);
  if (err != BL_OK) return io_error(log, err, "read", why);
  if (last == from) return BL_OK;
  char path[BL_STORE_PATH_BYTES_MAX];
  int copy = -1;
  err = make_aside(log, end, path, why);
  if (err != BL_OK) return err;
  unsigned flags = BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE | BL_OPEN_TRUNCATE;
  err = tail->disk->ops->open(tail->disk, path, flags, &copy, why);
  if (err != BL_OK) return err;
  err = copy_to(tail, segment->file, from, last, copy);
  tail->disk->ops->close(tail->disk, copy);
  if (err != BL_OK) return io_error(log, err, "save what is", why);
  bl_log_note(log,
              "store.tail the log ends at offset %" PRId64 "; %" PRId64
              " bytes behind it are no whole records, saved in %s",
              end, last - from, path);
  err = sync_folders(log, why); /* the copy is safe before the original goes */
  if (err != BL_OK) return err;
  err = zero(tail, segment->file, from, last);
  return err == BL_OK ? BL_OK : io_error(log, err, "zero what is", why);
}

/* Files behind the one that holds the end: gone, but the next one stays when it reads zero. Each is
 * gone for good before the one in front of it goes: a crash must leave no hole. */
static bl_err drop_later(struct tail *tail, int keep, struct bl_why *why) {
  struct bl_log *log = tail->log;
  struct bl_segments *segments = &log->segments;
  while (segments->count > keep) {
    const struct bl_segment *last = &segments->items[segments->count - 1];
    int64_t data = 0;
    bl_err err = find_last(tail, last->file, 0, segments->segment_bytes, &data);
    if (err != BL_OK) return io_error(log, err, "read", why);
    if (data == 0 && segments->count == keep + 1) break;
    char path[BL_STORE_PATH_BYTES_MAX];
    if (data > 0) {
      err = make_aside(log, last->first_offset, path, why);
      if (err != BL_OK) return err;
      bl_log_note(log,
                  "store.tail file at offset %" PRId64 " is behind the end of the log, moved to %s",
                  last->first_offset, path);
    }
    err = bl_segments_drop_last(segments, data > 0 ? path : NULL);
    if (err != BL_OK) return io_error(log, err, "remove a file", why);
    err = sync_folders(log, why);
    if (err != BL_OK) return err;
  }
  return BL_OK;
}

bl_err bl_tail_clean(struct bl_log *log, int64_t end, struct bl_why *why) {
  const struct bl_segment *segment = bl_segments_find(&log->segments, end);
  if (segment == NULL) {
    BL_ASSERT(end == bl_segments_end(&log->segments));
    return bl_segments_make(&log->segments, end, why);
  }
  struct tail tail = {log, log->disk, malloc((size_t)CHUNK_BYTES)};
  BL_ASSERT(tail.chunk != NULL);
  bl_err err = drop_later(&tail, (int)(segment - log->segments.items) + 1, why);
  if (err == BL_OK) err = clean_file(&tail, segment, end, why);
  free(tail.chunk);
  return err;
}

static bl_err rewrite_file(struct tail *tail, int file, int64_t from, int64_t to) {
  for (int64_t at = from; at < to;) {
    int64_t len = 0;
    bl_err err = read_chunk(tail, file, at, to, &len);
    if (err == BL_OK) err = tail->disk->ops->write(tail->disk, file, tail->chunk, (size_t)len, at);
    if (err != BL_OK) return err;
    at += len;
  }
  return BL_OK;
}

bl_err bl_tail_make_durable(struct bl_log *log, int64_t from, int64_t to, bool rewrite,
                            struct bl_why *why) {
  struct tail tail = {log, log->disk, malloc((size_t)CHUNK_BYTES)};
  BL_ASSERT(tail.chunk != NULL);
  bl_err err = from < to ? bl_log_sync_names(log) : BL_OK;
  while (err == BL_OK && from < to) {
    const struct bl_segment *segment = bl_segments_find(&log->segments, from);
    BL_ASSERT(segment != NULL);
    int64_t end = segment->first_offset + log->segments.segment_bytes;
    if (end > to) end = to;
    if (rewrite) {
      err = rewrite_file(&tail, segment->file, from - segment->first_offset,
                         end - segment->first_offset);
    }
    if (err == BL_OK) err = tail.disk->ops->sync(tail.disk, segment->file);
    from = end;
  }
  free(tail.chunk);
  return err == BL_OK ? BL_OK : io_error(log, err, "make durable what is there", why);
}
