/* bolide/dedup.snapshot, big-endian:
 *   magic u32, version u32, CRC u32 of everything behind it, covered offset i64, last log offset
 * i64, seed of the hash u64, next part i64, classes u32, classes, entries of all classes (hash u64,
 * log offset u48)
 *   class: window ms i64, floor i64, entries of it in this file i64, samples u32, parts u32,
 * samples (first log offset i64, ms of the first and the last key i64 i64), parts (number i64,
 * entries i64, log offset of the last i64) bolide/dedup/NUMBER.part: magic u32, version u32, CRC
 * u32 of everything behind it, number i64, window ms i64, entries i64, log offset of the last i64,
 * entries
 *
 * Entries are in log order. A part is written once, when a class has 65,536 entries that are in
 * none; until then they are in the snapshot, each time anew. A part whose keys are all too old is
 * in no snapshot any more, and its file goes when that snapshot is on the disk. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "store/dedup/dedup_internal.h"

#define OPEN_PARTS_MAX 4 /* entries of all classes in no part together: about so many parts' */
#define STEP_CHUNKS 2    /* 112 KiB: about 50 us */

void bl_dedup__end_dump(struct bl_dedup *dedup) {
  for (int i = 0; i < dedup->dump.plan_count; i++) free(dedup->dump.plans[i].part);
  free(dedup->dump.plans);
  dedup->dump = (struct bl_dedup_dump){0};
}

static void drop_dead_parts(struct bl_dedup *dedup, struct bl_dedup_class *of) {
  while (!bl_list_empty(&of->parts)) {
    struct bl_dedup_part *part = BL_CONTAINER(of->parts.next, struct bl_dedup_part, node);
    if (part->last >= of->floor) return;
    bl_list_remove(&part->node);
    bl_list_add_last(&dedup->dead, &part->node);
  }
}

static void drop_dead_tail(struct bl_dedup_class *of) {
  struct bl_list *node;
  if (of->tail_last >= of->floor) return;
  while ((node = bl_list_take_first(&of->tail)) != NULL) {
    struct bl_dedup_chunk *chunk = BL_CONTAINER(node, struct bl_dedup_chunk, node);
    of->tail_count -= chunk->count;
    free(chunk);
  }
}

/* What follows goes into another chunk, so that whole ones can be given back. */
static void seal(struct bl_dedup_class *of) {
  if (!bl_list_empty(&of->tail))
    BL_CONTAINER(of->tail.prev, struct bl_dedup_chunk, node)->sealed = true;
}

static struct bl_dedup_part *new_part(struct bl_dedup *dedup, const struct bl_dedup_class *of) {
  struct bl_dedup_part *part = calloc(1, sizeof(*part));
  BL_ASSERT(part != NULL);
  part->sequence = dedup->next_sequence++;
  part->count = of->tail_count;
  part->last = of->tail_last;
  return part;
}

/* All at once: growing step by step would copy what is there again and again. */
static void reserve(struct bl_buf *out, int64_t entries) {
  (void)bl_buf_reserve(out, (size_t)entries * BL_DEDUP_ENTRY_BYTES);
}

/* Closing classes first: each has a file of its own. */
static void make_plans(struct bl_dedup *dedup) {
  struct bl_dedup_dump *dump = &dedup->dump;
  int64_t now_ms = bl_dedup__now_ms(dedup);
  int64_t open = 0;
  int count = 0;
  for (struct bl_list *node = dedup->classes.next; node != &dedup->classes; node = node->next) {
    struct bl_dedup_class *of = BL_CONTAINER(node, struct bl_dedup_class, node);
    bl_dedup__expire(dedup, of, now_ms);
    drop_dead_parts(dedup, of);
    drop_dead_tail(of);
    open += of->tail_count;
    count++;
  }
  dump->plans = calloc((size_t)count + 1, sizeof(*dump->plans));
  BL_ASSERT(dump->plans != NULL);
  for (struct bl_list *node = dedup->classes.next; node != &dedup->classes; node = node->next) {
    struct bl_dedup_class *of = BL_CONTAINER(node, struct bl_dedup_class, node);
    bool many =
        of->tail_count >= dedup->close_entries || (open > OPEN_PARTS_MAX * dedup->close_entries &&
                                                   of->tail_count >= dedup->close_entries / 4);
    if (!many || dump->plan_count == BL_SNAPSHOT_FILES_MAX - 1) continue;
    open -= of->tail_count;
    seal(of);
    dump->plans[dump->plan_count++] =
        (struct bl_dedup_plan){.of = of, .count = of->tail_count, .part = new_part(dedup, of)};
  }
  int closing = dump->plan_count;
  for (struct bl_list *node = dedup->classes.next; node != &dedup->classes; node = node->next) {
    struct bl_dedup_class *of = BL_CONTAINER(node, struct bl_dedup_class, node);
    int i = 0;
    while (i < closing && dump->plans[i].of != of) i++;
    if (i == closing)
      dump->plans[dump->plan_count++] = (struct bl_dedup_plan){.of = of, .count = of->tail_count};
  }
}

