#include "cli/bench/pull.h"

#include <stdlib.h>

#include "base/assert.h"
#include "cli/bench/measure.h"
#include "cli/bench/reader.h"
#include "cli/progress.h"

struct run {
  struct bl_bench_plan plan;
  struct bl_bench_target target;
  struct bl_bench_loop loop;
  struct bl_bench_reader reader;
  struct bl_bench_measure measure;
  struct bl_bench_result *result;
  struct bl_progress progress;
  int64_t *ends; /* of the queues; HELD */
};

static bool has_ended(const struct run *run, int64_t now_ns) {
  const struct bl_bench_reader *reader = &run->reader;
  if (bl_bench_interrupted() || reader->queues_done == reader->queue_count) return true;
  if (run->plan.count > 0 && reader->pulled >= (uint64_t)run->plan.count) return true;
  return now_ns >= run->measure.end_ns;
}

static void go(struct run *run) {
  struct bl_bench_reader *reader = &run->reader;
  int64_t now_ns = bl_bench_now_ns();
  bl_bench_measure_init(&run->measure, &run->plan, run->result, now_ns);
  reader->measuring = run->measure.begun;
  bl_bench_reader_start(reader);
  while (!has_ended(run, now_ns)) {
    int count =
        bl_bench_loop_wait(&run->loop, bl_bench_measure_next(&run->measure, now_ns, INT64_MAX));
    for (int i = 0; i < count; i++)
      bl_bench_reader_event(reader, run->loop.events[i].data.ptr, run->loop.events[i].events);
    now_ns = bl_bench_now_ns();
    if (bl_bench_measure_step(&run->measure, now_ns)) reader->measuring = true;
  }
  bl_bench_measure_end(&run->measure, now_ns);
}

static bl_err prepare(struct run *run, struct bl_why *why) {
  struct bl_bench_plan *plan = &run->plan;
  int64_t there = 0;
  bl_err err = bl_bench_target_find(plan, &run->target, why);
  if (err == BL_OK) err = bl_bench_target_queues(plan, &run->target, &there, why);
  if (err != BL_OK) return err;
  if (plan->queues == 0) plan->queues = there;
  if (plan->queues > there)
    return bl_why_set(why, BL_ERR_USAGE, "--queues is %lld, and the topic has %lld to read",
                      (long long)plan->queues, (long long)there);
  if (plan->connections > plan->queues)
    return bl_why_set(why, BL_ERR_USAGE,
                      "--connections is %lld; a queue is read by one connection, and %lld queues "
                      "are read",
                      (long long)plan->connections, (long long)plan->queues);
  bl_bench_result_server(run->result, run->target.server);
  run->ends = calloc((size_t)plan->queues, sizeof(*run->ends));
  BL_ASSERT(run->ends != NULL);
  if (plan->from == BL_BENCH_FROM_END)
    err = bl_bench_target_ends(plan, &run->target, plan->queues, run->ends, why);
  if (err != BL_OK) return err;
  uint32_t queues = (uint32_t)plan->queues;
  return bl_bench_reader_open(plan, &run->target, &run->loop, run->result,
                              (uint32_t)plan->connections, queues, queues, run->ends, &run->reader,
                              why);
}

static bl_err work(struct run *run, struct bl_why *why) {
  bl_err err = prepare(run, why);
  if (err != BL_OK) return err;
  bl_progress_start(&run->progress, &run->loop.timers, bl_bench_now_ns() / 1000000, "pulled",
                    &run->reader.pulled);
  go(run);
  bl_progress_stop(&run->progress);
  bl_bench_result_note(run->result, "max_messages", run->plan.max_messages);
  bl_bench_result_note(run->result, "pulls", (int64_t)run->reader.answers);
  bl_bench_result_note(run->result, "gaps", (int64_t)run->reader.gaps);
  return BL_OK;
}

int bl_bench_pull(const struct bl_bench_plan *plan) {
  struct run *run = calloc(1, sizeof(*run));
  struct bl_why why = {""};
  BL_ASSERT(run != NULL);
  run->plan = *plan;
  run->result = bl_bench_result_new(&run->plan);
  bl_bench_loop_init(&run->loop, plan->spin_us * 1000);
  bl_err err = work(run, &why);
  int exit_code = err == BL_OK ? bl_bench_result_tell(run->result) : bl_bench_failed(err, &why);
  bl_bench_reader_close(&run->reader);
  bl_bench_loop_fini(&run->loop);
  bl_bench_result_free(run->result);
  free(run->ends);
  free(run);
  return exit_code;
}
