#define _GNU_SOURCE
#include "cli/bench/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "os/clock.h"
#include "wire/command.h"

#define IN_FIRST_BYTES 16384
#define CONNECT_MS 5000

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
  if (interrupted++ >= 2) _exit(128 + number);
}

bool bl_bench_interrupted(void) {
  return interrupted != 0;
}

int64_t bl_bench_now_ns(void) {
  return bl_clock_mono_ns(bl_clock_real());
}

bl_err bl_bench_resolve(const char *text, struct bl_bench_address *out_address,
                        struct bl_why *why) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  struct addrinfo *found = NULL;
  const char *colon = strrchr(text, ':');
  char host[256];
  if (colon == NULL || colon == text || colon[1] == '\0' || (size_t)(colon - text) >= sizeof(host))
    return bl_why_set(why, BL_ERR_USAGE, "'%s' is no address; write HOST:PORT", text);
  size_t from = text[0] == '[' ? 1 : 0;
  size_t len = (size_t)(colon - text) - from;
  if (from == 1 && text[len] == ']') len--;
  memcpy(host, text + from, len);
  host[len] = '\0';
  int code = getaddrinfo(host, colon + 1, &hints, &found);
  if (code != 0)
    return bl_why_set(why, BL_ERR_USAGE, "the address '%s' is not found: %s", text,
                      gai_strerror(code));
  memcpy(&out_address->bytes, found->ai_addr, found->ai_addrlen);
  out_address->len = found->ai_addrlen;
  freeaddrinfo(found);
  return BL_OK;
}

void bl_bench_loop_init(struct bl_bench_loop *loop, int64_t spin_ns) {
  memset(loop, 0, sizeof(*loop));
  loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  BL_ASSERT(loop->epoll >= 0);
  loop->spin_ns = spin_ns;
  loop->wall_less_mono_ms = bl_clock_wall_ms(bl_clock_real()) - bl_bench_now_ns() / 1000000;
  bl_timers_init(&loop->timers);
  prctl(PR_SET_TIMERSLACK, 1000ul, 0ul, 0ul, 0ul); /* or a wait ends up to 50 us late */
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

void bl_bench_loop_fini(struct bl_bench_loop *loop) {
  close(loop->epoll);
  bl_timers_fini(&loop->timers);
}

static int poll_once(struct bl_bench_loop *loop, int64_t wait_ns) {
  struct timespec patience = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
  int count = epoll_pwait2(loop->epoll, loop->events, BL_BENCH_EVENTS_MAX, &patience, NULL);
  if (count < 0 && errno == ENOSYS) { /* before Linux 5.11 */
    count = epoll_wait(loop->epoll, loop->events, BL_BENCH_EVENTS_MAX,
                       (int)((wait_ns + 999999) / 1000000));
  }
  BL_ASSERT(count >= 0 || errno == EINTR);
  return count > 0 ? count : 0;
}

int bl_bench_loop_wait(struct bl_bench_loop *loop, int64_t until_ns) {
  int64_t now_ns = bl_bench_now_ns();
  if (loop->timers.count > 0) {
    bl_timers_run(&loop->timers, now_ns / 1000000, 16);
    int64_t timer_ms = bl_timers_wait_ms(&loop->timers, now_ns / 1000000);
    if (timer_ms >= 0 && now_ns + timer_ms * 1000000 < until_ns)
      until_ns = now_ns + timer_ms * 1000000;
  }
  int64_t spin_until_ns = now_ns + loop->spin_ns;
  if (spin_until_ns > until_ns) spin_until_ns = until_ns;
  while (loop->spin_ns > 0 && now_ns < spin_until_ns) {
    int count = poll_once(loop, 0);
    if (count > 0 || interrupted) return count;
    now_ns = bl_bench_now_ns();
  }
  return poll_once(loop, until_ns > now_ns ? until_ns - now_ns : 0);
}

void bl_bench_loop_watch(struct bl_bench_loop *loop, int fd, void *pointer) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = pointer};
  int failed = epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
  BL_ASSERT(failed == 0);
}

void bl_bench_conn_take(struct bl_bench_loop *loop, int fd, struct bl_bench_conn *out_conn) {
  int on = 1;
  *out_conn = (struct bl_bench_conn){.fd = fd, .epoll = loop != NULL ? loop->epoll : -1};
  out_conn->in = malloc(IN_FIRST_BYTES);
  BL_ASSERT(out_conn->in != NULL);
  out_conn->in_cap = IN_FIRST_BYTES;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  if (loop != NULL) bl_bench_loop_watch(loop, fd, out_conn);
}

