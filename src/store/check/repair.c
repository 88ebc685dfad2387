#include "store/check/repair.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "store/check/scan.h"
#include "store/entry.h"
#include "wire/properties.h"

#define CHUNK_BYTES ((int64_t)1 << 20)
/* Java reads each record into memory of its size. */
#define FILLER_BYTES_MAX ((int64_t)1 << 20)

static struct bl_record filler_of(int64_t offset, int64_t store_ms, int64_t now_ms) {
  static const uint8_t loopback[4] = {127, 0, 0, 1};
  struct bl_record record = {.log_offset = offset,
                             .store_ms = store_ms,
                             .born_ms = now_ms,
                             .sys_flag = BL_SYS_ROLLBACK,
                             .topic = BL_SLICE(BL_FILLER_TOPIC),
                             .body = {"", 0},
                             .properties = {"", 0}};
  record.born_host.addr_bytes = 4;
  memcpy(record.born_host.addr, loopback, 4);
  record.store_host = record.born_host;
  return record;
}

/* Bytes of the smallest one. */
static int64_t filler_min(bool with_crc) {
  struct bl_record record = filler_of(0, 0, 0);
  record.with_crc = with_crc;
  return bl_record_size(&record);
}

static void add_step(struct bl_repair *repair, enum bl_repair_kind kind, int64_t from, int64_t to,
                     int64_t store_ms) {
  if (repair->count == repair->cap) {
    repair->cap = repair->cap > 0 ? repair->cap * 2 : 16;
    repair->steps = realloc(repair->steps, (size_t)repair->cap * sizeof(*repair->steps));
    BL_ASSERT(repair->steps != NULL);
  }
  repair->steps[repair->count++] = (struct bl_repair_step){kind, from, to, store_ms};
  if (kind == BL_REPAIR_NONE) repair->unbridged++;
}

/* A range without records between two records, or at the beginning of the log. */
static void plan_gap(struct bl_repair *repair, int64_t from, int64_t to, int64_t store_ms) {
  int64_t bytes = repair->source->log.segments.segment_bytes;
  int64_t min = bl_source_min(repair->source);
  while (from < to) {
    int64_t file_end = from - (from - min) % bytes + bytes;
    int64_t end = to < file_end ? to : file_end;
    bool whole_file = (from - min) % bytes == 0 && end == file_end;
    int64_t filler = filler_min(true);
    if (whole_file && bytes >= filler + BL_RECORD_BLANK_BYTES) {
      /* Java wants a record at the beginning of a file. */
      add_step(repair, BL_REPAIR_FILLER, from, from + filler, store_ms);
      add_step(repair, BL_REPAIR_BLANK, from + filler, end, store_ms);
    } else if (end == file_end && end - from >= BL_RECORD_BLANK_BYTES) {
      add_step(repair, BL_REPAIR_BLANK, from, end, store_ms);
    } else if (end - from >= filler_min(false)) {
      add_step(repair, BL_REPAIR_FILLER, from, end, store_ms);
    } else {
      add_step(repair, BL_REPAIR_NONE, from, end, store_ms);
    }
    from = end;
  }
}

/* Zeros for what is behind the end of the log; each file is a step of its own. */
static void plan_zeros(struct bl_repair *repair, int64_t from, int64_t to) {
  int64_t bytes = repair->source->log.segments.segment_bytes;
  int64_t min = bl_source_min(repair->source);
  while (from < to) {
    int64_t end = from - (from - min) % bytes + bytes;
    if (end > to) end = to;
    int64_t first = 0, last = 0;
    bl_source_data(repair->source, from, end, &first, &last);
    if (first < end) add_step(repair, BL_REPAIR_ZERO, first, last, 0);
    from = end;
  }
}

/* What was durable and is damaged or gone keeps its place, so that the log goes on where it ended;
 * the rest behind the end becomes zero. */
static void plan_end(struct bl_repair *repair, const struct bl_scan_item *item, int64_t store_ms) {
  const struct bl_source *source = repair->source;
  int64_t end = item->from;
  int64_t flushed = source->has_mark ? source->mark.flushed : 0;
  if (flushed > end && flushed <= bl_source_end(source)) {
    plan_gap(repair, end, flushed, store_ms);
    end = flushed;
  }
  if (repair->log_end < end) repair->log_end = end;
  if (item->kind == BL_SCAN_TAIL && item->to > end) plan_zeros(repair, end, item->to);
}

