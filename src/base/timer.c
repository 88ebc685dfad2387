#include "base/timer.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/assert.h"

#define TIMERS_FIRST_COUNT 16u

void bl_timers_init(struct bl_timers *timers) {
  *timers = (struct bl_timers){0};
}

void bl_timers_fini(struct bl_timers *timers) {
  for (size_t i = 0; i < timers->count; i++) timers->heap[i]->place = 0;
  free(timers->heap);
  *timers = (struct bl_timers){0};
}

static void put_at(struct bl_timers *timers, size_t i, struct bl_timer *timer) {
  timers->heap[i] = timer;
  timer->place = i + 1;
}

static void move_up(struct bl_timers *timers, size_t i, struct bl_timer *timer) {
  while (i > 0) {
    size_t parent = (i - 1) / 2;
    if (timers->heap[parent]->deadline_ms <= timer->deadline_ms) break;
    put_at(timers, i, timers->heap[parent]);
    i = parent;
  }
  put_at(timers, i, timer);
}

static void move_down(struct bl_timers *timers, size_t i, struct bl_timer *timer) {
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= timers->count) break;
    if (child + 1 < timers->count &&
        timers->heap[child + 1]->deadline_ms < timers->heap[child]->deadline_ms) {
      child++;
    }
    if (timer->deadline_ms <= timers->heap[child]->deadline_ms) break;
    put_at(timers, i, timers->heap[child]);
    i = child;
  }
  put_at(timers, i, timer);
}

static void make_room(struct bl_timers *timers) {
  if (timers->count < timers->cap) return;
  size_t cap = timers->cap > 0 ? timers->cap * 2 : TIMERS_FIRST_COUNT;
  struct bl_timer **heap = realloc(timers->heap, cap * sizeof(*heap));
  BL_ASSERT(heap != NULL);
  timers->heap = heap;
  timers->cap = cap;
}

void bl_timer_set(struct bl_timers *timers, struct bl_timer *timer, int64_t deadline_ms) {
  BL_ASSERT(timer->fire != NULL);
  if (timer->place == 0) {
    make_room(timers);
    timer->deadline_ms = deadline_ms;
    move_up(timers, timers->count++, timer);
    return;
  }
  size_t i = timer->place - 1;
  BL_ASSERT(i < timers->count && timers->heap[i] == timer);
  bool earlier = deadline_ms < timer->deadline_ms;
  timer->deadline_ms = deadline_ms;
  if (earlier) {
    move_up(timers, i, timer);
  } else {
    move_down(timers, i, timer);
  }
}

void bl_timer_cancel(struct bl_timers *timers, struct bl_timer *timer) {
  if (timer->place == 0) return;
  size_t i = timer->place - 1;
  BL_ASSERT(i < timers->count && timers->heap[i] == timer);
  timer->place = 0;
  struct bl_timer *last = timers->heap[--timers->count];
  if (last == timer) return;
  if (last->deadline_ms < timer->deadline_ms) {
    move_up(timers, i, last);
  } else {
    move_down(timers, i, last);
  }
}

int64_t bl_timers_wait_ms(const struct bl_timers *timers, int64_t now_ms) {
  if (timers->count == 0) return -1;
  int64_t deadline_ms = timers->heap[0]->deadline_ms;
  if (deadline_ms <= now_ms) return 0;
  int64_t wait_ms;
  if (__builtin_sub_overflow(deadline_ms, now_ms, &wait_ms)) return INT64_MAX;
  return wait_ms;
}

size_t bl_timers_run(struct bl_timers *timers, int64_t now_ms, size_t limit) {
  size_t fired = 0;
  while (fired < limit && timers->count > 0 && timers->heap[0]->deadline_ms <= now_ms) {
    struct bl_timer *timer = timers->heap[0];
    bl_timer_cancel(timers, timer);
    fired++;
    timer->fire(timer, now_ms); /* may free the timer: not touched afterwards */
  }
  return fired;
}
