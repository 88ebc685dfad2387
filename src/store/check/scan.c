#include "store/check/scan.h"

#include <string.h>

#include "base/bytes.h"
#include "base/map.h"
#include "os/process.h"

#define SETTLE_LOOKS 20
#define SLEEPS_MAX 40
#define GUESS_BYTES_MAX (8 << 20)

void bl_scan_init(struct bl_scan *scan, struct bl_source *source, int64_t from, int settle_ms) {
  *scan = (struct bl_scan){.source = source, .at = from, .settle_ms = settle_ms};
  bl_walk_init(&scan->walk, &source->log);
}

void bl_scan_fini(struct bl_scan *scan) {
  bl_walk_fini(&scan->walk);
}

bl_err bl_scan_seek(struct bl_scan *scan, int64_t offset) {
  struct bl_record record;
  int64_t end = bl_source_end(scan->source);
  if (offset < bl_source_min(scan->source)) offset = bl_source_min(scan->source);
  if (offset > end) offset = end;
  scan->at = offset;
  if (offset == end) return BL_OK;
  bl_err err = bl_walk_record(&scan->walk, offset, &record);
  if (err == BL_OK || err == BL_ERR_NOT_FOUND || err == BL_ERR_IO)
    return err == BL_ERR_IO ? err : BL_OK;
  int64_t first = 0;
  bl_source_data(scan->source, offset, end, &first, NULL);
  return bl_walk_find(&scan->walk, first < offset ? offset : first, end, &scan->at);
}

/* Reads from the files again what it has in memory. */
static void forget(struct bl_walk *walk) {
  walk->from = 0;
  walk->to = 0;
}

/* A server may be at work on this place. RETURNS what bl_walk_record says once it stands still. */
static bl_err settle(struct bl_scan *scan, bl_err err, struct bl_record *out_record) {
  uint64_t before = 0;
  for (int i = 0; i < SETTLE_LOOKS && scan->settle_ms > 0; i++) {
    const char *bytes = NULL;
    int64_t end = scan->at + 64;
    const struct bl_segment *segment = bl_segments_find(&scan->source->log.segments, scan->at);
    int64_t file_end = segment->first_offset + scan->source->log.segments.segment_bytes;
    if (end > file_end) end = file_end;
    forget(&scan->walk);
    err = bl_walk_record(&scan->walk, scan->at, out_record);
    if (err == BL_OK || err == BL_ERR_NOT_FOUND || err == BL_ERR_IO) return err;
    if (bl_walk_bytes(&scan->walk, scan->at, end - scan->at, &bytes) != BL_OK) return BL_ERR_IO;
    uint64_t now = bl_hash(bl_slice_of(bytes, (size_t)(end - scan->at)));
    /* What was durable when we began is in nobody's work. */
    bool durable = scan->source->has_mark && scan->at < scan->source->mark.flushed;
    if ((i > 1 && now == before) || durable || scan->sleeps++ >= SLEEPS_MAX) break;
    before = now;
    bl_process_sleep_ms(scan->settle_ms);
  }
  return err;
}

/* Where whole records go on behind a place without one. A record that is older than those before
 * may be a leftover: it counts when a newer one follows. FILLS `end` for none. */
static bl_err find_next(struct bl_scan *scan, int64_t from, int64_t *out_next, int *out_stale) {
  int64_t end = bl_source_end(scan->source);
  int64_t first_old = end;
  *out_stale = 0;
  while (from < end) {
    int64_t data = 0, next = 0;
    struct bl_record record;
    bl_source_data(scan->source, from, end, &data, NULL);
    /* The size of a record may begin with zeros. */
    if (data - 4 > from) from = data - 4;
    if (data >= end) break;
    bl_err err = bl_walk_find(&scan->walk, from, end, &next);
    if (err != BL_OK) return err;
    if (next >= end) break;
    err = bl_walk_record(&scan->walk, next, &record);
    if (err == BL_ERR_IO) return err;
    if (err == BL_OK && record.store_ms >= scan->last_store_ms) {
      *out_next = first_old < end ? first_old : next;
      *out_stale = 0;
      return BL_OK;
    }
    if (first_old == end) first_old = next;
    ++*out_stale;
    from = next + (err == BL_OK ? record.size_bytes : 1);
  }
  *out_next = end;
  return BL_OK;
}

