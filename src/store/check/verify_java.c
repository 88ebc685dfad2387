/* What a Java broker derives from its log: consume queues against the records, batch consume
 * queues, index files and checkpoint for sense. Nothing in them has a checksum. Layouts:
 * apache/rocketmq store ConsumeQueue, BatchConsumeQueue, IndexHeader, IndexFile, StoreCheckpoint.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "os/clock.h"
#include "store/check/verify_internal.h"

#define UNIT_BYTES 20
#define FILE_BYTES (300000 * UNIT_BYTES)
#define WINDOW_UNITS 256
#define BATCH_UNIT_BYTES 46
#define INDEX_HEADER_BYTES 40
#define INDEX_SLOT_BYTES (5000000 * 4)
#define INDEX_ENTRY_BYTES 20
#define INDEX_ENTRIES_MAX 20000000
#define CHECKPOINT_BYTES 40
/* Codes below this are places in a file of consumequeue_ext (ConsumeQueueExt). */
#define EXT_CODE_MAX INT64_C(-2147483649)
#define DAY_MS 86400000
#define REMAKE                                                                                     \
  "move consumequeue away: bolide needs none, a Java broker makes new ones, and `bolide log "      \
  "export-cq` writes them"

struct unit {
  int64_t log_offset;
  int32_t size;
  int64_t code;
};

static struct unit unit_at(const char *bytes) {
  return (struct unit){(int64_t)bl_load_u64(bytes), (int32_t)bl_load_u32(bytes + 8),
                       (int64_t)bl_load_u64(bytes + 12)};
}

/* {0, the largest size}: room before the first record (ConsumeQueue.fillPreBlank). */
static bool is_blank(struct unit unit) {
  return unit.size <= 0 || (unit.log_offset == 0 && unit.size == INT32_MAX);
}

static void unit_file(const struct bl_verify_queue *queue, int64_t index, char out_name[1400]) {
  snprintf(out_name, 1400, "consumequeue/%.*s/%" PRId32 "/%020" PRId64, BL_FMT(queue->topic),
           queue->id, index * UNIT_BYTES / FILE_BYTES * FILE_BYTES);
}

/* Reads the units from `index` on; none when the file is not there. */
static void read_window(struct bl_verify *verify, struct bl_verify_queue *queue, int64_t index) {
  struct bl_disk *disk = verify->source->disk;
  char name[1400];
  char path[BL_STORE_PATH_BYTES_MAX + 1400];
  int file = -1;
  size_t got = 0;
  if (queue->units == NULL) queue->units = malloc((size_t)WINDOW_UNITS * UNIT_BYTES);
  BL_ASSERT(queue->units != NULL);
  queue->units_first = index;
  queue->units_count = 0;
  unit_file(queue, index, name);
  snprintf(path, sizeof(path), "%s/%s", verify->source->dir, name);
  if (disk->ops->open(disk, path, BL_OPEN_READ, &file, NULL) != BL_OK) return;
  int64_t at = index * UNIT_BYTES % FILE_BYTES;
  int64_t most = FILE_BYTES - at;
  if (most > WINDOW_UNITS * UNIT_BYTES) most = WINDOW_UNITS * UNIT_BYTES;
  if (disk->ops->read(disk, file, queue->units, (size_t)most, at, &got) == BL_OK)
    queue->units_count = (int64_t)got / UNIT_BYTES;
  disk->ops->close(disk, file);
}

static struct unit unit_of(struct bl_verify *verify, struct bl_verify_queue *queue, int64_t index) {
  if (index < queue->units_first || index >= queue->units_first + queue->units_count) {
    bool known_end = queue->units != NULL && queue->units_count == 0 && index > queue->units_first;
    /* A queue that ended stays ended within a file. */
    if (!known_end || index * UNIT_BYTES % FILE_BYTES == 0) read_window(verify, queue, index);
  }
  if (index < queue->units_first || index >= queue->units_first + queue->units_count)
    return (struct unit){0, 0, 0};
  return unit_at(queue->units + (index - queue->units_first) * UNIT_BYTES);
}

