/* bolide/timers.snapshot, big-endian:
 *   magic u32, version u32, CRC u32 of everything behind it, covered offset i64, last log offset
 * i64, topics u32, topics (length u16, name, count i64, changed ms i64), files u32, files (sequence
 * i64, level u32, entries i64, entries taken i64, due time of the next i64, due time, offset, size
 * and kind of the last that counts as taken), entries (due ms i64, log offset i64, size u32, kind
 * u32) to the end
 *
 * It is written while the entries go on. Each that was there when it began, and is taken away by no
 * record before the covered offset, is in it once or more often; entries of records behind the
 * covered offset can be in it and are shown again by the replay. */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "store/timers/pending_internal.h"

#define STEP_ENTRIES 2048u
#define STEP_TOPICS 256

enum { PART_TOPICS, PART_NEAR, PART_FAR, PART_SEALED, PART_END };

void bl_pending__end_dump(struct bl_pending *pending) {
  bl_pending__walk_end(&pending->near);
  bl_pending__walk_end(&pending->far);
  for (int i = 0; i < pending->dump.sealed_count; i++) {
    struct bl_pending_sealed *sealed = pending->dump.sealed[i];
    sealed->users--;
    if (sealed->gone) bl_pending__free_sealed(sealed);
  }
  pending->dump.sealed_count = 0;
  bl_buf_fini(&pending->dump.files);
  bl_buf_fini(&pending->dump.entries);
  pending->dump.running = false;
}

static struct bl_buf *body_of(struct bl_snapshot *snapshot) {
  return &snapshot->files[0].bytes;
}

/* As they are now: what is taken from them later is in the heaps then, or its mark comes. */
static void put_files(struct bl_pending *pending) {
  struct bl_buf *out = &pending->dump.files;
  uint32_t files = 0;
  bl_buf_init(out, 0);
  bl_buf_put_u32(out, 0);
  for (size_t i = 0; i < pending->run_count; i++) {
    const struct bl_pending_run *run = pending->runs[i];
    if (run->dead) continue;
    bl_buf_put_u64(out, (uint64_t)run->sequence);
    bl_buf_put_u32(out, run->level);
    bl_buf_put_u64(out, (uint64_t)run->count);
    bl_buf_put_u64(out, (uint64_t)run->at);
    bl_buf_put_u64(out, (uint64_t)run->head_ms);
    bl_pending__put_entry(out, &run->skip);
    files++;
  }
  if (!out->failed) bl_store_u32(out->data, files);
  bl_pending__mark_doomed(pending);
}

static void use_sealed(struct bl_pending *pending) {
  struct bl_pending_dump *dump = &pending->dump;
  dump->sealed_at = 0;
  dump->sealed_entry = 0;
  for (int i = 0; i < pending->sealed_count; i++) {
    struct bl_pending_sealed *sealed = pending->sealed[i];
    sealed->users++;
    dump->sealed[dump->sealed_count] = sealed;
    dump->sealed_last[dump->sealed_count++] = sealed->last;
  }
}

/* RETURNS false when all are written. */
static bool put_sealed(struct bl_pending_dump *dump) {
  for (uint32_t i = 0; i < STEP_ENTRIES && dump->sealed_at < dump->sealed_count; i++) {
    const struct bl_pending_sealed *sealed = dump->sealed[dump->sealed_at];
    if (dump->sealed_entry == sealed->count) {
      dump->sealed_at++;
      dump->sealed_entry = 0;
      continue;
    }
    const struct bl_pending_entry *entry = &sealed->items[dump->sealed_entry++];
    if (bl_pending__compare(entry, &dump->sealed_last[dump->sealed_at]) > 0)
      bl_pending__put_entry(&dump->entries, entry);
  }
  return dump->sealed_at < dump->sealed_count;
}

/* What leaves a heap meanwhile goes to a buffer of its own, because topics come first in the file.
 */
