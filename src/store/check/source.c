#include "store/check/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define NAME_DIGITS 20
#define CHUNK_BYTES ((int64_t)128 << 10)
#define FILES_MAX ((int64_t)1 << 20)

/* A file of commitlog/, before it is known what the row is. */
struct found {
  int64_t offset;
  int64_t bytes;
  int file;
};

static void add_fault(struct bl_source *source, enum bl_source_fault_kind kind, const char *name,
                      int64_t offset, int64_t bytes) {
  int index = source->fault_count++;
  if (index >= BL_SOURCE_FAULTS_MAX) return;
  struct bl_source_fault *fault = &source->faults[index];
  *fault = (struct bl_source_fault){.kind = kind, .offset = offset, .bytes = bytes};
  snprintf(fault->name, sizeof(fault->name), "%.63s", name);
}

static void add_missing(struct bl_source *source, int64_t offset) {
  char name[64];
  snprintf(name, sizeof(name), "%020" PRId64, offset);
  add_fault(source, BL_SOURCE_MISSING, name, offset, 0);
}

static bl_err open_one(struct bl_source *source, const char *name, struct found *out_found,
                       struct bl_why *why) {
  struct bl_disk *disk = source->disk;
  char path[BL_STORE_PATH_BYTES_MAX];
  snprintf(path, sizeof(path), "%s/commitlog/%.64s", source->dir, name);
  bl_err err = disk->ops->open(disk, path, BL_OPEN_READ, &out_found->file, why);
  if (err == BL_OK) {
    err = disk->ops->size(disk, out_found->file, &out_found->bytes);
    if (err != BL_OK) bl_why_set(why, err, "cannot read the size of %s", path);
  }
  return err;
}

static bl_err open_all(struct bl_source *source, struct found **out_found, size_t *out_count,
                       struct bl_why *why) {
  struct bl_disk *disk = source->disk;
  char folder[BL_STORE_PATH_BYTES_MAX];
  const char *const *names = NULL;
  size_t count = 0;
  snprintf(folder, sizeof(folder), "%s/commitlog", source->dir);
  bl_err err = disk->ops->list(disk, folder, &source->arena, &names, &count);
  if (err == BL_ERR_NOT_FOUND)
    return bl_why_set(why, err, "%s is no store: there is no folder commitlog in it", source->dir);
  if (err != BL_OK) return bl_why_set(why, err, "cannot list %s: %s", folder, bl_err_text(err));
  struct found *found = bl_arena_zero(&source->arena, (count + 1) * sizeof(*found));
  size_t used = 0;
  *out_found = found;
  for (size_t i = 0; err == BL_OK && i < count; i++) {
    int64_t offset = 0;
    if (strlen(names[i]) != NAME_DIGITS || !bl_slice_i64(bl_slice_text(names[i]), &offset) ||
        offset < 0) {
      add_fault(source, BL_SOURCE_STRANGE, names[i], -1, -1);
      continue;
    }
    found[used].offset = offset;
    err = open_one(source, names[i], &found[used], why);
    if (err == BL_ERR_NOT_FOUND) { /* deleted since: a server is at work */
      err = BL_OK;
      continue;
    }
    if (err == BL_OK) *out_count = ++used;
  }
  return err;
}

/* How far the files are apart; of one file how long it is. */
static int64_t find_segment_bytes(const struct found *found, size_t count) {
  int64_t bytes = count == 1 ? found[0].bytes : INT64_MAX;
  for (size_t i = 1; i < count; i++) {
    int64_t apart = found[i].offset - found[i - 1].offset;
    if (apart < bytes) bytes = apart;
  }
  /* Two files that are left of a longer row. */
  if (count > 1 && found[0].bytes > 0 && found[0].bytes < bytes && bytes % found[0].bytes == 0)
    bytes = found[0].bytes;
  return bytes;
}

static void add_item(struct bl_segments *segments, int64_t offset, int file) {
  if (segments->count == segments->cap) {
    segments->cap = segments->cap > 0 ? segments->cap * 2 : 16;
    segments->items = realloc(segments->items, (size_t)segments->cap * sizeof(*segments->items));
    BL_ASSERT(segments->items != NULL);
  }
  struct bl_segment *item = &segments->items[segments->count++];
  memset(item, 0, sizeof(*item));
  item->first_offset = offset;
  item->data_end = offset + segments->segment_bytes;
  item->file = file;
}

