#include "broker/runtime/series.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"

#define WALK_MS 10000
#define ENTRIES_PER_STEP 256
#define MINUTE_SAMPLES 7
#define HOUR_SAMPLES 7
#define DAY_SAMPLES 25
#define SAMPLES_ALL (MINUTE_SAMPLES + HOUR_SAMPLES + DAY_SAMPLES)

struct sample {
  int64_t at_ms;
  struct bl_totals totals;
};

/* The last samples of one window, a period apart or more. */
struct ring {
  int first; /* in `samples` */
  int cap;
  int count;
  int next;
};

struct bl_series {
  struct bl_series_pool *pool;
  struct ring rings[BL_WINDOWS];
  struct sample last;
  struct sample samples[SAMPLES_ALL];
};

static const struct {
  int64_t period_ms;
  int64_t span_ms;
  int samples;
} WINDOWS[BL_WINDOWS] = {{10000, 60000, MINUTE_SAMPLES},
                         {600000, 3600000, HOUR_SAMPLES},
                         {3600000, 86400000, DAY_SAMPLES}};

static struct sample *sample_at(struct bl_series *series, const struct ring *ring, int age) {
  int place = (ring->next - 1 - age + 2 * ring->cap) % ring->cap;
  return &series->samples[ring->first + place];
}

static void add_sample(struct bl_series *series, struct ring *ring, struct sample sample) {
  series->samples[ring->first + ring->next] = sample;
  ring->next = (ring->next + 1) % ring->cap;
  if (ring->count < ring->cap) ring->count++;
}

/* A sample stands until the next: before what moved comes one of when it had not yet. */
static void sample_window(struct bl_series *series, enum bl_window window,
                          const struct sample *now) {
  struct ring *ring = &series->rings[window];
  int64_t period_ms = WINDOWS[window].period_ms;
  int64_t newest_ms = sample_at(series, ring, 0)->at_ms;
  if (now->at_ms - newest_ms < period_ms) return;
  if (now->at_ms - newest_ms >= 2 * period_ms) {
    struct sample before = {now->at_ms - period_ms, series->last.totals};
    add_sample(series, ring, before);
  }
  add_sample(series, ring, *now);
}

static struct bl_series *new_series(struct bl_series_pool *pool, int64_t now_ms) {
  if (pool->count >= BL_SERIES_MAX) {
    pool->refused++;
    return NULL;
  }
  struct bl_series *series = calloc(1, sizeof(*series));
  BL_ASSERT(series != NULL);
  series->pool = pool;
  pool->count++;
  int first = 0;
  for (int i = 0; i < BL_WINDOWS; i++) {
    series->rings[i] = (struct ring){.first = first, .cap = WINDOWS[i].samples};
    first += WINDOWS[i].samples;
    struct sample zero = {.at_ms = now_ms - WINDOWS[i].period_ms};
    add_sample(series, &series->rings[i], zero);
  }
  return series;
}

void bl_series_note(struct bl_series_pool *pool, struct bl_series **series,
                    const struct bl_totals *now, int64_t now_ms) {
  if (*series == NULL) {
    if (now->count == 0) return;
    *series = new_series(pool, now_ms);
    if (*series == NULL) return;
  } else if ((*series)->last.totals.count == now->count) {
    return;
  }
  struct sample sample = {now_ms, *now};
  for (int i = 0; i < BL_WINDOWS; i++) sample_window(*series, (enum bl_window)i, &sample);
  (*series)->last = sample;
}

void bl_series_free(struct bl_series *series) {
  if (series == NULL) return;
  series->pool->count--;
  free(series);
}

struct bl_window_figures bl_series_window(const struct bl_series *series, enum bl_window window,
                                          const struct bl_totals *now, int64_t now_ms) {
  const struct ring *ring = &series->rings[window];
  /* What moved last may be too close to the newest sample to be one. */
  const struct sample *base = &series->last;
  int64_t from_ms = now_ms - WINDOWS[window].span_ms;
  for (int age = 0; age < ring->count && base->at_ms > from_ms; age++) {
    base = sample_at((struct bl_series *)series, ring, age);
  }
  if (base->at_ms > from_ms) from_ms = base->at_ms;
  struct bl_window_figures figures = {
      .sum = {now->calls - base->totals.calls, now->count - base->totals.count,
              now->bytes - base->totals.bytes},
      .span_ms = now_ms > from_ms ? now_ms - from_ms : 1};
  return figures;
}

static void note_topic(struct bl_series_pool *pool, struct bl_topic *topic) {
  struct bl_totals now = {topic->put_count, topic->put_count, topic->put_bytes};
  bl_series_note(pool, &topic->series, &now, pool->walk_ms);
}

static void note_row(struct bl_series_pool *pool, struct bl_offset_row *row) {
  bl_series_note(pool, &row->series, &row->got, pool->walk_ms);
}

/* RETURNS whether there is more. */
static bool walk(struct bl_series_pool *pool) {
  struct bl_broker *broker = pool->broker;
  for (int i = 0; i < ENTRIES_PER_STEP; i++) {
    const struct bl_map *map =
        pool->topics_done ? &broker->offsets.table.map : &broker->topics.table.map;
    const struct bl_map_entry *entry = bl_map_next(map, &pool->cursor);
    if (entry == NULL && pool->topics_done) return false;
    if (entry == NULL) {
      pool->topics_done = true;
      pool->cursor = 0;
    } else if (pool->topics_done) {
      note_row(pool, entry->value);
    } else {
      note_topic(pool, entry->value);
    }
  }
  return true;
}

static void on_timer(struct bl_timer *timer, int64_t now_ms) {
  struct bl_series_pool *pool = BL_CONTAINER(timer, struct bl_series_pool, timer);
  if (pool->walk_ms == 0) {
    pool->walk_ms = now_ms;
    pool->topics_done = false;
    pool->cursor = 0;
    pool->seen = pool->broker->stats.put_count + pool->broker->stats.get_count;
  }
  if (walk(pool)) {
    bl_timer_set(pool->broker->timers, timer, now_ms);
  } else {
    pool->walk_ms = 0;
  }
}

void bl_series_pool_init(struct bl_series_pool *pool, struct bl_broker *broker) {
  *pool = (struct bl_series_pool){.broker = broker, .timer = {.fire = on_timer}};
}

void bl_series_pool_fini(struct bl_series_pool *pool) {
  bl_timer_cancel(pool->broker->timers, &pool->timer);
}

void bl_series_turn(struct bl_series_pool *pool) {
  const struct bl_broker_stats *stats = &pool->broker->stats;
  if (pool->timer.place != 0 || stats->put_count + stats->get_count == pool->seen) return;
  bl_timer_set(pool->broker->timers, &pool->timer, bl_clock_mono_ms(pool->broker->clock) + WALK_MS);
}
