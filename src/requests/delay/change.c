#include "requests/delay/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "broker/broker.h"
#include "broker/delay/operate.h"
#include "net/net.h"
#include "requests/durable.h"
#include "wire/msgid.h"

/* The end of a job makes a turn; this is for the case that it never comes. */
#define WAIT_MS 100

static enum bl_outcome answer(struct bl_call *call, struct bl_delay_change *change) {
  struct bl_why why = change->why;
  bl_err err = change->err;
  int32_t changed = change->changed;
  struct bl_json_writer w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&w);
  bl_json_member_i64(&w, "changed", changed);
  if (change->moves && changed > 0) bl_json_member_i64(&w, "logOffset", change->log_offset_now);
  bl_json_close_object(&w);
  bl_delay_change_fini(change);
  free(change);
  call->progress = NULL;
  if (call->conn == NULL) return BL_DONE;
  if (err != BL_OK && changed > 0)
    return bl_call_fail(call, err, "%d were changed, then: %s", changed, why.text);
  if (err != BL_OK) return bl_call_fail(call, err, "%s", why.text);
  return bl_durable_ok_body(call, call->server);
}

enum bl_outcome bl_timer_change(struct bl_call *call, struct bl_slice topic,
                                struct bl_slice uniq_key, struct bl_slice msg_id,
                                const int64_t *due_ms) {
  struct bl_delay_change *change = call->progress;
  struct bl_host host = {0};
  int64_t log_offset = -1;
  if (uniq_key.len == 0 && !bl_msgid_parse(msg_id, &host, &log_offset)) {
    return bl_call_fail(call, BL_ERR_PARAMETER, "msgId %.*s is no id that a broker gave",
                        (int)(msg_id.len < 64 ? msg_id.len : 64), msg_id.ptr);
  }
  if (call->conn == NULL && (change == NULL || bl_delay_change_may_free(change))) {
    if (change != NULL) return answer(call, change);
    return BL_DONE;
  }
  if (change == NULL) {
    change = calloc(1, sizeof(*change));
    BL_ASSERT(change != NULL);
    change->broker = call->server;
    change->log_offset = log_offset;
    change->store_host = host;
    change->moves = due_ms != NULL;
    if (due_ms != NULL) change->new_due_ms = *due_ms;
    const struct bl_net_addr *peer = bl_conn_peer(call->conn);
    change->born_host.port = peer->port;
    change->born_host.addr_bytes = peer->addr_bytes;
    memcpy(change->born_host.addr, peer->addr, sizeof(peer->addr));
    call->progress = change;
  }
  /* They are somewhere else from the second step on. */
  change->topic = topic;
  change->uniq_key = uniq_key.len > 0 ? uniq_key : (struct bl_slice){NULL, 0};
  enum bl_delay_operation step = bl_delay_change_step(change);
  if (step == BL_DELAY_ENDED) return answer(call, change);
  if (step == BL_DELAY_WAITS) call->again_ms = WAIT_MS;
  return BL_AGAIN;
}
