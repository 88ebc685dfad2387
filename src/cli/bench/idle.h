/* `bolide bench idle`: connections that are there and do next to nothing, for footprints and as
 * noise beside other runs. */
#ifndef BOLIDE_CLI_BENCH_IDLE_H
#define BOLIDE_CLI_BENCH_IDLE_H

#include "cli/bench/plan.h"

/* RETURNS the exit code. */
int bl_bench_idle(const struct bl_bench_plan *plan);

#endif
