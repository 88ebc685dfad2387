/* One remoting endpoint: frames in, requests to their handlers by code, answers out; calls to peers
 * with deadlines. Server, client library and tools use the same. Thread: the net's. */
#ifndef BOLIDE_REMOTING_REMOTING_H
#define BOLIDE_REMOTING_REMOTING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/timer.h"
#include "net/net.h"
#include "remoting/call.h"
#include "remoting/request.h"

struct bl_remoting;

/* RETURNS OWNED. BORROWS all, the table for its life. */
struct bl_remoting *bl_remoting_new(struct bl_net *net, const struct bl_clock *clock,
                                    struct bl_timers *timers,
                                    const struct bl_request *const *requests, size_t request_count);
/* Open calls end with BL_ERR_CLOSED. Accepts NULL. */
void bl_remoting_free(struct bl_remoting *remoting);
struct bl_net *bl_remoting_net(const struct bl_remoting *remoting);

/* A server behind a listener or behind outgoing connections. */
struct bl_role {
  uint32_t role; /* one BL_ROLE_ bit */
  bool fast_port;
  void *server;
  void (*on_close)(void *server, struct bl_conn *conn); /* may be NULL */
  struct bl_remoting *remoting;                         /* set by listen */
};
/* BORROWS the role. */
BL_MUST_CHECK bl_err bl_remoting_listen(struct bl_remoting *remoting, const char *host, int port,
                                        struct bl_role *role, struct bl_listener **out_listener,
                                        struct bl_why *why);
/* Requests that come in on connections which we opened go to this role (a client answers 39, 40,
 * ...). */
void bl_remoting_outgoing_role(struct bl_remoting *remoting, struct bl_role *role);

/* Once per turn, before the log is written: steps of calls that asked AGAIN. RETURNS true while
 * some are left. */
bool bl_remoting_turn(struct bl_remoting *remoting);

/* A call to a peer. The owner keeps the struct until done. */
struct bl_outcall {
  struct bl_timer timer;
  struct bl_list node;
  struct bl_remoting *remoting;
  uint64_t conn_id;
  int32_t opaque;
  int32_t code;
  bool open;
  /* err BL_OK: `response` is there (its code may still say no); BORROWED for the call.
   * BL_ERR_TIMEOUT, BL_ERR_CLOSED. The struct is the owner's again. */
  void (*done)(struct bl_outcall *call, bl_err err, const struct bl_command *response);
};
struct bl_outgoing {
  int32_t code;
  const struct bl_header_table *table; /* may be NULL */
  const void *header;
  const struct bl_field *extra;
  uint32_t extra_count;
  struct bl_slice body; /* copied */
};
/* On an open connection. done is never called from inside. RETURNS BL_ERR_CLOSED when it is gone
 * (done is not called then). HOLDS `call` until done. */
BL_MUST_CHECK bl_err bl_remoting_call(struct bl_remoting *remoting, uint64_t conn_id,
                                      const struct bl_outgoing *outgoing, int64_t timeout_ms,
                                      struct bl_outcall *call);
/* To an address "host:port": takes the connection that is open to it, or opens one. */
BL_MUST_CHECK bl_err bl_remoting_call_address(struct bl_remoting *remoting, struct bl_slice address,
                                              const struct bl_outgoing *outgoing,
                                              int64_t timeout_ms, struct bl_outcall *call);
/* Ends it without done. Accepts one that is not open. */
void bl_remoting_cancel(struct bl_outcall *call);
/* One-way. BL_ERR_CLOSED when the connection is gone. */
bl_err bl_remoting_send(struct bl_remoting *remoting, uint64_t conn_id,
                        const struct bl_outgoing *outgoing);
bl_err bl_remoting_send_address(struct bl_remoting *remoting, struct bl_slice address,
                                const struct bl_outgoing *outgoing);
/* The id of the connection open to that address, 0 without; closes it, for tests and fail-over. */
uint64_t bl_remoting_conn_of(const struct bl_remoting *remoting, struct bl_slice address);
void bl_remoting_disconnect(struct bl_remoting *remoting, struct bl_slice address);

/* Time on the core by request code, for metrics: index as in the table given to new. */
struct bl_request_stats {
  int64_t count;
  int64_t total_ns;
  int64_t max_ns;
  int64_t over_200us; /* calls that held the core for longer */
  int64_t slow_turns; /* turns over 1 ms in which this code's call was the longest */
  int64_t agains;     /* calls that took more than one turn */
};
const struct bl_request_stats *bl_remoting_stats(const struct bl_remoting *remoting, size_t index);
const struct bl_request *bl_remoting_request(const struct bl_remoting *remoting, size_t index);
size_t bl_remoting_request_count(const struct bl_remoting *remoting);

#endif
