/* How far Java's consume queues reach: <dir>/consumequeue/TOPIC/QUEUE/<first byte, 20 digits>,
 * units of 20 bytes, and batchconsumequeue with units of 46. Both begin with the log offset and the
 * size of a record, big-endian. Source: apache/rocketmq store ConsumeQueue, BatchConsumeQueue. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "store/takeover.h"

#define CHUNK_UNITS 2048
#define UNIT_BYTES_MAX 46

/* One kind of queue, and what was found so far. */
struct scan {
  struct bl_disk *disk;
  size_t unit_bytes;
  char *chunk;
  int64_t end;
};

/* Java takes a queue up to its first unit without a size. FILLS whether the file begins with a good
 * one. */
static bl_err scan_file(struct scan *scan, const char *path, bool *out_any) {
  int file = -1;
  bl_err err = scan->disk->ops->open(scan->disk, path, BL_OPEN_READ, &file, NULL);
  if (err != BL_OK) return err;
  *out_any = false;
  bool good = true;
  for (int64_t at = 0; err == BL_OK && good;) {
    size_t got = 0;
    err = scan->disk->ops->read(scan->disk, file, scan->chunk, scan->unit_bytes * CHUNK_UNITS, at,
                                &got);
    if (got < scan->unit_bytes) break;
    for (size_t i = 0; good && i + scan->unit_bytes <= got; i += scan->unit_bytes) {
      int64_t offset = (int64_t)bl_load_u64(scan->chunk + i);
      int32_t size = (int32_t)bl_load_u32(scan->chunk + i + 8);
      good = offset >= 0 && size > 0;
      if (!good) break;
      *out_any = true;
      /* {0, the largest size}: room before the first record. Source: ConsumeQueue.fillPreBlank. */
      bool blank = offset == 0 && size == INT32_MAX;
      if (!blank && offset <= INT64_MAX - size && offset + size > scan->end)
        scan->end = offset + size;
    }
    at += (int64_t)got;
  }
  scan->disk->ops->close(scan->disk, file);
  return err;
}

/* The newest file counts; one that was made ahead is empty, and the one before it counts. */
static bl_err scan_queue(struct scan *scan, const char *folder, struct bl_arena *arena) {
  const char *const *names = NULL;
  size_t count = 0;
  bl_err err = scan->disk->ops->list(scan->disk, folder, arena, &names, &count);
  bool any = false;
  while (err == BL_OK && !any && count > 0) {
    char path[BL_STORE_PATH_BYTES_MAX];
    count--;
    int len = snprintf(path, sizeof(path), "%s/%s", folder, names[count]);
    if (len < (int)sizeof(path)) err = scan_file(scan, path, &any);
  }
  return err;
}

static bl_err scan_topic(struct scan *scan, const char *folder, struct bl_arena *arena) {
  const char *const *names = NULL;
  size_t count = 0;
  bl_err err = scan->disk->ops->list(scan->disk, folder, arena, &names, &count);
  for (size_t i = 0; err == BL_OK && i < count; i++) {
    char path[BL_STORE_PATH_BYTES_MAX];
    struct bl_disk_stat info;
    int len = snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
    if (len >= (int)sizeof(path) || scan->disk->ops->stat(scan->disk, path, &info) != BL_OK ||
        !info.is_dir)
      continue;
    err = scan_queue(scan, path, arena);
  }
  return err;
}

static bl_err scan_kind(struct scan *scan, const char *folder) {
  const char *const *names = NULL;
  size_t count = 0;
  struct bl_arena topics;
  bl_arena_init(&topics);
  bl_err err = scan->disk->ops->list(scan->disk, folder, &topics, &names, &count);
  if (err == BL_ERR_NOT_FOUND) count = 0;
  if (err == BL_ERR_NOT_FOUND) err = BL_OK;
  for (size_t i = 0; err == BL_OK && i < count; i++) {
    char path[BL_STORE_PATH_BYTES_MAX];
    struct bl_disk_stat info;
    struct bl_arena arena;
    int len = snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
    if (len >= (int)sizeof(path) || scan->disk->ops->stat(scan->disk, path, &info) != BL_OK ||
        !info.is_dir)
      continue;
    bl_arena_init(&arena);
    err = scan_topic(scan, path, &arena);
    bl_arena_fini(&arena);
  }
  bl_arena_fini(&topics);
  return err;
}

bl_err bl_takeover_queues_end(struct bl_log *log, int64_t *out_end, struct bl_why *why) {
  static const struct {
    const char *name;
    size_t unit_bytes;
  } kinds[] = {{"consumequeue", 20}, {"batchconsumequeue", 46}};
  struct scan scan = {log->disk, 0, malloc((size_t)CHUNK_UNITS * UNIT_BYTES_MAX), -1};
  BL_ASSERT(scan.chunk != NULL);
  bl_err err = BL_OK;
  for (size_t i = 0; err == BL_OK && i < 2; i++) {
    char folder[BL_STORE_PATH_BYTES_MAX];
    snprintf(folder, sizeof(folder), "%s/%s", log->settings.dir, kinds[i].name);
    scan.unit_bytes = kinds[i].unit_bytes;
    err = scan_kind(&scan, folder);
    if (err != BL_OK) bl_why_set(why, err, "cannot read %s: %s", folder, bl_err_text(err));
  }
  free(scan.chunk);
  *out_end = scan.end;
  return err;
}
