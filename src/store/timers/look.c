/* A page of what waits. The heaps are walked from their ends, as for a snapshot: what leaves the
 * part that was not seen is given to the look. Sealed heaps and files do not change; what was taken
 * from them before the look began is known by the last entry taken. */
#include "store/timers/look.h"

#include <stdlib.h>

#include "base/assert.h"
#include "store/timers/pending_internal.h"

#define STEP_ENTRIES 256

struct file_part {
  struct bl_pending_run *run;
  int64_t at;
  struct bl_pending_entry skip;
};

enum part { PART_NEAR, PART_FAR, PART_ROLLS, PART_SEALED, PART_FILES, PART_END };

/* The pool's while the job runs. */
struct bl_pending_look {
  struct bl_job job;
  struct bl_pending *pending;
  struct bl_pending_ask ask;
  enum part part;
  struct bl_buf left; /* entries that left a heap, and those that were put off */
  size_t left_at;
  struct bl_pending_entry *items; /* a heap, the last on top; sorted at the end */
  uint32_t count;
  uint32_t cap;
  bool full;
  size_t place;
  struct bl_pending_sealed *sealed[BL_PENDING_SEALED_MAX];
  struct bl_pending_entry sealed_last[BL_PENDING_SEALED_MAX];
  int sealed_count;
  int sealed_at;
  struct file_part *files;
  size_t file_count;
  struct bl_pending_run *damaged; /* the one that cannot be read */
  bool running;
  bool abandoned;
  struct bl_pending_place next;
  bl_err err;
};

/* The first `max` in order. */

