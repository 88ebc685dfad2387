/* `bolide bench send`: one by one on many connections, pipelined, or in batches. */
#ifndef BOLIDE_CLI_BENCH_SEND_H
#define BOLIDE_CLI_BENCH_SEND_H

#include "cli/bench/plan.h"

/* RETURNS the exit code. */
int bl_bench_send(const struct bl_bench_plan *plan);

#endif
