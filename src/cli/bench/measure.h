/* The measured part of a run: between warm-up and end. */
#ifndef BOLIDE_CLI_BENCH_MEASURE_H
#define BOLIDE_CLI_BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/bench/plan.h"
#include "cli/bench/result.h"

/* Signals are looked at so often, at least. */
#define BL_BENCH_LOOK_NS 200000000
/* Patience with what is under way when a run ends. */
#define BL_BENCH_DRAIN_NS 10000000000

struct bl_bench_measure {
  struct bl_bench_result *result;
  int64_t due_ns; /* when it begins, by the plan */
  int64_t end_ns; /* and ends; INT64_MAX: not by time */
  int64_t from_ns;
  int64_t cpu_from_us;
  bool by_due; /* open loop: a message counts by the time it was due, so the times are the plan's */
  bool begun;
};

/* Begins at once without a warm-up. */
void bl_bench_measure_init(struct bl_bench_measure *measure, const struct bl_bench_plan *plan,
                           struct bl_bench_result *result, int64_t now_ns);
/* RETURNS true when it just began. */
bool bl_bench_measure_step(struct bl_bench_measure *measure, int64_t now_ns);
/* FILLS seconds and CPU of the result. */
void bl_bench_measure_end(struct bl_bench_measure *measure, int64_t now_ns);
/* The earlier of the times and of what the measure waits for itself. */
int64_t bl_bench_measure_next(const struct bl_bench_measure *measure, int64_t now_ns,
                              int64_t until_ns);

#endif
