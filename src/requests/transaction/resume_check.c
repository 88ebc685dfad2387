#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/query/read.h"
#include "broker/transaction/transaction.h"
#include "remoting/request.h"
#include "requests/durable.h"
#include "wire/headers.h"
#include "wire/msgid.h"

struct resuming {
  struct bl_record_fetch fetch;
  struct bl_ticket ticket;
};

static void on_fetched(struct bl_record_fetch *fetch) {
  struct resuming *resuming = BL_CONTAINER(fetch, struct resuming, fetch);
  struct bl_broker *broker = fetch->broker;
  struct bl_why why = {""};
  int64_t end_offset;
  bl_err err = fetch->err;
  if (err != BL_OK) {
    err =
        bl_why_set(&why, BL_ERR_SYSTEM,
                   "Put message back to RMQ_SYS_TRANS_HALF_TOPIC failed: there is no message with "
                   "that id");
  } else {
    err = bl_transaction_resume(broker->transactions, &fetch->record, &end_offset, &why);
  }
  if (err == BL_OK) {
    bl_durable_ticket(broker, &resuming->ticket);
  } else {
    struct bl_reply reply = {.code = bl_err_code(err), .remark = bl_slice_text(why.text)};
    bl_ticket_reply(broker->remoting, &resuming->ticket, &reply);
  }
  bl_record_fetch_fini(fetch);
  free(resuming);
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_resume_check_header *header = call->header;
  struct bl_host host;
  int64_t log_offset;
  if (!bl_msgid_parse(header->msg_id, &host, &log_offset)) {
    return bl_call_fail(call, BL_ERR_SYSTEM,
                        "msgId is not the id of a stored message: 32 or 56 hex digits");
  }
  struct resuming *resuming = calloc(1, sizeof(*resuming));
  BL_ASSERT(resuming != NULL);
  resuming->ticket = bl_call_ticket(call);
  bl_record_fetch_start(&resuming->fetch, call->server, log_offset, on_fetched);
  return BL_PARKED;
}

const struct bl_request bl_request_resume_check = {
    .code = 323,
    .name = "RESUME_CHECK_HALF_MESSAGE",
    .roles = BL_ROLE_BROKER,
    .header = &bl_resume_check_table,
    .handle = handle,
};
