/* The gate: who waits for which offset, first come first served. */
#ifndef BOLIDE_STORE_LOG_GATE_H
#define BOLIDE_STORE_LOG_GATE_H

#include <stdbool.h>

#include "store/store.h"

struct bl_gate {
  struct bl_list waiters;
  int64_t last_offset;
};

void bl_gate_init(struct bl_gate *gate);
/* HOLDS the waiter. Offsets never go back (asserted). */
void bl_gate_add(struct bl_gate *gate, struct bl_store_waiter *waiter, int64_t offset);
/* Lets through whoever waits for `visible` or less. A done may add waiters. */
void bl_gate_open(struct bl_gate *gate, int64_t visible);
/* Everybody leaves with `err`. */
void bl_gate_fail(struct bl_gate *gate, bl_err err);

static inline bool bl_gate_empty(const struct bl_gate *gate) {
  return bl_list_empty(&gate->waiters);
}

#endif
