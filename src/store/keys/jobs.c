#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/keys/keys_internal.h"

#define SORT_BITS 16
#define SORT_BUCKETS (1u << SORT_BITS)
#define SORT_INSERT_MAX 24u

static struct bl_log_limit refused_limit = {.per_second = 1};

static bool before(const struct bl_key_entry *a, const struct bl_key_entry *b) {
  return a->hash != b->hash ? a->hash < b->hash : a->offset > b->offset;
}

static int compare(const void *a, const void *b) {
  return before(b, a) - before(a, b);
}

static void sort_bucket(struct bl_key_entry *entries, uint32_t count) {
  if (count > SORT_INSERT_MAX) {
    qsort(entries, count, sizeof(*entries), compare);
    return;
  }
  for (uint32_t i = 1; i < count; i++) {
    struct bl_key_entry entry = entries[i];
    uint32_t at = i;
    for (; at > 0 && before(&entry, &entries[at - 1]); at--) entries[at] = entries[at - 1];
    entries[at] = entry;
  }
}

/* Hashes are even: by their first bits into buckets of a few entries. */
void bl_keys__sort(const struct bl_key_entry *entries, uint32_t count, struct bl_key_entry *to) {
  uint32_t *ends = calloc(SORT_BUCKETS, sizeof(*ends));
  BL_ASSERT(ends != NULL);
  for (uint32_t i = 0; i < count; i++) ends[entries[i].hash >> (64 - SORT_BITS)]++;
  uint32_t sum = 0;
  for (uint32_t i = 0; i < SORT_BUCKETS; i++) {
    uint32_t in_bucket = ends[i];
    ends[i] = sum;
    sum += in_bucket;
  }
  /* From the newest on, so that equal hashes come in order. */
  for (uint32_t i = count; i > 0; i--) {
    const struct bl_key_entry *entry = &entries[i - 1];
    to[ends[entry->hash >> (64 - SORT_BITS)]++] = *entry;
  }
  uint32_t start = 0;
  for (uint32_t i = 0; i < SORT_BUCKETS; i++) {
    sort_bucket(to + start, ends[i] - start);
    start = ends[i];
  }
  free(ends);
}

static void maybe_merge(struct bl_keys *keys);

static void freeze_run(struct bl_job *job) {
  struct bl_key_freeze *freeze = BL_CONTAINER(job, struct bl_key_freeze, job);
  const struct bl_key_block *block = freeze->block;
  struct bl_key_entry *sorted = malloc(block->count * sizeof(*sorted));
  BL_ASSERT(sorted != NULL);
  bl_keys__sort(block->entries, block->count, sorted);
  struct bl_key_writer writer;
  freeze->run = NULL;
  int64_t first = INT64_MAX; /* what was shown again is not in order */
  int64_t last = 0;
  for (uint32_t i = 0; i < block->count; i++) {
    if (block->entries[i].offset < first) first = block->entries[i].offset;
    if (block->entries[i].offset > last) last = block->entries[i].offset;
  }
  freeze->err = bl_keys__writer_open(&writer, freeze->keys, freeze->sequence, 0, first, last);
  if (freeze->err == BL_OK) {
    for (uint32_t i = 0; i < block->count; i++) bl_keys__writer_put(&writer, sorted[i]);
    freeze->err = bl_keys__writer_close(&writer, &freeze->run);
  }
  free(sorted);
}

static void forget_frozen(struct bl_keys *keys, struct bl_key_freeze *freeze) {
  int kept = 0;
  for (int i = 0; i < keys->frozen_count; i++) {
    if (keys->frozen[i] != freeze) keys->frozen[kept++] = keys->frozen[i];
  }
  keys->frozen_count = kept;
  bl_keys__unuse_block(freeze->block);
  free(freeze);
}

static void freeze_done(struct bl_job *job) {
  struct bl_key_freeze *freeze = BL_CONTAINER(job, struct bl_key_freeze, job);
  struct bl_keys *keys = freeze->keys;
  keys->jobs--;
  freeze->pending = false;
  if (freeze->err != BL_OK) {
    bl_log_limited(&refused_limit, BL_LOG_ERROR, "store", "keys.run.refused",
                   "error=%s going_on=\"keys stay in memory\"", bl_err_name(freeze->err));
    return; /* tried again with the next block */
  }
  bl_keys__add_run(&keys->runs, freeze->run);
  forget_frozen(keys, freeze);
  bl_keys__drop_below_min(keys);
  maybe_merge(keys);
}

