/* Calls to peers: opaque numbers, deadlines, connections by address. */
#include <stdlib.h>

#include "base/assert.h"
#include "remoting/remoting_internal.h"

#define SLOT_BITS 17
#define SLOT_MASK ((1u << SLOT_BITS) - 1)
#define GENERATION_MASK ((1u << (31 - SLOT_BITS)) - 1)

static bool take_slot(struct bl_remoting *remoting, uint32_t *out_slot) {
  if (remoting->free_outcall_count == 0) {
    uint32_t cap = remoting->outcall_cap == 0 ? 64 : remoting->outcall_cap * 2;
    if (cap > SLOT_MASK + 1) return false;
    remoting->outcalls = realloc(remoting->outcalls, cap * sizeof(struct bl_outcall *));
    remoting->outcall_generations = realloc(remoting->outcall_generations, cap * sizeof(uint32_t));
    remoting->free_outcalls = realloc(remoting->free_outcalls, cap * sizeof(uint32_t));
    BL_ASSERT(remoting->outcalls != NULL && remoting->outcall_generations != NULL &&
              remoting->free_outcalls != NULL);
    for (uint32_t slot = cap; slot > remoting->outcall_cap; slot--) {
      remoting->outcalls[slot - 1] = NULL;
      remoting->outcall_generations[slot - 1] = 0;
      remoting->free_outcalls[remoting->free_outcall_count++] = slot - 1;
    }
    remoting->outcall_cap = cap;
  }
  *out_slot = remoting->free_outcalls[--remoting->free_outcall_count];
  return true;
}

void bl_remoting_cancel(struct bl_outcall *call) {
  if (!call->open) return;
  struct bl_remoting *remoting = call->remoting;
  uint32_t slot = (uint32_t)call->opaque & SLOT_MASK;
  call->open = false;
  remoting->outcalls[slot] = NULL;
  remoting->free_outcalls[remoting->free_outcall_count++] = slot;
  bl_timer_cancel(remoting->timers, &call->timer);
}

static void on_deadline(struct bl_timer *timer, int64_t now_ms) {
  struct bl_outcall *call = BL_CONTAINER(timer, struct bl_outcall, timer);
  (void)now_ms;
  bl_remoting_cancel(call);
  call->done(call, BL_ERR_TIMEOUT, NULL);
}

void bl_remoting__on_response(struct bl_remoting *remoting, struct bl_conn *conn,
                              const struct bl_command *response) {
  uint32_t slot = (uint32_t)response->opaque & SLOT_MASK;
  if (slot >= remoting->outcall_cap) return;
  struct bl_outcall *call = remoting->outcalls[slot];
  /* A late answer finds its slot empty or with another generation. */
  if (call == NULL || call->opaque != response->opaque || call->conn_id != bl_conn_id(conn)) return;
  bl_remoting_cancel(call);
  call->done(call, BL_OK, response);
}

void bl_remoting__on_conn_closed(struct bl_remoting *remoting, uint64_t conn_id) {
  for (uint32_t slot = 0; slot < remoting->outcall_cap; slot++) {
    struct bl_outcall *call = remoting->outcalls[slot];
    if (call == NULL || call->conn_id != conn_id) continue;
    bl_remoting_cancel(call);
    call->done(call, BL_ERR_CLOSED, NULL);
  }
}

static void write_request(struct bl_conn *conn, const struct bl_outgoing *outgoing, int32_t opaque,
                          int32_t flag) {
  struct bl_command_writer writer;
  struct bl_buf *out = bl_conn_out(conn);
  bl_command_begin(&writer, out, BL_CODEC_JSON, outgoing->code, opaque, flag,
                   (struct bl_slice){NULL, 0});
  if (outgoing->table != NULL) bl_header_encode(outgoing->table, outgoing->header, &writer);
  for (uint32_t i = 0; i < outgoing->extra_count; i++) {
    bl_command_put_text(&writer, outgoing->extra[i].name, outgoing->extra[i].value);
  }
  bl_command_end(&writer, outgoing->body.len);
  bl_buf_put_slice(out, outgoing->body);
  bl_conn_mark(conn);
}

