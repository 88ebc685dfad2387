/* `bolide bench null`: a server that stores nothing, for the ceiling of what a machine's sockets
 * allow. */
#ifndef BOLIDE_CLI_BENCH_NULL_H
#define BOLIDE_CLI_BENCH_NULL_H

#include "cli/bench/plan.h"

/* RETURNS the exit code. */
int bl_bench_null(const struct bl_bench_plan *plan);

#endif
