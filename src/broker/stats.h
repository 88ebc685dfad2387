/* Counters of a broker, for runtime info, stats and metrics. Thread: core. */
#ifndef BOLIDE_BROKER_STATS_H
#define BOLIDE_BROKER_STATS_H

#include <stdint.h>

#include "base/metric.h"

struct bl_broker_stats {
  int64_t put_count;
  int64_t put_bytes;
  int64_t put_failed;
  int64_t sent_back;    /* messages stored for a retry (36) */
  int64_t dead_letters; /* messages given up, by 36 or a send to a retry topic */
  int64_t get_count;    /* messages given */
  int64_t get_bytes;
  int64_t get_found; /* pulls that found some */
  int64_t get_missed;
  int64_t filter_looked; /* messages that an SQL92 expression was asked about in a pull */
  int64_t filter_passed; /* of them: did not match */
  int64_t filter_cuts;   /* pulls that went on in another turn because of that */
  int64_t ttl_passed;    /* messages that a pull passed over because they had expired */
  int32_t questions;     /* that wait for the disk or a client (requests/questions.h) */
  int64_t questions_refused;
  int64_t put_today_start; /* put_count when the day began */
  int64_t put_yesterday_start;
  int64_t get_today_start;
  int64_t get_yesterday_start;
  int64_t day_start_ms;
  struct bl_histogram put_us; /* from the turn that brought a send to its ack */
};

#endif