static bl_err make_row(struct bl_source *source, struct found *found, size_t count,
                       struct bl_why *why) {
  struct bl_segments *segments = &source->log.segments;
  int64_t bytes = segments->segment_bytes;
  if ((found[count - 1].offset - found[0].offset) / bytes >= FILES_MAX)
    return bl_why_set(why, BL_ERR_FORMAT,
                      "the files of %s/commitlog are in no row: %020" PRId64
                      " is too far behind %020" PRId64,
                      source->dir, found[count - 1].offset, found[0].offset);
  for (size_t i = 0; i < count; i++) {
    char name[64];
    snprintf(name, sizeof(name), "%020" PRId64, found[i].offset);
    int64_t end = i > 0 ? bl_segments_end(segments) : found[i].offset;
    if (found[i].offset < end || (found[i].offset - end) % bytes != 0) {
      add_fault(source, BL_SOURCE_STRANGE, name, found[i].offset, found[i].bytes);
      source->disk->ops->close(source->disk, found[i].file);
      continue;
    }
    for (; end < found[i].offset; end += bytes) {
      add_missing(source, end);
      add_item(segments, end, BL_GUARD_NO_FILE);
    }
    if (found[i].bytes != bytes)
      add_fault(source, found[i].bytes < bytes ? BL_SOURCE_SHORT : BL_SOURCE_LONG, name,
                found[i].offset, found[i].bytes);
    add_item(segments, found[i].offset, found[i].file);
  }
  return BL_OK;
}

static bool is_there(struct bl_source *source, const char *name) {
  char path[BL_STORE_PATH_BYTES_MAX];
  struct bl_disk_stat info;
  snprintf(path, sizeof(path), "%s/%s", source->dir, name);
  return source->disk->ops->stat(source->disk, path, &info) == BL_OK;
}

static void read_mark(struct bl_source *source) {
  struct bl_disk *disk = source->disk;
  char path[BL_STORE_PATH_BYTES_MAX];
  int file = -1;
  snprintf(path, sizeof(path), "%s/bolide/log.checkpoint", source->dir);
  if (source->java || disk->ops->open(disk, path, BL_OPEN_READ, &file, NULL) != BL_OK) return;
  for (int i = 0; i < 2; i++) {
    char slot[BL_CHECKPOINT_SLOT_BYTES];
    struct bl_checkpoint_mark mark;
    size_t got = 0;
    bl_err err =
        disk->ops->read(disk, file, slot, sizeof(slot), i * BL_CHECKPOINT_SLOT_SPACING, &got);
    if (err != BL_OK || got < sizeof(slot) || !bl_checkpoint_decode(slot, &mark)) continue;
    if (source->has_mark && mark.sequence < source->mark.sequence) continue;
    source->has_mark = true;
    source->mark = mark;
  }
  disk->ops->close(disk, file);
}

bl_err bl_source_open(struct bl_source *source, struct bl_disk *disk, const char *dir,
                      int64_t segment_bytes, struct bl_why *why) {
  memset(source, 0, sizeof(*source));
  bl_guard_init(&source->guard, disk);
  source->disk = &source->guard.disk;
  bl_arena_init(&source->arena);
  size_t len = strlen(dir);
  while (len > 1 && dir[len - 1] == '/') len--;
  if (len >= sizeof(source->dir))
    return bl_why_set(why, BL_ERR_PARAMETER, "the path of the store is too long: %.100s...", dir);
  memcpy(source->dir, dir, len);
  struct found *found = NULL;
  size_t count = 0;
  source->ours = is_there(source, "bolide/log.checkpoint") || is_there(source, "bolide/identity");
  source->java = is_there(source, "checkpoint");
  source->has_queues = is_there(source, "consumequeue");
  read_mark(source); /* before the files: a server may add one meanwhile */
  bl_err err = open_all(source, &found, &count, why);
  if (err == BL_OK && (found == NULL || count == 0))
    return bl_why_set(why, BL_ERR_FORMAT, "%s/commitlog has no file of a commit log", source->dir);
  struct bl_segments *segments = &source->log.segments;
  source->log.disk = source->disk;
  segments->disk = source->disk;
  segments->dir = source->dir;
  if (err == BL_OK) {
    segments->segment_bytes = segment_bytes > 0 ? segment_bytes : find_segment_bytes(found, count);
    if (segments->segment_bytes < BL_RECORD_BLANK_BYTES || segments->segment_bytes > INT32_MAX)
      err = bl_why_set(why, BL_ERR_FORMAT,
                       "the files of %s/commitlog do not tell how long they should be (%" PRId64
                       " bytes); say --segment-bytes",
                       source->dir, segments->segment_bytes);
  }
  source->guard.pad_to_bytes = segments->segment_bytes;
  if (err == BL_OK) err = make_row(source, found, count, why);
  if (err != BL_OK) {
    for (size_t i = (size_t)segments->count; found != NULL && i < count; i++)
      source->disk->ops->close(source->disk, found[i].file);
    return err;
  }
  return BL_OK;
}