static struct bl_finding unit_finding(const struct bl_verify_queue *queue, int64_t index,
                                      const char *name, const char *what) {
  struct bl_finding finding = bl_finding_of(BL_FINDING_DAMAGE, "queue", name, what, REMAKE);
  finding.file_offset = index * UNIT_BYTES % FILE_BYTES;
  finding.bytes = UNIT_BYTES;
  finding.topic = queue->topic;
  finding.queue_id = queue->id;
  finding.queue_offset = index;
  return finding;
}

static bool is_safe_name(struct bl_slice topic) {
  return topic.len > 0 && topic.len < 1024 && memchr(topic.ptr, '/', topic.len) == NULL &&
         memchr(topic.ptr, 0, topic.len) == NULL;
}

void bl_verify__unit(struct bl_verify *verify, struct bl_verify_queue *queue,
                     const struct bl_record *record, const struct bl_entry *entry) {
  if (entry->batch || !is_safe_name(record->topic)) return;
  int64_t index = record->queue_offset;
  if (index < 0 || index > INT64_MAX / UNIT_BYTES - 1) return;
  struct unit unit = unit_of(verify, queue, index);
  if (unit.size <= 0) {
    if (queue->missing++ == 0) queue->missing_first = index;
    return;
  }
  verify->totals->queue_entries++;
  char name[1400];
  char what[200];
  unit_file(queue, index, name);
  if (queue->missing > 0) {
    struct bl_finding finding = unit_finding(
        queue, queue->missing_first, name,
        "the consume queue has no entries for these records, though it has for later ones");
    finding.queue_offset_to = queue->missing_first + queue->missing;
    bl_verify__tell(verify, &finding);
    queue->missing = 0;
  }
  bool same_code = unit.code == entry->tags_code || unit.code <= EXT_CODE_MAX ||
                   bl_slice_is(record->topic, "SCHEDULE_TOPIC_XXXX");
  if (unit.log_offset == record->log_offset && unit.size == (int32_t)record->size_bytes &&
      same_code)
    return;
  snprintf(what, sizeof(what),
           "the entry of the consume queue says offset %" PRId64 ", size %" PRId32 ", code %" PRId64
           "; the record has %" PRId64 ", %" PRIu32 ", %" PRId64,
           unit.log_offset, unit.size, unit.code, record->log_offset, record->size_bytes,
           entry->tags_code);
  struct bl_finding finding = unit_finding(queue, index, name, what);
  finding.log_offset = record->log_offset;
  bl_verify__tell(verify, &finding);
}

/* Units behind the last record, and those that only the end of the queue lacks. */
static void check_rest(struct bl_verify *verify, struct bl_verify_queue *queue) {
  if (!is_safe_name(queue->topic) || queue->next < 0) return;
  char name[1400];
  unit_file(queue, queue->next, name);
  free(queue->units); /* a server may have gone on meanwhile */
  queue->units = NULL;
  queue->units_count = 0;
  struct unit unit = unit_of(verify, queue, queue->next);
  if (unit.size > 0 && !is_blank(unit) && unit.log_offset < verify->totals->log_end) {
    struct bl_finding finding =
        unit_finding(queue, queue->next, name, "the consume queue has an entry that no record has");
    finding.log_offset = unit.log_offset;
    bl_verify__tell(verify, &finding);
  }
  if (queue->missing == 0) return;
  struct bl_finding finding =
      unit_finding(queue, queue->missing_first, name,
                   "the consume queue ends before the log does: the entries were not built yet");
  finding.level = BL_FINDING_NOTE;
  finding.next = NULL;
  finding.queue_offset_to = queue->missing_first + queue->missing;
  bl_verify__tell(verify, &finding);
}

