/* `bolide bench pull`: reads what a topic has, as fast as it goes. */
#ifndef BOLIDE_CLI_BENCH_PULL_H
#define BOLIDE_CLI_BENCH_PULL_H

#include "cli/bench/plan.h"

/* RETURNS the exit code. */
int bl_bench_pull(const struct bl_bench_plan *plan);

#endif