void bl_source_close(struct bl_source *source) {
  struct bl_segments *segments = &source->log.segments;
  for (int i = 0; i < segments->count; i++) {
    if (segments->items[i].file != BL_GUARD_NO_FILE)
      source->disk->ops->close(source->disk, segments->items[i].file);
  }
  free(segments->items);
  segments->items = NULL;
  segments->count = 0;
  free(source->chunk);
  source->chunk = NULL;
  bl_arena_fini(&source->arena);
}

int64_t bl_source_bytes(const struct bl_source *source) {
  return bl_source_end(source) - bl_source_min(source);
}

int64_t bl_source_place(const struct bl_source *source, int64_t offset, char out_name[64]) {
  int64_t bytes = source->log.segments.segment_bytes;
  int64_t in_row = offset - bl_source_min(source);
  int64_t first = offset - in_row % bytes;
  if (offset >= bl_source_end(source) && in_row > 0) first = bl_source_end(source) - bytes;
  snprintf(out_name, 64, "commitlog/%020" PRId64, first);
  return offset - first;
}

static const char *first_nonzero(const char *at, const char *end) {
  while (at < end && *at == 0) {
    uint64_t word;
    while (end - at >= 8 && (memcpy(&word, at, 8), word == 0)) at += 8;
    if (at < end && *at == 0) at++;
  }
  return at;
}

/* One file; positions in it. */
static void file_data(struct bl_source *source, int file, int64_t from, int64_t to,
                      int64_t *out_first, int64_t *out_last, char *chunk) {
  struct bl_disk *disk = source->disk;
  *out_first = to;
  if (out_last != NULL) *out_last = from;
  for (int64_t at = from; at < to;) {
    int64_t range_from = at, range_to = to;
    if (disk->ops->next_data(disk, file, at, &range_from, &range_to) != BL_OK) range_from = at;
    if (range_from >= to) return;
    if (range_to > to || range_to <= range_from) range_to = to;
    for (at = range_from; at < range_to;) {
      int64_t len = range_to - at < CHUNK_BYTES ? range_to - at : CHUNK_BYTES;
      size_t got = 0;
      if (disk->ops->read(disk, file, chunk, (size_t)len, at, &got) != BL_OK || got == 0) return;
      const char *end = chunk + got;
      const char *hit = first_nonzero(chunk, end);
      if (hit < end) {
        if (*out_first == to) *out_first = at + (hit - chunk);
        if (out_last == NULL) return;
        while (end[-1] == 0) end--;
        *out_last = at + (end - chunk);
      }
      at += (int64_t)got;
    }
  }
}

void bl_source_data(struct bl_source *source, int64_t from, int64_t to, int64_t *out_first,
                    int64_t *out_last) {
  const struct bl_segments *segments = &source->log.segments;
  if (source->chunk == NULL) source->chunk = malloc((size_t)CHUNK_BYTES);
  BL_ASSERT(source->chunk != NULL);
  *out_first = to;
  if (out_last != NULL) *out_last = to;
  for (int64_t at = from; at < to;) {
    const struct bl_segment *segment = bl_segments_find(segments, at);
    if (segment == NULL) break;
    int64_t base = segment->first_offset;
    int64_t end = base + segments->segment_bytes < to ? base + segments->segment_bytes : to;
    int64_t first = 0, last = 0;
    file_data(source, segment->file, at - base, end - base, &first, out_last != NULL ? &last : NULL,
              source->chunk);
    if (first < end - base) {
      if (*out_first == to) *out_first = base + first;
      if (out_last == NULL) break;
      *out_last = base + last;
    }
    at = end;
  }
}
