/* A snapshot: one new part with the queues that changed since the one before. It is written in
 * steps while records go on coming: a queue written late covers more than the covered offset, which
 * does no harm because a record is taken once.
 *
 * So that parts stay few, one that is not longer than twice what is written anyway goes into the
 * new one (what is live in it), and so on with the next older: each part is longer than all newer
 * ones together, so there are few, and a queue is copied few times. A part of which most is
 * superseded goes, too. What is copied comes from memory; the old files are removed when the new
 * one is on the disk. */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "store/queues/queues_internal.h"

#define STEP_QUEUES 256u
#define STEP_NUMBERS 16384u
#define QUEUE_BYTES_GUESS 96 /* without tail and references, with the topic's name */

static struct bl_queues_part *part_of(struct bl_queues *queues, uint64_t number) {
  for (uint32_t i = queues->part_count; i > 0; i--) {
    if (queues->parts[i - 1].number == number) return &queues->parts[i - 1];
  }
  return NULL;
}

/* Room for all that there is, so that the buffer never grows: moving what is in it would take
 * longer than a step may. What is not touched costs nothing. */
static void make_room(const struct bl_queues *queues, struct bl_buf *out) {
  int64_t bytes = queues->tail_bytes + queues->ref_bytes;
  bytes += (int64_t)queues->count * QUEUE_BYTES_GUESS;
  if (bytes < INT32_MAX) (void)bl_buf_reserve(out, (size_t)bytes);
}

static void begin(struct bl_queues *queues, struct bl_snapshot *snapshot) {
  BL_ASSERT(queues->part_count < BL_QUEUES_PARTS_MAX);
  queues->dump = (struct bl_queues_dump){
      .running = true,
      .part = ++queues->part_last,
      .log_min = queues->log_min,
      .crc_len = BL_QUEUES_SNAPSHOT_CRC_FROM,
  };
  queues->parts[queues->part_count++] = (struct bl_queues_part){.number = queues->dump.part};
  char path[512];
  bl_queues__part_path(queues, queues->dump.part, path);
  struct bl_buf *out = &bl_snapshot_add(snapshot, path, false)->bytes;
  make_room(queues, out);
  bl_queues__put_part_head(queues, snapshot->covered_offset, out);
  bl_index__mark_doomed(queues);
  snapshot->started = true;
}

static void write_queue(struct bl_queues *queues, struct bl_queue *queue, struct bl_buf *out) {
  bl_queue__drop_below_floor(queue, false);
  bl_queue__trim(queue);
  if (bl_queue__is_large(queue)) queues->large_idle++;
  struct bl_queues_part *old = part_of(queues, queues->parts_of[queue->number]);
  struct bl_queues_part *now = &queues->parts[queues->part_count - 1];
  if (old != NULL) old->live--;
  now->live++;
  now->count++;
  queues->parts_of[queue->number] = now->number;
  bl_queues__put_queue(queue, out);
}

/* What was written the last time and did not change since gives memory back. */
static void shrink_some(struct bl_queues *queues) {
  struct bl_queues_dump *dump = &queues->dump;
  int64_t index_end = queues->index_end;
  for (uint32_t i = 0; i < STEP_QUEUES && dump->cursor < queues->dumping.count; i++) {
    struct bl_queue *queue = bl_queues__at(queues, queues->dumping.items[dump->cursor++]);
    if (!queue->changed) bl_queue__shrink(queue);
    if (queues->index_end - index_end > (int64_t)queues->dump_step_bytes) break;
  }
  if (dump->cursor < queues->dumping.count) return;
  struct bl_queue_numbers empty = queues->dumping;
  empty.count = 0;
  queues->dumping = queues->changed;
  queues->changed = empty;
  queues->large_idle = 0;
  dump->cursor = 0;
  dump->phase = BL_DUMP_CHANGED;
}

/* RETURNS whether there is anything to be copied. */
static bool choose_parts(struct bl_queues *queues, const struct bl_buf *out) {
  uint64_t bytes = out->len;
  bool any = false;
  bool chain = true;
  for (uint32_t i = queues->part_count - 1; i > 0; i--) {
    struct bl_queues_part *part = &queues->parts[i - 1];
    chain = chain && (part->bytes / 2 <= bytes || part->bytes <= queues->small_part_bytes ||
                      queues->part_count > BL_QUEUES_PARTS_MAX / 2);
    part->merging = part->live > 0 && (chain || part->live < part->count / 2);
    if (part->merging) bytes += part->bytes / (part->count > 0 ? part->count : 1) * part->live;
    any = any || part->merging;
  }
  return any;
}

static void write_changed(struct bl_queues *queues, struct bl_buf *out) {
  struct bl_queues_dump *dump = &queues->dump;
  size_t start = out->len;
  for (uint32_t i = 0; i < STEP_QUEUES && dump->cursor < queues->dumping.count; i++) {
    struct bl_queue *queue = bl_queues__at(queues, queues->dumping.items[dump->cursor++]);
    queue->changed = false;
    write_queue(queues, queue, out);
    if (out->len - start >= queues->dump_step_bytes) break;
  }
  if (dump->cursor < queues->dumping.count) return;
  dump->phase = choose_parts(queues, out) ? BL_DUMP_MERGE : BL_DUMP_SWEEP;
  dump->cursor = 0;
}

