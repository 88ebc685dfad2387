/* Deadlines in a heap, run by whoever owns the loop: the loop sleeps until bl_timers_wait_ms. Pure:
 * time comes in as an argument, so a test or a simulation sets it. Monotonic milliseconds. */
#ifndef BOLIDE_BASE_TIMER_H
#define BOLIDE_BASE_TIMER_H

#include <stddef.h>
#include <stdint.h>

struct bl_timer {
  int64_t deadline_ms;
  size_t place; /* index in the heap + 1; 0: not set */
  void (*fire)(struct bl_timer *timer, int64_t now_ms);
};

struct bl_timers {
  struct bl_timer **heap;
  size_t count;
  size_t cap;
};

void bl_timers_init(struct bl_timers *timers);
/* The timers themselves belong to their owners. */
void bl_timers_fini(struct bl_timers *timers);

/* Sets or moves the timer. HOLDS `timer` until it fires or is cancelled; timer->fire must be
 * set. */
void bl_timer_set(struct bl_timers *timers, struct bl_timer *timer, int64_t deadline_ms);
/* Accepts a timer that is not set. */
void bl_timer_cancel(struct bl_timers *timers, struct bl_timer *timer);

/* Milliseconds until the first deadline: 0 when one is due, -1 when there is none. */
int64_t bl_timers_wait_ms(const struct bl_timers *timers, int64_t now_ms);
/* Fires what is due, at most `limit`; a fired timer is unset first and may set itself again.
 * RETURNS how many fired. */
size_t bl_timers_run(struct bl_timers *timers, int64_t now_ms, size_t limit);

#endif
