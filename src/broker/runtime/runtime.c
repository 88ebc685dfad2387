#include "broker/runtime/runtime.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"

#define SAMPLE_MS 1000
#define DAY_MS 86400000
#define ASKED_BASE_MS 10000

struct bl_asked_rate {
  int64_t at_ms; /* of the base: an earlier question */
  int64_t total;
  int64_t next_at_ms; /* the base after that */
  int64_t next_total;
  double rate;
};

static void sample_at(struct bl_runtime *runtime, int64_t at_ms, int64_t put, int64_t found,
                      int64_t missed, int64_t transferred) {
  bl_rate_sample(&runtime->put, at_ms, put);
  bl_rate_sample(&runtime->found, at_ms, found);
  bl_rate_sample(&runtime->missed, at_ms, missed);
  bl_rate_sample(&runtime->transferred, at_ms, transferred);
  runtime->sampled_ms = at_ms;
}

static int64_t last_total(const struct bl_rate *rate) {
  if (rate->count == 0) return 0;
  return rate->samples[(rate->next + BL_RATE_SAMPLES - 1) % BL_RATE_SAMPLES].total;
}

static bool moved(const struct bl_runtime *runtime) {
  const struct bl_broker_stats *stats = &runtime->broker->stats;
  return stats->put_count != last_total(&runtime->put) ||
         stats->get_found != last_total(&runtime->found) ||
         stats->get_missed != last_total(&runtime->missed) ||
         stats->get_count != last_total(&runtime->transferred);
}

/* The timer stops only when nothing moved, so the totals stood still in the gap. */
static void fill_gap(struct bl_runtime *runtime, int64_t now_ms) {
  int64_t from_ms = runtime->sampled_ms + SAMPLE_MS;
  if (now_ms - from_ms > (int64_t)BL_RATE_SAMPLES * SAMPLE_MS) {
    from_ms = now_ms - (int64_t)BL_RATE_SAMPLES * SAMPLE_MS;
  }
  int64_t put = last_total(&runtime->put);
  int64_t found = last_total(&runtime->found);
  int64_t missed = last_total(&runtime->missed);
  int64_t transferred = last_total(&runtime->transferred);
  for (int64_t at_ms = from_ms; at_ms + SAMPLE_MS <= now_ms; at_ms += SAMPLE_MS) {
    sample_at(runtime, at_ms, put, found, missed, transferred);
  }
}

/* Days begin at midnight UTC. What moved since the last sample counts for the new day: a second at
 * most. */
static void roll_day(struct bl_runtime *runtime) {
  struct bl_broker_stats *stats = &runtime->broker->stats;
  int64_t day = bl_clock_wall_ms(runtime->broker->clock) / DAY_MS;
  if (day == runtime->sampled_day) return;
  int64_t put = last_total(&runtime->put);
  int64_t get = last_total(&runtime->transferred);
  bool next = day == runtime->sampled_day + 1;
  stats->put_yesterday_start = next ? stats->put_today_start : put;
  stats->get_yesterday_start = next ? stats->get_today_start : get;
  stats->put_today_start = put;
  stats->get_today_start = get;
  stats->day_start_ms = day * DAY_MS;
  runtime->sampled_day = day;
}

void bl_runtime_sample(struct bl_runtime *runtime) {
  const struct bl_broker_stats *stats = &runtime->broker->stats;
  int64_t now_ms = bl_clock_mono_ms(runtime->broker->clock);
  roll_day(runtime);
  if (now_ms - runtime->sampled_ms < SAMPLE_MS) return;
  fill_gap(runtime, now_ms);
  sample_at(runtime, now_ms, stats->put_count, stats->get_found, stats->get_missed,
            stats->get_count);
}

static void on_timer(struct bl_timer *timer, int64_t now_ms) {
  struct bl_runtime *runtime = BL_CONTAINER(timer, struct bl_runtime, timer);
  bool busy = moved(runtime);
  bl_runtime_sample(runtime);
  if (busy) bl_timer_set(runtime->broker->timers, timer, now_ms + SAMPLE_MS);
}

void bl_runtime_turn(struct bl_runtime *runtime) {
  if (runtime->timer.place != 0 || !moved(runtime)) return;
  int64_t now_ms = bl_clock_mono_ms(runtime->broker->clock);
  roll_day(runtime);
  /* The samples begin where the counters stood still. */
  fill_gap(runtime, now_ms);
  bl_timer_set(runtime->broker->timers, &runtime->timer, now_ms + SAMPLE_MS);
}

double bl_runtime_asked_rate(struct bl_runtime *runtime, struct bl_slice name, int64_t total) {
  int64_t now_ms = bl_clock_mono_ms(runtime->broker->clock);
  struct bl_asked_rate *asked = bl_map_get(&runtime->asked, name);
  if (asked == NULL) {
    if (runtime->asked.count >= BL_RUNTIME_ASKED_MAX) return 0;
    asked = calloc(1, sizeof(*asked));
    BL_ASSERT(asked != NULL);
    *asked = (struct bl_asked_rate){now_ms, total, now_ms, total, 0};
    bl_map_put(&runtime->asked, name, asked);
    return 0;
  }
  int64_t elapsed_ms = now_ms - asked->at_ms;
  if (elapsed_ms < SAMPLE_MS) return asked->rate;
  asked->rate = (double)(total - asked->total) * 1000.0 / (double)elapsed_ms;
  if (asked->rate < 0) asked->rate = 0; /* counted anew: the topic was made again */
  if (now_ms - asked->next_at_ms >= ASKED_BASE_MS) {
    asked->at_ms = asked->next_at_ms;
    asked->total = asked->next_total;
    asked->next_at_ms = now_ms;
    asked->next_total = total;
  }
  return asked->rate;
}

struct bl_runtime *bl_runtime_new(struct bl_broker *broker) {
  struct bl_runtime *runtime = calloc(1, sizeof(*runtime));
  BL_ASSERT(runtime != NULL);
  runtime->broker = broker;
  runtime->timer.fire = on_timer;
  runtime->config_version.timestamp_ms = bl_clock_wall_ms(broker->clock);
  runtime->sampled_day = bl_clock_wall_ms(broker->clock) / DAY_MS;
  broker->stats.day_start_ms = runtime->sampled_day * DAY_MS;
  bl_map_init(&runtime->asked);
  sample_at(runtime, bl_clock_mono_ms(broker->clock), 0, 0, 0, 0);
  return runtime;
}

void bl_runtime_free(struct bl_runtime *runtime) {
  if (runtime == NULL) return;
  bl_timer_cancel(runtime->broker->timers, &runtime->timer);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&runtime->asked, &cursor)) != NULL) free(entry->value);
  bl_map_fini(&runtime->asked);
  free(runtime);
}
