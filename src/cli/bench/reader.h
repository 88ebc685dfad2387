/* Pulls (11) for `pull`, `e2e` and `idle`: one under way for each queue, queues spread over
 * connections, the records of an answer walked where they lie. Requests as the Java client sends
 * them (PullMessageRequestHeader), with the subscription in the request, so that no heartbeat is
 * needed. */
#ifndef BOLIDE_CLI_BENCH_READER_H
#define BOLIDE_CLI_BENCH_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/bench/conn.h"
#include "cli/bench/plan.h"
#include "cli/bench/reply.h"
#include "cli/bench/result.h"
#include "cli/bench/target.h"

struct bl_bench_queue {
  int32_t id;
  uint32_t conn;
  int64_t next_offset;
  int64_t asked_ns;
  uint64_t got; /* since it began, or began again */
  bool under_way;
  bool done;
};

struct bl_bench_reader {
  const struct bl_bench_plan *plan;
  const struct bl_bench_target *target;
  struct bl_bench_result *result;
  struct bl_bench_loop *loop;
  struct bl_bench_conn *conns;
  uint32_t conn_count, conns_alive;
  struct bl_bench_queue *queues;
  uint32_t queue_count, queues_done;
  int64_t suspend_ms; /* how long the broker may hold a pull; 0: not at all */
  struct bl_buf request;
  uint64_t run_mark; /* not 0: latencies are those of bodies marked so (see sender.h) */
  uint64_t marked;   /* messages of this run, measured or not */
  uint64_t pulled;   /* messages in all */
  uint64_t answers;
  uint64_t gaps; /* offsets passed over */
  bool measuring;
  bool ended; /* no more pulls */
  /* Sees answers that are to no pull; false: it is not its own. May be NULL. */
  bool (*other)(void *context, const struct bl_bench_head *head, struct bl_slice frame);
  void *other_context;
};

/* Opens the connections, of kind 1. queue_count may be more than the topic's `topic_queues`: they
 * repeat then. ends: where each of the topic's queues ends; may be NULL unless plan->from is
 * END. FILLS out_reader, which bl_bench_reader_close frees in any case. */
BL_MUST_CHECK bl_err bl_bench_reader_open(const struct bl_bench_plan *plan,
                                          const struct bl_bench_target *target,
                                          struct bl_bench_loop *loop,
                                          struct bl_bench_result *result, uint32_t conn_count,
                                          uint32_t queue_count, uint32_t topic_queues,
                                          const int64_t *ends, struct bl_bench_reader *out_reader,
                                          struct bl_why *why);
void bl_bench_reader_close(struct bl_bench_reader *reader);

/* The first pulls. */
void bl_bench_reader_start(struct bl_bench_reader *reader);
void bl_bench_reader_event(struct bl_bench_reader *reader, struct bl_bench_conn *conn,
                           uint32_t events);

#endif
