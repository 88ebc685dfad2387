/* Answers. */
#include "remoting/call.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/json.h"
#include "remoting/remoting_internal.h"

/* Below this a copy costs less than one more vector in the gathered write. */
#define BORROW_BYTES_MIN 512
#define REMARK_BYTES_MAX 1024

struct bl_ticket bl_call_ticket(const struct bl_call *call) {
  return (struct bl_ticket){.conn_id = call->conn != NULL ? bl_conn_id(call->conn) : 0,
                            .opaque = call->command->opaque,
                            .code = call->command->code,
                            .codec = (uint8_t)call->command->codec,
                            .oneway = bl_command_is_oneway(call->command)};
}

static size_t body_bytes(const struct bl_reply *reply) {
  size_t total = 0;
  for (uint32_t i = 0; i < reply->body_count; i++) total += reply->body[i].len;
  return total;
}

static void write_reply(struct bl_conn *conn, const struct bl_ticket *ticket,
                        const struct bl_reply *reply) {
  struct bl_command_writer writer;
  struct bl_buf *out = bl_conn_out(conn);
  bl_command_begin(&writer, out, (enum bl_codec)ticket->codec, reply->code, ticket->opaque,
                   BL_FLAG_RESPONSE, reply->remark);
  if (reply->table != NULL) bl_header_encode(reply->table, reply->header, &writer);
  for (uint32_t i = 0; i < reply->extra_count; i++) {
    bl_command_put_text(&writer, reply->extra[i].name, reply->extra[i].value);
  }
  bl_command_end(&writer, body_bytes(reply));
  for (uint32_t i = 0; i < reply->body_count; i++) {
    if (reply->body_borrowed && reply->body[i].len >= BORROW_BYTES_MIN) {
      bl_conn_put_borrowed(conn, reply->body[i]);
    } else {
      bl_buf_put_slice(out, reply->body[i]);
    }
  }
  bl_conn_mark(conn);
}

void bl_call_reply(struct bl_call *call, const struct bl_reply *reply) {
  BL_ASSERT(!call->answered);
  call->answered = true;
  if (bl_command_is_oneway(call->command) || bl_conn_closing(call->conn)) return;
  struct bl_ticket ticket = bl_call_ticket(call);
  write_reply(call->conn, &ticket, reply);
}

void bl_ticket_reply(struct bl_remoting *remoting, const struct bl_ticket *ticket,
                     const struct bl_reply *reply) {
  if (ticket->oneway) return;
  struct bl_conn *conn = bl_net_conn(remoting->net, ticket->conn_id);
  if (conn != NULL) write_reply(conn, ticket, reply);
}

enum bl_outcome bl_call_ok(struct bl_call *call) {
  struct bl_reply reply = {.code = 0};
  bl_call_reply(call, &reply);
  return BL_DONE;
}

enum bl_outcome bl_call_ok_body(struct bl_call *call) {
  if (call->body->failed) {
    return bl_call_fail(call, BL_ERR_FULL, "the answer is larger than a frame may be");
  }
  struct bl_slice body = bl_buf_slice(call->body);
  struct bl_reply reply = {.code = 0, .body = &body, .body_count = 1};
  bl_call_reply(call, &reply);
  return BL_DONE;
}

enum bl_outcome bl_call_ok_header(struct bl_call *call, const struct bl_header_table *table,
                                  const void *header) {
  struct bl_reply reply = {.code = 0, .table = table, .header = header};
  bl_call_reply(call, &reply);
  return BL_DONE;
}

static void fail(struct bl_call *call, int32_t code, const char *format, va_list args) {
  char remark[REMARK_BYTES_MAX];
  int len = vsnprintf(remark, sizeof(remark), format, args);
  size_t kept = len < 0 ? 0 : (size_t)len < sizeof(remark) ? (size_t)len : sizeof(remark) - 1;
  struct bl_reply reply = {.code = code, .remark = bl_slice_of(remark, kept)};
  bl_call_reply(call, &reply);
}

enum bl_outcome bl_call_fail(struct bl_call *call, bl_err err, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (format != NULL) {
    fail(call, bl_err_code(err), format, args);
  } else {
    struct bl_reply reply = {.code = bl_err_code(err), .remark = bl_slice_text(bl_err_text(err))};
    bl_call_reply(call, &reply);
  }
  va_end(args);
  return BL_DONE;
}

enum bl_outcome bl_call_fail_code(struct bl_call *call, int32_t code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  fail(call, code, format, args);
  va_end(args);
  return BL_DONE;
}

const struct bl_json *bl_call_json(struct bl_call *call) {
  struct bl_why why;
  const struct bl_json *root = NULL;
  bl_err err = bl_json_parse(call->command->body, BL_JSON_DIALECT, call->arena, &root, &why);
  if (err == BL_OK) return root;
  bl_call_fail(call, BL_ERR_SYSTEM, "the body is not JSON: %s", why.text);
  return NULL;
}