/* The first record behind a gap at the log's beginning says when. */
static void set_times(struct bl_repair *repair, int64_t store_ms) {
  for (int i = 0; i < repair->count; i++) {
    if (repair->steps[i].store_ms == 0) repair->steps[i].store_ms = store_ms;
  }
}

bl_err bl_repair_plan(struct bl_repair *repair, struct bl_source *source, struct bl_disk *disk,
                      const struct bl_clock *clock, struct bl_why *why) {
  *repair = (struct bl_repair){.source = source, .disk = disk, .clock = clock};
  struct bl_scan scan;
  struct bl_scan_item item = {.kind = BL_SCAN_RECORD};
  bl_scan_init(&scan, source, bl_source_min(source), 0);
  bl_err err = BL_OK;
  bool timed = false;
  while (err == BL_OK && item.kind != BL_SCAN_END) {
    err = bl_scan_next(&scan, &item);
    if (err != BL_OK) break;
    if (item.kind == BL_SCAN_GAP) {
      plan_gap(repair, item.from, item.to, scan.last_store_ms);
    } else if (item.kind == BL_SCAN_FILL && source->ours) {
      plan_zeros(repair, item.from + BL_RECORD_BLANK_BYTES, item.to);
    } else if (item.kind == BL_SCAN_TAIL || item.kind == BL_SCAN_END) {
      plan_end(repair, &item, scan.last_store_ms);
      break;
    } else if (item.kind == BL_SCAN_RECORD && !timed) {
      timed = true;
      set_times(repair, item.record.store_ms);
    }
  }
  bl_scan_fini(&scan);
  for (int i = 0; i < source->fault_count && i < BL_SOURCE_FAULTS_MAX; i++) {
    enum bl_source_fault_kind kind = source->faults[i].kind;
    if (kind == BL_SOURCE_MISSING || kind == BL_SOURCE_SHORT) repair->files++;
  }
  if (err != BL_OK)
    return bl_why_set(why, err, "cannot read the log in %s: %s", source->dir, bl_err_text(err));
  return BL_OK;
}

void bl_repair_fini(struct bl_repair *repair) {
  free(repair->steps);
  repair->steps = NULL;
  repair->count = 0;
}

static bl_err make_aside(struct bl_repair *repair, struct bl_why *why) {
  snprintf(repair->aside, sizeof(repair->aside), "%.380s/bolide/aside/repair-%" PRId64,
           repair->source->dir, bl_clock_wall_ms(repair->clock));
  return repair->disk->ops->make_dir(repair->disk, repair->aside, why);
}

static bl_err copy_range(struct bl_repair *repair, const struct bl_segment *segment, int64_t from,
                         int64_t to, int copy, char *chunk) {
  struct bl_disk *look = repair->source->disk; /* goes on where the disk cannot read */
  for (int64_t at = from; at < to;) {
    size_t len = (size_t)(to - at < CHUNK_BYTES ? to - at : CHUNK_BYTES);
    size_t got = 0;
    bl_err err = look->ops->read(look, segment->file, chunk, len, at - segment->first_offset, &got);
    if (err == BL_OK) err = repair->disk->ops->write(repair->disk, copy, chunk, len, at - from);
    if (err != BL_OK) return err;
    at += (int64_t)len;
  }
  return repair->disk->ops->sync(repair->disk, copy);
}

/* A copy of the range, and a line that says what it is. */
static bl_err save(struct bl_repair *repair, const struct bl_repair_step *step, struct bl_buf *list,
                   char *chunk, struct bl_why *why) {
  const struct bl_segment *segment = bl_segments_find(&repair->source->log.segments, step->from);
  char path[BL_STORE_PATH_BYTES_MAX + 32];
  char name[64];
  int copy = -1;
  int64_t place = bl_source_place(repair->source, step->from, name);
  snprintf(path, sizeof(path), "%s/%020" PRId64, repair->aside, step->from);
  bl_err err = repair->disk->ops->open(
      repair->disk, path, BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE | BL_OPEN_TRUNCATE, &copy,
      why);
  if (err != BL_OK) return err;
  err = copy_range(repair, segment, step->from, step->to, copy, chunk);
  repair->disk->ops->close(repair->disk, copy);
  repair->saved_bytes += step->to - step->from;
  bl_buf_printf(list, "%020" PRId64 " %" PRId64 " bytes of %s at %" PRId64 "\n", step->from,
                step->to - step->from, name, place);
  return err == BL_OK ? BL_OK
                      : bl_why_set(why, err, "cannot save a damaged range to %s: %s", path,
                                   bl_err_text(err));
}

