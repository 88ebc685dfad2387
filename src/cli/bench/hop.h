/* `bolide bench null --hop`: what comes from a producer goes on to the consumer that waits for its
 * queue, as a stored record in the answer to its pull. Nothing is kept but what nobody waits for
 * yet. The floor for what e2e measures. */
#ifndef BOLIDE_CLI_BENCH_HOP_H
#define BOLIDE_CLI_BENCH_HOP_H

#include <stdbool.h>

#include "cli/bench/conn.h"
#include "cli/bench/reply.h"

struct bl_bench_hop;

struct bl_bench_hop *bl_bench_hop_new(void);
/* Accepts NULL. */
void bl_bench_hop_free(struct bl_bench_hop *hop);

/* Takes a request: a message goes to its queue, a pull waits or is answered. RETURNS true when it
 * needs no other answer. */
bool bl_bench_hop_take(struct bl_bench_hop *hop, struct bl_bench_conn *conn,
                       const struct bl_bench_head *head, struct bl_slice frame);
/* Answers the pulls whose queues got something since the last call. */
void bl_bench_hop_deliver(struct bl_bench_hop *hop);
/* The connection ends: its pulls wait no longer. */
void bl_bench_hop_forget(struct bl_bench_hop *hop, const struct bl_bench_conn *conn);

#endif