static void put_part_row(struct bl_buf *out, const struct bl_dedup_part *part) {
  bl_buf_put_u64(out, (uint64_t)part->sequence);
  bl_buf_put_u64(out, (uint64_t)part->count);
  bl_buf_put_u64(out, (uint64_t)part->last);
}

static void put_class(struct bl_buf *out, const struct bl_dedup_plan *plan) {
  const struct bl_dedup_class *of = plan->of;
  uint32_t parts = plan->part != NULL ? 1 : 0;
  for (const struct bl_list *node = of->parts.next; node != &of->parts; node = node->next) parts++;
  bl_buf_put_u64(out, (uint64_t)of->window_ms);
  bl_buf_put_u64(out, (uint64_t)of->floor);
  bl_buf_put_u64(out, (uint64_t)(plan->part != NULL ? 0 : plan->count));
  bl_buf_put_u32(out, (uint32_t)of->sample_count);
  bl_buf_put_u32(out, parts);
  for (int i = 0; i < of->sample_count; i++) {
    bl_buf_put_u64(out, (uint64_t)of->samples[i].from);
    bl_buf_put_u64(out, (uint64_t)of->samples[i].start_ms);
    bl_buf_put_u64(out, (uint64_t)of->samples[i].end_ms);
  }
  for (const struct bl_list *node = of->parts.next; node != &of->parts; node = node->next)
    put_part_row(out, BL_CONTAINER(node, struct bl_dedup_part, node));
  if (plan->part != NULL) put_part_row(out, plan->part);
}

static void begin(struct bl_dedup *dedup, struct bl_snapshot *snapshot) {
  char path[512];
  bl_dedup__end_dump(dedup);
  struct bl_dedup_dump *dump = &dedup->dump;
  dump->running = true;
  make_plans(dedup);
  for (int i = 0; i < dump->plan_count && dump->plans[i].part != NULL; i++) {
    struct bl_dedup_plan *plan = &dump->plans[i];
    bl_dedup__part_path(dedup, plan->part->sequence, path);
    plan->file = snapshot->file_count;
    struct bl_buf *out = &bl_snapshot_add(snapshot, path, false)->bytes;
    bl_buf_put_u32(out, BL_DEDUP_PART_MAGIC);
    bl_buf_put_u32(out, BL_DEDUP_VERSION);
    bl_buf_put_u32(out, 0);
    bl_buf_put_u64(out, (uint64_t)plan->part->sequence);
    bl_buf_put_u64(out, (uint64_t)plan->of->window_ms);
    bl_buf_put_u64(out, (uint64_t)plan->part->count);
    bl_buf_put_u64(out, (uint64_t)plan->part->last);
    reserve(out, plan->count);
  }
  /* Last: it names the others, which are on the disk by then. */
  bl_dedup__path(dedup, "dedup.snapshot", path);
  int64_t open = 0;
  for (int i = 0; i < dump->plan_count; i++) {
    if (dump->plans[i].part != NULL) continue;
    dump->plans[i].file = snapshot->file_count;
    open += dump->plans[i].count;
  }
  struct bl_buf *out = &bl_snapshot_add(snapshot, path, false)->bytes;
  bl_buf_put_u32(out, BL_DEDUP_SNAPSHOT_MAGIC);
  bl_buf_put_u32(out, BL_DEDUP_VERSION);
  bl_buf_put_u32(out, 0);
  bl_buf_put_u64(out, (uint64_t)snapshot->covered_offset);
  bl_buf_put_u64(out, (uint64_t)dedup->last_log);
  bl_buf_put_u64(out, dedup->seed);
  bl_buf_put_u64(out, (uint64_t)dedup->next_sequence);
  bl_buf_put_u32(out, (uint32_t)dump->plan_count);
  for (int i = 0; i < dump->plan_count; i++) put_class(out, &dump->plans[i]);
  reserve(out, open);
  dump->crc_len = BL_DEDUP_CRC_FROM;
}

static void add_crc(struct bl_dedup_dump *dump, struct bl_buf *out, bool last) {
  if (out->failed) return;
  dump->crc = bl_crc32(dump->crc, out->data + dump->crc_len, out->len - dump->crc_len);
  dump->crc_len = out->len;
  if (last) bl_store_u32(out->data + BL_DEDUP_CRC_FROM - 4, dump->crc);
}