bl_err bl_remoting_call(struct bl_remoting *remoting, uint64_t conn_id,
                        const struct bl_outgoing *outgoing, int64_t timeout_ms,
                        struct bl_outcall *call) {
  if (remoting->closing) return BL_ERR_CLOSED;
  struct bl_conn *conn = bl_net_conn(remoting->net, conn_id);
  if (conn == NULL) return BL_ERR_CLOSED;
  uint32_t slot;
  if (!take_slot(remoting, &slot)) return BL_ERR_FULL;
  uint32_t generation = ++remoting->outcall_generations[slot] & GENERATION_MASK;
  call->remoting = remoting;
  call->conn_id = conn_id;
  call->code = outgoing->code;
  call->opaque = (int32_t)(generation << SLOT_BITS | slot);
  call->open = true;
  remoting->outcalls[slot] = call;
  call->timer = (struct bl_timer){.fire = on_deadline};
  bl_timer_set(remoting->timers, &call->timer, bl_clock_mono_ms(remoting->clock) + timeout_ms);
  write_request(conn, outgoing, call->opaque, 0);
  return BL_OK;
}

bl_err bl_remoting_send(struct bl_remoting *remoting, uint64_t conn_id,
                        const struct bl_outgoing *outgoing) {
  if (remoting->closing) return BL_ERR_CLOSED;
  struct bl_conn *conn = bl_net_conn(remoting->net, conn_id);
  if (conn == NULL) return BL_ERR_CLOSED;
  write_request(conn, outgoing, 0, BL_FLAG_ONEWAY);
  return BL_OK;
}

/* The open connection to the address, or a new one. 0: no more connections can be had. */
static uint64_t open_conn(struct bl_remoting *remoting, struct bl_slice address) {
  if (remoting->closing) return 0;
  struct bl_peer *peer = bl_map_get(&remoting->peers, address);
  if (peer != NULL && bl_net_conn(remoting->net, peer->conn_id) != NULL) return peer->conn_id;
  struct bl_conn *conn =
      bl_net_connect(remoting->net, address, &bl_remoting__conn_ops, remoting->outgoing_role);
  if (conn == NULL) return 0;
  if (peer == NULL) {
    peer = calloc(1, sizeof(*peer));
    BL_ASSERT(peer != NULL);
    bl_map_put(&remoting->peers, address, peer);
  }
  peer->conn_id = bl_conn_id(conn);
  return peer->conn_id;
}

bl_err bl_remoting_call_address(struct bl_remoting *remoting, struct bl_slice address,
                                const struct bl_outgoing *outgoing, int64_t timeout_ms,
                                struct bl_outcall *call) {
  return bl_remoting_call(remoting, open_conn(remoting, address), outgoing, timeout_ms, call);
}

bl_err bl_remoting_send_address(struct bl_remoting *remoting, struct bl_slice address,
                                const struct bl_outgoing *outgoing) {
  return bl_remoting_send(remoting, open_conn(remoting, address), outgoing);
}

uint64_t bl_remoting_conn_of(const struct bl_remoting *remoting, struct bl_slice address) {
  const struct bl_peer *peer = bl_map_get(&remoting->peers, address);
  if (peer == NULL || bl_net_conn(remoting->net, peer->conn_id) == NULL) return 0;
  return peer->conn_id;
}

void bl_remoting_disconnect(struct bl_remoting *remoting, struct bl_slice address) {
  uint64_t id = bl_remoting_conn_of(remoting, address);
  struct bl_conn *conn = id != 0 ? bl_net_conn(remoting->net, id) : NULL;
  if (conn != NULL) bl_conn_close(conn);
}
