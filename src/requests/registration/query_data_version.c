#include "base/json.h"
#include "namesrv/routes.h"
#include "remoting/request.h"
#include "wire/headers.h"

static void put_version(const struct bl_namesrv_version *version, struct bl_buf *out) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_member_i64(&w, "counter", version->counter);
  bl_json_member_i64(&w, "stateVersion", version->state_version);
  bl_json_member_i64(&w, "timestamp", version->timestamp_ms);
  bl_json_close_object(&w);
}

/* Also a sign of life. */
static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker_identity_header *header = call->header;
  const struct bl_json *root = NULL;
  if (call->command->body.len > 0 && (root = bl_call_json(call)) == NULL) return BL_DONE;
  struct bl_namesrv_version known;
  bool is_known = bl_namesrv_version_of(call->server, header->cluster, header->broker_addr, &known);
  bl_namesrv_heartbeat(call->server, header->cluster, header->broker_addr);
  bool same = is_known && root != NULL &&
              bl_json_i64(bl_json_get(root, "counter"), 0) == known.counter &&
              bl_json_i64(bl_json_get(root, "stateVersion"), 0) == known.state_version &&
              bl_json_i64(bl_json_get(root, "timestamp"), 0) == known.timestamp_ms;
  if (is_known) put_version(&known, call->body);
  struct bl_changed_reply_header changed = {.changed = !same};
  struct bl_slice body = bl_buf_slice(call->body);
  struct bl_reply reply = {
      .table = &bl_changed_reply_table,
      .header = &changed,
      .body = &body,
      .body_count = is_known ? 1 : 0,
  };
  bl_call_reply(call, &reply);
  return BL_DONE;
}

const struct bl_request bl_request_query_data_version = {
    .code = 322,
    .name = "QUERY_DATA_VERSION",
    .roles = BL_ROLE_NAMESRV,
    .header = &bl_broker_identity_table,
    .handle = handle,
};
