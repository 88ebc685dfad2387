#include "requests/send/answer.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "net/net.h"
#include "wire/headers.h"

/* A send that waits for its record to be durable. */
struct bl_send_wait {
  struct bl_list spare; /* first: see bl_sends */
  struct bl_store_waiter waiter;
  struct bl_broker *broker;
  struct bl_ticket ticket;
  int32_t queue_id;
  int64_t queue_offset;
  int64_t log_offset;
  char *batch_ids; /* HELD; NULL: one message */
  char uniq_key[BL_SEND_KEY_BYTES_MAX];
};

static struct bl_send_wait *take_wait(struct bl_broker *broker) {
  struct bl_list *node = bl_list_take_first(&broker->sends.spare_waits);
  if (node != NULL) return BL_CONTAINER(node, struct bl_send_wait, spare);
  struct bl_send_wait *wait = calloc(1, sizeof(*wait));
  BL_ASSERT(wait != NULL);
  wait->broker = broker;
  return wait;
}

static void give_wait(struct bl_send_wait *wait) {
  free(wait->batch_ids);
  wait->batch_ids = NULL;
  bl_list_add_last(&wait->broker->sends.spare_waits, &wait->spare);
}

static void set_origin(const struct bl_broker *broker, struct bl_send_reply_header *header) {
  BL_SET(header, send_reply, region, bl_slice_text(broker->settings->region_id));
  BL_SET(header, send_reply, trace_on, broker->settings->trace_on ? BL_SLICE("true") : BL_SLICE("false"));
}

static void answer_stored(struct bl_send_wait *wait) {
  struct bl_send_reply_header header = {.queue_id = wait->queue_id, .queue_offset = wait->queue_offset};
  char id[BL_MSGID_TEXT_MAX];
  if (wait->batch_ids != NULL) {
    header.msg_id = bl_slice_text(wait->batch_ids);
  } else {
    header.msg_id = bl_slice_of(id, bl_msgid_text(&wait->broker->store_host, wait->log_offset, id));
  }
  if (wait->uniq_key[0] != '\0') {
    BL_SET(&header, send_reply, transaction_id, bl_slice_text(wait->uniq_key));
  }
  set_origin(wait->broker, &header);
  struct bl_reply reply = {.code = 0, .table = &bl_send_reply_table, .header = &header};
  bl_ticket_reply(wait->broker->remoting, &wait->ticket, &reply);
}

static void on_durable(struct bl_store_waiter *waiter, bl_err err) {
  struct bl_send_wait *wait = BL_CONTAINER(waiter, struct bl_send_wait, waiter);
  if (err == BL_OK) {
    answer_stored(wait);
  } else {
    struct bl_reply reply = {.code = bl_err_code(err),
                             .remark = BL_SLICE("the log failed before the message was known to be "
                                                "durable; its outcome is unknown")};
    bl_ticket_reply(wait->broker->remoting, &wait->ticket, &reply);
  }
  give_wait(wait);
}

static char *join_ids(const struct bl_broker *broker, const struct bl_sent *sent) {
  char *ids = malloc((size_t)sent->count * BL_MSGID_TEXT_MAX + 1);
  BL_ASSERT(ids != NULL);
  char *at = ids;
  for (int32_t i = 0; i < sent->count; i++) {
    if (i > 0) *at++ = ',';
    at += bl_msgid_text(&broker->store_host, sent->log_offsets[i], at);
  }
  return ids;
}

static enum bl_outcome park(struct bl_call *call, const struct bl_sent *sent) {
  struct bl_broker *broker = call->server;
  struct bl_send_wait *wait = take_wait(broker);
  wait->ticket = bl_call_ticket(call);
  wait->queue_id = sent->queue_id;
  wait->queue_offset = sent->queue_offset;
  wait->log_offset = sent->log_offset;
  memcpy(wait->uniq_key, sent->uniq_key, sizeof(wait->uniq_key));
  if (sent->log_offsets != NULL) wait->batch_ids = join_ids(broker, sent);
  if (!sent->wait) {
    answer_stored(wait);
    give_wait(wait);
    return BL_PARKED;
  }
  wait->waiter.done = on_durable;
  bl_store_wait(broker->store, &wait->waiter, sent->end_offset);
  return BL_PARKED;
}

static enum bl_outcome refuse(struct bl_call *call, bl_err err, const struct bl_why *why) {
  struct bl_broker *broker = call->server;
  struct bl_field extra[2] = {
      {BL_SLICE("MSG_REGION"), bl_slice_text(broker->settings->region_id)},
      {BL_SLICE("TRACE_ON"), broker->settings->trace_on ? BL_SLICE("true") : BL_SLICE("false")}};
  struct bl_reply reply = {.code = bl_err_code(err),
                           .remark = bl_slice_text(why->text),
                           .extra = extra,
                           .extra_count = 2};
  broker->stats.put_failed++;
  bl_call_reply(call, &reply);
  return BL_DONE;
}

/* No room in the log now: wait some turns, not longer than the client would. call->progress holds the
 * deadline. */
static enum bl_outcome wait_for_room(struct bl_call *call, const struct bl_why *why) {
  struct bl_broker *broker = call->server;
  int64_t now_ms = bl_clock_mono_ms(broker->clock);
  int64_t *deadline_ms = call->progress;
  if (deadline_ms == NULL && broker->sends.waiting_for_room < BL_SEND_ROOM_WAITS_MAX) {
    deadline_ms = malloc(sizeof(*deadline_ms));
    BL_ASSERT(deadline_ms != NULL);
    *deadline_ms = now_ms + broker->settings->wait_in_send_queue_ms;
    call->progress = deadline_ms;
    broker->sends.waiting_for_room++;
  }
  if (deadline_ms != NULL && now_ms < *deadline_ms) return BL_AGAIN;
  return refuse(call, BL_ERR_BUSY, why);
}

enum bl_outcome bl_send_and_answer(struct bl_call *call, struct bl_send *send) {
  struct bl_broker *broker = call->server;
  const struct bl_net_addr *peer = bl_conn_peer(call->conn);
  struct bl_sent sent;
  struct bl_why why;
  send->born_host.port = peer->port;
  send->born_host.addr_bytes = peer->addr_bytes;
  memcpy(send->born_host.addr, peer->addr, sizeof(peer->addr));
  send->peer = bl_conn_peer_text(call->conn);
  send->body = call->command->body;
  bl_err err = bl_broker_send(broker, send, &sent, &why);
  enum bl_outcome outcome = err == BL_OK         ? park(call, &sent)
                            : err == BL_ERR_BUSY ? wait_for_room(call, &why)
                                                 : refuse(call, err, &why);
  if (outcome != BL_AGAIN && call->progress != NULL) {
    free(call->progress);
    call->progress = NULL;
    broker->sends.waiting_for_room--;
  }
  return outcome;
}