bl_err bl_bench_conn_open(struct bl_bench_loop *loop, const struct bl_bench_address *address,
                          struct bl_bench_conn *out_conn, struct bl_why *why) {
  out_conn->fd = -1;
  int fd = socket(address->bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return bl_why_set(why, BL_ERR_FULL,
                      "no socket can be made (%s); ulimit -n says how many may be open",
                      strerrordesc_np(errno));
  }
  int code = connect(fd, (const struct sockaddr *)&address->bytes, address->len) == 0 ? 0 : errno;
  if (code == EINPROGRESS) {
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    socklen_t len = sizeof(code);
    if (poll(&wait, 1, CONNECT_MS) != 1)
      code = ETIMEDOUT;
    else
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
  }
  if (code != 0) {
    close(fd);
    return bl_why_set(why, BL_ERR_CLOSED, "%s", strerrordesc_np(code));
  }
  bl_bench_conn_take(loop, fd, out_conn);
  return BL_OK;
}

void bl_bench_conn_close(struct bl_bench_conn *conn) {
  if (conn->fd >= 0) close(conn->fd);
  conn->fd = -1;
  free(conn->in);
  conn->in = NULL;
  bl_buf_fini(&conn->late);
}

/* Room behind in_to: moves the rest to the front, then grows. */
static void make_room(struct bl_bench_conn *conn) {
  uint32_t rest = conn->in_to - conn->in_from;
  if (conn->in_from > 0) {
    memmove(conn->in, conn->in + conn->in_from, rest);
    conn->in_from = 0;
    conn->in_to = rest;
  }
  if (rest < conn->in_cap / 2) return;
  conn->in_cap *= 2;
  conn->in = realloc(conn->in, conn->in_cap);
  BL_ASSERT(conn->in != NULL);
}

bl_err bl_bench_conn_read(struct bl_bench_conn *conn) {
  if (conn->in_from == conn->in_to) {
    conn->in_from = 0;
    conn->in_to = 0;
  } else if (conn->in_cap - conn->in_to < IN_FIRST_BYTES / 2) {
    make_room(conn);
  }
  uint32_t room = conn->in_cap - conn->in_to;
  ssize_t got = recv(conn->fd, conn->in + conn->in_to, room, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? BL_ERR_SHORT : BL_ERR_CLOSED;
  if (got == 0) return BL_ERR_CLOSED;
  conn->in_to += (uint32_t)got;
  /* What filled all the room will want more of it. */
  if ((uint32_t)got == room && conn->in_cap < 1u << 20) {
    conn->in_cap *= 2;
    conn->in = realloc(conn->in, conn->in_cap);
    BL_ASSERT(conn->in != NULL);
  }
  return BL_OK;
}

bl_err bl_bench_conn_frame(struct bl_bench_conn *conn, struct bl_slice *out_frame) {
  uint32_t there = conn->in_to - conn->in_from;
  if (there < 4) return BL_ERR_SHORT;
  uint32_t bytes = bl_load_u32(conn->in + conn->in_from) + 4;
  if (bytes < 8 || bytes > BL_FRAME_BYTES_MAX) return BL_ERR_FORMAT;
  if (bytes > there) {
    /* The buffer will hold the frame whole. */
    while (conn->in_cap < bytes) {
      conn->in_cap *= 2;
      conn->in = realloc(conn->in, conn->in_cap);
      BL_ASSERT(conn->in != NULL);
    }
    return BL_ERR_SHORT;
  }
  *out_frame = bl_slice_of(conn->in + conn->in_from, bytes);
  conn->in_from += bytes;
  return BL_OK;
}

static void watch_writing(struct bl_bench_conn *conn, bool on) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
  if (on) event.events = conn->pauses ? EPOLLOUT : EPOLLIN | EPOLLOUT;
  conn->wants_write = on;
  if (conn->epoll >= 0) epoll_ctl(conn->epoll, EPOLL_CTL_MOD, conn->fd, &event);
}

bl_err bl_bench_conn_write(struct bl_bench_conn *conn, struct bl_slice bytes) {
  if (!conn->wants_write) {
    ssize_t done = send(conn->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    if (done < 0 && errno != EAGAIN && errno != EINTR) return BL_ERR_CLOSED;
    if (done == (ssize_t)bytes.len) return BL_OK;
    if (done > 0) bytes = bl_slice_of(bytes.ptr + done, bytes.len - (size_t)done);
    watch_writing(conn, true);
  }
  bl_buf_put_slice(&conn->late, bytes);
  BL_ASSERT(!conn->late.failed);
  return BL_OK;
}

bl_err bl_bench_conn_flush(struct bl_bench_conn *conn) {
  struct bl_slice rest = bl_slice_from(bl_buf_slice(&conn->late), conn->late_from);
  ssize_t done = rest.len == 0 ? 0 : send(conn->fd, rest.ptr, rest.len, MSG_NOSIGNAL);
  if (done < 0) return errno == EAGAIN || errno == EINTR ? BL_OK : BL_ERR_CLOSED;
  conn->late_from += (size_t)done;
  if ((size_t)done < rest.len) return BL_OK;
  bl_buf_clear(&conn->late);
  conn->late_from = 0;
  if (conn->wants_write) watch_writing(conn, false);
  return BL_OK;
}
