#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "store/timers/pending_internal.h"

#define AGAIN_MS 1000

static struct bl_log_limit refused_limit = {.per_second = 1};
static struct bl_log_limit damaged_limit = {.per_second = 1};

/* Windows of files. */

struct load_job {
  struct bl_job job;
  struct bl_pending *pending;
  struct bl_pending_run *run;
  int64_t at;
  struct bl_pending_entry *entries;
  int64_t from;
  uint32_t count;
  bl_err err;
};

static void run_load(struct bl_job *job) {
  struct load_job *load = BL_CONTAINER(job, struct load_job, job);
  load->err = bl_pending__run_read(load->pending, load->run, load->at, load->entries,
                                   BL_PENDING_WINDOW_PAGES, &load->from, &load->count);
}

static void done_load(struct bl_job *job) {
  struct load_job *load = BL_CONTAINER(job, struct load_job, job);
  struct bl_pending_run *run = load->run;
  load->pending->jobs--;
  run->users--;
  run->loading = false;
  if (load->err != BL_OK) {
    run->err = load->err;
    free(load->entries);
    bl_log_limited(&damaged_limit, BL_LOG_ERROR, "store", "timers.run.damaged",
                   "sequence=%" PRId64
                   " error=%s going_on=\"its messages are looked up in the log\"",
                   run->sequence, bl_err_name(load->err));
    bl_pending__distrust(load->pending, run);
  } else {
    free(run->window);
    run->window = load->entries;
    run->window_from = load->from;
    run->window_count = load->count;
  }
  free(load);
}

void bl_pending__load_window(struct bl_pending *pending, struct bl_pending_run *run) {
  if (run->loading) return;
  struct load_job *load = calloc(1, sizeof(*load));
  BL_ASSERT(load != NULL);
  *load = (struct load_job){
      .job = {.run = run_load, .done = done_load}, .pending = pending, .run = run, .at = run->at};
  load->entries =
      malloc((size_t)BL_PENDING_WINDOW_PAGES * BL_PENDING_PAGE_ENTRIES * sizeof(*load->entries));
  BL_ASSERT(load->entries != NULL);
  run->loading = true;
  run->users++;
  pending->jobs++;
  bl_worker_submit(pending->pool, &load->job);
}

/* A heap becomes a file. */

static int compare(const void *a, const void *b) {
  const struct bl_pending_entry *x = *(const struct bl_pending_entry *const *)a;
  const struct bl_pending_entry *y = *(const struct bl_pending_entry *const *)b;
  return bl_pending__compare(x, y);
}

static void run_seal(struct bl_job *job) {
  struct bl_pending_sealed *sealed = BL_CONTAINER(job, struct bl_pending_sealed, job);
  const struct bl_pending_entry **sorted = malloc(sealed->count * sizeof(*sorted));
  BL_ASSERT(sorted != NULL);
  for (size_t i = 0; i < sealed->count; i++) sorted[i] = &sealed->items[i];
  qsort(sorted, sealed->count, sizeof(*sorted), compare);
  struct bl_pending_writer writer;
  sealed->run = NULL;
  sealed->err = bl_pending__writer_open(&writer, sealed->pending, sealed->sequence, 0);
  if (sealed->err == BL_OK) {
    for (size_t i = 0; i < sealed->count; i++) bl_pending__writer_put(&writer, sorted[i]);
    sealed->err = bl_pending__writer_close(&writer, &sealed->run);
  }
  free(sorted);
}

static void forget_sealed(struct bl_pending *pending, struct bl_pending_sealed *sealed) {
  int kept = 0;
  for (int i = 0; i < pending->sealed_count; i++) {
    if (pending->sealed[i] != sealed) pending->sealed[kept++] = pending->sealed[i];
  }
  pending->sealed_count = kept;
  sealed->gone = true;
  bl_pending__free_sealed(sealed);
}

/* As many entries of the file were taken as of the heap. */
static void done_seal(struct bl_job *job) {
  struct bl_pending_sealed *sealed = BL_CONTAINER(job, struct bl_pending_sealed, job);
  struct bl_pending *pending = sealed->pending;
  pending->jobs--;
  sealed->writing = false;
  if (sealed->err != BL_OK) {
    bl_log_limited(&refused_limit, BL_LOG_ERROR, "store", "timers.run.refused",
                   "error=%s going_on=\"times of delayed messages stay in memory\"",
                   bl_err_name(sealed->err));
    pending->seal_again_ms = pending->last_ms + AGAIN_MS;
    return;
  }
  struct bl_pending_run *run = sealed->run;
  run->at = sealed->taken;
  run->last = sealed->last;
  if (sealed->last.due_ms > run->head_ms) run->head_ms = sealed->last.due_ms;
  bl_pending__add_run(pending, run);
  forget_sealed(pending, sealed);
}