static void submit_freeze(struct bl_keys *keys, struct bl_key_freeze *freeze) {
  freeze->job = (struct bl_job){.run = freeze_run, .done = freeze_done};
  freeze->pending = true;
  freeze->sequence = keys->next_sequence++;
  keys->jobs++;
  bl_worker_submit(keys->pool, &freeze->job);
}

void bl_keys__retry_frozen(struct bl_keys *keys) {
  for (int i = 0; i < keys->frozen_count; i++) {
    if (!keys->frozen[i]->pending) submit_freeze(keys, keys->frozen[i]);
  }
}

/* The disk takes none of those that wait: this one is taken from the log again later. */
static void drop_block(struct bl_keys *keys, const struct bl_key_block *block) {
  int64_t first = INT64_MAX;
  int64_t last = 0;
  for (uint32_t i = 0; i < block->count; i++) {
    int64_t at = block->entries[i].offset;
    if (at < first) first = at;
    if (at > last) last = at;
  }
  if (block->count > 0) bl_keys__add_hole(keys, first, last + 1);
  bl_log_limited(&refused_limit, BL_LOG_ERROR, "store", "keys.dropped",
                 "from=%" PRId64 " to=%" PRId64
                 " going_on=\"they are taken from the log again when the disk takes runs\"",
                 first, last + 1);
}

void bl_keys__freeze(struct bl_keys *keys, struct bl_key_block *block) {
  bl_keys__retry_frozen(keys);
  struct bl_key_freeze *freeze = calloc(1, sizeof(*freeze));
  BL_ASSERT(freeze != NULL);
  freeze->keys = keys;
  freeze->block = block;
  if (keys->frozen_count < BL_KEYS_FROZEN_MAX) {
    keys->frozen[keys->frozen_count++] = freeze;
    submit_freeze(keys, freeze);
    return;
  }
  freeze->sequence = keys->next_sequence++;
  freeze_run(&freeze->job);
  if (freeze->err == BL_OK) {
    bl_keys__add_run(&keys->runs, freeze->run);
  } else {
    drop_block(keys, block);
  }
  bl_keys__unuse_block(block);
  free(freeze);
}

/* Merging: the runs of one level into one of the next. */
struct merge_source {
  struct bl_key_run *run;
  int64_t page; /* the next */
  uint32_t at;
  uint32_t count;
  struct bl_key_entry entries[BL_KEYS_PAGE_ENTRIES];
};

struct merge_job {
  struct bl_job job;
  struct bl_keys *keys;
  struct bl_key_run *out;
  int64_t sequence;
  int64_t log_min;
  bl_err err;
  struct bl_key_run *damaged; /* one of the sources */
  uint32_t level;
  size_t count;
  struct merge_source sources[];
};

/* The next page when this one is used up; at == count at the end of the run. */
static bl_err refill(struct bl_keys *keys, struct merge_source *source) {
  if (source->at < source->count || source->page == bl_keys__run_pages(source->run)) return BL_OK;
  source->at = 0;
  return bl_keys__run_page(keys, source->run, source->page++, source->entries, &source->count);
}

static bl_err refill_or_say(struct merge_job *merge, struct merge_source *source) {
  bl_err err = refill(merge->keys, source);
  if (bl_keys__is_damage(err)) merge->damaged = source->run;
  return err;
}

static bl_err merge_into(struct merge_job *merge, struct bl_key_writer *writer) {
  for (size_t i = 0; i < merge->count; i++) {
    bl_err err = refill_or_say(merge, &merge->sources[i]);
    if (err != BL_OK) return err;
  }
  for (;;) {
    struct merge_source *least = NULL;
    for (size_t i = 0; i < merge->count; i++) {
      struct merge_source *source = &merge->sources[i];
      if (source->at == source->count) continue;
      if (least == NULL || before(&source->entries[source->at], &least->entries[least->at])) {
        least = source;
      }
    }
    if (least == NULL) return BL_OK;
    struct bl_key_entry entry = least->entries[least->at++];
    if (entry.offset >= merge->log_min) bl_keys__writer_put(writer, entry);
    bl_err err = refill_or_say(merge, least);
    if (err != BL_OK) return err;
  }
}

static void merge_run(struct bl_job *job) {
  struct merge_job *merge = BL_CONTAINER(job, struct merge_job, job);
  int64_t first = INT64_MAX;
  int64_t last = 0;
  for (size_t i = 0; i < merge->count; i++) {
    const struct bl_key_run *run = merge->sources[i].run;
    if (run->first < first) first = run->first;
    if (run->last > last) last = run->last;
  }
  struct bl_key_writer writer;
  merge->err =
      bl_keys__writer_open(&writer, merge->keys, merge->sequence, merge->level + 1, first, last);
  if (merge->err != BL_OK) return;
  bl_err err = merge_into(merge, &writer);
  if (err != BL_OK) writer.err = err;
  merge->err = bl_keys__writer_close(&writer, &merge->out);
}

