/* Inside src/net only. */
#ifndef BOLIDE_NET_NET_INTERNAL_H
#define BOLIDE_NET_NET_INTERNAL_H

#include <uv.h>

#include "net/net.h"

#define BL_NET_SCRATCH_BYTES (256 * 1024)
#define BL_NET_SPARE_BUFS 64
#define BL_NET_SPARE_BYTES_MAX (256 * 1024)
#define BL_NET_TEXT_MAX 72

/* A run of output: own bytes of conn->out, or borrowed ones. */
struct bl_out_run {
  const char *borrowed; /* NULL: own bytes at out.data + at */
  size_t at;
  size_t len;
};

struct bl_conn {
  uint64_t id;
  struct bl_net *net;
  const struct bl_conn_ops *ops;
  void *context;
  void *user;
  uv_poll_t poll;
  int fd;
  int events;   /* what poll watches now */
  bool polling; /* poll is initialised */
  bool connecting;
  bool closing;    /* by us, at the end of the turn */
  bool gone;       /* on_close was called */
  bool want_write; /* the socket was full */
  bool dirty;      /* in net->dirty */
  bool stalled;    /* whole messages are kept in `in` until the output drained */
  struct bl_list dirty_node;
  int64_t active_ms;
  struct bl_buf in;
  size_t in_need;
  struct bl_buf out;
  size_t out_in_runs; /* own bytes that runs cover */
  struct bl_out_run *runs;
  size_t run_count;
  size_t run_cap;
  size_t out_bytes; /* of runs */
  uv_getaddrinfo_t *resolving;
  struct bl_net_addr peer;
  struct bl_net_addr local;
  char peer_text[BL_NET_TEXT_MAX];
};

struct bl_listener {
  struct bl_net *net;
  uv_poll_t poll;
  int fd;
  int spare_fd; /* given up for a moment to refuse a connection when the process has no more */
  int port;
  const struct bl_conn_ops *ops;
  void *context;
  struct bl_list node;
};

struct bl_net {
  struct bl_net_settings settings;
  const struct bl_clock *clock;
  struct bl_timers *timers;
  uv_loop_t loop;
  uv_timer_t sleep_timer;
  uv_async_t wake;
  uv_signal_t signals[2];
  bool has_signals;
  void (*on_signal)(void *context, int signal_number);
  void *signal_context;
  bool (*end_turn)(void *context);
  void *turn_context;
  bool stopped;
  bool closing;         /* bl_net_free runs: no new connections */
  bool again;           /* the owner has more to do */
  bool turned;          /* an event was handled since the last turn */
  uint32_t spin_misses; /* looks in a row that saw nothing */
  uint32_t spin_skip;   /* turns without a look, after misses */
  int64_t now_ms;
  int64_t turn_from_ns; /* its first event */
  void (*on_slow)(void *context, int64_t turn_ns);
  void *slow_context;
  struct bl_timer sweep;
  struct bl_conn **conns; /* by slot: id & 0xfffff */
  uint32_t *free_slots;
  uint32_t slot_cap;
  uint32_t free_count;
  uint64_t next_generation;
  struct bl_list dirty;
  struct bl_list listeners;
  struct bl_buf spare[BL_NET_SPARE_BUFS]; /* output buffers with memory, for the next that writes */
  int spare_count;
  char *scratch;
  struct bl_net_stats stats;
};

/* net.c: an event came; a turn is as long as from its first event to its last write. */
void bl_net__begin_turn(struct bl_net *net);
/* conn.c */
struct bl_conn *bl_conn__new(struct bl_net *net, int fd, const struct bl_conn_ops *ops,
                             void *context);
void bl_conn__watch(struct bl_conn *conn);
/* Sends what was put in this turn, and closes what is closing. */
void bl_conn__flush(struct bl_conn *conn);
void bl_conn__destroy(struct bl_conn *conn);
void bl_conn__opened(struct bl_conn *conn);
/* conn_out.c */
/* false: the connection broke. */
bool bl_conn__write(struct bl_conn *conn);
void bl_conn__drop_output(struct bl_conn *conn);
/* Makes the output that waits its own: what was borrowed ends with the turn. */
void bl_conn__keep(struct bl_conn *conn);
/* What waits to be sent. */
size_t bl_conn__output_bytes(const struct bl_conn *conn);

#endif
