#include "requests/reply/answer.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/reply/reply.h"
#include "net/net.h"
#include "remoting/remoting.h"
#include "requests/send/origin.h"
#include "wire/headers.h"

struct replying {
  struct bl_broker *broker;
  struct bl_ticket ticket;
};

/* ReplyMessageProcessor: the message id is "0" when the reply was not stored, so that the client
 * can read the header. */
static void on_done(void *context, const struct bl_reply_result *result) {
  struct replying *replying = context;
  struct bl_broker *broker = replying->broker;
  struct bl_send_reply_header header = {.msg_id = BL_SLICE("0"), .queue_id = result->queue_id};
  char id[BL_MSGID_TEXT_MAX];
  if (result->stored) {
    header.msg_id = bl_slice_of(id, bl_msgid_text(&broker->store_host, result->log_offset, id));
    header.queue_offset = result->queue_offset;
  }
  bl_send_set_origin(broker->settings, &header);
  struct bl_reply reply = {.code = bl_err_code(result->pushed ? BL_OK : BL_ERR_SYSTEM),
                           .table = &bl_send_reply_table,
                           .header = &header};
  if (!result->pushed) reply.remark = bl_slice_text(result->remark);
  bl_ticket_reply(broker->remoting, &replying->ticket, &reply);
  free(replying);
}

enum bl_outcome bl_reply_and_answer(struct bl_call *call, struct bl_send *send) {
  struct bl_broker *broker = call->server;
  const struct bl_net_addr *peer = bl_conn_peer(call->conn);
  struct bl_why why;
  send->max_reconsume_times = -1;
  send->batch = false;
  send->born_host.port = peer->port;
  send->born_host.addr_bytes = peer->addr_bytes;
  memcpy(send->born_host.addr, peer->addr, sizeof(peer->addr));
  send->peer = bl_conn_peer_text(call->conn);
  send->body = call->command->body;
  struct replying *replying = malloc(sizeof(*replying));
  BL_ASSERT(replying != NULL);
  *replying = (struct replying){.broker = broker, .ticket = bl_call_ticket(call)};
  bl_err err = bl_reply_start(broker, send, on_done, replying, &why);
  if (err == BL_OK) return BL_PARKED;
  free(replying);
  return bl_send_refuse(call, err, &why);
}
