/* 370: a delayed message is taken back by its handle. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/delay/delay.h"
#include "net/net.h"
#include "remoting/remoting.h"
#include "remoting/request.h"
#include "wire/headers.h"

/* Waits until the order is durable. */
struct recall_wait {
  struct bl_store_waiter waiter;
  struct bl_broker *broker;
  struct bl_ticket ticket;
  struct bl_slice key;
  char text[];
};

static void on_durable(struct bl_store_waiter *waiter, bl_err err) {
  struct recall_wait *wait = BL_CONTAINER(waiter, struct recall_wait, waiter);
  struct bl_recall_reply_header header = {.msg_id = wait->key};
  BL_SET(&header, recall_reply, region, bl_slice_text(wait->broker->settings->region_id));
  struct bl_reply reply = {.code = 0, .table = &bl_recall_reply_table, .header = &header};
  if (err != BL_OK) {
    reply = (struct bl_reply){.code = bl_err_code(err),
                              .remark = BL_SLICE("recall failed, execute error: the log failed, "
                                                 "the outcome is unknown")};
  }
  bl_ticket_reply(wait->broker->remoting, &wait->ticket, &reply);
  free(wait);
}

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_recall_message_header *header = call->header;
  struct bl_why why;
  struct bl_slice key;
  int64_t end;
  struct bl_delay_recall recall = {.topic = header->topic,
                                   .handle = header->recall_handle,
                                   .producer_group = header->producer_group};
  if (call->conn == NULL) return BL_DONE;
  const struct bl_net_addr *peer = bl_conn_peer(call->conn);
  recall.born_host.port = peer->port;
  recall.born_host.addr_bytes = peer->addr_bytes;
  memcpy(recall.born_host.addr, peer->addr, sizeof(peer->addr));
  bl_err err = bl_delay_recall(broker, &recall, call->arena, &key, &end, &why);
  if (err != BL_OK) return bl_call_fail(call, err, "%s", why.text);
  struct recall_wait *wait = malloc(sizeof(*wait) + key.len);
  BL_ASSERT(wait != NULL);
  *wait = (struct recall_wait){
      .waiter = {.done = on_durable}, .broker = broker, .ticket = bl_call_ticket(call)};
  memcpy(wait->text, key.ptr, key.len);
  wait->key = bl_slice_of(wait->text, key.len);
  bl_store_wait(broker->store, &wait->waiter, end);
  return BL_PARKED;
}

const struct bl_request bl_request_recall_message = {
    .code = 370,
    .name = "RECALL_MESSAGE",
    .roles = BL_ROLE_BROKER,
    .header = &bl_recall_message_table,
    .handle = handle,
};
