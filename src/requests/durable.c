#include "requests/durable.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"

struct durable {
  struct bl_store_waiter waiter;
  struct bl_remoting *remoting;
  struct bl_ticket ticket;
  const char *remark;
  struct bl_slice body; /* HELD copy, or absent */
};

static void on_durable(struct bl_store_waiter *waiter, bl_err err) {
  struct durable *durable = BL_CONTAINER(waiter, struct durable, waiter);
  struct bl_reply reply = {.code = 0, .remark = bl_slice_text(durable->remark)};
  if (err != BL_OK) {
    reply.code = bl_err_code(BL_ERR_SYSTEM);
    reply.remark =
        BL_SLICE("the log failed before the change was durable: whether it lasts is not known");
  }
  if (reply.code == 0 && durable->body.ptr != NULL) {
    reply.body = &durable->body;
    reply.body_count = 1;
  }
  bl_ticket_reply(durable->remoting, &durable->ticket, &reply);
  bl_table_disown(durable->body);
  free(durable);
}

/* Waiters come in order of offset: the end of the log is behind all that wait. */
static struct durable *wait_for(struct bl_broker *broker, const struct bl_ticket *ticket,
                                int64_t log_end) {
  struct durable *durable = calloc(1, sizeof(*durable));
  BL_ASSERT(durable != NULL);
  durable->waiter.done = on_durable;
  durable->remoting = broker->remoting;
  durable->ticket = *ticket;
  bl_store_wait(broker->store, &durable->waiter, log_end);
  return durable;
}

static struct durable *wait_until(struct bl_call *call, struct bl_broker *broker, int64_t log_end) {
  struct bl_ticket ticket = bl_call_ticket(call);
  return wait_for(broker, &ticket, log_end);
}

void bl_durable_ticket(struct bl_broker *broker, const struct bl_ticket *ticket) {
  struct bl_store_marks marks = bl_store_marks(broker->store);
  struct bl_reply reply = {.code = 0};
  if (marks.visible == marks.appended) {
    bl_ticket_reply(broker->remoting, ticket, &reply);
  } else {
    wait_for(broker, ticket, marks.appended);
  }
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
  wait_until(call, broker, marks.appended)->remark = remark;
  return BL_PARKED;
}

enum bl_outcome bl_durable_ok_body(struct bl_call *call, struct bl_broker *broker) {
  struct bl_store_marks marks = bl_store_marks(broker->store);
  if (marks.visible == marks.appended || call->body->failed) return bl_call_ok_body(call);
  wait_until(call, broker, marks.appended)->body = bl_table_own(bl_buf_slice(call->body));
  return BL_PARKED;
}

enum bl_outcome bl_durable_ok(struct bl_call *call, struct bl_broker *broker, int64_t end_offset) {
  return bl_durable_reply(call, broker, end_offset, NULL);
}
