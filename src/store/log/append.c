#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "os/process.h"
#include "store/log/log.h"

int64_t bl_log_record_max(const struct bl_log *log) {
  /* A quarter of the ring, so that a record and the rest of a segment always fit in the unwritten
   * half. */
  int64_t most = log->ring.bytes / 4;
  if (most > log->segments.segment_bytes) most = log->segments.segment_bytes;
  if (most > BL_LOG_RECORD_BYTES_MAX) most = BL_LOG_RECORD_BYTES_MAX;
  return most - BL_RECORD_BLANK_BYTES;
}

static bool needs_roll(const struct bl_log *log, int64_t bytes) {
  return log->appended + bytes + BL_RECORD_BLANK_BYTES > log->segment_end;
}

/* Kept for metadata while no next file can be made: offset commits and deletions go on when the
 * disk is full. */
static int64_t reserve_bytes(const struct bl_log *log) {
  int64_t quarter = log->segments.segment_bytes / 4;
  return quarter < BL_LOG_RESERVE_BYTES ? quarter : BL_LOG_RESERVE_BYTES;
}

static bl_err stuck_error(const struct bl_segments *segments) {
  return segments->next_err == BL_ERR_NO_SPACE ? BL_ERR_NO_SPACE : BL_ERR_NOT_AVAILABLE;
}

bl_err bl_log_can_append(const struct bl_log *log, int64_t bytes, bool reserved) {
  if (log->failed || log->closing) return BL_ERR_NOT_AVAILABLE;
  if (bytes > bl_log_record_max(log)) return BL_ERR_MESSAGE_ILLEGAL;
  int64_t end = log->appended + bytes;
  if (needs_roll(log, bytes)) {
    if (bl_segments_stuck(&log->segments)) return stuck_error(&log->segments);
    if (log->segments.next != BL_NEXT_READY) return BL_ERR_BUSY;
    end = log->segment_end + bytes;
  } else if (!reserved && end > log->segment_end - reserve_bytes(log) &&
             bl_segments_stuck(&log->segments)) {
    return stuck_error(&log->segments);
  }
  return end - log->written > log->ring.bytes / 2 ? BL_ERR_BUSY : BL_OK;
}

static void enter_segment(struct bl_log *log, int64_t first_offset) {
  log->segment_end = first_offset + log->segments.segment_bytes;
  log->prepare_at = first_offset + log->segments.segment_bytes / 4;
}

/* The blank record says how many bytes are left; they stay zero in the file. */
static void roll(struct bl_log *log) {
  int64_t rest = log->segment_end - log->appended;
  BL_ASSERT(rest >= BL_RECORD_BLANK_BYTES);
  struct bl_segment *full = bl_segments_find(&log->segments, log->appended);
  BL_ASSERT(full != NULL);
  char *blank = bl_ring_at(&log->ring, log->appended);
  bl_store_u32(blank, (uint32_t)rest);
  bl_store_u32(blank + 4, BL_RECORD_MAGIC_BLANK);
  full->data_end = log->appended + BL_RECORD_BLANK_BYTES;
  log->appended = log->segment_end;
  log->segments.next = BL_NEXT_NONE;
  enter_segment(log, log->appended);
}

/* The next file is made durable, name and size, before it is used. The first one of a run is made
 * without (opening is fast) and becomes so with the first sync; until then it has no successor. */
static void want_next(struct bl_log *log) {
  if (log->flush.names_durable) {
    bl_segments_prepare(&log->segments);
  } else {
    log->flush.due = true;
  }
}

/* The time of the turn: its first append looks at the clock. */
int64_t bl_log_turn_ms(struct bl_log *log) {
  if (log->timed) return log->last_store_ms;
  log->timed = true;
  int64_t now_ms = bl_clock_wall_ms(log->clock);
  if (now_ms > log->last_store_ms) log->last_store_ms = now_ms;
  return log->last_store_ms;
}

bl_err bl_log_append(struct bl_log *log, struct bl_record *record, bool reserved) {
  record->with_crc = log->settings.append_crc;
  int64_t bytes = bl_record_size(record);
  bl_err err = bl_log_can_append(log, bytes, reserved);
  if (err != BL_OK) {
    if (needs_roll(log, bytes)) want_next(log);
    return err;
  }
  if (needs_roll(log, bytes)) roll(log);
  record->log_offset = log->appended;
  record->store_ms = bl_log_turn_ms(log);
  bl_record_encode(record, bl_ring_at(&log->ring, log->appended));
  log->appended += bytes;
  log->ring.to = log->appended;
  if (log->appended > log->prepare_at && log->segments.next == BL_NEXT_NONE) want_next(log);
  if (log->stats.first_store_ms == 0) log->stats.first_store_ms = record->store_ms;
  log->stats.appended_records++;
  log->stats.appended_bytes += bytes;
  return BL_OK;
}

void bl_log_start_at(struct bl_log *log, int64_t offset) {
  log->appended = offset;
  log->written = offset;
  log->flushed = offset;
  bl_ring_start(&log->ring, offset);
  const struct bl_segment *segment = bl_segments_find(&log->segments, offset);
  BL_ASSERT(segment != NULL);
  enter_segment(log, segment->first_offset);
  if (segment->first_offset + log->segments.segment_bytes < bl_segments_end(&log->segments))
    log->segments.next = BL_NEXT_READY;
  if (log->appended > log->prepare_at) bl_segments_prepare(&log->segments);
  bl_log_flush_start(log);
}

bl_err bl_log_read(const struct bl_log *log, int64_t offset, uint32_t len, void *to, bool wait) {
  int64_t end = offset + len;
  const struct bl_segment *segment = bl_segments_find(&log->segments, offset);
  if (segment == NULL || end > segment->first_offset + log->segments.segment_bytes)
    return BL_ERR_NOT_FOUND;
  if (bl_ring_holds(&log->ring, offset, end, false)) {
    memcpy(to, bl_ring_at(&log->ring, offset), len);
    return BL_OK;
  }
  struct bl_disk *disk = log->disk;
  size_t got = 0;
  int64_t at = offset - segment->first_offset;
  bl_err err = wait ? disk->ops->read(disk, segment->file, to, len, at, &got)
                    : disk->ops->read_cached(disk, segment->file, to, len, at, &got);
  if (err != BL_OK) return err;
  return got == len ? BL_OK : BL_ERR_IO;
}

void bl_log_note(const struct bl_log *log, const char *format, ...) {
  char line[1024];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(line, sizeof(line) - 1, format, args);
  va_end(args);
  if (len < 0) return;
  if ((size_t)len > sizeof(line) - 2) len = sizeof(line) - 2;
  if (log->settings.note != NULL) {
    log->settings.note(log->settings.note_context, line);
    return;
  }
  line[len] = '\n';
  bl_process_write_stderr(line, (uint64_t)len + 1);
}
