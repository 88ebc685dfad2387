/* Source of the formats: apache/rocketmq store ConsumeQueue (putMessagePositionInfo, fillPreBlank),
 * BatchConsumeQueue.putBatchMessagePositionInfo, MappedFileQueue. */
#include "store/check/export.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/map.h"
#include "store/check/scan.h"
#include "store/entry.h"

#define FILE_UNITS 300000
#define UNIT_BYTES 20
#define BATCH_UNIT_BYTES 46
#define BUFFER_BYTES 4600 /* whole units of either kind */
#define HOLE_MAX INT64_C(100000000)

/* A queue being written: units [0, next) of its file of files are done or in the buffer. */
struct queue {
  int64_t next;       /* queue offset */
  int64_t last_log;   /* of its last record: a light queue may be named twice by one */
  int64_t at;         /* byte of the next unit, all files counted from 0 */
  int64_t files_from; /* name of the first file */
  int file;           /* -1: not open */
  int64_t file_at;    /* name of the open one */
  uint32_t used;      /* of the buffer */
  bool batch;
  int32_t id;
  struct bl_slice topic;
  char *buffer;
  char bytes[];
};

#define OPEN_MAX 256

struct job {
  struct bl_disk *disk;
  const char *to;
  struct bl_export_totals *totals;
  struct bl_why *why;
  struct bl_map queues;
  struct queue *open[OPEN_MAX]; /* files that are open, in a ring: the oldest is closed */
  size_t open_next;
};

static uint32_t unit_bytes(const struct queue *queue) {
  return queue->batch ? BATCH_UNIT_BYTES : UNIT_BYTES;
}

static void folder_of(const struct job *job, const struct queue *queue, char out_path[2048]) {
  snprintf(out_path, 2048, "%s/%s/%.*s/%" PRId32, job->to,
           queue->batch ? "batchconsumequeue" : "consumequeue", BL_FMT(queue->topic), queue->id);
}

static bl_err close_file(struct job *job, struct queue *queue) {
  if (queue->file < 0) return BL_OK;
  bl_err err = job->disk->ops->sync(job->disk, queue->file);
  job->disk->ops->close(job->disk, queue->file);
  queue->file = -1;
  for (size_t i = 0; i < OPEN_MAX; i++) {
    if (job->open[i] == queue) job->open[i] = NULL;
  }
  return err;
}

static bl_err open_file(struct job *job, struct queue *queue, int64_t name) {
  if (queue->file >= 0 && queue->file_at == name) return BL_OK;
  bl_err err = close_file(job, queue);
  struct queue *oldest = job->open[job->open_next];
  if (err == BL_OK && oldest != NULL) err = close_file(job, oldest);
  if (err != BL_OK) return err;
  char folder[2048];
  char path[2100];
  folder_of(job, queue, folder);
  snprintf(path, sizeof(path), "%s/%020" PRId64, folder, name);
  err = job->disk->ops->make_dir(job->disk, folder, job->why);
  if (err != BL_OK) return err;
  int64_t size = 0;
  err = job->disk->ops->open(job->disk, path, BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE,
                             &queue->file, job->why);
  if (err != BL_OK) return err;
  queue->file_at = name;
  job->open[job->open_next] = queue;
  job->open_next = (job->open_next + 1) % OPEN_MAX;
  int64_t whole = (int64_t)FILE_UNITS * unit_bytes(queue);
  err = job->disk->ops->size(job->disk, queue->file, &size);
  if (err == BL_OK && size < whole) {
    job->totals->files++;
    err = job->disk->ops->truncate(job->disk, queue->file, whole);
  }
  return err;
}

/* Writes the buffer, whose units may belong to two files. */
static bl_err flush(struct job *job, struct queue *queue) {
  int64_t whole = (int64_t)FILE_UNITS * unit_bytes(queue);
  int64_t from = queue->at - queue->used;
  uint32_t done = 0;
  while (done < queue->used) {
    int64_t name = from / whole * whole;
    int64_t in_file = from - name;
    uint32_t len = queue->used - done;
    if (in_file + len > whole) len = (uint32_t)(whole - in_file);
    bl_err err = open_file(job, queue, name);
    if (err == BL_OK)
      err = job->disk->ops->write(job->disk, queue->file, queue->buffer + done, len, in_file);
    if (err != BL_OK) {
      char folder[2048];
      folder_of(job, queue, folder);
      return bl_why_set(job->why, err, "cannot write to %.300s: %s", folder, bl_err_text(err));
    }
    done += len;
    from += len;
  }
  queue->used = 0;
  return BL_OK;
}