static void submit_seal(struct bl_pending *pending, struct bl_pending_sealed *sealed) {
  sealed->job = (struct bl_job){.run = run_seal, .done = done_seal};
  sealed->sequence = pending->next_sequence++;
  sealed->writing = true;
  pending->jobs++;
  bl_worker_submit(pending->pool, &sealed->job);
}

static void seal(struct bl_pending *pending) {
  struct bl_pending_heap *far = &pending->far;
  struct bl_pending_sealed *sealed = calloc(1, sizeof(*sealed));
  BL_ASSERT(sealed != NULL);
  sealed->pending = pending;
  sealed->items = far->items;
  sealed->count = far->count;
  sealed->min_offset = bl_pending__slots_min(&far->slots);
  sealed->last.due_ms = INT64_MIN;
  bl_pending__slots_fini(&far->slots);
  far->items = NULL;
  far->count = far->cap = 0;
  bl_pending__sealed_start(sealed);
  pending->sealed[pending->sealed_count++] = sealed;
  submit_seal(pending, sealed);
}

/* Merging. */

struct merge_source {
  struct bl_pending_run *run;
  int64_t at;
  struct bl_pending_entry skip;
  struct bl_pending_entry *entries;
  int64_t from;
  uint32_t count;
};

struct merge_job {
  struct bl_job job;
  struct bl_pending *pending;
  int64_t sequence;
  uint32_t level;
  int64_t roll_below; /* entries below in the log go to `rolls`; 0: none */
  struct bl_pending_entry *rolls;
  size_t roll_count;
  size_t roll_cap;
  struct bl_pending_run *out;
  struct bl_pending_run *damaged;
  bl_err err;
  size_t count;
  struct merge_source sources[];
};

/* The source's next entry; NULL at its end, or *out_err. */
static const struct bl_pending_entry *source_top(struct merge_job *merge,
                                                 struct merge_source *source, bl_err *out_err) {
  for (;;) {
    if (source->at >= source->run->count) return NULL;
    int64_t in_window = source->at - source->from;
    if (source->count == 0 || in_window >= source->count) {
      *out_err = bl_pending__run_read(merge->pending, source->run, source->at, source->entries,
                                      BL_PENDING_WINDOW_PAGES, &source->from, &source->count);
      if (*out_err != BL_OK) {
        merge->damaged = source->run;
        return NULL;
      }
      in_window = source->at - source->from;
    }
    if (bl_pending__compare(&source->entries[in_window], &source->skip) > 0)
      return &source->entries[in_window];
    source->at++;
  }
}

static bool roll(struct merge_job *merge, const struct bl_pending_entry *entry) {
  if (entry->kind == BL_PENDING_DEAD || entry->log_offset >= merge->roll_below ||
      merge->roll_count == BL_PENDING_ROLL_MAX)
    return false;
  if (merge->roll_count == merge->roll_cap) {
    merge->roll_cap = merge->roll_cap > 0 ? merge->roll_cap * 2 : 1024;
    merge->rolls = realloc(merge->rolls, merge->roll_cap * sizeof(*merge->rolls));
    BL_ASSERT(merge->rolls != NULL);
  }
  merge->rolls[merge->roll_count++] = *entry;
  return true;
}

/* What takes away meets what is taken away: both go. What takes away something that is in none of
 * the sources stays. */
static bl_err merge_all(struct merge_job *merge, struct bl_pending_writer *writer) {
  struct bl_pending_entry last = {.due_ms = INT64_MIN};
  bool held = false; /* `last` takes away, and is not written */
  bl_err err = BL_OK;
  for (;;) {
    struct merge_source *least = NULL;
    const struct bl_pending_entry *top = NULL;
    for (size_t i = 0; i < merge->count; i++) {
      const struct bl_pending_entry *of = source_top(merge, &merge->sources[i], &err);
      if (err != BL_OK) return err;
      if (of == NULL || (top != NULL && bl_pending__compare(top, of) <= 0)) continue;
      least = &merge->sources[i];
      top = of;
    }
    bool same = top != NULL && bl_pending__same(top, &last);
    if (same && top->kind != BL_PENDING_DEAD) held = false;
    if (!same && held) bl_pending__writer_put(writer, &last);
    if (top == NULL) return BL_OK;
    if (!same) {
      last = *top;
      held = top->kind == BL_PENDING_DEAD;
      if (!held && !roll(merge, top)) bl_pending__writer_put(writer, top);
    }
    least->at++;
  }
}

