/* `bolide bench echo`: `send` to a null server that is started for it: the ceiling in one
 * command. */
#ifndef BOLIDE_CLI_BENCH_ECHO_H
#define BOLIDE_CLI_BENCH_ECHO_H

#include "cli/bench/plan.h"

/* RETURNS the exit code. */
int bl_bench_echo(const struct bl_bench_plan *plan);

#endif