static bl_err put_unit(struct job *job, struct queue *queue, int64_t offset, uint32_t size,
                       int64_t code) {
  if (queue->used + UNIT_BYTES > BUFFER_BYTES) {
    bl_err err = flush(job, queue);
    if (err != BL_OK) return err;
  }
  char *at = queue->buffer + queue->used;
  bl_store_u64(at, (uint64_t)offset);
  bl_store_u32(at + 8, size);
  bl_store_u64(at + 12, (uint64_t)code);
  queue->used += UNIT_BYTES;
  queue->at += UNIT_BYTES;
  return BL_OK;
}

static bl_err put_batch_unit(struct job *job, struct queue *queue, const struct bl_record *record,
                             const struct bl_entry *entry) {
  if (queue->used + BATCH_UNIT_BYTES > BUFFER_BYTES) {
    bl_err err = flush(job, queue);
    if (err != BL_OK) return err;
  }
  char *at = queue->buffer + queue->used;
  bl_store_u64(at, (uint64_t)record->log_offset);
  bl_store_u32(at + 8, record->size_bytes);
  bl_store_u64(at + 12, (uint64_t)entry->tags_code);
  bl_store_u64(at + 20, (uint64_t)record->store_ms);
  bl_store_u64(at + 28, (uint64_t)record->queue_offset);
  bl_store_u16(at + 36, (uint16_t)entry->count);
  bl_store_u32(at + 38, UINT32_MAX); /* no compacted offset */
  bl_store_u32(at + 42, 0);
  queue->used += BATCH_UNIT_BYTES;
  queue->at += BATCH_UNIT_BYTES;
  return BL_OK;
}

/* A queue that does not begin at 0: its first file is filled up with units that say so. */
static bl_err begin_at(struct job *job, struct queue *queue, int64_t offset) {
  int64_t whole = (int64_t)FILE_UNITS * UNIT_BYTES;
  queue->files_from = offset / FILE_UNITS * whole;
  queue->at = queue->files_from;
  queue->next = offset;
  bl_err err = BL_OK;
  for (int64_t i = offset % FILE_UNITS; err == BL_OK && i > 0; i--)
    err = put_unit(job, queue, 0, INT32_MAX, 0);
  return err;
}

/* Begins anew at a lower offset, as the topic did: what was written is of a topic that is gone. */
static bl_err begin_again(struct job *job, struct queue *queue, int64_t offset) {
  int64_t whole = (int64_t)FILE_UNITS * UNIT_BYTES;
  bl_err err = close_file(job, queue);
  char folder[2048];
  char path[2100];
  folder_of(job, queue, folder);
  for (int64_t name = queue->files_from; err == BL_OK && name < queue->at; name += whole) {
    snprintf(path, sizeof(path), "%s/%020" PRId64, folder, name);
    err = job->disk->ops->remove(job->disk, path);
    if (err == BL_OK) job->totals->files--;
    if (err == BL_ERR_NOT_FOUND) err = BL_OK; /* it was all in the buffer */
  }
  queue->used = 0;
  return err == BL_OK ? begin_at(job, queue, offset) : err;
}

static struct queue *find_queue(struct job *job, const struct bl_record *record, bool batch) {
  char key[1100];
  size_t len = record->topic.len < 1024 ? record->topic.len : 1024;
  memcpy(key, record->topic.ptr, len);
  key[len] = 0;
  memcpy(key + len + 1, &record->queue_id, sizeof(record->queue_id));
  struct bl_slice name = bl_slice_of(key, len + 1 + sizeof(record->queue_id));
  struct queue *queue = bl_map_get(&job->queues, name);
  if (queue != NULL) return queue;
  queue = calloc(1, sizeof(*queue) + record->topic.len);
  BL_ASSERT(queue != NULL);
  queue->buffer = malloc(BUFFER_BYTES);
  BL_ASSERT(queue->buffer != NULL);
  memcpy(queue->bytes, record->topic.ptr, record->topic.len);
  queue->topic = bl_slice_of(queue->bytes, record->topic.len);
  queue->id = record->queue_id;
  queue->batch = batch;
  queue->file = -1;
  queue->next = -1;
  queue->last_log = -1;
  bl_map_put(&job->queues, name, queue);
  job->totals->queues++;
  return queue;
}