static void give_record(struct bl_scan *scan, struct bl_scan_item *item) {
  item->kind = BL_SCAN_RECORD;
  scan->at += item->record.size_bytes;
  item->to = scan->at;
  if (item->record.store_ms > scan->last_store_ms) scan->last_store_ms = item->record.store_ms;
}

static void give_fill(struct bl_scan *scan, struct bl_scan_item *item) {
  int64_t bytes = scan->source->log.segments.segment_bytes;
  item->kind = BL_SCAN_FILL;
  scan->at += bytes - (scan->at - bl_source_min(scan->source)) % bytes;
  item->to = scan->at;
}

/* What the place without a record is. */
static bl_err bad_place(struct bl_scan *scan, bl_err why, struct bl_scan_item *item) {
  struct bl_source *source = scan->source;
  int64_t end = bl_source_end(source);
  int64_t first = 0, next = 0;
  bl_source_data(source, scan->at, end, &first, NULL);
  item->kind = BL_SCAN_END;
  scan->ended = first == end;
  if (scan->ended) return BL_OK;
  why = settle(scan, why, &item->record);
  if (why == BL_ERR_IO) return why;
  if (why == BL_OK || why == BL_ERR_NOT_FOUND) {
    /* A server wrote it just now: this is the end that was found. */
    scan->ended = true;
    if (why == BL_OK) give_record(scan, item);
    if (why != BL_OK) give_fill(scan, item);
    return BL_OK;
  }
  item->err = why;
  bl_err err = find_next(scan, scan->at + 1, &next, &item->stale);
  if (err != BL_OK) return err;
  if (next < end) {
    item->kind = BL_SCAN_GAP;
    item->to = next;
    scan->at = next;
    return BL_OK;
  }
  item->kind = BL_SCAN_TAIL;
  bl_source_data(source, scan->at, end, &first, &item->to);
  scan->ended = true;
  return BL_OK;
}

bl_err bl_scan_next(struct bl_scan *scan, struct bl_scan_item *out_item) {
  int64_t end = bl_source_end(scan->source);
  out_item->from = scan->at;
  out_item->to = scan->at;
  out_item->err = BL_OK;
  out_item->stale = 0;
  out_item->kind = BL_SCAN_END;
  if (scan->ended || scan->at >= end) return BL_OK;
  bl_err err = bl_walk_record(&scan->walk, scan->at, &out_item->record);
  if (err == BL_ERR_IO) return err;
  if (err == BL_OK) {
    give_record(scan, out_item);
  } else if (err == BL_ERR_NOT_FOUND) {
    give_fill(scan, out_item);
  } else {
    return bad_place(scan, err, out_item);
  }
  return BL_OK;
}

static bool decode(const char *bytes, size_t len, struct bl_record *out_record) {
  return bl_record_decode(bl_slice_of(bytes, len), BL_RECORD_UNCHECKED, out_record) == BL_OK;
}

bool bl_scan_guess(struct bl_scan *scan, int64_t from, int64_t to, struct bl_buf *scratch,
                   struct bl_record *out_record) {
  const struct bl_segments *segments = &scan->source->log.segments;
  const struct bl_segment *segment = bl_segments_find(segments, from);
  if (segment == NULL) return false;
  int64_t len = segment->first_offset + segments->segment_bytes - from;
  if (to > from && to - from < len) len = to - from;
  if (len > GUESS_BYTES_MAX) len = GUESS_BYTES_MAX;
  const char *bytes = NULL;
  if (len < 48 || bl_walk_bytes(&scan->walk, from, len, &bytes) != BL_OK) return false;
  bl_buf_clear(scratch);
  bl_buf_put(scratch, bytes, (size_t)len);
  if (scratch->failed) return false;
  if (decode(scratch->data, scratch->len, out_record)) return true;
  /* Its size or magic may be what is damaged. */
  for (int i = 0; i < 2; i++) {
    bl_store_u32(scratch->data + 4, i == 0 ? BL_RECORD_MAGIC_V1 : BL_RECORD_MAGIC_V2);
    if (decode(scratch->data, scratch->len, out_record)) return true;
  }
  bl_store_u32(scratch->data, (uint32_t)len);
  for (int i = 0; i < 2; i++) {
    bl_store_u32(scratch->data + 4, i == 0 ? BL_RECORD_MAGIC_V1 : BL_RECORD_MAGIC_V2);
    if (decode(scratch->data, scratch->len, out_record)) return true;
  }
  return false;
}
