/* One request being answered, and what a handler may do with it.
 *
 * A handler has three steps: take the decoded header (call->header is a struct bl_NAME_header),
 * call the server, reply. Everything that the call points to lives until the handler returns; texts
 * that outlive it are copied. A handler that waits keeps a ticket, a value of a few bytes. Thread:
 * core. */
#ifndef BOLIDE_REMOTING_CALL_H
#define BOLIDE_REMOTING_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "wire/command.h"
#include "wire/header.h"

struct bl_conn;
struct bl_remoting;
struct bl_request;

/* DONE: it was answered (or needs no answer). PARKED: the handler kept a ticket and answers later.
 * AGAIN: call me again next turn with the same call; call->progress keeps my place. */
enum bl_outcome { BL_DONE, BL_PARKED, BL_AGAIN };

struct bl_call {
  struct bl_remoting *remoting;
  struct bl_conn
      *conn;    /* NULL: it closed after the handler said AGAIN; then the call counts as one-way */
  void *server; /* the struct of the role: struct bl_broker, struct bl_namesrv */
  const struct bl_request *request;
  const struct bl_command *command;
  const void *header;     /* decoded by request->header; NULL without */
  struct bl_arena *arena; /* results of this call */
  struct bl_buf *body;    /* empty; for a reply body that is built piece by piece */
  void *progress;         /* AGAIN: the handler's place; NULL at first; freed by it before DONE */
  /* AGAIN: it waits for something that makes a turn of its own (a job's end, a write), or for that
   * many ms; the loop may sleep until then. 0: the next turn comes at once. */
  int64_t again_ms;
  bool answered;
};

/* What is needed to answer later. Copy it; the connection may be gone by then, which is no error.
 */
struct bl_ticket {
  uint64_t conn_id;
  int32_t opaque;
  int32_t code; /* of the request */
  uint8_t codec;
  bool oneway;
};
struct bl_ticket bl_call_ticket(const struct bl_call *call);

struct bl_reply {
  int32_t code;
  struct bl_slice remark;              /* absent: none */
  const struct bl_header_table *table; /* NULL: no header fields */
  const void *header;
  const struct bl_field *extra; /* more extFields */
  uint32_t extra_count;
  const struct bl_slice
      *body; /* BORROWED until the end of the turn, when body_borrowed; else copied */
  uint32_t body_count;
  bool body_borrowed;
};

/* One answer per call (asserted); one-way requests are never answered, whatever the handler says.
 */
void bl_call_reply(struct bl_call *call, const struct bl_reply *reply);
void bl_ticket_reply(struct bl_remoting *remoting, const struct bl_ticket *ticket,
                     const struct bl_reply *reply);

/* Shorthands. All RETURN BL_DONE, so that `return bl_call_ok(call)` ends a handler. */
enum bl_outcome bl_call_ok(struct bl_call *call);
/* Success with call->body as body. */
enum bl_outcome bl_call_ok_body(struct bl_call *call);
enum bl_outcome bl_call_ok_header(struct bl_call *call, const struct bl_header_table *table,
                                  const void *header);
/* The error's code; remark by format, or the error's own text when format is NULL. */
enum bl_outcome bl_call_fail(struct bl_call *call, bl_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A code that is no error of ours. */
enum bl_outcome bl_call_fail_code(struct bl_call *call, int32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The body as JSON in RocketMQ's dialect; on failure the call was answered with code 1 and the
 * place. */
struct bl_json;
const struct bl_json *bl_call_json(struct bl_call *call);

#endif
