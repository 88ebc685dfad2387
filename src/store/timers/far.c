/* What is not due soon: in order from the far heap, from sealed heaps, and from files. */
#include <stdlib.h>

#include "base/assert.h"
#include "store/timers/pending_internal.h"

/* A sealed heap: its items stay where they are. */

static bool comes_before(const struct bl_pending_sealed *sealed, uint32_t a, uint32_t b) {
  return bl_pending__compare(&sealed->items[a], &sealed->items[b]) < 0;
}

static void add_next(struct bl_pending_sealed *sealed, size_t place) {
  if (place >= sealed->count) return;
  if (sealed->next_count == sealed->next_cap) {
    sealed->next_cap = sealed->next_cap > 0 ? sealed->next_cap * 2 : 64;
    sealed->next = realloc(sealed->next, sealed->next_cap * sizeof(*sealed->next));
    BL_ASSERT(sealed->next != NULL);
  }
  size_t i = sealed->next_count++;
  while (i > 0 && comes_before(sealed, (uint32_t)place, sealed->next[(i - 1) / 2])) {
    sealed->next[i] = sealed->next[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  sealed->next[i] = (uint32_t)place;
}

static void drop_next(struct bl_pending_sealed *sealed) {
  uint32_t last = sealed->next[--sealed->next_count];
  size_t count = sealed->next_count;
  size_t i = 0;
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= count) break;
    if (child + 1 < count && comes_before(sealed, sealed->next[child + 1], sealed->next[child]))
      child++;
    if (!comes_before(sealed, sealed->next[child], last)) break;
    sealed->next[i] = sealed->next[child];
    i = child;
  }
  if (count > 0) sealed->next[i] = last;
}

static const struct bl_pending_entry *sealed_top(const struct bl_pending_sealed *sealed) {
  return sealed->next_count > 0 ? &sealed->items[sealed->next[0]] : NULL;
}

static void sealed_take(struct bl_pending_sealed *sealed) {
  size_t place = sealed->next[0];
  sealed->last = sealed->items[place];
  sealed->taken++;
  drop_next(sealed);
  add_next(sealed, 2 * place + 1);
  add_next(sealed, 2 * place + 2);
}

void bl_pending__sealed_start(struct bl_pending_sealed *sealed) {
  add_next(sealed, 0);
}

void bl_pending__free_sealed(struct bl_pending_sealed *sealed) {
  if (sealed->users > 0 || sealed->writing) return;
  free(sealed->items);
  free(sealed->next);
  free(sealed);
}

/* Files. */

void bl_pending__add_run(struct bl_pending *pending, struct bl_pending_run *run) {
  if (pending->run_count == pending->run_cap) {
    pending->run_cap = pending->run_cap > 0 ? pending->run_cap * 2 : 16;
    pending->runs = realloc(pending->runs, pending->run_cap * sizeof(*pending->runs));
    BL_ASSERT(pending->runs != NULL);
  }
  pending->runs[pending->run_count++] = run;
}

static void use_up(struct bl_pending_run *run) {
  run->head_ms = INT64_MAX;
  if (!run->merging) run->dead = true;
  if (run->loading) return;
  free(run->window);
  run->window = NULL;
  run->window_count = 0;
}

/* The next entry of a file; NULL with *out_wait: it is being read. */
static const struct bl_pending_entry *run_top(struct bl_pending *pending,
                                              struct bl_pending_run *run, bool *out_wait) {
  for (;;) {
    if (run->at >= run->count) {
      use_up(run);
      return NULL;
    }
    int64_t in_window = run->at - run->window_from;
    if (run->window == NULL || in_window < 0 || in_window >= run->window_count) {
      bl_pending__load_window(pending, run);
      *out_wait = true;
      return NULL;
    }
    const struct bl_pending_entry *entry = &run->window[in_window];
    run->head_ms = entry->due_ms;
    if (bl_pending__compare(entry, &run->skip) > 0) return entry;
    run->at++;
  }
}

static void run_take(struct bl_pending_run *run) {
  run->last = run->window[run->at - run->window_from];
  run->at++;
}

/* Which source has the next entry. */
struct source {
  const struct bl_pending_entry *entry; /* NULL: none */
  struct bl_pending_sealed *sealed;
  struct bl_pending_run *run; /* neither: the heap */
};

static void offer(struct source *best, const struct bl_pending_entry *entry,
                  struct bl_pending_sealed *sealed, struct bl_pending_run *run) {
  if (entry == NULL) return;
  if (best->entry != NULL && bl_pending__compare(best->entry, entry) <= 0) return;
  *best = (struct source){entry, sealed, run};
}

