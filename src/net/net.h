/* The event loop and its connections, on libuv.
 *
 * A turn: every ready socket is read until it would block and every whole message in its bytes is
 * handed up; then the owner's end_turn runs (log write, completions); then each connection with
 * output gets one gathered write. Thread: everything on the loop's thread but bl_net_wake.
 *
 * Memory: an idle connection has no buffers; input is kept only while a message is incomplete, and
 * all connections together keep at most input_bytes_max. Output above output_pause_bytes stops
 * reading from that connection until it drained. */
#ifndef BOLIDE_NET_NET_H
#define BOLIDE_NET_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/slice.h"
#include "base/timer.h"
#include "os/clock.h"

struct bl_net;
struct bl_conn;
struct bl_listener;

struct bl_net_settings {
  int64_t input_bytes_max;    /* of all connections; 512 MiB */
  int64_t output_pause_bytes; /* of one; 2 MiB */
  int64_t output_bytes_max;   /* of one: beyond it is closed; 256 MiB */
  int32_t conns_max;          /* 65,536 */
  int64_t idle_ms;            /* closed after that long without input and output; 120,000 */
  int64_t spin_us; /* look again this long before sleeping, while that is worth it; 0: never */
};
void bl_net_settings_default(struct bl_net_settings *settings);

/* RETURNS OWNED. BORROWS clock and timers. */
struct bl_net *bl_net_new(const struct bl_net_settings *settings, const struct bl_clock *clock,
                          struct bl_timers *timers);
/* Closes everything without further callbacks to connections but on_close. Accepts NULL. */
void bl_net_free(struct bl_net *net);

/* The owner's end of turn; true: do not sleep, call again. */
void bl_net_on_turn(struct bl_net *net, bool (*end_turn)(void *context), void *context);
/* Called after a turn that took longer than BL_NET_SLOW_TURN_NS. */
#define BL_NET_SLOW_TURN_NS 1000000
void bl_net_on_slow_turn(struct bl_net *net, void (*on_slow)(void *context, int64_t turn_ns),
                         void *context);
/* Runs until bl_net_stop. */
void bl_net_run(struct bl_net *net);
void bl_net_stop(struct bl_net *net);
/* One turn, waiting for events at most wait_ms (-1: until one comes). For starts, stops and tests.
 */
void bl_net_run_once(struct bl_net *net, int64_t wait_ms);
/* Any thread, also a signal's handler: the loop runs a turn soon. `net` is a struct bl_net. */
void bl_net_wake(void *net);
/* SIGTERM and SIGINT call `on_signal` on the loop. */
void bl_net_on_signals(struct bl_net *net, void (*on_signal)(void *context, int signal_number),
                       void *context);

int64_t bl_net_now_ms(const struct bl_net *net);       /* monotonic, of this turn */
int64_t bl_net_turn_from_ns(const struct bl_net *net); /* when this turn began: tells turns apart */

/* What a kind of connection does. */
struct bl_conn_ops {
  /* RETURNS how many bytes of `input` were used; the rest is shown again with what follows it.
   * BORROWS the bytes for the call. *out_need: how long the input must get before it is worth a
   * call (0: any). Close by bl_conn_close. */
  size_t (*on_input)(struct bl_conn *conn, struct bl_slice input, size_t *out_need);
  /* An outgoing connection is open. May be NULL. */
  void (*on_open)(struct bl_conn *conn);
  /* The last call; `conn` is valid until it returns. */
  void (*on_close)(struct bl_conn *conn);
};

/* Listens; port 0 takes a free one. Errors with a sentence: BL_ERR_EXISTS port taken,
 * BL_ERR_NO_PERMISSION, BL_ERR_USAGE not an address. BORROWS ops and context. */
BL_MUST_CHECK bl_err bl_net_listen(struct bl_net *net, const char *host, int port,
                                   const struct bl_conn_ops *ops, void *context,
                                   struct bl_listener **out_listener, struct bl_why *why);
int bl_listener_port(const struct bl_listener *listener);
void bl_listener_close(struct bl_listener *listener);

/* Starts to connect to "host:port" (a name is resolved). Output may be put at once. on_close comes
 * when it fails. RETURNS NULL when conns_max is reached, or the net is being freed. */
struct bl_conn *bl_net_connect(struct bl_net *net, struct bl_slice address,
                               const struct bl_conn_ops *ops, void *context);

/* Ids are never used twice. RETURNS NULL when it is closed. */
struct bl_conn *bl_net_conn(const struct bl_net *net, uint64_t id);
uint64_t bl_conn_id(const struct bl_conn *conn);
void *bl_conn_context(const struct bl_conn *conn); /* of the listener or of connect */
void *bl_conn_user(const struct bl_conn *conn);    /* the upper layer's; NULL at first */
void bl_conn_set_user(struct bl_conn *conn, void *user);
struct bl_net *bl_conn_net(const struct bl_conn *conn);
/* The peer's address, as "1.2.3.4:5". BORROWED. */
const char *bl_conn_peer_text(const struct bl_conn *conn);
struct bl_net_addr {
  uint8_t addr[16];
  uint8_t addr_bytes;
  int32_t port;
};
const struct bl_net_addr *bl_conn_peer(const struct bl_conn *conn);
const struct bl_net_addr *bl_conn_local(const struct bl_conn *conn);

/* The buffer to write output to: bytes put here are sent at the end of the turn. */
struct bl_buf *bl_conn_out(struct bl_conn *conn);
/* Output that is not copied: BORROWS until the end of the turn (what the write did not take is
 * copied then). */
void bl_conn_put_borrowed(struct bl_conn *conn, struct bl_slice bytes);
/* More output waits than output_pause_bytes: on_input should return what it used so far; it is
 * called again with the rest when the output drained. */
bool bl_conn_output_full(const struct bl_conn *conn);
/* Must be called after writing to bl_conn_out, once per turn is enough. */
void bl_conn_mark(struct bl_conn *conn);
/* Closes at the end of the turn; output put before is tried once. No more on_input. */
void bl_conn_close(struct bl_conn *conn);
bool bl_conn_closing(const struct bl_conn *conn);

struct bl_net_stats {
  int64_t turns;
  int64_t slow_turns;
  int64_t turn_ns_max;
  int64_t spin_hits, spin_misses; /* looks before sleeping that saw an event, or none */
  int64_t reads, writes, bytes_in, bytes_out;
  int64_t conns, accepted, refused, idle_closed;
  int64_t input_bytes, output_bytes;
};
void bl_net_stats(const struct bl_net *net, struct bl_net_stats *out_stats);
/* Walks the open connections: cursor 0 at the start. */
struct bl_conn *bl_net_next(const struct bl_net *net, size_t *cursor);

#endif
