#include "cli/bench/measure.h"

#include "os/clock.h"
#include "os/process.h"

#define SECOND_NS 1000000000

void bl_bench_measure_init(struct bl_bench_measure *measure, const struct bl_bench_plan *plan,
                           struct bl_bench_result *result, int64_t now_ns) {
  *measure = (struct bl_bench_measure){.result = result,
                                       .due_ns = now_ns + plan->warmup * SECOND_NS,
                                       .end_ns = INT64_MAX,
                                       .by_due = plan->rate > 0};
  if (plan->seconds >= 0) measure->end_ns = measure->due_ns + plan->seconds * SECOND_NS;
  bl_bench_measure_step(measure, now_ns);
}

bool bl_bench_measure_step(struct bl_bench_measure *measure, int64_t now_ns) {
  if (measure->begun || now_ns < measure->due_ns) return false;
  measure->begun = true;
  measure->from_ns = measure->by_due ? measure->due_ns : now_ns;
  measure->cpu_from_us = bl_process_cpu_us();
  measure->result->started_ms = bl_clock_wall_ms(bl_clock_real());
  return true;
}

void bl_bench_measure_end(struct bl_bench_measure *measure, int64_t now_ns) {
  if (!measure->begun) return; /* interrupted before */
  if (measure->by_due && now_ns > measure->end_ns) now_ns = measure->end_ns;
  measure->result->cpu_us = bl_process_cpu_us() - measure->cpu_from_us;
  measure->result->seconds = (double)(now_ns - measure->from_ns) / SECOND_NS;
}

int64_t bl_bench_measure_next(const struct bl_bench_measure *measure, int64_t now_ns,
                              int64_t until_ns) {
  int64_t look_ns = now_ns + BL_BENCH_LOOK_NS;
  if (!measure->begun && measure->due_ns < until_ns) until_ns = measure->due_ns;
  if (measure->end_ns < until_ns) until_ns = measure->end_ns;
  return look_ns < until_ns ? look_ns : until_ns;
}