/* A unit of a batch consume queue: the record that it names is there, of that size and queue. */
static bool batch_unit_is_good(struct bl_verify *verify, struct bl_walk *walk, const char *bytes,
                               struct bl_slice topic, int32_t id) {
  int64_t offset = (int64_t)bl_load_u64(bytes);
  struct bl_record record;
  if (offset < bl_source_min(verify->source)) return true; /* gone with the file it was in */
  if (offset >= verify->totals->log_end) return false;
  if (bl_walk_record(walk, offset, &record) != BL_OK) return false;
  return record.size_bytes == bl_load_u32(bytes + 8) && bl_slice_eq(record.topic, topic) &&
         record.queue_id == id && record.queue_offset == (int64_t)bl_load_u64(bytes + 28);
}

static void check_batch_file(struct bl_verify *verify, struct bl_walk *walk, const char *name,
                             struct bl_slice topic, int32_t id) {
  struct bl_slice bytes;
  if (bl_verify__read(verify, name, &bytes) != BL_OK) return;
  for (size_t at = 0; at + BATCH_UNIT_BYTES <= bytes.len; at += BATCH_UNIT_BYTES) {
    if ((int32_t)bl_load_u32(bytes.ptr + at + 8) <= 0) break;
    verify->totals->queue_entries++;
    if (batch_unit_is_good(verify, walk, bytes.ptr + at, topic, id)) continue;
    struct bl_finding finding =
        bl_finding_of(BL_FINDING_DAMAGE, "queue", name,
                      "the entry of the batch consume queue names no record of its queue",
                      "move batchconsumequeue away: a Java broker makes new ones");
    finding.file_offset = (int64_t)at;
    finding.bytes = BATCH_UNIT_BYTES;
    finding.log_offset = (int64_t)bl_load_u64(bytes.ptr + at);
    finding.topic = topic;
    finding.queue_id = id;
    bl_verify__tell(verify, &finding);
  }
}

static void check_batch_queues(struct bl_verify *verify) {
  struct bl_walk walk;
  const char *const *topics;
  size_t topic_count = 0;
  bl_verify__list(verify, "batchconsumequeue", &topics, &topic_count);
  if (topic_count == 0) return;
  verify->source->guard.pad_to_bytes = verify->source->log.segments.segment_bytes;
  bl_walk_init(&walk, &verify->source->log);
  for (size_t t = 0; t < topic_count; t++) {
    char folder[400];
    const char *const *ids;
    size_t id_count = 0;
    snprintf(folder, sizeof(folder), "batchconsumequeue/%.300s", topics[t]);
    bl_verify__list(verify, folder, &ids, &id_count);
    for (size_t q = 0; q < id_count; q++) {
      char queue_folder[440];
      const char *const *files;
      size_t file_count = 0;
      int32_t id = -1;
      if (!bl_slice_i32(bl_slice_text(ids[q]), &id)) continue;
      snprintf(queue_folder, sizeof(queue_folder), "%s/%" PRId32, folder, id);
      bl_verify__list(verify, queue_folder, &files, &file_count);
      for (size_t f = 0; f < file_count; f++) {
        char name[500];
        snprintf(name, sizeof(name), "%s/%.40s", queue_folder, files[f]);
        check_batch_file(verify, &walk, name, bl_slice_text(topics[t]), id);
      }
    }
  }
  bl_walk_fini(&walk);
  verify->source->guard.pad_to_bytes = 0;
}

