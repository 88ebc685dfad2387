#include "cli/bench/e2e.h"

#include <stdlib.h>

#include "base/assert.h"
#include "cli/bench/measure.h"
#include "cli/bench/reader.h"
#include "cli/bench/sender.h"
#include "cli/progress.h"

#define SUSPEND_MS 15000 /* as the Java consumer */

struct run {
  struct bl_bench_plan plan;
  struct bl_bench_target target;
  struct bl_bench_loop loop;
  struct bl_bench_sender sender;
  struct bl_bench_reader reader;
  struct bl_bench_measure measure;
  struct bl_bench_result *result; /* of what was received */
  struct bl_bench_result *acks;   /* of what was sent */
  struct bl_progress progress;
  int64_t *ends; /* of the queues; HELD */
};

static void turn(struct run *run, int64_t until_ns) {
  int count = bl_bench_loop_wait(&run->loop, until_ns);
  for (int i = 0; i < count; i++) {
    struct bl_bench_conn *conn = run->loop.events[i].data.ptr;
    uint32_t events = run->loop.events[i].events;
    if (conn->kind == 1)
      bl_bench_reader_event(&run->reader, conn, events);
    else
      bl_bench_sender_event(&run->sender, (struct bl_bench_lane *)conn, events);
  }
}

/* Neither half can do without the other. */
static bool is_broken(const struct run *run) {
  return run->sender.lanes_alive == 0 || run->reader.queues_done > 0;
}

static bool has_ended(const struct run *run, int64_t now_ns) {
  const struct bl_bench_sender *sender = &run->sender;
  if (bl_bench_interrupted() || is_broken(run)) return true;
  if (sender->left == 0 && sender->outstanding == 0) return true;
  return now_ns >= run->measure.end_ns;
}

static bool is_under_way(const struct run *run) {
  if (is_broken(run)) return false;
  return bl_bench_sender_busy(&run->sender) || run->reader.marked < run->acks->good_total;
}

static void go(struct run *run) {
  struct bl_bench_sender *sender = &run->sender;
  struct bl_bench_measure *measure = &run->measure;
  int64_t now_ns = bl_bench_now_ns();
  bl_bench_reader_start(&run->reader);
  bl_bench_measure_init(measure, &run->plan, run->result, now_ns);
  bl_bench_sender_start(sender, now_ns, measure->due_ns, measure->end_ns);
  while (!has_ended(run, now_ns)) {
    int64_t due_ns = bl_bench_sender_pump(sender, now_ns);
    turn(run, bl_bench_measure_next(measure, now_ns, due_ns));
    now_ns = bl_bench_now_ns();
    bl_bench_measure_step(measure, now_ns);
  }
  bl_bench_measure_end(measure, now_ns);
  bl_bench_sender_end(sender, now_ns < measure->end_ns);
  int64_t deadline_ns = now_ns + BL_BENCH_DRAIN_NS;
  for (; is_under_way(run) && now_ns < deadline_ns; now_ns = bl_bench_now_ns()) {
    bl_bench_sender_pump(sender, now_ns);
    turn(run, now_ns + BL_BENCH_LOOK_NS);
  }
  run->reader.ended = true;
  bl_bench_sender_give_up(sender);
}

static void sum_up(struct run *run) {
  struct bl_bench_result *result = run->result;
  const struct bl_bench_result *acks = run->acks;
  uint64_t received = run->reader.marked;
  bl_bench_result_take_errors(result, acks);
  if (received < acks->good_total)
    bl_bench_result_error(result, BL_BENCH_CODE_MISSING, acks->good_total - received,
                          (struct bl_slice){NULL, 0});
  result->sent_total = acks->sent_total;
  result->good_total = acks->good_total;
  result->acks = &acks->latency;
  bl_bench_result_note(result, "received_total", (int64_t)received);
  bl_bench_result_note(result, "pulls", (int64_t)run->reader.answers);
}

static bl_err prepare(struct run *run, struct bl_why *why) {
  struct bl_bench_plan *plan = &run->plan;
  plan->from = BL_BENCH_FROM_END;
  uint32_t queues = (uint32_t)plan->queues;
  run->ends = calloc(queues, sizeof(*run->ends));
  BL_ASSERT(run->ends != NULL);
  bl_err err = bl_bench_target_find(plan, &run->target, why);
  if (err == BL_OK) err = bl_bench_target_topics(plan, &run->target, why);
  if (err == BL_OK) err = bl_bench_target_ends(plan, &run->target, plan->queues, run->ends, why);
  if (err != BL_OK) return err;
  bl_bench_result_server(run->result, run->target.server);
  err = bl_bench_sender_open(plan, &run->target, &run->loop, run->acks, &run->sender, why);
  if (err != BL_OK) return err;
  run->sender.mark_bodies = true;
  err = bl_bench_reader_open(plan, &run->target, &run->loop, run->result, 1, queues, queues,
                             run->ends, &run->reader, why);
  run->reader.suspend_ms = SUSPEND_MS;
  run->reader.run_mark = run->sender.run_mark;
  return err;
}

static bl_err work(struct run *run, struct bl_why *why) {
  bl_err err = prepare(run, why);
  if (err != BL_OK) return err;
  bl_progress_start(&run->progress, &run->loop.timers, bl_bench_now_ns() / 1000000, "received",
                    &run->reader.marked);
  go(run);
  bl_progress_stop(&run->progress);
  sum_up(run);
  return BL_OK;
}

int bl_bench_e2e(const struct bl_bench_plan *plan) {
  struct run *run = calloc(1, sizeof(*run));
  struct bl_why why = {""};
  BL_ASSERT(run != NULL);
  run->plan = *plan;
  run->result = bl_bench_result_new(&run->plan);
  run->acks = bl_bench_result_new(&run->plan);
  bl_bench_loop_init(&run->loop, plan->spin_us * 1000);
  bl_err err = work(run, &why);
  int exit_code = err == BL_OK ? bl_bench_result_tell(run->result) : bl_bench_failed(err, &why);
  bl_bench_sender_close(&run->sender);
  bl_bench_reader_close(&run->reader);
  bl_bench_loop_fini(&run->loop);
  bl_bench_result_free(run->result);
  bl_bench_result_free(run->acks);
  free(run->ends);
  free(run);
  return exit_code;
}
