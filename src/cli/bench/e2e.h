/* `bolide bench e2e`: from the time a message is due to its arrival at a consumer that waits. */
#ifndef BOLIDE_CLI_BENCH_E2E_H
#define BOLIDE_CLI_BENCH_E2E_H

#include "cli/bench/plan.h"

/* RETURNS the exit code. */
int bl_bench_e2e(const struct bl_bench_plan *plan);

#endif
