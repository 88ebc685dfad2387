/* What happened to a topic or a group in the last minute, hour and day: samples of its counters,
 * taken while they move. Kept for those that had traffic, at most BL_SERIES_MAX. Thread: core.
 * Source: apache/rocketmq StatsItem, BrokerStatsManager (TOPIC_PUT_NUMS, GROUP_GET_NUMS, ...). */
#ifndef BOLIDE_BROKER_RUNTIME_SERIES_H
#define BOLIDE_BROKER_RUNTIME_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"

struct bl_broker;

#define BL_SERIES_MAX 20000

/* Counters since the start. */
struct bl_totals {
  int64_t calls;
  int64_t count; /* messages */
  int64_t bytes;
};

enum bl_window { BL_WINDOW_MINUTE, BL_WINDOW_HOUR, BL_WINDOW_DAY };
#define BL_WINDOWS 3

struct bl_series;

/* All of a broker, and the walk over its topics and groups. */
struct bl_series_pool {
  struct bl_broker *broker;
  struct bl_timer timer;
  uint32_t count;
  int64_t refused; /* topics and groups that had traffic while there were BL_SERIES_MAX */
  int64_t seen;    /* messages put and got when the last walk began */
  int64_t walk_ms; /* when this walk began; 0: no walk is under way */
  bool topics_done;
  size_t cursor;
};

void bl_series_pool_init(struct bl_series_pool *pool, struct bl_broker *broker);
void bl_series_pool_fini(struct bl_series_pool *pool);
/* Once per turn: starts the walks while messages come and go. */
void bl_series_turn(struct bl_series_pool *pool);

/* Notes what the counters say now; *series is made when they moved. */
void bl_series_note(struct bl_series_pool *pool, struct bl_series **series,
                    const struct bl_totals *now, int64_t now_ms);
/* Accepts NULL. */
void bl_series_free(struct bl_series *series);

struct bl_window_figures {
  struct bl_totals sum;
  int64_t span_ms; /* in which; > 0 */
};
/* What came in the window that ends now. */
struct bl_window_figures bl_series_window(const struct bl_series *series, enum bl_window window,
                                          const struct bl_totals *now, int64_t now_ms);

#endif