static bl_err save_all(struct bl_repair *repair, char *chunk, struct bl_why *why) {
  struct bl_disk *disk = repair->disk;
  char path[BL_STORE_PATH_BYTES_MAX + 32];
  struct bl_buf list;
  bl_buf_init(&list, 0);
  bl_buf_put_text(&list, "Each file here holds what stood at that offset of the commit log.\n");
  bl_err err = BL_OK;
  for (int i = 0; err == BL_OK && i < repair->count; i++) {
    if (repair->steps[i].kind != BL_REPAIR_NONE)
      err = save(repair, &repair->steps[i], &list, chunk, why);
  }
  snprintf(path, sizeof(path), "%s/README", repair->aside);
  if (err == BL_OK) err = bl_disk_replace_file(disk, path, bl_buf_slice(&list), false, why);
  bl_buf_fini(&list);
  snprintf(path, sizeof(path), "%s/bolide/aside", repair->source->dir);
  if (err == BL_OK) err = disk->ops->sync_dir(disk, path);
  snprintf(path, sizeof(path), "%s/bolide", repair->source->dir);
  if (err == BL_OK) err = disk->ops->sync_dir(disk, path);
  return err;
}

static void encode_filler(const struct bl_repair *repair, int64_t offset, int64_t len,
                          int64_t store_ms, char *to, const char *spaces) {
  struct bl_record record = filler_of(offset, store_ms, bl_clock_wall_ms(repair->clock));
  record.with_crc = len >= filler_min(true);
  record.body = bl_slice_of(spaces, (size_t)(len - filler_min(record.with_crc)));
  BL_ASSERT(bl_record_size(&record) == len);
  bl_record_encode(&record, to);
}

static bl_err write_fillers(struct bl_repair *repair, const struct bl_repair_step *step, int file,
                            int64_t file_first, char *chunk) {
  struct bl_disk *disk = repair->disk;
  char *spaces = malloc((size_t)FILLER_BYTES_MAX);
  BL_ASSERT(spaces != NULL);
  memset(spaces, ' ', (size_t)FILLER_BYTES_MAX);
  bl_err err = BL_OK;
  for (int64_t at = step->from; err == BL_OK && at < step->to;) {
    int64_t left = step->to - at;
    int64_t len = left < FILLER_BYTES_MAX ? left : FILLER_BYTES_MAX;
    /* What is left must have room for one. */
    if (left > len && left - len < filler_min(true)) len -= filler_min(true);
    encode_filler(repair, at, len, step->store_ms, chunk, spaces);
    err = disk->ops->write(disk, file, chunk, (size_t)len, at - file_first);
    at += len;
  }
  free(spaces);
  return err;
}

static bl_err write_zeros(struct bl_disk *disk, int file, int64_t from, int64_t to, char *chunk) {
  memset(chunk, 0, (size_t)CHUNK_BYTES);
  bl_err err = BL_OK;
  while (err == BL_OK && from < to) {
    int64_t len = to - from < CHUNK_BYTES ? to - from : CHUNK_BYTES;
    err = disk->ops->write(disk, file, chunk, (size_t)len, from);
    from += len;
  }
  return err;
}