/* false: a file must be read first. */
static bool find_next(struct bl_pending *pending, int64_t until_ms, struct source *out_best) {
  bool wait = false;
  *out_best = (struct source){NULL, NULL, NULL};
  if (pending->far.count > 0) offer(out_best, &pending->far.items[0], NULL, NULL);
  for (int i = 0; i < pending->sealed_count; i++)
    offer(out_best, sealed_top(pending->sealed[i]), pending->sealed[i], NULL);
  for (size_t i = 0; i < pending->run_count; i++) {
    struct bl_pending_run *run = pending->runs[i];
    if (run->dead || run->err != BL_OK || run->head_ms > until_ms) continue;
    offer(out_best, run_top(pending, run, &wait), NULL, run);
  }
  return !wait;
}

static void take(struct bl_pending *pending, const struct source *best,
                 struct bl_pending_entry *out_entry) {
  if (best->sealed == NULL && best->run == NULL) {
    bl_pending__heap_pop(&pending->far, out_entry);
    return;
  }
  *out_entry = *best->entry;
  if (best->sealed != NULL) sealed_take(best->sealed);
  if (best->run != NULL) run_take(best->run);
}

bool bl_pending_take_far(struct bl_pending *pending, int64_t until_ms,
                         struct bl_pending_entry *out_entry, bool *out_wait) {
  struct source best;
  *out_wait = false;
  for (;;) {
    if (!find_next(pending, until_ms, &best)) {
      *out_wait = true;
      return false;
    }
    if (best.entry == NULL || best.entry->due_ms > until_ms) break;
    take(pending, &best, out_entry);
    /* Taken away, or there twice. */
    if (bl_pending__same(out_entry, &pending->far_last)) continue;
    pending->far_last = *out_entry;
    if (out_entry->due_ms > pending->frontier_ms) pending->frontier_ms = out_entry->due_ms;
    if (out_entry->kind != BL_PENDING_DEAD) return true;
    bl_pending__heap_push(&pending->near, out_entry);
  }
  if (until_ms > pending->frontier_ms) pending->frontier_ms = until_ms;
  return false;
}

int64_t bl_pending__far_next_ms(const struct bl_pending *pending) {
  int64_t next_ms = pending->far.count > 0 ? pending->far.items[0].due_ms : INT64_MAX;
  for (int i = 0; i < pending->sealed_count; i++) {
    const struct bl_pending_entry *top = sealed_top(pending->sealed[i]);
    if (top != NULL && top->due_ms < next_ms) next_ms = top->due_ms;
  }
  for (size_t i = 0; i < pending->run_count; i++) {
    const struct bl_pending_run *run = pending->runs[i];
    if (!run->dead && run->err == BL_OK && run->head_ms < next_ms) next_ms = run->head_ms;
  }
  return next_ms;
}

int64_t bl_pending__far_min_offset(const struct bl_pending *pending) {
  int64_t min = bl_pending__slots_min(&pending->far.slots);
  for (int i = 0; i < pending->sealed_count; i++) {
    if (pending->sealed[i]->min_offset < min) min = pending->sealed[i]->min_offset;
  }
  for (size_t i = 0; i < pending->run_count; i++) {
    const struct bl_pending_run *run = pending->runs[i];
    if (!run->dead && run->min_offset < min) min = run->min_offset;
  }
  for (size_t i = pending->roll_at; i < pending->roll_count; i++) {
    if (pending->rolls[i].log_offset < min) min = pending->rolls[i].log_offset;
  }
  return min;
}

void bl_pending__clear_far(struct bl_pending *pending) {
  BL_ASSERT(pending->jobs == 0);
  bl_pending__heap_fini(&pending->far);
  for (int i = 0; i < pending->sealed_count; i++) {
    pending->sealed[i]->users = 0;
    bl_pending__free_sealed(pending->sealed[i]);
  }
  pending->sealed_count = 0;
  for (size_t i = 0; i < pending->run_count; i++) bl_pending__run_free(pending, pending->runs[i]);
  free(pending->runs);
  pending->runs = NULL;
  pending->run_count = pending->run_cap = 0;
  free(pending->rolls);
  pending->rolls = NULL;
  pending->roll_at = pending->roll_count = 0;
  pending->roll_below = 0;
  pending->far_last = (struct bl_pending_entry){.due_ms = INT64_MIN};
}