static void run_merge(struct bl_job *job) {
  struct merge_job *merge = BL_CONTAINER(job, struct merge_job, job);
  struct bl_pending_writer writer;
  for (size_t i = 0; i < merge->count; i++) {
    merge->sources[i].entries = malloc((size_t)BL_PENDING_WINDOW_PAGES * BL_PENDING_PAGE_ENTRIES *
                                       sizeof(struct bl_pending_entry));
    BL_ASSERT(merge->sources[i].entries != NULL);
  }
  merge->err = bl_pending__writer_open(&writer, merge->pending, merge->sequence, merge->level + 1);
  if (merge->err == BL_OK) {
    bl_err err = merge_all(merge, &writer);
    if (err != BL_OK) writer.err = err;
    merge->err = bl_pending__writer_close(&writer, &merge->out);
  }
  for (size_t i = 0; i < merge->count; i++) free(merge->sources[i].entries);
}

static void take_rolls(struct bl_pending *pending, struct merge_job *merge) {
  BL_ASSERT(pending->roll_at == pending->roll_count);
  free(pending->rolls);
  pending->rolls = merge->rolls;
  pending->roll_at = 0;
  pending->roll_count = merge->roll_count;
  merge->rolls = NULL;
}

/* What was taken from the sources meanwhile is passed over in what they became. */
static void done_merge(struct bl_job *job) {
  struct merge_job *merge = BL_CONTAINER(job, struct merge_job, job);
  struct bl_pending *pending = merge->pending;
  struct bl_pending_entry skip = {.due_ms = INT64_MIN};
  pending->jobs--;
  pending->merging = false;
  for (size_t i = 0; i < merge->count; i++) {
    struct bl_pending_run *run = merge->sources[i].run;
    run->merging = false;
    run->users--;
    if (run->last.due_ms != INT64_MIN && bl_pending__compare(&run->last, &skip) > 0)
      skip = run->last;
    if (merge->err == BL_OK || run->at >= run->count) run->dead = true;
  }
  if (merge->err == BL_OK) {
    if (merge->out != NULL) {
      merge->out->skip = skip;
      bl_pending__add_run(pending, merge->out);
    }
    size_t kept = 0;
    for (size_t i = 0; i < merge->roll_count; i++) {
      if (bl_pending__compare(&merge->rolls[i], &skip) > 0) merge->rolls[kept++] = merge->rolls[i];
    }
    merge->roll_count = kept;
    if (merge->roll_below > 0) take_rolls(pending, merge);
  } else {
    pending->seal_again_ms = pending->last_ms + AGAIN_MS;
    if (merge->damaged != NULL) {
      merge->damaged->err = merge->err;
      bl_pending__distrust(pending, merge->damaged);
    }
  }
  free(merge->rolls);
  free(merge);
}

static bool is_live(const struct bl_pending_run *run) {
  return !run->dead && !run->merging && run->err == BL_OK;
}

/* level UINT32_MAX: all of them. */
static size_t runs_of_level(const struct bl_pending *pending, uint32_t level) {
  size_t count = 0;
  for (size_t i = 0; i < pending->run_count; i++) {
    const struct bl_pending_run *run = pending->runs[i];
    count += is_live(run) && (level == UINT32_MAX || run->level == level);
  }
  return count;
}

static void start_merge(struct bl_pending *pending, uint32_t level, size_t count,
                        int64_t roll_below) {
  struct merge_job *merge = calloc(1, sizeof(*merge) + count * sizeof(struct merge_source));
  BL_ASSERT(merge != NULL);
  merge->job = (struct bl_job){.run = run_merge, .done = done_merge};
  merge->pending = pending;
  merge->sequence = pending->next_sequence++;
  merge->roll_below = roll_below;
  for (size_t i = 0; i < pending->run_count && merge->count < count; i++) {
    struct bl_pending_run *run = pending->runs[i];
    if (!is_live(run) || (level != UINT32_MAX && run->level != level)) continue;
    run->merging = true;
    run->users++;
    if (run->level > merge->level) merge->level = run->level;
    merge->sources[merge->count++] =
        (struct merge_source){.run = run, .at = run->at, .skip = run->skip};
  }
  if (level == UINT32_MAX && merge->level > 0) merge->level--; /* it grows by nothing */
  pending->merging = true;
  pending->jobs++;
  bl_worker_submit(pending->pool, &merge->job);
}

