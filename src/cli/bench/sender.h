/* The hot path of sending, for `send` and `e2e`: connections with windows, frames written over in
 * place, answers matched by opaque. Nothing is allocated for a message. */
#ifndef BOLIDE_CLI_BENCH_SENDER_H
#define BOLIDE_CLI_BENCH_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/bench/conn.h"
#include "cli/bench/frame.h"
#include "cli/bench/plan.h"
#include "cli/bench/result.h"
#include "cli/bench/target.h"

#define BL_BENCH_TOPIC_DIGITS_MAX 7
#define BL_BENCH_QUEUE_DIGITS_MAX 5

/* A request under way. */
struct bl_bench_slot {
  int64_t due_ns; /* when it was to be sent */
  uint32_t opaque;
  bool busy;
  bool measured; /* open loop: it was due in the measured part */
};

struct bl_bench_lane {
  struct bl_bench_conn conn; /* first: the loop's events point to it */
  struct bl_bench_slot *slots;
  uint16_t *spare; /* free slots; a stack */
  uint32_t spare_count;
  uint32_t generation;
  bool ready; /* in the sender's ring */
};

struct bl_bench_sender {
  const struct bl_bench_plan *plan;
  const struct bl_bench_target *target;
  struct bl_bench_result *result;
  struct bl_bench_loop *loop;
  struct bl_bench_lane *lanes;
  uint32_t lane_count, lanes_alive;
  struct bl_bench_frame frames[BL_BENCH_TOPIC_DIGITS_MAX][BL_BENCH_QUEUE_DIGITS_MAX];
  struct bl_bench_keys keys;
  char *body;
  char *stage; /* frames that go with one write */
  size_t stage_bytes;
  uint32_t stage_frames; /* whole ones that fit */
  /* All requests are this frame, and the stage is full of it; NULL: they differ. */
  const struct bl_bench_frame *only_frame;
  uint32_t topic, queue; /* of the next request */
  uint32_t frame_messages;
  bool mark_bodies;  /* with the time they were due and run_mark */
  uint64_t run_mark; /* tells this run's messages from others' */

  struct bl_bench_lane **ring; /* lanes with room; a queue */
  uint32_t ring_from, ring_count;
  double interval_ns; /* between two requests; 0: as fast as it goes */
  uint64_t made;      /* requests so far */
  uint64_t left;      /* requests to make still */
  uint64_t outstanding;
  uint64_t answered; /* messages, for the progress line */
  int64_t start_ns, measure_from_ns, end_ns;
  bool measuring; /* closed loop: an answer now counts */
};

/* Opens the connections. FILLS out_sender, which bl_bench_sender_close frees in any case. */
BL_MUST_CHECK bl_err bl_bench_sender_open(const struct bl_bench_plan *plan,
                                          const struct bl_bench_target *target,
                                          struct bl_bench_loop *loop,
                                          struct bl_bench_result *result,
                                          struct bl_bench_sender *out_sender, struct bl_why *why);
void bl_bench_sender_close(struct bl_bench_sender *sender);

/* The first requests go out. The measured part is from measure_from_ns to end_ns. */
void bl_bench_sender_start(struct bl_bench_sender *sender, int64_t now_ns, int64_t measure_from_ns,
                           int64_t end_ns);
/* What an event of one of its lanes says. */
void bl_bench_sender_event(struct bl_bench_sender *sender, struct bl_bench_lane *lane,
                           uint32_t events);
/* Open loop: sends what is due. RETURNS when the next is, or INT64_MAX. */
int64_t bl_bench_sender_pump(struct bl_bench_sender *sender, int64_t now_ns);
/* The time is over: from here on only what was due before is sent, at once or when there is room.
 * now: nothing more at all. */
void bl_bench_sender_end(struct bl_bench_sender *sender, bool now);
/* Whether something is to be sent or answered still. */
static inline bool bl_bench_sender_busy(const struct bl_bench_sender *sender) {
  return (sender->outstanding > 0 || sender->left > 0) && sender->lanes_alive > 0;
}
/* What is under way or was due is an error from here on. */
void bl_bench_sender_give_up(struct bl_bench_sender *sender);

#endif