/* Names become folders: what is none is in no queue of Java's either. */
static bool is_safe(const struct bl_record *record) {
  struct bl_slice topic = record->topic;
  return topic.len > 0 && topic.len <= 255 && memchr(topic.ptr, '/', topic.len) == NULL &&
         memchr(topic.ptr, 0, topic.len) == NULL && !bl_slice_is(topic, ".") &&
         !bl_slice_is(topic, "..") && record->queue_id >= 0 && record->queue_offset >= 0 &&
         record->queue_offset < INT64_MAX / BATCH_UNIT_BYTES;
}

static bl_err take_in_queue(struct job *job, const struct bl_record *record,
                            const struct bl_entry *entry) {
  if (!is_safe(record)) return BL_OK;
  struct queue *queue = find_queue(job, record, entry->batch);
  bl_err err = BL_OK;
  if (queue->last_log == record->log_offset) return BL_OK;
  queue->last_log = record->log_offset;
  job->totals->entries++;
  if (queue->batch) return put_batch_unit(job, queue, record, entry);
  int64_t offset = record->queue_offset;
  if (queue->next < 0) {
    err = begin_at(job, queue, offset);
  } else if (offset < queue->next || offset - queue->next > HOLE_MAX) {
    err = begin_again(job, queue, offset);
  }
  while (err == BL_OK && queue->next < offset) {
    err = put_unit(job, queue, record->log_offset, record->size_bytes, entry->tags_code);
    queue->next++;
    job->totals->holes++;
  }
  if (err == BL_OK)
    err = put_unit(job, queue, record->log_offset, record->size_bytes, entry->tags_code);
  queue->next = offset + 1;
  return err;
}

/* Light queues, too, as if the record had been sent to each. */
static bl_err take(struct job *job, const struct bl_record *record) {
  struct bl_entry entry = bl_entry_of(record);
  if (!entry.any) return BL_OK;
  struct bl_entry rest = entry;
  struct bl_light_place place;
  bl_err err = take_in_queue(job, record, &entry);
  if (rest.light_names.len > 0) job->totals->light++;
  while (err == BL_OK && bl_light_next(&rest, &place)) {
    struct bl_record in_light = *record;
    in_light.topic = place.queue;
    in_light.queue_id = BL_LIGHT_QUEUE_ID;
    in_light.queue_offset = place.queue_offset;
    err = take_in_queue(job, &in_light, &entry);
  }
  return err;
}

/* Writes what is in the buffers; frees. */
static bl_err finish(struct job *job, bl_err err) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&job->queues, &cursor)) != NULL) {
    struct queue *queue = entry->value;
    if (err == BL_OK) err = flush(job, queue);
    bl_err closed = close_file(job, queue);
    if (err == BL_OK) err = closed;
  }
  cursor = 0;
  while ((entry = bl_map_next(&job->queues, &cursor)) != NULL) {
    struct queue *queue = entry->value;
    free(queue->buffer);
    free(queue);
  }
  bl_map_fini(&job->queues);
  return err;
}

bl_err bl_export(struct bl_source *source, struct bl_disk *disk, const char *to, int settle_ms,
                 struct bl_export_totals *out_totals, struct bl_why *why) {
  *out_totals = (struct bl_export_totals){0};
  struct job job = {.disk = disk, .to = to, .totals = out_totals, .why = why};
  struct bl_scan scan;
  struct bl_scan_item item = {.kind = BL_SCAN_RECORD};
  bl_map_init(&job.queues);
  bl_scan_init(&scan, source, bl_source_min(source), settle_ms);
  bl_err err = bl_why_set(why, BL_OK, "%s", "");
  while (err == BL_OK && item.kind != BL_SCAN_END) {
    err = bl_scan_next(&scan, &item);
    if (err == BL_OK && item.kind == BL_SCAN_GAP) out_totals->gaps++;
    if (err == BL_OK && item.kind == BL_SCAN_RECORD) err = take(&job, &item.record);
  }
  bl_scan_fini(&scan);
  err = finish(&job, err);
  if (err != BL_OK && why != NULL && why->text[0] == 0)
    return bl_why_set(why, err, "cannot write the consume queues to %s: %s", to, bl_err_text(err));
  return err;
}
