#include "cli/bench/idle.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "cli/bench/frame.h"
#include "cli/bench/measure.h"
#include "cli/bench/reader.h"
#include "cli/bench/reply.h"
#include "cli/progress.h"
#include "cli/verb.h"
#include "os/process.h"

#define REQUEST_HEART_BEAT 34
#define HEARTBEAT_NS 30000000000 /* RocketMQ's heartbeatBrokerInterval */
#define SUSPEND_MS 15000
#define OPAQUE_HEARTBEAT (BL_BENCH_OPAQUE_BASE - 1)

struct run {
  struct bl_bench_plan plan;
  struct bl_bench_target target;
  struct bl_bench_loop loop;
  struct bl_bench_reader reader;
  struct bl_bench_measure measure;
  struct bl_bench_result *result;
  int64_t *ends; /* HELD */
  struct bl_buf request;
  uint64_t beats;      /* heartbeats sent */
  uint64_t beats_good; /* and answered with 0 */
  int64_t next_beat_ns;
};

/* As HeartbeatData of a client with one producer group. */
static void put_heartbeat(struct run *run, const struct bl_bench_conn *conn) {
  struct bl_buf body = {0};
  struct bl_command_writer writer;
  bl_buf_printf(&body,
                "{\"clientID\":\"127.0.0.1@%d#%u\",\"consumerDataSet\":[],\"heartbeatFingerprint\":"
                "0,\"producerDataSet\":[{\"groupName\":\"" BL_BENCH_GROUP
                "\"}],\"withoutSub\":false}",
                bl_process_pid(), conn->index);
  bl_buf_clear(&run->request);
  bl_command_begin(&writer, &run->request, run->plan.codec, REQUEST_HEART_BEAT, OPAQUE_HEARTBEAT, 0,
                   (struct bl_slice){NULL, 0});
  bl_command_end(&writer, body.len);
  bl_buf_put_slice(&run->request, bl_buf_slice(&body));
  bl_buf_fini(&body);
}

static void beat(struct run *run, int64_t now_ns) {
  struct bl_bench_reader *reader = &run->reader;
  if (!run->plan.heartbeats || now_ns < run->next_beat_ns) return;
  run->next_beat_ns = now_ns + HEARTBEAT_NS;
  for (uint32_t i = 0; i < reader->conn_count; i++) {
    struct bl_bench_conn *conn = &reader->conns[i];
    if (conn->fd < 0) continue;
    put_heartbeat(run, conn);
    /* A failure shows as an event of the socket. */
    if (bl_bench_conn_write(conn, bl_buf_slice(&run->request)) == BL_OK) run->beats++;
  }
}

/* The reader takes the answers of pulls; those to heartbeats are taken here first. */
static bool take_beat(void *context, const struct bl_bench_head *head, struct bl_slice frame) {
  struct run *run = context;
  if (head->opaque != OPAQUE_HEARTBEAT) return false;
  if (head->code == 0)
    run->beats_good++;
  else
    bl_bench_result_error_of(run->result, head->code, 1, frame);
  return true;
}

static void go(struct run *run) {
  struct bl_bench_reader *reader = &run->reader;
  int64_t now_ns = bl_bench_now_ns();
  reader->other = take_beat;
  reader->other_context = run;
  bl_bench_measure_init(&run->measure, &run->plan, run->result, now_ns);
  beat(run, now_ns);
  bl_bench_reader_start(reader);
  fprintf(stderr, "bolide bench: %s connections are open%s.\n",
          bl_progress_number(reader->conns_alive),
          run->plan.long_polls ? ", each with a pull that waits" : "");
  while (!bl_bench_interrupted() && now_ns < run->measure.end_ns && reader->conns_alive > 0) {
    int count =
        bl_bench_loop_wait(&run->loop, bl_bench_measure_next(&run->measure, now_ns, INT64_MAX));
    for (int i = 0; i < count; i++)
      bl_bench_reader_event(reader, run->loop.events[i].data.ptr, run->loop.events[i].events);
    now_ns = bl_bench_now_ns();
    bl_bench_measure_step(&run->measure, now_ns);
    beat(run, now_ns);
  }
  bl_bench_measure_end(&run->measure, now_ns);
}

static bl_err prepare(struct run *run, struct bl_why *why) {
  struct bl_bench_plan *plan = &run->plan;
  bl_err err = bl_bench_target_find(plan, &run->target, why);
  if (err != BL_OK) return err;
  uint32_t pulls = plan->long_polls ? (uint32_t)plan->connections : 0;
  if (plan->long_polls && plan->queues == 0)
    err = bl_bench_target_queues(plan, &run->target, &plan->queues, why);
  else if (plan->long_polls)
    err = bl_bench_target_topics(plan, &run->target, why);
  if (plan->queues == 0) plan->queues = 1;
  run->ends = calloc((size_t)plan->queues, sizeof(*run->ends));
  BL_ASSERT(run->ends != NULL);
  if (err == BL_OK && plan->long_polls)
    err = bl_bench_target_ends(plan, &run->target, plan->queues, run->ends, why);
  if (err != BL_OK) return err;
  plan->from = BL_BENCH_FROM_END;
  bl_bench_result_server(run->result, run->target.server);
  err =
      bl_bench_reader_open(plan, &run->target, &run->loop, run->result, (uint32_t)plan->connections,
                           pulls, (uint32_t)plan->queues, run->ends, &run->reader, why);
  run->reader.suspend_ms = SUSPEND_MS;
  return err;
}

static int tell(struct run *run) {
  const struct bl_bench_reader *reader = &run->reader;
  bl_bench_result_note(run->result, "open", reader->conns_alive);
  bl_bench_result_note(run->result, "lost", (int64_t)reader->conn_count - reader->conns_alive);
  bl_bench_result_note(run->result, "heartbeats", (int64_t)run->beats_good);
  bl_bench_result_note(run->result, "pulls", (int64_t)reader->answers);
  if (!run->plan.json)
    printf("%s connections open after %.1f s, %s lost\n", bl_progress_number(reader->conns_alive),
           run->result->seconds, bl_progress_number(reader->conn_count - reader->conns_alive));
  int exit_code = bl_bench_result_tell(run->result);
  return reader->conns_alive == reader->conn_count ? exit_code : BL_EXIT_FAILED;
}

int bl_bench_idle(const struct bl_bench_plan *plan) {
  struct run *run = calloc(1, sizeof(*run));
  struct bl_why why = {""};
  BL_ASSERT(run != NULL);
  run->plan = *plan;
  run->result = bl_bench_result_new(&run->plan);
  bl_bench_loop_init(&run->loop, 0);
  bl_err err = prepare(run, &why);
  if (err == BL_OK) go(run);
  int exit_code = err == BL_OK ? tell(run) : bl_bench_failed(err, &why);
  bl_bench_reader_close(&run->reader);
  bl_bench_loop_fini(&run->loop);
  bl_bench_result_free(run->result);
  bl_buf_fini(&run->request);
  free(run->ends);
  free(run);
  return exit_code;
}