static void merge_some(struct bl_queues *queues, struct bl_buf *out) {
  struct bl_queues_dump *dump = &queues->dump;
  size_t start = out->len;
  uint64_t last = 0; /* neighbours are mostly in the same part */
  bool merging = false;
  for (uint32_t i = 0; i < STEP_NUMBERS && dump->cursor < queues->count; i++, dump->cursor++) {
    uint64_t number = queues->parts_of[dump->cursor];
    if (number != last) {
      const struct bl_queues_part *part = part_of(queues, number);
      merging = part != NULL && part->merging;
      last = number;
    }
    if (!merging) continue;
    write_queue(queues, bl_queues__at(queues, dump->cursor), out);
    bl_queues__add_number(&queues->dumping, dump->cursor);
    if (out->len - start >= queues->dump_step_bytes) break;
  }
  if (dump->cursor < queues->count) return;
  dump->phase = BL_DUMP_SWEEP;
  dump->cursor = 0;
}

/* RETURNS false at the end. What a queue drops here is not written: the next start drops it again.
 */
static bool sweep_some(struct bl_queues *queues) {
  struct bl_queues_dump *dump = &queues->dump;
  if (queues->swept_min >= dump->log_min) return false;
  for (uint32_t i = 0; i < STEP_QUEUES && dump->cursor < queues->count; i++)
    bl_queue__drop_below_floor(bl_queues__at(queues, dump->cursor++), false);
  if (dump->cursor < queues->count) return true;
  queues->swept_min = dump->log_min;
  return false;
}

static void checksum(struct bl_queues_dump *dump, const struct bl_buf *out) {
  if (out->failed) return;
  dump->crc = bl_crc32(dump->crc, out->data + dump->crc_len, out->len - dump->crc_len);
  dump->crc_len = out->len;
}

static struct bl_buf *file_of(struct bl_snapshot *snapshot) {
  BL_ASSERT(snapshot->file_count > 0);
  return &snapshot->files[snapshot->file_count - 1].bytes;
}

static void finish(struct bl_queues *queues, struct bl_snapshot *snapshot) {
  struct bl_buf *out = file_of(snapshot);
  /* A chunk that could not be written: its queue is not as it was put down. */
  if (!bl_index__list_dirty(queues, snapshot)) out->failed = true;
  bl_queues__put_part_end(queues, out);
  checksum(&queues->dump, out);
  queues->parts[queues->part_count - 1].bytes = out->len;
  if (!out->failed) bl_store_u32(out->data + BL_QUEUES_SNAPSHOT_CRC_AT, queues->dump.crc);
}

static bool step(struct bl_queues *queues, struct bl_buf *out) {
  switch (queues->dump.phase) {
    case BL_DUMP_SHRINK: shrink_some(queues); return true;
    case BL_DUMP_CHANGED: write_changed(queues, out); return true;
    case BL_DUMP_MERGE: merge_some(queues, out); return true;
    case BL_DUMP_SWEEP: break;
  }
  return sweep_some(queues);
}

bool bl_queues__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  if (!snapshot->started) begin(queues, snapshot);
  BL_ASSERT(queues->dump.running);
  struct bl_buf *out = file_of(snapshot);
  bool more = !out->failed && step(queues, out);
  checksum(&queues->dump, out);
  if (!more) finish(queues, snapshot);
  return more;
}

/* Parts that no queue needs: gone with the snapshot that does not name them. */
static void remove_dead_parts(struct bl_queues *queues) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < queues->part_count; i++) {
    struct bl_queues_part part = queues->parts[i];
    part.merging = false;
    if (part.live > 0 || part.number == queues->dump.part) {
      queues->parts[kept++] = part;
      continue;
    }
    char path[512];
    bl_queues__part_path(queues, part.number, path);
    bl_index__remove_later(queues, path, -1);
  }
  queues->part_count = kept;
}

void bl_queues__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                              bl_err err) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  bl_index__synced(queues, err == BL_OK);
  queues->dump.running = false;
  if (err == BL_OK) {
    queues->covered = snapshot->covered_offset;
    remove_dead_parts(queues);
    return;
  }
  /* All of it once more. The older parts are there yet. */
  queues->part_count--;
  for (uint32_t i = 0; i < queues->dumping.count; i++) {
    struct bl_queue *queue = bl_queues__at(queues, queues->dumping.items[i]);
    /* Not reached yet: it says that it changed, and is in no list. */
    if (queues->dump.phase == BL_DUMP_CHANGED && i >= queues->dump.cursor) queue->changed = false;
    bl_queue__mark_changed(queues, queue);
  }
}

bool bl_queues__unsettled(struct bl_follower *follower) {
  const struct bl_queues *queues = (const struct bl_queues *)follower;
  return queues->large_idle > 0 || queues->changed.count > 0 || queues->log_min > queues->swept_min;
}
