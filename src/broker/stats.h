/* Counters of a broker, for runtime info, stats and metrics. Thread: core. */
#ifndef BOLIDE_BROKER_STATS_H
#define BOLIDE_BROKER_STATS_H

#include <stdint.h>

#include "base/metric.h"

struct bl_broker_stats {
  int64_t put_count;
  int64_t put_bytes;
  int64_t put_failed;
  int64_t get_count; /* messages given */
  int64_t get_bytes;
  int64_t get_found; /* pulls that found some */
  int64_t get_missed;
  int64_t put_today_start; /* put_count when the day began */
  int64_t put_yesterday_start;
  int64_t get_today_start;
  int64_t get_yesterday_start;
  int64_t day_start_ms;
  struct bl_histogram put_us; /* from the turn that brought a send to its ack */
};

#endif
