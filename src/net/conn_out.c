/* Output of a connection: own and borrowed runs, one gathered write a turn. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/assert.h"
#include "net/net_internal.h"

#define RUNS_PER_WRITE 256
#define COMPACT_BYTES (64 * 1024)

struct bl_buf *bl_conn_out(struct bl_conn *conn) {
  struct bl_net *net = conn->net;
  if (conn->out.cap == 0 && net->spare_count > 0) {
    struct bl_buf spare = net->spare[--net->spare_count];
    spare.max_bytes = conn->out.max_bytes;
    conn->out = spare;
  }
  return &conn->out;
}

static void add_run(struct bl_conn *conn, struct bl_out_run run) {
  if (conn->run_count == conn->run_cap) {
    conn->run_cap = conn->run_cap == 0 ? 8 : conn->run_cap * 2;
    struct bl_out_run *runs = realloc(conn->runs, conn->run_cap * sizeof(*runs));
    BL_ASSERT(runs != NULL);
    conn->runs = runs;
  }
  conn->runs[conn->run_count++] = run;
  conn->out_bytes += run.len;
}

static void cover_own(struct bl_conn *conn) {
  if (conn->out.len == conn->out_in_runs) return;
  add_run(conn, (struct bl_out_run){NULL, conn->out_in_runs, conn->out.len - conn->out_in_runs});
  conn->out_in_runs = conn->out.len;
}

void bl_conn_put_borrowed(struct bl_conn *conn, struct bl_slice bytes) {
  if (bytes.len == 0) return;
  cover_own(conn);
  add_run(conn, (struct bl_out_run){bytes.ptr, 0, bytes.len});
}

size_t bl_conn__output_bytes(const struct bl_conn *conn) {
  return conn->out_bytes + conn->out.len - conn->out_in_runs;
}

bool bl_conn_output_full(const struct bl_conn *conn) {
  return (int64_t)bl_conn__output_bytes(conn) > conn->net->settings.output_pause_bytes;
}

/* Gives the memory to the next connection that writes. */
static void release_out(struct bl_conn *conn) {
  struct bl_net *net = conn->net;
  bl_buf_clear(&conn->out);
  if (conn->out.cap == 0) return;
  if (conn->out.cap <= BL_NET_SPARE_BYTES_MAX && net->spare_count < BL_NET_SPARE_BUFS) {
    net->spare[net->spare_count++] = conn->out;
    size_t max_bytes = conn->out.max_bytes;
    bl_buf_init(&conn->out, max_bytes);
    return;
  }
  bl_buf_fini(&conn->out);
}

void bl_conn__drop_output(struct bl_conn *conn) {
  conn->run_count = 0;
  conn->out_in_runs = 0;
  conn->out_bytes = 0;
  release_out(conn);
}

/* Forgets what was sent: `first` runs and `skip` bytes of the next. */
static void drop_sent(struct bl_conn *conn, size_t first, size_t skip) {
  for (size_t i = 0; i < first; i++) conn->out_bytes -= conn->runs[i].len;
  conn->run_count -= first;
  memmove(conn->runs, conn->runs + first, conn->run_count * sizeof(*conn->runs));
  if (skip == 0) return;
  struct bl_out_run *run = &conn->runs[0];
  if (run->borrowed != NULL) {
    run->borrowed += skip;
  } else {
    run->at += skip;
  }
  run->len -= skip;
  conn->out_bytes -= skip;
}

/* Puts the runs from `first` on, borrowed and own ones, behind the own bytes of the runs before
 * them. */
static void copy_runs(struct bl_conn *conn, size_t first) {
  struct bl_buf tail;
  bl_buf_init(&tail, conn->out.max_bytes);
  for (size_t i = first; i < conn->run_count; i++) {
    const struct bl_out_run *run = &conn->runs[i];
    bl_buf_put(&tail, run->borrowed != NULL ? run->borrowed : conn->out.data + run->at, run->len);
  }
  bool failed = conn->out.failed || tail.failed;
  conn->out.len = first > 0 ? conn->runs[first - 1].at + conn->runs[first - 1].len : 0;
  if (conn->out.len == 0) {
    bl_buf_fini(&conn->out);
    conn->out = tail;
  } else {
    bl_buf_put_slice(&conn->out, bl_buf_slice(&tail));
    bl_buf_fini(&tail);
  }
  if (failed) conn->out.failed = true;
}

void bl_conn__keep(struct bl_conn *conn) {
  cover_own(conn);
  if (conn->run_count == 0) return;
  size_t at = conn->runs[0].borrowed == NULL ? conn->runs[0].at : 0;
  size_t first = 0;
  while (first < conn->run_count && conn->runs[first].borrowed == NULL) first++;
  if (first < conn->run_count) copy_runs(conn, first);
  /* What was sent is dropped from the front now and then, not each time. */
  if (at >= COMPACT_BYTES && at >= conn->out.len / 2) {
    bl_buf_drop_front(&conn->out, at);
    at = 0;
  }
  conn->runs[0] = (struct bl_out_run){NULL, at, conn->out.len - at};
  conn->run_count = 1;
  conn->out_in_runs = conn->out.len;
  conn->out_bytes = conn->out.len - at;
}

static size_t gather(const struct bl_conn *conn, size_t first, size_t skip, struct iovec *vectors) {
  size_t count = 0;
  for (size_t i = first; i < conn->run_count && count < RUNS_PER_WRITE; i++) {
    const struct bl_out_run *run = &conn->runs[i];
    const char *from = run->borrowed != NULL ? run->borrowed : conn->out.data + run->at;
    vectors[count++] = (struct iovec){(void *)(uintptr_t)(from + skip), run->len - skip};
    skip = 0;
  }
  return count;
}

bool bl_conn__write(struct bl_conn *conn) {
  struct iovec vectors[RUNS_PER_WRITE];
  cover_own(conn);
  size_t first = 0;
  size_t skip = 0;
  while (first < conn->run_count) {
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = gather(conn, first, skip, vectors)};
    ssize_t sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent < 0) {
      conn->want_write = true;
      drop_sent(conn, first, skip);
      bl_conn__keep(conn);
      return true;
    }
    conn->net->stats.writes++;
    conn->net->stats.bytes_out += sent;
    conn->active_ms = conn->net->now_ms;
    size_t left = (size_t)sent + skip;
    while (first < conn->run_count && left >= conn->runs[first].len)
      left -= conn->runs[first++].len;
    skip = left;
  }
  bl_conn__drop_output(conn);
  return true;
}
