#include "store/log/gate.h"

#include "base/assert.h"

void bl_gate_init(struct bl_gate *gate) {
  bl_list_init(&gate->waiters);
  gate->last_offset = 0;
}

void bl_gate_add(struct bl_gate *gate, struct bl_store_waiter *waiter, int64_t offset) {
  BL_ASSERT(offset >= gate->last_offset);
  BL_ASSERT(waiter->done != NULL);
  gate->last_offset = offset;
  waiter->offset = offset;
  bl_list_add_last(&gate->waiters, &waiter->node);
}

static struct bl_store_waiter *first_of(struct bl_gate *gate) {
  return BL_CONTAINER(gate->waiters.next, struct bl_store_waiter, node);
}

static void let_go(struct bl_gate *gate, bl_err err) {
  struct bl_store_waiter *waiter = first_of(gate);
  bl_list_remove(&waiter->node);
  waiter->done(waiter, err);
}

void bl_gate_open(struct bl_gate *gate, int64_t visible) {
  while (!bl_gate_empty(gate) && first_of(gate)->offset <= visible) let_go(gate, BL_OK);
}

void bl_gate_fail(struct bl_gate *gate, bl_err err) {
  while (!bl_gate_empty(gate)) let_go(gate, err);
}
