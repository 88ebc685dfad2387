/* Sockets of the generator: one thread, one epoll set, reads and writes without a layer between.
 * Thread: the one that made the loop. */
#ifndef BOLIDE_CLI_BENCH_CONN_H
#define BOLIDE_CLI_BENCH_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/timer.h"

#define BL_BENCH_EVENTS_MAX 256

struct bl_bench_address {
  struct sockaddr_storage bytes;
  socklen_t len;
};

struct bl_bench_conn {
  int fd;         /* -1: closed */
  uint32_t index; /* its owner's number for it */
  uint32_t kind;  /* its owner: of use when there are several */
  int epoll;
  bool wants_write; /* the socket was full: `late` waits for it */
  bool pauses;      /* while it is, the loop does not tell of input */
  char *in;
  uint32_t in_from, in_to, in_cap;
  struct bl_buf late;
  size_t late_from;
};

/* Waits for sockets, then spins or sleeps, never longer than asked. */
struct bl_bench_loop {
  int epoll;
  int64_t spin_ns;
  int64_t wall_less_mono_ms;
  struct bl_timers timers; /* for what is not urgent: looked at when a wait ends */
  struct epoll_event events[BL_BENCH_EVENTS_MAX];
};

int64_t bl_bench_now_ns(void);

/* "host:port"; names are looked up. BL_ERR_USAGE with a sentence. */
BL_MUST_CHECK bl_err bl_bench_resolve(const char *text, struct bl_bench_address *out_address,
                                      struct bl_why *why);

/* Also makes SIGINT and SIGTERM ask for an end (bl_bench_interrupted) and raises the limit of open
 * files. */
void bl_bench_loop_init(struct bl_bench_loop *loop, int64_t spin_ns);
void bl_bench_loop_fini(struct bl_bench_loop *loop);
bool bl_bench_interrupted(void);
/* FILLS loop->events, data.ptr is what was given with the socket. RETURNS how many; 0: until_ns
 * (bl_bench_now_ns) has come or a signal. Runs due timers first. */
int bl_bench_loop_wait(struct bl_bench_loop *loop, int64_t until_ns);
/* A file descriptor of one's own to be told of. */
void bl_bench_loop_watch(struct bl_bench_loop *loop, int fd, void *pointer);

/* Connects and waits for it, 5 s at most. FILLS out_conn, which must stay where it is (the loop
 * points to it). loop NULL: the socket is not in a loop. */
BL_MUST_CHECK bl_err bl_bench_conn_open(struct bl_bench_loop *loop,
                                        const struct bl_bench_address *address,
                                        struct bl_bench_conn *out_conn, struct bl_why *why);
/* TAKES a connected socket. */
void bl_bench_conn_take(struct bl_bench_loop *loop, int fd, struct bl_bench_conn *out_conn);
/* Accepts a zeroed struct with fd -1. */
void bl_bench_conn_close(struct bl_bench_conn *conn);

/* Reads once what is there. BL_ERR_SHORT: nothing. BL_ERR_CLOSED: the peer has gone. */
BL_MUST_CHECK bl_err bl_bench_conn_read(struct bl_bench_conn *conn);
/* The next whole frame, BORROWED until the next read. BL_ERR_SHORT: none. BL_ERR_FORMAT. */
BL_MUST_CHECK bl_err bl_bench_conn_frame(struct bl_bench_conn *conn, struct bl_slice *out_frame);
/* Writes, or keeps what the socket did not take and writes it when it can (then wants_write is
 * set, and bl_bench_conn_flush must be called for EPOLLOUT). BL_ERR_CLOSED. */
BL_MUST_CHECK bl_err bl_bench_conn_write(struct bl_bench_conn *conn, struct bl_slice bytes);
BL_MUST_CHECK bl_err bl_bench_conn_flush(struct bl_bench_conn *conn);

#endif
