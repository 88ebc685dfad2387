/* Where a run goes: the broker of the topic, by name server or as said; topics that are missing are
 * made, and that is said. */
#ifndef BOLIDE_CLI_BENCH_TARGET_H
#define BOLIDE_CLI_BENCH_TARGET_H

#include "base/err.h"
#include "cli/bench/conn.h"
#include "cli/bench/plan.h"

struct bl_bench_target {
  char server[256]; /* the broker's address as text */
  char broker_name[128];
  struct bl_bench_address address;
};

/* FILLS the target: asks the name server for the topic's route (105) or, when it has none, for any
 * broker (106). */
BL_MUST_CHECK bl_err bl_bench_target_find(const struct bl_bench_plan *plan,
                                          struct bl_bench_target *out_target, struct bl_why *why);
/* Asks the broker for the topics (351), makes those that are missing and gives more queues to those
 * that have fewer than the plan's (17). Says on standard error what it did. A server that refuses
 * is no error here: the sends will show it, or make the topic from TBW102. */
BL_MUST_CHECK bl_err bl_bench_target_topics(const struct bl_bench_plan *plan,
                                            const struct bl_bench_target *target,
                                            struct bl_why *why);

/* FILLS how many queues the topic has for readers (351). BL_ERR_NO_TOPIC with a sentence. A server
 * that does not say has 4. */
BL_MUST_CHECK bl_err bl_bench_target_queues(const struct bl_bench_plan *plan,
                                            const struct bl_bench_target *target,
                                            int64_t *out_queues, struct bl_why *why);
/* FILLS the offset behind the last message of the queues 0 to count - 1 (30). */
BL_MUST_CHECK bl_err bl_bench_target_ends(const struct bl_bench_plan *plan,
                                          const struct bl_bench_target *target, int64_t count,
                                          int64_t *out_ends, struct bl_why *why);

/* "T", or "T-3" when the plan has several topics. */
size_t bl_bench_topic_name(const struct bl_bench_plan *plan, int64_t index, char out_name[256]);

#endif
