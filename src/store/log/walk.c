#include "store/log/walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"

#define WINDOW_BYTES (1 << 20)
/* Where a record keeps its own offset (CommitLog: size, magic, body CRC, queue id, flag, queue
 * offset). */
#define OWN_OFFSET_AT 28
#define HEAD_BYTES 36
/* Looked through at once for the next record. */
#define FIND_BYTES 65536

void bl_walk_init(struct bl_walk *walk, const struct bl_log *log) {
  *walk = (struct bl_walk){.log = log};
}

void bl_walk_fini(struct bl_walk *walk) {
  free(walk->window);
  walk->window = NULL;
}

static void need_window(struct bl_walk *walk, int64_t bytes) {
  if (bytes <= walk->cap) return;
  BL_ASSERT(bytes <= BL_LOG_RECORD_BYTES_MAX);
  walk->cap = WINDOW_BYTES;
  if (walk->cap > walk->log->segments.segment_bytes) walk->cap = walk->log->segments.segment_bytes;
  if (walk->cap < bytes) walk->cap = bytes;
  free(walk->window);
  walk->window = malloc((size_t)walk->cap);
  BL_ASSERT(walk->window != NULL);
  walk->from = 0;
  walk->to = 0;
}

bl_err bl_walk_bytes(struct bl_walk *walk, int64_t offset, int64_t len, const char **out_bytes) {
  need_window(walk, len);
  if (offset < walk->from || offset + len > walk->to) {
    const struct bl_segments *segments = &walk->log->segments;
    const struct bl_segment *segment = bl_segments_find(segments, offset);
    BL_ASSERT(segment != NULL);
    int64_t rest = segment->first_offset + segments->segment_bytes - offset;
    BL_ASSERT(len <= rest);
    int64_t take = rest < walk->cap ? rest : walk->cap;
    size_t got = 0;
    walk->to = 0;
    bl_err err = walk->log->disk->ops->read(walk->log->disk, segment->file, walk->window,
                                            (size_t)take, offset - segment->first_offset, &got);
    if (err != BL_OK) return BL_ERR_IO;
    if ((int64_t)got != take) return BL_ERR_IO; /* a file that shrank under us */
    walk->from = offset;
    walk->to = offset + take;
  }
  *out_bytes = walk->window + (offset - walk->from);
  return BL_OK;
}

static bool is_magic(uint32_t magic) {
  return magic == BL_RECORD_MAGIC_V1 || magic == BL_RECORD_MAGIC_V2;
}

static int64_t rest_of_file(const struct bl_walk *walk, int64_t offset) {
  int64_t bytes = walk->log->segments.segment_bytes;
  return bytes - (offset - bl_segments_min(&walk->log->segments)) % bytes;
}

bl_err bl_walk_record(struct bl_walk *walk, int64_t offset, struct bl_record *out_record) {
  int64_t rest = rest_of_file(walk, offset);
  const char *at = NULL;
  if (rest < BL_RECORD_BLANK_BYTES) return BL_ERR_FORMAT;
  bl_err err = bl_walk_bytes(walk, offset, BL_RECORD_BLANK_BYTES, &at);
  if (err != BL_OK) return err;
  int64_t size = bl_load_u32(at);
  uint32_t magic = bl_load_u32(at + 4);
  if (magic == BL_RECORD_MAGIC_BLANK && size == rest) return BL_ERR_NOT_FOUND;
  if (!is_magic(magic) || size < HEAD_BYTES || size > rest || size > BL_LOG_RECORD_BYTES_MAX)
    return BL_ERR_FORMAT;
  err = bl_walk_bytes(walk, offset, HEAD_BYTES, &at);
  if (err != BL_OK) return err;
  if ((int64_t)bl_load_u64(at + OWN_OFFSET_AT) != offset) return BL_ERR_FORMAT;
  err = bl_walk_bytes(walk, offset, size, &at);
  if (err != BL_OK) return err;
  err = bl_record_decode(bl_slice_of(at, (size_t)size), BL_RECORD_CHECKED, out_record);
  if (err == BL_ERR_NOT_FOUND || err == BL_ERR_IO) return BL_ERR_FORMAT;
  if (err == BL_OK && out_record->size_bytes != size) return BL_ERR_FORMAT;
  return err;
}

/* The first place in [at, end) that may be a record: its second magic byte is there. */
static const char *next_candidate(const char *at, const char *end) {
  while (end - at >= HEAD_BYTES) {
    const char *hit =
        memchr(at + 5, (int)(BL_RECORD_MAGIC_V1 >> 16 & 0xff), (size_t)(end - at - HEAD_BYTES + 1));
    if (hit == NULL) break;
    at = hit - 5;
    if (is_magic(bl_load_u32(at + 4))) return at;
    at++;
  }
  return NULL;
}

/* Looks through one window. FILLS *io_offset with the next candidate, or where to go on. */
static bl_err find_candidate(struct bl_walk *walk, int64_t *io_offset, bool *out_found) {
  int64_t offset = *io_offset;
  int64_t len = rest_of_file(walk, offset);
  const char *bytes = NULL;
  *out_found = false;
  if (len < HEAD_BYTES) {
    *io_offset = offset + len;
    return BL_OK;
  }
  if (len > FIND_BYTES) len = FIND_BYTES;
  bl_err err = bl_walk_bytes(walk, offset, len, &bytes);
  if (err != BL_OK) return err;
  const char *end = bytes + len;
  for (const char *at = bytes; (at = next_candidate(at, end)) != NULL; at++) {
    if ((int64_t)bl_load_u64(at + OWN_OFFSET_AT) != offset + (at - bytes)) continue;
    *io_offset = offset + (at - bytes);
    *out_found = true;
    return BL_OK;
  }
  *io_offset = offset + len - (len == rest_of_file(walk, offset) ? 0 : HEAD_BYTES - 1);
  return BL_OK;
}

bl_err bl_walk_find(struct bl_walk *walk, int64_t offset, int64_t limit, int64_t *out_offset) {
  while (offset < limit) {
    bool found = false;
    bl_err err = find_candidate(walk, &offset, &found);
    if (err != BL_OK) return err;
    if (!found) continue;
    if (offset >= limit) break;
    struct bl_record record;
    err = bl_walk_record(walk, offset, &record);
    if (err == BL_OK) break;
    if (err == BL_ERR_IO) return err;
    offset++;
  }
  *out_offset = offset < limit ? offset : limit;
  return BL_OK;
}
