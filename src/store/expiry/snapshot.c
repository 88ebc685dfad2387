/* bolide/expiry.snapshot, big-endian:
 *   magic u32, version u32, CRC u32 of everything behind it, covered offset i64, last log offset
 * i64, end of the record there i64, taken up to i64, done u32, entries u64, log offsets of what is
 * done i64, entries (end ms i64, log offset i64)
 *
 * While it is copied nothing leaves the heap, and what comes waits beside it. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "base/cursor.h"
#include "base/log.h"
#include "store/expiry/expiry_internal.h"

#define STEP_ENTRIES 4096
#define FILE_BYTES_MAX (1u << 30)
#define ENTRY_BYTES 16u

void bl_expiry__end_dump(struct bl_expiry *expiry) {
  expiry->dumping = false;
  for (size_t i = 0; i < expiry->fresh.count; i++) bl_expiry__push(expiry, expiry->fresh.items[i]);
  expiry->fresh.count = 0;
}

static void put_entry(struct bl_buf *out, const struct bl_expiry_entry *entry) {
  bl_buf_put_u64(out, (uint64_t)entry->expires_ms);
  bl_buf_put_u64(out, (uint64_t)entry->log_offset);
}

static void begin(struct bl_expiry *expiry, struct bl_snapshot *snapshot) {
  char path[512];
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  bl_expiry__path(expiry, path);
  struct bl_buf *out = &bl_snapshot_add(snapshot, path, false)->bytes;
  bl_expiry__end_dump(expiry);
  bool nothing = expiry->heap.count + expiry->in_flight.count == 0;
  if (nothing && expiry->taken_to >= expiry->seen_to) { /* then nobody will ask for them */
    bl_map_fini(&expiry->done);
    bl_map_init(&expiry->done);
  }
  bl_buf_put_u32(out, BL_EXPIRY_MAGIC);
  bl_buf_put_u32(out, BL_EXPIRY_VERSION);
  bl_buf_put_u32(out, 0);
  bl_buf_put_u64(out, (uint64_t)snapshot->covered_offset);
  bl_buf_put_u64(out, (uint64_t)expiry->last_log);
  bl_buf_put_u64(out, (uint64_t)expiry->seen_to);
  bl_buf_put_u64(out, (uint64_t)expiry->taken_to);
  bl_buf_put_u32(out, (uint32_t)expiry->done.count);
  bl_buf_put_u64(out, expiry->heap.count + expiry->in_flight.count);
  while ((entry = bl_map_next(&expiry->done, &cursor)) != NULL) {
    int64_t offset;
    memcpy(&offset, entry->key.ptr, sizeof(offset));
    bl_buf_put_u64(out, (uint64_t)offset);
  }
  for (size_t i = 0; i < expiry->in_flight.count; i++) put_entry(out, &expiry->in_flight.items[i]);
  expiry->dumping = true;
  expiry->dumped = 0;
  expiry->crc = 0;
  expiry->crc_len = BL_EXPIRY_CRC_FROM;
}

bool bl_expiry__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot) {
  struct bl_expiry *expiry = (struct bl_expiry *)follower;
  if (!snapshot->started) begin(expiry, snapshot);
  snapshot->started = true;
  struct bl_buf *out = &snapshot->files[0].bytes;
  size_t left = expiry->heap.count - expiry->dumped;
  size_t count = left < STEP_ENTRIES ? left : STEP_ENTRIES;
  for (size_t i = 0; i < count; i++) put_entry(out, &expiry->heap.items[expiry->dumped + i]);
  expiry->dumped += count;
  if (!out->failed) {
    expiry->crc = bl_crc32(expiry->crc, out->data + expiry->crc_len, out->len - expiry->crc_len);
    expiry->crc_len = out->len;
  }
  if (expiry->dumped < expiry->heap.count) return true;
  if (!out->failed) bl_store_u32(out->data + BL_EXPIRY_CRC_FROM - 4, expiry->crc);
  bl_expiry__end_dump(expiry);
  return false;
}

void bl_expiry__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                              bl_err err) {
  struct bl_expiry *expiry = (struct bl_expiry *)follower;
  if (expiry->dumping) bl_expiry__end_dump(expiry);
  if (err == BL_OK) expiry->covered = snapshot->covered_offset;
}

static bl_err parse(struct bl_expiry *expiry, struct bl_slice bytes) {
  struct bl_cursor in = bl_cursor_of(bytes);
  if (bl_cursor_u32(&in) != BL_EXPIRY_MAGIC) return BL_ERR_FORMAT;
  if (bl_cursor_u32(&in) != BL_EXPIRY_VERSION) return BL_ERR_VERSION;
  uint32_t crc = bl_cursor_u32(&in);
  if (in.failed) return BL_ERR_FORMAT;
  struct bl_slice checked = bl_slice_from(bytes, BL_EXPIRY_CRC_FROM);
  if (crc != bl_crc32(0, checked.ptr, checked.len)) return BL_ERR_CRC;
  expiry->covered = (int64_t)bl_cursor_u64(&in);
  expiry->last_log = (int64_t)bl_cursor_u64(&in);
  expiry->seen_to = (int64_t)bl_cursor_u64(&in);
  expiry->taken_to = (int64_t)bl_cursor_u64(&in);
  uint32_t done = bl_cursor_u32(&in);
  uint64_t count = bl_cursor_u64(&in);
  if (in.failed || expiry->covered < 0 || expiry->taken_to < 0 ||
      bl_cursor_left(&in) / ENTRY_BYTES < count || done > bl_cursor_left(&in) / sizeof(int64_t))
    return BL_ERR_FORMAT;
  for (uint32_t i = 0; i < done; i++) {
    int64_t offset = (int64_t)bl_cursor_u64(&in);
    bl_map_put(&expiry->done, bl_slice_of(&offset, sizeof(offset)), expiry);
  }
  if (bl_cursor_left(&in) != count * ENTRY_BYTES) return BL_ERR_FORMAT;
  for (uint64_t i = 0; i < count; i++) {
    struct bl_expiry_entry entry = {.expires_ms = (int64_t)bl_cursor_u64(&in)};
    entry.log_offset = (int64_t)bl_cursor_u64(&in);
    bl_expiry__push(expiry, entry);
  }
  return BL_OK;
}

bl_err bl_expiry__load(struct bl_follower *follower, int64_t *out_covered_offset,
                       struct bl_why *why) {
  struct bl_expiry *expiry = (struct bl_expiry *)follower;
  struct bl_arena arena;
  struct bl_slice bytes;
  char path[512];
  (void)why;
  bl_expiry__path(expiry, path);
  bl_arena_init(&arena);
  bl_err err = bl_disk_read_file(expiry->disk, path, FILE_BYTES_MAX, &arena, &bytes);
  if (err == BL_OK) err = parse(expiry, bytes);
  bl_arena_fini(&arena);
  *out_covered_offset = expiry->covered;
  if (err == BL_OK) return BL_OK;
  bl_expiry__clear(expiry);
  bool needed = !bl_list_empty(expiry->topics.active);
  *out_covered_offset = needed ? 0 : BL_FOLLOWER_NEEDS_NOTHING;
  if (err != BL_ERR_NOT_FOUND)
    bl_log(BL_LOG_WARN, "store", "expiry.snapshot.unusable",
           "error=%s going_on_with=\"the whole log\"", bl_err_name(err));
  return BL_OK;
}
