/* 36: a consumer gives a message back, to be given to its group again later or as a dead letter. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/query/read.h"
#include "broker/retry/retry.h"
#include "remoting/request.h"
#include "wire/headers.h"

/* MQVersion.V3_4_9: older clients do not mean their maxReconsumeTimes. */
#define MAX_TIMES_VERSION 121
/* Room for an ordinary message is asked for before the old one is read. */
#define ROOM_BYTES (64 << 10)
#define ROOM_WAIT_MS 1

struct sending_back {
  struct bl_record_fetch fetch;
  struct bl_store_waiter waiter;
  struct bl_ticket ticket;
  struct bl_arena arena;
  struct bl_send_back back; /* texts in the arena */
};

static void end(struct sending_back *sending, bl_err err, struct bl_slice remark) {
  struct bl_reply reply = {.code = err == BL_OK ? 0 : bl_err_code(err), .remark = remark};
  bl_ticket_reply(sending->fetch.broker->remoting, &sending->ticket, &reply);
  bl_arena_fini(&sending->arena);
  free(sending);
}

static void on_durable(struct bl_store_waiter *waiter, bl_err err) {
  struct sending_back *sending = BL_CONTAINER(waiter, struct sending_back, waiter);
  end(sending, err,
      err == BL_OK ? (struct bl_slice){NULL, 0}
                   : BL_SLICE("the log failed before the message was known to be durable; its "
                              "outcome is unknown"));
}

static void on_fetched(struct bl_record_fetch *fetch) {
  struct sending_back *sending = BL_CONTAINER(fetch, struct sending_back, fetch);
  struct bl_broker *broker = fetch->broker;
  struct bl_why why;
  int64_t end_offset = 0;
  bl_err err = fetch->err;
  if (err == BL_OK) {
    err = bl_retry_store(broker, &sending->back, &fetch->record, &end_offset, &why);
  } else {
    err = bl_why_set(&why, BL_ERR_SYSTEM, "look message by offset failed, %lld",
                     (long long)fetch->log_offset);
  }
  bl_record_fetch_fini(fetch);
  if (err != BL_OK || end_offset == 0) {
    end(sending, err, err == BL_OK ? (struct bl_slice){NULL, 0} : bl_slice_text(why.text));
    return;
  }
  sending->waiter.done = on_durable;
  /* Waiters come in order of offset: the end of the log is behind all that wait. */
  bl_store_wait(broker->store, &sending->waiter, bl_store_marks(broker->store).appended);
}

static struct bl_send_back back_of(const struct bl_call *call) {
  const struct bl_send_back_header *h = call->header;
  bool meant = call->command->version >= MAX_TIMES_VERSION;
  return (struct bl_send_back){.group = h->group,
                               .log_offset = h->offset,
                               .delay_level = h->delay_level,
                               .has_max_times = meant && BL_HAS(h, send_back, max_reconsume_times),
                               .max_times = h->max_reconsume_times,
                               .unit_mode = h->unit_mode};
}

/* No room in the log now: later turns, not for longer than a send would, and one of the sends that
 * may wait. call->progress is the time until when. */
static bool waits_for_room(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  int64_t now_ms = bl_clock_mono_ms(broker->clock);
  int64_t *until_ms = call->progress;
  if (call->conn == NULL) return false;
  if (bl_store_can_append(broker->store, ROOM_BYTES) != BL_ERR_BUSY) return false;
  if (until_ms == NULL) {
    if (broker->sends.waiting_for_room >= BL_SEND_ROOM_WAITS_MAX) return false;
    until_ms = malloc(sizeof(*until_ms));
    BL_ASSERT(until_ms != NULL);
    *until_ms = now_ms + broker->settings->wait_in_send_queue_ms;
    call->progress = until_ms;
    broker->sends.waiting_for_room++;
  }
  call->again_ms = ROOM_WAIT_MS;
  return now_ms < *until_ms;
}

static void end_wait(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  if (call->progress == NULL) return;
  broker->sends.waiting_for_room--;
  free(call->progress);
  call->progress = NULL;
}

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  struct bl_send_back back = back_of(call);
  struct bl_why why;
  bool ignored;
  if (waits_for_room(call)) return BL_AGAIN;
  end_wait(call);
  bl_err err = bl_retry_check(broker, &back, &ignored, &why);
  if (err != BL_OK) return bl_call_fail(call, err, "%s", why.text);
  if (ignored) return bl_call_ok(call);
  struct sending_back *sending = calloc(1, sizeof(*sending));
  BL_ASSERT(sending != NULL);
  bl_arena_init(&sending->arena);
  sending->ticket = bl_call_ticket(call);
  sending->back = back;
  sending->back.group = bl_arena_copy(&sending->arena, back.group);
  bl_record_fetch_start(&sending->fetch, broker, back.log_offset, on_fetched);
  return BL_PARKED;
}

const struct bl_request bl_request_send_back = {
    .code = 36,
    .name = "CONSUMER_SEND_MSG_BACK",
    .roles = BL_ROLE_BROKER,
    .header = &bl_send_back_table,
    .handle = handle,
};