/* FILLS what is wrong with the index file, or NULL. */
static const char *index_fault(struct bl_verify *verify, int file, int64_t *out_at) {
  struct bl_disk *disk = verify->source->disk;
  char head[INDEX_HEADER_BYTES];
  size_t got = 0;
  *out_at = 0;
  if (disk->ops->read(disk, file, head, sizeof(head), 0, &got) != BL_OK || got < sizeof(head))
    return "it is shorter than its header";
  int64_t begin_ms = (int64_t)bl_load_u64(head), end_ms = (int64_t)bl_load_u64(head + 8);
  int64_t begin = (int64_t)bl_load_u64(head + 16), end = (int64_t)bl_load_u64(head + 24);
  int32_t slots = (int32_t)bl_load_u32(head + 32), count = (int32_t)bl_load_u32(head + 36);
  if (count < 0 || count > INDEX_ENTRIES_MAX || slots < 0 || slots > count ||
      begin_ms > end_ms + DAY_MS || begin > end || end > verify->totals->log_end)
    return "its header makes no sense: counts, times, or offsets that the log does not have";
  char *chunk = malloc((size_t)1000 * INDEX_ENTRY_BYTES);
  BL_ASSERT(chunk != NULL);
  const char *fault = NULL;
  for (int32_t i = 1; i < count && fault == NULL; i += 1000) {
    int64_t at = INDEX_HEADER_BYTES + (int64_t)INDEX_SLOT_BYTES + (int64_t)i * INDEX_ENTRY_BYTES;
    int32_t entries = count - i < 1000 ? count - i : 1000;
    if (disk->ops->read(disk, file, chunk, (size_t)entries * INDEX_ENTRY_BYTES, at, &got) != BL_OK)
      break;
    for (int32_t k = 0; k < (int32_t)(got / INDEX_ENTRY_BYTES) && fault == NULL; k++) {
      const char *entry = chunk + k * INDEX_ENTRY_BYTES;
      int64_t offset = (int64_t)bl_load_u64(entry + 4);
      int32_t before = (int32_t)bl_load_u32(entry + 16);
      *out_at = at + (int64_t)k * INDEX_ENTRY_BYTES;
      if (offset < begin || offset > end || before < 0 || before >= i + k ||
          (int32_t)bl_load_u32(entry) < 0)
        fault =
            "an entry makes no sense: its offset is outside of what the header says, or it "
            "points forward";
    }
  }
  free(chunk);
  return fault;
}

static void check_index_files(struct bl_verify *verify) {
  struct bl_disk *disk = verify->source->disk;
  const char *const *names;
  size_t count = 0;
  bl_verify__list(verify, "index", &names, &count);
  for (size_t i = 0; i < count; i++) {
    char name[300];
    char path[BL_STORE_PATH_BYTES_MAX + 300];
    int file = -1;
    int64_t size = 0, at = 0;
    snprintf(name, sizeof(name), "index/%.200s", names[i]);
    snprintf(path, sizeof(path), "%s/%s", verify->source->dir, name);
    if (disk->ops->open(disk, path, BL_OPEN_READ, &file, NULL) != BL_OK) continue;
    const char *fault = index_fault(verify, file, &at);
    if (disk->ops->size(disk, file, &size) == BL_OK) {
      verify->totals->files++;
      verify->totals->file_bytes += size;
      verify->totals->unchecked_bytes += size;
    }
    disk->ops->close(disk, file);
    if (fault != NULL)
      bl_verify__tell_file(verify, BL_FINDING_DAMAGE, name, at, -1, fault,
                           "move the file away: messages of its time are then not found by key");
  }
}

static void check_java_checkpoint(struct bl_verify *verify) {
  struct bl_slice bytes;
  if (bl_verify__read(verify, "checkpoint", &bytes) != BL_OK) return;
  verify->totals->files++;
  verify->totals->file_bytes += (int64_t)bytes.len;
  verify->totals->unchecked_bytes += (int64_t)bytes.len;
  int64_t now_ms = bl_clock_wall_ms(bl_clock_real());
  bool good = bytes.len >= CHECKPOINT_BYTES;
  for (size_t i = 0; good && i < 3; i++) {
    int64_t ms = (int64_t)bl_load_u64(bytes.ptr + i * 8);
    good = ms >= 0 && ms < now_ms + DAY_MS;
  }
  if (!good)
    bl_verify__tell_file(verify, BL_FINDING_DAMAGE, "checkpoint", 0, CHECKPOINT_BYTES,
                         "its times make no sense: a Java broker would begin its recovery at a "
                         "wrong place",
                         "move it away and make an empty file `abort`: a Java broker then looks "
                         "through the whole log");
}

void bl_verify__java(struct bl_verify *verify) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  if (verify->source->has_queues) {
    while ((entry = bl_map_next(&verify->queues, &cursor)) != NULL)
      check_rest(verify, entry->value);
  }
  check_batch_queues(verify);
  check_index_files(verify);
  check_java_checkpoint(verify);
}