static bl_err do_step(struct bl_repair *repair, const struct bl_repair_step *step, char *chunk,
                      struct bl_why *why) {
  struct bl_disk *disk = repair->disk;
  char name[64];
  char path[BL_STORE_PATH_BYTES_MAX];
  int file = -1;
  int64_t at = bl_source_place(repair->source, step->from, name);
  int64_t first = step->from - at;
  snprintf(path, sizeof(path), "%.400s/%s", repair->source->dir, name);
  bl_err err = disk->ops->open(disk, path, BL_OPEN_READ | BL_OPEN_WRITE, &file, why);
  if (err != BL_OK) return err;
  if (step->kind == BL_REPAIR_FILLER) err = write_fillers(repair, step, file, first, chunk);
  if (err == BL_OK && step->kind != BL_REPAIR_FILLER)
    err = write_zeros(disk, file, at, step->to - first, chunk);
  if (err == BL_OK && step->kind == BL_REPAIR_BLANK) {
    char blank[BL_RECORD_BLANK_BYTES];
    bl_store_u32(blank, (uint32_t)(step->to - step->from));
    bl_store_u32(blank + 4, BL_RECORD_MAGIC_BLANK);
    err = disk->ops->write(disk, file, blank, sizeof(blank), at);
  }
  if (err == BL_OK) err = disk->ops->sync(disk, file);
  disk->ops->close(disk, file);
  return err == BL_OK ? BL_OK
                      : bl_why_set(why, err, "cannot write to %s: %s", path, bl_err_text(err));
}

static bl_err remove_one(struct bl_repair *repair, const char *folder, const char *name,
                         struct bl_why *why) {
  char path[BL_STORE_PATH_BYTES_MAX + 64];
  snprintf(path, sizeof(path), "%.380s/%s/%.100s", repair->source->dir, folder, name);
  bl_err err = repair->disk->ops->remove(repair->disk, path);
  if (err == BL_OK) repair->removed++;
  if (err == BL_OK || err == BL_ERR_NOT_FOUND) return BL_OK;
  return bl_why_set(why, err, "cannot remove %s: %s", path, bl_err_text(err));
}

/* The next start reads the whole log again for what is derived from it. */
static bl_err drop_derived(struct bl_repair *repair, struct bl_why *why) {
  struct bl_disk *disk = repair->disk;
  char path[BL_STORE_PATH_BYTES_MAX];
  const char *const *names = NULL;
  size_t count = 0;
  bl_err err = remove_one(repair, "bolide", "keys.snapshot", why);
  if (err == BL_OK) err = remove_one(repair, "bolide", "timers.snapshot", why);
  if (err == BL_OK) err = remove_one(repair, "bolide", "java.queues", why);
  snprintf(path, sizeof(path), "%.400s/bolide/queues", repair->source->dir);
  if (disk->ops->list(disk, path, &repair->source->arena, &names, &count) != BL_OK) count = 0;
  /* The newest of them first: it names the others. */
  for (size_t i = count; err == BL_OK && i > 0; i--)
    err = remove_one(repair, "bolide/queues", names[i - 1], why);
  if (err == BL_OK && count > 0) err = disk->ops->sync_dir(disk, path);
  snprintf(path, sizeof(path), "%.400s/bolide", repair->source->dir);
  return err == BL_OK ? disk->ops->sync_dir(disk, path) : err;
}

/* Java's own look at the log begins where its queues end, and their entries speak of what is gone.
 */
static bl_err move_queues(struct bl_repair *repair, struct bl_why *why) {
  static const char *const names[] = {"consumequeue", "batchconsumequeue"};
  struct bl_disk *disk = repair->disk;
  bl_err err = BL_OK;
  for (size_t i = 0; err == BL_OK && i < 2; i++) {
    char from[BL_STORE_PATH_BYTES_MAX];
    char to[BL_STORE_PATH_BYTES_MAX + 32];
    snprintf(from, sizeof(from), "%.400s/%s", repair->source->dir, names[i]);
    snprintf(to, sizeof(to), "%s/%s", repair->aside, names[i]);
    err = disk->ops->rename(disk, from, to);
    if (err == BL_OK) repair->queues_moved = true;
    if (err == BL_ERR_NOT_FOUND) err = BL_OK;
    if (err != BL_OK) bl_why_set(why, err, "cannot move %s to %s: %s", from, to, bl_err_text(err));
  }
  return err;
}

/* The checkpoint holds a checksum of the log's last bytes, which may be other ones now: without a
 * new one the next start would take the log for another. */