static void begin(struct bl_pending *pending, struct bl_snapshot *snapshot) {
  char path[512];
  bl_pending__end_dump(pending);
  bl_pending__path(pending, "timers.snapshot", path);
  struct bl_buf *out = &bl_snapshot_add(snapshot, path, false)->bytes;
  struct bl_pending_dump *dump = &pending->dump;
  dump->running = true;
  dump->number++;
  dump->part = PART_TOPICS;
  dump->topic_cursor = 0;
  bl_buf_init(&dump->entries, 0);
  bl_buf_put_u32(out, BL_PENDING_SNAPSHOT_MAGIC);
  bl_buf_put_u32(out, BL_PENDING_SNAPSHOT_VERSION);
  bl_buf_put_u32(out, 0);
  bl_buf_put_u64(out, (uint64_t)snapshot->covered_offset);
  bl_buf_put_u64(out, (uint64_t)pending->last_log);
  bl_buf_put_u32(out, 0);
  for (size_t i = pending->flight_from; i != pending->flight_to; i++)
    bl_pending__put_entry(&dump->entries, &pending->flight[i % pending->flight_cap].entry);
  for (size_t i = pending->parked_from; i != pending->parked_to; i++)
    bl_pending__put_entry(&dump->entries, &pending->parked[i % BL_PENDING_PARKED_MAX].entry);
  for (size_t i = 0; i < pending->armed_count; i++)
    bl_pending__put_entry(&dump->entries, &pending->armed[i].entry);
  for (size_t i = pending->roll_at; i < pending->roll_count; i++)
    bl_pending__put_entry(&dump->entries, &pending->rolls[i]);
  put_files(pending);
  use_sealed(pending);
  bl_pending__walk_begin(&pending->near, &dump->entries);
  bl_pending__walk_begin(&pending->far, &dump->entries);
  dump->topics = 0;
}

/* RETURNS false when all are written. */
static bool put_topics(struct bl_pending *pending, struct bl_buf *out) {
  struct bl_pending_dump *dump = &pending->dump;
  for (int i = 0; i < STEP_TOPICS; i++) {
    const struct bl_map_entry *entry = bl_map_next(&pending->counts, &dump->topic_cursor);
    if (entry == NULL) return false;
    const struct bl_pending_count *row = entry->value;
    bool frozen = row->frozen_in == dump->number;
    int64_t count = frozen ? row->frozen : row->count;
    if (count == 0) continue;
    bl_buf_put_u16(out, (uint16_t)entry->key.len);
    bl_buf_put_slice(out, entry->key);
    bl_buf_put_u64(out, (uint64_t)count);
    bl_buf_put_u64(out, (uint64_t)(frozen ? row->frozen_ms : row->changed_ms));
    dump->topics++;
  }
  return true;
}

static void finish(struct bl_pending *pending, struct bl_buf *out) {
  struct bl_pending_dump *dump = &pending->dump;
  bl_buf_put_slice(out, bl_buf_slice(&dump->files));
  bl_buf_put_slice(out, bl_buf_slice(&dump->entries));
  out->failed = out->failed || dump->files.failed || dump->entries.failed;
  if (!out->failed) {
    bl_store_u32(out->data + BL_PENDING_SNAPSHOT_TOPICS_AT, dump->topics);
    uint32_t crc = bl_crc32(0, out->data + BL_PENDING_SNAPSHOT_CRC_FROM,
                            out->len - BL_PENDING_SNAPSHOT_CRC_FROM);
    bl_store_u32(out->data + BL_PENDING_SNAPSHOT_CRC_FROM - 4, crc);
  }
  bl_pending__end_dump(pending);
}

bool bl_pending__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot) {
  struct bl_pending *pending = (struct bl_pending *)follower;
  struct bl_pending_dump *dump = &pending->dump;
  /* Not while it would lack what is being looked up. */
  if (pending->rebuild_from != INT64_MAX && !snapshot->started) return false;
  if (!snapshot->started) {
    begin(pending, snapshot);
    snapshot->started = true;
  }
  BL_ASSERT(dump->running);
  bool more = false;
  switch (dump->part) {
    case PART_TOPICS: more = put_topics(pending, body_of(snapshot)); break;
    case PART_NEAR: more = bl_pending__walk_step(&pending->near, STEP_ENTRIES); break;
    case PART_FAR: more = bl_pending__walk_step(&pending->far, STEP_ENTRIES); break;
    case PART_SEALED: more = put_sealed(dump); break;
    default: break;
  }
  if (!more) dump->part++;
  if (dump->part < PART_END) return true;
  finish(pending, body_of(snapshot));
  return false;
}

void bl_pending__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                               bl_err err) {
  struct bl_pending *pending = (struct bl_pending *)follower;
  bl_pending__end_dump(pending);
  bool done = err == BL_OK && snapshot->file_count > 0;
  if (done) pending->covered = snapshot->covered_offset;
  bl_pending__remove_doomed(pending, done);
}