static void merge_done(struct bl_job *job) {
  struct merge_job *merge = BL_CONTAINER(job, struct merge_job, job);
  struct bl_keys *keys = merge->keys;
  keys->jobs--;
  keys->merging = false;
  for (size_t i = 0; i < merge->count; i++) {
    struct bl_key_run *run = merge->sources[i].run;
    run->merging = false;
    run->users--;
    /* One that a search found damaged meanwhile is dead already. */
    if (merge->err != BL_OK || !bl_keys__take_run(&keys->runs, run)) continue;
    bl_keys__add_run(&keys->dead, run);
  }
  if (merge->damaged != NULL) bl_keys__damaged(keys, merge->damaged, merge->err);
  bool merged = merge->err == BL_OK;
  if (merged && merge->out != NULL) bl_keys__add_run(&keys->runs, merge->out);
  free(merge);
  bl_keys__drop_below_min(keys);
  if (merged) maybe_merge(keys); /* after a failure with the next run */
}

static size_t runs_of_level(const struct bl_keys *keys, uint32_t level) {
  size_t count = 0;
  for (size_t i = 0; i < keys->runs.count; i++) count += keys->runs.items[i]->level == level;
  return count;
}

static void start_merge(struct bl_keys *keys, uint32_t level, size_t count) {
  struct merge_job *merge = calloc(1, sizeof(*merge) + count * sizeof(struct merge_source));
  BL_ASSERT(merge != NULL);
  merge->job = (struct bl_job){.run = merge_run, .done = merge_done};
  merge->keys = keys;
  merge->sequence = keys->next_sequence++;
  merge->log_min = keys->log_min;
  merge->level = level;
  for (size_t i = 0; i < keys->runs.count && merge->count < count; i++) {
    struct bl_key_run *run = keys->runs.items[i];
    if (run->level != level) continue;
    run->merging = true;
    run->users++;
    merge->sources[merge->count++].run = run;
  }
  keys->merging = true;
  keys->jobs++;
  bl_worker_submit(keys->pool, &merge->job);
}

static void maybe_merge(struct bl_keys *keys) {
  if (keys->merging) return;
  for (size_t i = 0; i < keys->runs.count; i++) {
    uint32_t level = keys->runs.items[i]->level;
    size_t count = runs_of_level(keys, level);
    if (count <= BL_KEYS_MERGE_ABOVE) continue;
    start_merge(keys, level, BL_KEYS_MERGE_ABOVE + 1);
    return;
  }
}

void bl_keys__drop_below_min(struct bl_keys *keys) {
  for (size_t i = keys->runs.count; i > 0; i--) {
    struct bl_key_run *run = keys->runs.items[i - 1];
    if (run->last >= keys->log_min || run->merging) continue;
    bl_keys__take_run(&keys->runs, run);
    bl_keys__add_run(&keys->dead, run);
  }
}

void bl_keys__mark_doomed(struct bl_keys *keys) {
  for (size_t i = 0; i < keys->dead.count; i++) keys->dead.items[i]->doomed = true;
}

struct delete_job {
  struct bl_job job;
  struct bl_keys *keys;
  struct bl_key_run *run;
};

static void delete_run(struct bl_job *job) {
  struct delete_job *delete = BL_CONTAINER(job, struct delete_job, job);
  struct bl_keys *keys = delete->keys;
  char path[512];
  bl_keys__run_path(keys, delete->run, path);
  bl_keys__free_run(keys, delete->run);
  (void)keys->disk->ops->remove(keys->disk, path); /* what stays is removed at the next start */
}

static void delete_done(struct bl_job *job) {
  struct delete_job *delete = BL_CONTAINER(job, struct delete_job, job);
  delete->keys->jobs--;
  free(delete);
}

void bl_keys__delete_doomed(struct bl_keys *keys, bool done) {
  for (size_t i = keys->dead.count; i > 0; i--) {
    struct bl_key_run *run = keys->dead.items[i - 1];
    bool gone = done && run->doomed && run->users == 0;
    run->doomed = false;
    if (!gone) continue;
    bl_keys__take_run(&keys->dead, run);
    struct delete_job *delete = malloc(sizeof(*delete));
    BL_ASSERT(delete != NULL);
    *delete = (struct delete_job){
        .job = {.run = delete_run, .done = delete_done}, .keys = keys, .run = run};
    keys->jobs++;
    bl_worker_submit(keys->pool, &delete->job);
  }
}