static bl_err write_mark(struct bl_repair *repair, struct bl_why *why) {
  struct bl_source *source = repair->source;
  struct bl_checkpoint checkpoint;
  struct bl_checkpoint_mark mark = source->mark;
  struct bl_walk walk;
  const char *bytes = NULL;
  if (!source->has_mark) return BL_OK;
  if (mark.flushed > repair->log_end) mark.flushed = repair->log_end;
  int64_t in_file = (mark.flushed - bl_source_min(source)) % source->log.segments.segment_bytes;
  mark.tail_bytes =
      (uint32_t)(in_file < BL_CHECKPOINT_TAIL_BYTES_MAX ? in_file : BL_CHECKPOINT_TAIL_BYTES_MAX);
  mark.tail_crc = 0;
  bl_walk_init(&walk, &source->log);
  bl_err err = BL_OK;
  if (mark.tail_bytes > 0) {
    err = bl_walk_bytes(&walk, mark.flushed - mark.tail_bytes, mark.tail_bytes, &bytes);
    if (err == BL_OK) mark.tail_crc = bl_crc32(0, bytes, mark.tail_bytes);
  }
  bl_walk_fini(&walk);
  if (err == BL_OK) err = bl_checkpoint_open(&checkpoint, repair->disk, source->dir, why);
  if (err != BL_OK) return err;
  err = bl_checkpoint_write_now(&checkpoint, &mark);
  bl_checkpoint_close(&checkpoint);
  return err == BL_OK ? BL_OK : bl_why_set(why, err, "cannot write bolide/log.checkpoint");
}

/* A file that is missing or short becomes one of full size: no broker starts without. */
static bl_err fix_file(struct bl_repair *repair, const struct bl_source_fault *fault,
                       struct bl_why *why) {
  struct bl_disk *disk = repair->disk;
  char path[BL_STORE_PATH_BYTES_MAX];
  int file = -1;
  snprintf(path, sizeof(path), "%.400s/commitlog/%s", repair->source->dir, fault->name);
  bl_err err =
      disk->ops->open(disk, path, BL_OPEN_READ | BL_OPEN_WRITE | BL_OPEN_CREATE, &file, why);
  if (err != BL_OK) return err;
  err = disk->ops->allocate(disk, file, repair->source->log.segments.segment_bytes);
  if (err == BL_OK) err = disk->ops->sync(disk, file);
  disk->ops->close(disk, file);
  return err == BL_OK ? BL_OK
                      : bl_why_set(why, err, "cannot give %s its size: %s", path, bl_err_text(err));
}

static bl_err fix_files(struct bl_repair *repair, struct bl_why *why) {
  const struct bl_source *source = repair->source;
  bl_err err = BL_OK;
  for (int i = 0; err == BL_OK && i < source->fault_count && i < BL_SOURCE_FAULTS_MAX; i++) {
    const struct bl_source_fault *fault = &source->faults[i];
    if (fault->kind == BL_SOURCE_MISSING || fault->kind == BL_SOURCE_SHORT)
      err = fix_file(repair, fault, why);
  }
  return err;
}

bl_err bl_repair_apply(struct bl_repair *repair, struct bl_why *why) {
  if (repair->count == repair->unbridged && repair->files == 0) return BL_OK;
  char *chunk = malloc((size_t)CHUNK_BYTES);
  BL_ASSERT(chunk != NULL);
  bool covered = false;
  bl_err err = make_aside(repair, why);
  if (err == BL_OK) err = save_all(repair, chunk, why);
  if (err == BL_OK) err = fix_files(repair, why);
  for (int i = 0; err == BL_OK && i < repair->count; i++) {
    covered |= repair->steps[i].kind != BL_REPAIR_ZERO;
    if (repair->steps[i].kind != BL_REPAIR_NONE)
      err = do_step(repair, &repair->steps[i], chunk, why);
  }
  free(chunk);
  char folder[BL_STORE_PATH_BYTES_MAX];
  snprintf(folder, sizeof(folder), "%.400s/commitlog", repair->source->dir);
  if (err == BL_OK) err = repair->disk->ops->sync_dir(repair->disk, folder);
  if (err == BL_OK) err = write_mark(repair, why);
  if (err == BL_OK) err = drop_derived(repair, why);
  if (err == BL_OK && covered) err = move_queues(repair, why);
  return err;
}
