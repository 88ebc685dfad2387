#include "cli/bench/send.h"

#include <stdlib.h>

#include "base/assert.h"
#include "cli/bench/measure.h"
#include "cli/bench/sender.h"
#include "cli/progress.h"

struct run {
  struct bl_bench_plan plan;
  struct bl_bench_target target;
  struct bl_bench_loop loop;
  struct bl_bench_sender sender;
  struct bl_bench_measure measure;
  struct bl_bench_result *result;
  struct bl_progress progress;
};

/* One wait and what came of it. */
static void turn(struct run *run, int64_t until_ns) {
  int count = bl_bench_loop_wait(&run->loop, until_ns);
  for (int i = 0; i < count; i++)
    bl_bench_sender_event(&run->sender, run->loop.events[i].data.ptr, run->loop.events[i].events);
}

static bool has_ended(const struct run *run, int64_t now_ns) {
  const struct bl_bench_sender *sender = &run->sender;
  if (bl_bench_interrupted() || sender->lanes_alive == 0) return true;
  if (sender->left == 0 && sender->outstanding == 0) return true;
  return now_ns >= run->measure.end_ns;
}

static void go(struct run *run) {
  struct bl_bench_sender *sender = &run->sender;
  struct bl_bench_measure *measure = &run->measure;
  int64_t now_ns = bl_bench_now_ns();
  bl_bench_measure_init(measure, &run->plan, run->result, now_ns);
  bl_bench_sender_start(sender, now_ns, measure->due_ns, measure->end_ns);
  sender->measuring = measure->begun;
  while (!has_ended(run, now_ns)) {
    int64_t due_ns = bl_bench_sender_pump(sender, now_ns);
    turn(run, bl_bench_measure_next(measure, now_ns, due_ns));
    now_ns = bl_bench_now_ns();
    if (bl_bench_measure_step(measure, now_ns)) sender->measuring = true;
  }
  sender->measuring = false;
  bl_bench_measure_end(measure, now_ns);
  bl_bench_sender_end(sender, now_ns < measure->end_ns);
  int64_t deadline_ns = now_ns + BL_BENCH_DRAIN_NS;
  for (; bl_bench_sender_busy(sender) && now_ns < deadline_ns; now_ns = bl_bench_now_ns()) {
    bl_bench_sender_pump(sender, now_ns);
    turn(run, now_ns + BL_BENCH_LOOK_NS);
  }
  bl_bench_sender_give_up(sender);
}

static bl_err work(struct run *run, struct bl_why *why) {
  bl_err err = bl_bench_target_find(&run->plan, &run->target, why);
  if (err == BL_OK) err = bl_bench_target_topics(&run->plan, &run->target, why);
  if (err != BL_OK) return err;
  bl_bench_result_server(run->result, run->target.server);
  err = bl_bench_sender_open(&run->plan, &run->target, &run->loop, run->result, &run->sender, why);
  if (err != BL_OK) return err;
  bl_progress_start(&run->progress, &run->loop.timers, bl_bench_now_ns() / 1000000, "sent",
                    &run->sender.answered);
  go(run);
  bl_progress_stop(&run->progress);
  run->result->bytes = run->result->messages * (uint64_t)run->plan.size;
  return BL_OK;
}

int bl_bench_send(const struct bl_bench_plan *plan) {
  struct run *run = calloc(1, sizeof(*run));
  struct bl_why why = {""};
  BL_ASSERT(run != NULL);
  run->plan = *plan;
  run->result = bl_bench_result_new(&run->plan);
  bl_bench_loop_init(&run->loop, plan->spin_us * 1000);
  bl_err err = work(run, &why);
  int exit_code = err == BL_OK ? bl_bench_result_tell(run->result) : bl_bench_failed(err, &why);
  bl_bench_sender_close(&run->sender);
  bl_bench_loop_fini(&run->loop);
  bl_bench_result_free(run->result);
  free(run);
  return exit_code;
}
