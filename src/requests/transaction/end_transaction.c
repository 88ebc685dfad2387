#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/query/read.h"
#include "broker/transaction/transaction.h"
#include "remoting/request.h"
#include "requests/durable.h"
#include "wire/headers.h"

#define BUSY_WAIT_MS 1

/* The half message is read from the disk. */
struct ending {
  struct bl_record_fetch fetch;
  struct bl_ticket ticket;
  struct bl_transaction_end end;
  struct bl_arena arena; /* of the texts in `end` */
};

static void refuse(struct bl_remoting *remoting, const struct bl_ticket *ticket, bl_err err,
                   const struct bl_why *why) {
  struct bl_reply reply = {.code = bl_err_code(err), .remark = bl_slice_text(why->text)};
  bl_ticket_reply(remoting, ticket, &reply);
}

/* A one-way end that finds no room is not tried again: the broker asks the producer later. */
static void on_fetched(struct bl_record_fetch *fetch) {
  struct ending *ending = BL_CONTAINER(fetch, struct ending, fetch);
  struct bl_broker *broker = fetch->broker;
  const struct bl_record *half = fetch->err == BL_OK ? &fetch->record : NULL;
  struct bl_why why = {""};
  int64_t end_offset;
  bl_err err = bl_transaction_end(broker->transactions, &ending->end, half, &end_offset, &why);
  if (err == BL_OK) {
    bl_durable_ticket(broker, &ending->ticket);
  } else {
    refuse(broker->remoting, &ending->ticket, err, &why);
  }
  bl_record_fetch_fini(fetch);
  bl_arena_fini(&ending->arena);
  free(ending);
}

static enum bl_outcome fetch_half(struct bl_call *call, const struct bl_transaction_end *end) {
  struct ending *ending = calloc(1, sizeof(*ending));
  BL_ASSERT(ending != NULL);
  bl_arena_init(&ending->arena);
  ending->end = *end;
  ending->end.group = bl_arena_copy(&ending->arena, end->group);
  ending->ticket = bl_call_ticket(call);
  bl_record_fetch_start(&ending->fetch, call->server, end->half_log_offset, on_fetched);
  return BL_PARKED;
}

/* The half message while it is in memory, as it is for nearly all; false: it is not. */
static bool peek_half(struct bl_broker *broker, int64_t log_offset, struct bl_record *out_half) {
  const struct bl_half *half = bl_halves_find(broker->halves, log_offset);
  if (half == NULL || half->log_offset != log_offset) return false;
  if (!bl_store_is_fresh(broker->store, log_offset, half->size_bytes)) return false;
  struct bl_slice bytes = bl_store_peek(broker->store, log_offset, half->size_bytes);
  return bytes.ptr != NULL && bl_record_decode(bytes, BL_RECORD_UNCHECKED, out_half) == BL_OK;
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_end_transaction_header *header = call->header;
  struct bl_broker *broker = call->server;
  if (header->outcome != BL_SYS_COMMIT && header->outcome != BL_SYS_ROLLBACK) {
    /* The producer does not know yet: it is asked again. RocketMQ answers nothing. */
    return bl_call_ok(call);
  }
  struct bl_transaction_end end = {.group = header->producer_group,
                                   .half_log_offset = header->half_log_offset,
                                   .half_queue_offset = header->half_queue_offset,
                                   .commit = header->outcome == BL_SYS_COMMIT,
                                   .from_check = header->from_check};
  struct bl_why why = {""};
  bool needed;
  int64_t end_offset;
  bl_err err = bl_transaction_look(broker->transactions, &end, &needed, &end_offset, &why);
  if (err == BL_OK && needed) {
    struct bl_record half;
    if (!peek_half(broker, end.half_log_offset, &half)) return fetch_half(call, &end);
    err = bl_transaction_end(broker->transactions, &end, &half, &end_offset, &why);
  }
  if (err == BL_ERR_BUSY && call->conn != NULL) {
    call->again_ms = BUSY_WAIT_MS;
    return BL_AGAIN;
  }
  if (err != BL_OK) return bl_call_fail(call, err, "%s", why.text);
  return bl_command_is_oneway(call->command) ? bl_call_ok(call)
                                             : bl_durable_ok(call, broker, end_offset);
}

const struct bl_request bl_request_end_transaction = {
    .code = 37,
    .name = "END_TRANSACTION",
    .roles = BL_ROLE_BROKER,
    .header = &bl_end_transaction_table,
    .handle = handle,
};