/* Some chunks of the plan. RETURNS false when it is done. */
static bool copy_entries(struct bl_dedup_dump *dump, struct bl_buf *out) {
  const struct bl_dedup_plan *plan = &dump->plans[dump->at_plan];
  if (dump->at_chunk == NULL) {
    dump->at_chunk = plan->of->tail.next;
    dump->left = plan->count;
  }
  for (int i = 0; i < STEP_CHUNKS && dump->left > 0; i++) {
    const struct bl_dedup_chunk *chunk = BL_CONTAINER(dump->at_chunk, struct bl_dedup_chunk, node);
    /* The last one may have grown since. */
    int64_t count = chunk->count < dump->left ? (int64_t)chunk->count : dump->left;
    bl_buf_put(out, chunk->bytes, (size_t)count * BL_DEDUP_ENTRY_BYTES);
    dump->left -= count;
    dump->at_chunk = dump->at_chunk->next;
  }
  return dump->left > 0;
}

bool bl_dedup__snapshot_step(struct bl_follower *follower, struct bl_snapshot *snapshot) {
  struct bl_dedup *dedup = (struct bl_dedup *)follower;
  struct bl_dedup_dump *dump = &dedup->dump;
  if (!snapshot->started) {
    begin(dedup, snapshot);
    snapshot->started = true;
    return true;
  }
  BL_ASSERT(dump->running);
  if (dump->at_plan == dump->plan_count) {
    add_crc(dump, &snapshot->files[snapshot->file_count - 1].bytes, true);
    return false;
  }
  const struct bl_dedup_plan *plan = &dump->plans[dump->at_plan];
  struct bl_buf *out = &snapshot->files[plan->file].bytes;
  bool more = copy_entries(dump, out);
  add_crc(dump, out, !more && plan->part != NULL);
  if (more) return true;
  if (plan->part != NULL) {
    dump->crc = 0;
    dump->crc_len = BL_DEDUP_CRC_FROM;
  }
  dump->at_chunk = NULL;
  dump->at_plan++;
  return true;
}

static void run_removal(struct bl_job *job) {
  struct bl_dedup *dedup = BL_CONTAINER(job, struct bl_dedup, job);
  for (int i = 0; i < dedup->removal_count; i++) {
    char path[512];
    bl_dedup__part_path(dedup, dedup->removals[i], path);
    (void)dedup->disk->ops->remove(dedup->disk, path); /* the next start removes what stays */
  }
}

static void done_removal(struct bl_job *job) {
  BL_CONTAINER(job, struct bl_dedup, job)->removing = false;
}

/* No snapshot on the disk names them any more. */
static void remove_dead(struct bl_dedup *dedup) {
  if (dedup->removing || bl_list_empty(&dedup->dead)) return;
  dedup->removal_count = 0;
  while (dedup->removal_count < BL_DEDUP_REMOVALS_MAX && !bl_list_empty(&dedup->dead)) {
    struct bl_dedup_part *part = BL_CONTAINER(dedup->dead.next, struct bl_dedup_part, node);
    dedup->removals[dedup->removal_count++] = part->sequence;
    bl_list_remove(&part->node);
    free(part);
  }
  dedup->removing = true;
  dedup->job = (struct bl_job){.run = run_removal, .done = done_removal};
  bl_worker_submit(dedup->pool, &dedup->job);
}

static void take_off_tail(struct bl_dedup_class *of, int64_t count) {
  while (count > 0) {
    struct bl_dedup_chunk *chunk =
        BL_CONTAINER(bl_list_take_first(&of->tail), struct bl_dedup_chunk, node);
    BL_ASSERT((int64_t)chunk->count <= count);
    count -= chunk->count;
    of->tail_count -= chunk->count;
    free(chunk);
  }
}

void bl_dedup__snapshot_done(struct bl_follower *follower, const struct bl_snapshot *snapshot,
                             bl_err err) {
  struct bl_dedup *dedup = (struct bl_dedup *)follower;
  struct bl_dedup_dump *dump = &dedup->dump;
  for (int i = 0; err == BL_OK && i < dump->plan_count; i++) {
    struct bl_dedup_plan *plan = &dump->plans[i];
    if (plan->part == NULL) continue;
    bl_list_add_last(&plan->of->parts, &plan->part->node);
    plan->part = NULL;
    take_off_tail(plan->of, plan->count);
  }
  bl_dedup__end_dump(dedup);
  if (err != BL_OK) return;
  dedup->covered = snapshot->covered_offset;
  remove_dead(dedup);
}
