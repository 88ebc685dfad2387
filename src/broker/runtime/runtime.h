/* What a broker says about itself: rates, and the figures of GET_BROKER_RUNTIME_INFO.
 *
 * Rates are samples of counters, one a second, taken by a timer that runs only while the counters
 * move: an idle broker sleeps. What was not sampled meanwhile is filled in: nothing moved. Thread:
 * core. Source: apache/rocketmq StoreStatsService, BrokerStats,
 * AdminBrokerProcessor#prepareRuntimeInfo. */
#ifndef BOLIDE_BROKER_RUNTIME_RUNTIME_H
#define BOLIDE_BROKER_RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/metric.h"
#include "base/timer.h"
#include "broker/version.h"

struct bl_broker;

/* Rates that were asked for, by name: how fast a total moved since an earlier question. */
#define BL_RUNTIME_ASKED_MAX 4096

struct bl_runtime {
  struct bl_broker *broker;
  struct bl_timer timer;
  int64_t sampled_ms; /* monotonic; 0: never */
  int64_t sampled_day;
  struct bl_rate put;               /* messages stored */
  struct bl_rate found;             /* pulls that found some */
  struct bl_rate missed;            /* pulls that found none */
  struct bl_rate transferred;       /* messages given */
  struct bl_map asked;              /* name -> struct bl_asked_rate */
  struct bl_version config_version; /* of the settings, which can be changed while running */
};

/* RETURNS OWNED. BORROWS the broker. */
struct bl_runtime *bl_runtime_new(struct bl_broker *broker);
/* Accepts NULL. */
void bl_runtime_free(struct bl_runtime *runtime);

/* Once per turn: cheap; starts the sampling when a counter moved. */
void bl_runtime_turn(struct bl_runtime *runtime);
/* Brings the samples up to now, for somebody who asks. */
void bl_runtime_sample(struct bl_runtime *runtime);
/* How fast `total` moved, per second, since the last questions under that name (at least a second
 * and mostly ten ago); 0 at the first. */
double bl_runtime_asked_rate(struct bl_runtime *runtime, struct bl_slice name, int64_t total);

/* Writes {"table":{...}}: every runtime info key. */
void bl_runtime_write_info(struct bl_runtime *runtime, struct bl_buf *out);

/* "1.2 KiB", as MixAll#humanReadableByteCount. */
void bl_runtime_put_bytes(struct bl_buf *out, int64_t bytes);

#endif