static void sift_up(struct bl_pending_look *look, uint32_t i,
                    const struct bl_pending_entry *entry) {
  while (i > 0 && bl_pending__compare(entry, &look->items[(i - 1) / 2]) > 0) {
    look->items[i] = look->items[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  look->items[i] = *entry;
}

static void replace_last(struct bl_pending_look *look, const struct bl_pending_entry *entry) {
  uint32_t i = 0;
  for (;;) {
    uint32_t child = 2 * i + 1;
    if (child >= look->count) break;
    if (child + 1 < look->count &&
        bl_pending__compare(&look->items[child + 1], &look->items[child]) > 0)
      child++;
    if (bl_pending__compare(entry, &look->items[child]) >= 0) break;
    look->items[i] = look->items[child];
    i = child;
  }
  look->items[i] = *entry;
}

static bool is_wanted(const struct bl_pending_ask *ask, const struct bl_pending_entry *entry) {
  if (entry->due_ms > ask->until_ms || entry->due_ms < ask->after.due_ms) return false;
  if (entry->due_ms == ask->after.due_ms && entry->log_offset <= ask->after.log_offset)
    return false;
  return !ask->cancels_only || entry->kind == BL_PENDING_CANCEL ||
         entry->log_offset == ask->message_at;
}

/* false: nothing behind it in a sorted source will be taken either. */
static bool offer(struct bl_pending_look *look, const struct bl_pending_entry *entry) {
  if (!is_wanted(&look->ask, entry)) return entry->due_ms <= look->ask.until_ms;
  if (look->count == look->ask.max) {
    look->full = true;
    if (bl_pending__compare(entry, &look->items[0]) >= 0) return false;
    replace_last(look, entry);
    return true;
  }
  if (look->count == look->cap) {
    look->cap = look->cap > 0 ? look->cap * 2 : 256;
    look->items = realloc(look->items, look->cap * sizeof(*look->items));
    BL_ASSERT(look->items != NULL);
  }
  sift_up(look, look->count++, entry);
  return true;
}

/* RETURNS whether there are more. */
static bool take_left(struct bl_pending_look *look) {
  struct bl_pending_entry entry;
  BL_ASSERT(!look->left.failed);
  for (int i = 0; i < STEP_ENTRIES && look->left_at < look->left.len; i++) {
    bl_pending__decode(look->left.data + look->left_at, &entry);
    look->left_at += BL_PENDING_ENTRY_BYTES;
    offer(look, &entry);
  }
  if (look->left_at < look->left.len) return true;
  bl_buf_clear(&look->left);
  look->left_at = 0;
  return false;
}

/* On the pool: files, and the order. */

/* The first entry of the file that is not before `place`, by pages. */
static bl_err find_page(struct bl_pending_look *look, const struct file_part *file,
                        struct bl_pending_entry *page, int64_t *out_at) {
  int64_t from = file->at / BL_PENDING_PAGE_ENTRIES;
  int64_t to = (file->run->count + BL_PENDING_PAGE_ENTRIES - 1) / BL_PENDING_PAGE_ENTRIES;
  while (to - from > 1) {
    int64_t middle = from + (to - from) / 2;
    int64_t first;
    uint32_t count;
    bl_err err = bl_pending__run_read(look->pending, file->run, middle * BL_PENDING_PAGE_ENTRIES,
                                      page, 1, &first, &count);
    if (err != BL_OK) return err;
    if (page[0].due_ms < look->ask.after.due_ms ||
        (page[0].due_ms == look->ask.after.due_ms &&
         page[0].log_offset <= look->ask.after.log_offset)) {
      from = middle;
    } else {
      to = middle;
    }
  }
  int64_t at = from * BL_PENDING_PAGE_ENTRIES;
  *out_at = at > file->at ? at : file->at;
  return BL_OK;
}

static bl_err read_file(struct bl_pending_look *look, const struct file_part *file,
                        struct bl_pending_entry *window) {
  int64_t at;
  bl_err err = find_page(look, file, window, &at);
  while (err == BL_OK && at < file->run->count) {
    int64_t from;
    uint32_t count;
    err = bl_pending__run_read(look->pending, file->run, at, window, BL_PENDING_WINDOW_PAGES, &from,
                               &count);
    for (; err == BL_OK && at < from + count; at++) {
      const struct bl_pending_entry *entry = &window[at - from];
      if (bl_pending__compare(entry, &file->skip) > 0 && !offer(look, entry)) return BL_OK;
    }
  }
  return err;
}

static int compare(const void *a, const void *b) {
  return bl_pending__compare(a, b);
}

/* What takes away comes before what is taken away. */
static void drop_dead(struct bl_pending_look *look) {
  const struct bl_pending_entry *last = NULL;
  uint32_t kept = 0;
  struct bl_pending_entry before;
  for (uint32_t i = 0; i < look->count; i++) {
    struct bl_pending_entry entry = look->items[i];
    bool again = last != NULL && bl_pending__same(&before, &entry);
    before = entry;
    last = &before;
    if (!again && entry.kind != BL_PENDING_DEAD) look->items[kept++] = entry;
  }
  look->count = kept;
}

static void run_look(struct bl_job *job) {
  struct bl_pending_look *look = BL_CONTAINER(job, struct bl_pending_look, job);
  struct bl_pending_entry *window =
      malloc((size_t)BL_PENDING_WINDOW_PAGES * BL_PENDING_PAGE_ENTRIES * sizeof(*window));
  BL_ASSERT(window != NULL);
  for (size_t i = 0; i < look->file_count && look->err == BL_OK; i++) {
    look->err = read_file(look, &look->files[i], window);
    if (look->err != BL_OK) look->damaged = look->files[i].run;
  }
  free(window);
  if (look->count > 0) qsort(look->items, look->count, sizeof(*look->items), compare);
  if (look->count > 0) {
    const struct bl_pending_entry *last = &look->items[look->count - 1];
    look->next = (struct bl_pending_place){last->due_ms, last->log_offset};
  }
  drop_dead(look);
}

static void let_files_go(struct bl_pending_look *look) {
  for (size_t i = 0; i < look->file_count; i++) look->files[i].run->users--;
  look->file_count = 0;
}

static void free_look(struct bl_pending_look *look) {
  bl_buf_fini(&look->left);
  free(look->items);
  free(look->files);
  free(look);
}

static void done_look(struct bl_job *job) {
  struct bl_pending_look *look = BL_CONTAINER(job, struct bl_pending_look, job);
  look->pending->jobs--;
  look->running = false;
  struct bl_pending_run *damaged = look->damaged;
  if (damaged != NULL && !damaged->dead && damaged->err == BL_OK) {
    damaged->err = look->err;
    bl_pending__distrust(look->pending, damaged);
  }
  let_files_go(look);
  look->part = PART_END;
  if (look->abandoned) free_look(look);
}

/* On the core. */

static void take_files(struct bl_pending_look *look) {
  struct bl_pending *pending = look->pending;
  look->files = calloc(pending->run_count + 1, sizeof(*look->files));
  BL_ASSERT(look->files != NULL);
  for (size_t i = 0; i < pending->run_count; i++) {
    struct bl_pending_run *run = pending->runs[i];
    if (run->dead || run->err != BL_OK) continue;
    run->users++;
    const struct bl_pending_entry *skip =
        bl_pending__compare(&run->last, &run->skip) > 0 ? &run->last : &run->skip;
    look->files[look->file_count++] = (struct file_part){run, run->at, *skip};
  }
  for (int i = 0; i < pending->sealed_count; i++) {
    struct bl_pending_sealed *sealed = pending->sealed[i];
    sealed->users++;
    look->sealed[look->sealed_count] = sealed;
    look->sealed_last[look->sealed_count++] = sealed->last;
  }
}

static void begin_walk(struct bl_pending_heap *heap, struct bl_buf *out) {
  heap->look = heap->count;
  heap->look_out = out;
}

static void end_walk(struct bl_pending_heap *heap) {
  heap->look = 0;
  heap->look_out = NULL;
}

struct bl_pending_look *bl_pending_look_new(struct bl_pending *pending,
                                            const struct bl_pending_ask *ask) {
  if (pending->look != NULL) return NULL;
  BL_ASSERT(ask->max > 0 && ask->max <= BL_PENDING_LOOK_MAX);
  struct bl_pending_look *look = calloc(1, sizeof(*look));
  BL_ASSERT(look != NULL);
  look->pending = pending;
  look->ask = *ask;
  look->next = ask->after;
  bl_buf_init(&look->left, 0);
  take_files(look);
  begin_walk(&pending->near, &look->left);
  begin_walk(&pending->far, &look->left);
  for (size_t i = pending->parked_from; i != pending->parked_to; i++)
    bl_pending__put_entry(&look->left, &pending->parked[i % BL_PENDING_PARKED_MAX].entry);
  look->place = pending->roll_count;
  pending->look = look;
  if (pending->rebuild_from != INT64_MAX || pending->adding) look->err = BL_ERR_BUSY;
  return look;
}

/* The core's state is touched no more. */
static void let_go(struct bl_pending_look *look) {
  struct bl_pending *pending = look->pending;
  if (pending->look != look) return;
  pending->look = NULL;
  end_walk(&pending->near);
  end_walk(&pending->far);
  for (int i = 0; i < look->sealed_count; i++) {
    look->sealed[i]->users--;
    if (look->sealed[i]->gone) bl_pending__free_sealed(look->sealed[i]);
  }
  look->sealed_count = 0;
}

/* RETURNS whether there is more in the heap. */
static bool walk(struct bl_pending_look *look, struct bl_pending_heap *heap) {
  for (int i = 0; i < STEP_ENTRIES && heap->look > 0; i++) offer(look, &heap->items[--heap->look]);
  return heap->look > 0;
}

/* From the end: what is in front goes. */
static bool walk_rolls(struct bl_pending_look *look) {
  struct bl_pending *pending = look->pending;
  if (look->place > pending->roll_count) look->place = pending->roll_count;
  for (int i = 0; i < STEP_ENTRIES && look->place > pending->roll_at; i++)
    offer(look, &pending->rolls[--look->place]);
  return look->place > pending->roll_at;
}

static bool walk_sealed(struct bl_pending_look *look) {
  for (int i = 0; i < STEP_ENTRIES && look->sealed_at < look->sealed_count; i++) {
    const struct bl_pending_sealed *sealed = look->sealed[look->sealed_at];
    if (look->place == sealed->count) {
      look->sealed_at++;
      look->place = 0;
      continue;
    }
    const struct bl_pending_entry *entry = &sealed->items[look->place++];
    if (bl_pending__compare(entry, &look->sealed_last[look->sealed_at]) > 0) offer(look, entry);
  }
  return look->sealed_at < look->sealed_count;
}

static void read_files(struct bl_pending_look *look) {
  struct bl_pending *pending = look->pending;
  let_go(look);
  look->job = (struct bl_job){.run = run_look, .done = done_look};
  look->running = true;
  pending->jobs++;
  bl_worker_submit(pending->pool, &look->job);
}

enum bl_pending_look_step bl_pending_look_step(struct bl_pending_look *look) {
  bool more = false;
  if (look->running) return BL_PENDING_LOOK_WAIT;
  if (look->part == PART_END) return BL_PENDING_LOOK_DONE;
  if (take_left(look)) return BL_PENDING_LOOK_MORE;
  switch (look->part) {
    case PART_NEAR: more = walk(look, &look->pending->near); break;
    case PART_FAR: more = walk(look, &look->pending->far); break;
    case PART_ROLLS: more = walk_rolls(look); break;
    case PART_SEALED: more = walk_sealed(look); break;
    default: read_files(look); return BL_PENDING_LOOK_WAIT;
  }
  if (more) return BL_PENDING_LOOK_MORE;
  if (look->part == PART_ROLLS) look->place = 0;
  look->part++;
  return BL_PENDING_LOOK_MORE;
}

bl_err bl_pending_look_result(const struct bl_pending_look *look,
                              const struct bl_pending_entry **out_entries, uint32_t *out_count,
                              struct bl_pending_place *out_next, bool *out_end) {
  BL_ASSERT(look->part == PART_END && !look->running);
  *out_entries = look->items;
  *out_count = look->count;
  *out_next = look->next;
  *out_end = !look->full;
  return look->err;
}

void bl_pending_look_free(struct bl_pending_look *look) {
  if (look == NULL) return;
  let_go(look);
  if (look->running) {
    look->abandoned = true;
    return;
  }
  let_files_go(look);
  free_look(look);
}
