#include "requests/durable.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"

struct durable {
  struct bl_store_waiter waiter;
  struct bl_remoting *remoting;
  struct bl_ticket ticket;
  const char *remark;
};

static void on_durable(struct bl_store_waiter *waiter, bl_err err) {
  struct durable *durable = BL_CONTAINER(waiter, struct durable, waiter);
  struct bl_reply reply = {.code = 0, .remark = bl_slice_text(durable->remark)};
  if (err != BL_OK) {
    reply.code = bl_err_code(BL_ERR_SYSTEM);
    reply.remark =
        BL_SLICE("the log failed before the change was durable: whether it lasts is not known");
  }
  bl_ticket_reply(durable->remoting, &durable->ticket, &reply);
  free(durable);
}

enum bl_outcome bl_durable_reply(struct bl_call *call, struct bl_broker *broker, int64_t end_offset,
                                 const char *remark) {
  struct bl_store_marks marks = bl_store_marks(broker->store);
  BL_ASSERT(end_offset <= marks.appended);
  if (marks.visible == marks.appended) {
    struct bl_reply reply = {.code = 0, .remark = bl_slice_text(remark)};
    bl_call_reply(call, &reply);
    return BL_DONE;
  }
  struct durable *durable = calloc(1, sizeof(*durable));
  BL_ASSERT(durable != NULL);
  durable->waiter.done = on_durable;
  durable->remoting = call->remoting;
  durable->ticket = bl_call_ticket(call);
  durable->remark = remark;
  /* Waiters come in order of offset: the end of the log is behind all that wait. */
  bl_store_wait(broker->store, &durable->waiter, marks.appended);
  return BL_PARKED;
}

enum bl_outcome bl_durable_ok(struct bl_call *call, struct bl_broker *broker, int64_t end_offset) {
  return bl_durable_reply(call, broker, end_offset, NULL);
}