static void maybe_merge(struct bl_pending *pending) {
  for (size_t i = 0; i < pending->run_count; i++) {
    if (!is_live(pending->runs[i])) continue;
    uint32_t level = pending->runs[i]->level;
    if (runs_of_level(pending, level) <= BL_PENDING_MERGE_ABOVE) continue;
    start_merge(pending, level, BL_PENDING_MERGE_ABOVE + 1, 0);
    return;
  }
}

static bool runs_need(const struct bl_pending *pending, int64_t below) {
  for (size_t i = 0; i < pending->run_count; i++) {
    if (is_live(pending->runs[i]) && pending->runs[i]->min_offset < below) return true;
  }
  return false;
}

static bool is_walked(const struct bl_pending_heap *heap) {
  return heap->walk > 0 || heap->look > 0;
}

/* Everything to files, then all files into one without what is below. */
static void go_on_rolling(struct bl_pending *pending) {
  int64_t below = pending->roll_below;
  if (pending->roll_at < pending->roll_count) return;
  bool heap_needs = pending->far.count > 0 && bl_pending__slots_min(&pending->far.slots) < below;
  /* What takes an entry of a file away may be in the heap: it must meet it. */
  bool heap_goes = heap_needs || (pending->far.count > 0 && !pending->roll_sealed);
  if (heap_goes && pending->sealed_count == 0 && !is_walked(&pending->far)) {
    pending->roll_sealed = true;
    seal(pending);
  }
  if (heap_goes || pending->sealed_count > 0) return;
  if (!runs_need(pending, below)) {
    pending->roll_below = 0;
    pending->roll_sealed = false;
    return;
  }
  start_merge(pending, UINT32_MAX, runs_of_level(pending, UINT32_MAX), below);
}

static void go_on(struct bl_pending *pending) {
  if (!pending->live || pending->last_ms < pending->seal_again_ms) return;
  bl_pending__forget_gone(pending);
  for (int i = 0; i < pending->sealed_count; i++) {
    if (!pending->sealed[i]->writing) submit_seal(pending, pending->sealed[i]);
  }
  if (pending->far.count >= pending->seal_entries && !is_walked(&pending->far) &&
      pending->sealed_count < BL_PENDING_SEALED_MAX) {
    seal(pending);
  }
  if (pending->merging || pending->rebuild_from != INT64_MAX) return;
  if (pending->roll_below > 0) {
    go_on_rolling(pending);
  } else {
    maybe_merge(pending);
  }
}

bool bl_pending_turn(struct bl_pending *pending) {
  if (pending->adding) {
    bl_pending__add_some(pending);
  } else {
    go_on(pending);
  }
  return pending->adding;
}

void bl_pending_roll(struct bl_pending *pending, int64_t below) {
  if (below > pending->roll_below) pending->roll_below = below;
}

void bl_pending__mark_doomed(struct bl_pending *pending) {
  for (size_t i = 0; i < pending->run_count; i++) pending->runs[i]->doomed = pending->runs[i]->dead;
}

struct remove_job {
  struct bl_job job;
  struct bl_pending *pending;
  struct bl_pending_run *run;
};

static void run_remove(struct bl_job *job) {
  struct remove_job *remove = BL_CONTAINER(job, struct remove_job, job);
  struct bl_disk *disk = remove->pending->disk;
  char path[512];
  bl_pending__run_path(remove->pending, remove->run->sequence, path);
  bl_pending__run_free(remove->pending, remove->run);
  (void)disk->ops->remove(disk, path); /* what stays is removed at the next start */
}

static void done_remove(struct bl_job *job) {
  struct remove_job *remove = BL_CONTAINER(job, struct remove_job, job);
  remove->pending->jobs--;
  free(remove);
}

void bl_pending__remove_doomed(struct bl_pending *pending, bool done) {
  size_t kept = 0;
  for (size_t i = 0; i < pending->run_count; i++) {
    struct bl_pending_run *run = pending->runs[i];
    bool gone = done && run->doomed && run->users == 0;
    run->doomed = false;
    if (!gone) {
      pending->runs[kept++] = run;
      continue;
    }
    struct remove_job *remove = malloc(sizeof(*remove));
    BL_ASSERT(remove != NULL);
    *remove = (struct remove_job){
        .job = {.run = run_remove, .done = done_remove}, .pending = pending, .run = run};
    pending->jobs++;
    bl_worker_submit(pending->pool, &remove->job);
  }
  pending->run_count = kept;
}
