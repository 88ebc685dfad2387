/* A connection's life: slots and ids, input, closing. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/net_internal.h"

#define SLOT_BITS 20
#define SLOT_MASK ((1u << SLOT_BITS) - 1)
/* One connection may not starve the others within a turn. */
#define READ_BYTES_PER_TURN (256 * 1024)
#define GROW_BYTES_MAX (1024 * 1024)

static uint32_t take_slot(struct bl_net *net) {
  if (net->free_count == 0) {
    uint32_t cap = net->slot_cap == 0 ? 64 : net->slot_cap * 2;
    net->conns = realloc(net->conns, cap * sizeof(struct bl_conn *));
    net->free_slots = realloc(net->free_slots, cap * sizeof(*net->free_slots));
    BL_ASSERT(net->conns != NULL && net->free_slots != NULL);
    for (uint32_t slot = cap; slot > net->slot_cap; slot--) {
      net->conns[slot - 1] = NULL;
      net->free_slots[net->free_count++] = slot - 1;
    }
    net->slot_cap = cap;
  }
  return net->free_slots[--net->free_count];
}

struct bl_conn *bl_conn__new(struct bl_net *net, int fd, const struct bl_conn_ops *ops,
                             void *context) {
  struct bl_conn *conn = calloc(1, sizeof(*conn));
  BL_ASSERT(conn != NULL);
  uint32_t slot = take_slot(net);
  conn->id = net->next_generation++ << SLOT_BITS | slot;
  conn->net = net;
  conn->fd = fd;
  conn->ops = ops;
  conn->context = context;
  conn->active_ms = net->now_ms;
  bl_buf_init(&conn->in, 0);
  bl_buf_init(&conn->out, (size_t)net->settings.output_bytes_max);
  net->conns[slot] = conn;
  net->stats.conns++;
  if (net->sweep.place == 0) bl_timer_set(net->timers, &net->sweep, net->now_ms + 1000);
  return conn;
}

struct bl_conn *bl_net_conn(const struct bl_net *net, uint64_t id) {
  uint32_t slot = (uint32_t)id & SLOT_MASK;
  if (slot >= net->slot_cap) return NULL;
  struct bl_conn *conn = net->conns[slot];
  return conn != NULL && conn->id == id && !conn->closing ? conn : NULL;
}

static void free_conn(uv_handle_t *handle) {
  free(handle->data);
}

void bl_conn__destroy(struct bl_conn *conn) {
  struct bl_net *net = conn->net;
  conn->closing = true;
  conn->gone = true;
  conn->ops->on_close(conn);
  uint32_t slot = (uint32_t)conn->id & SLOT_MASK;
  net->conns[slot] = NULL;
  net->free_slots[net->free_count++] = slot;
  net->stats.conns--;
  net->stats.input_bytes -= (int64_t)conn->in.cap;
  bl_list_remove(&conn->dirty_node);
  bl_buf_fini(&conn->in);
  bl_conn__drop_output(conn);
  free(conn->runs);
  conn->runs = NULL;
  if (conn->resolving != NULL) {
    conn->resolving->data = NULL;
    uv_cancel((uv_req_t *)conn->resolving);
  }
  if (!conn->polling) {
    if (conn->fd >= 0) close(conn->fd);
    free(conn);
    return;
  }
  uv_poll_stop(&conn->poll);
  close(conn->fd);
  conn->poll.data = conn;
  uv_close((uv_handle_t *)&conn->poll, free_conn);
}

void bl_conn_mark(struct bl_conn *conn) {
  if (conn->dirty || conn->gone) return;
  conn->dirty = true;
  bl_list_add_last(&conn->net->dirty, &conn->dirty_node);
}

void bl_conn_close(struct bl_conn *conn) {
  if (conn->closing) return;
  conn->closing = true;
  bl_conn_mark(conn);
}

bool bl_conn_closing(const struct bl_conn *conn) {
  return conn->closing;
}

/* Keeps what the upper layer did not use. false: over the limit for input. */
static bool keep_input(struct bl_conn *conn, struct bl_slice rest, size_t need) {
  struct bl_net *net = conn->net;
  conn->in_need = need;
  if (rest.len == 0) {
    net->stats.input_bytes -= (int64_t)conn->in.cap;
    bl_buf_fini(&conn->in);
    return true;
  }
  if (conn->in.len > 0) {
    bl_buf_drop_front(&conn->in, conn->in.len - rest.len);
  } else {
    size_t before = conn->in.cap;
    bl_buf_put_slice(&conn->in, rest);
    net->stats.input_bytes += (int64_t)(conn->in.cap - before);
  }
  return net->stats.input_bytes <= net->settings.input_bytes_max;
}

static bool feed(struct bl_conn *conn, struct bl_slice input) {
  size_t need = 0;
  size_t used = 0;
  if (input.len >= conn->in_need)
    used = conn->ops->on_input(conn, input, &need);
  else
    need = conn->in_need;
  BL_ASSERT(used <= input.len);
  if (conn->closing) return false;
  conn->stalled = used < input.len && bl_conn_output_full(conn);
  if (!keep_input(conn, bl_slice_from(input, used), need)) {
    bl_conn_close(conn);
    return false;
  }
  return true;
}

/* Where the next bytes go: the shared scratch when nothing is kept, else behind what is kept,
 * growing with what arrives and not with what a length word promises. */
static char *input_space(struct bl_conn *conn, size_t *out_bytes) {
  struct bl_net *net = conn->net;
  if (conn->in.len == 0) {
    *out_bytes = BL_NET_SCRATCH_BYTES;
    return net->scratch;
  }
  size_t missing = conn->in_need > conn->in.len ? conn->in_need - conn->in.len : 0;
  size_t grow = conn->in.len < 65536 ? 65536 : conn->in.len;
  if (grow > GROW_BYTES_MAX) grow = GROW_BYTES_MAX;
  *out_bytes = missing > 0 && missing < grow ? missing : grow;
  size_t before = conn->in.cap;
  char *space = bl_buf_reserve(&conn->in, *out_bytes);
  net->stats.input_bytes += (int64_t)(conn->in.cap - before);
  return space;
}

/* RETURNS the bytes read, 0 when the socket is empty, -1 when the connection ended. */
static ssize_t read_some(struct bl_conn *conn, bool *out_full) {
  size_t space_bytes;
  char *space = input_space(conn, &space_bytes);
  if (space == NULL) return -1;
  ssize_t got = recv(conn->fd, space, space_bytes, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
  if (got == 0) return -1;
  *out_full = (size_t)got == space_bytes;
  struct bl_net *net = conn->net;
  net->stats.reads++;
  net->stats.bytes_in += got;
  conn->active_ms = net->now_ms;
  if (conn->in.len == 0) return feed(conn, bl_slice_of(space, (size_t)got)) ? got : 0;
  conn->in.len += (size_t)got;
  return feed(conn, bl_buf_slice(&conn->in)) ? got : 0;
}

static void on_readable(struct bl_conn *conn) {
  ssize_t total = 0;
  bool full = true;
  while (full && total < READ_BYTES_PER_TURN && !conn->closing && !conn->stalled) {
    full = false;
    ssize_t got = read_some(conn, &full);
    if (got < 0) {
      /* The peer is gone: nothing that we still have for it can arrive. */
      bl_conn__drop_output(conn);
      bl_conn_close(conn);
      return;
    }
    if (got == 0) return;
    total += got;
  }
}

static void on_connected(struct bl_conn *conn) {
  int failed = 0;
  socklen_t len = sizeof(failed);
  getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &failed, &len);
  if (failed != 0) {
    bl_conn_close(conn);
    return;
  }
  bl_conn__opened(conn);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  struct bl_conn *conn = poll->data;
  bl_net__begin_turn(conn->net);
  if (conn->closing) return;
  if (conn->connecting) {
    on_connected(conn);
    return;
  }
  if (status < 0) {
    bl_conn_close(conn);
    return;
  }
  if ((events & UV_WRITABLE) != 0) {
    conn->want_write = false;
    bl_conn_mark(conn);
  }
  if ((events & UV_READABLE) != 0) on_readable(conn);
}

/* Watches for what the connection waits for now. */
void bl_conn__watch(struct bl_conn *conn) {
  if (!conn->polling) {
    BL_ASSERT(uv_poll_init(&conn->net->loop, &conn->poll, conn->fd) == 0);
    conn->poll.data = conn;
    conn->polling = true;
  }
  int events = 0;
  bool paused = conn->stalled || bl_conn_output_full(conn);
  if (!conn->connecting && !paused) events |= UV_READABLE;
  if (conn->connecting || conn->want_write) events |= UV_WRITABLE;
  if (events == conn->events) return;
  conn->events = events;
  if (events == 0) {
    uv_poll_stop(&conn->poll);
  } else {
    BL_ASSERT(uv_poll_start(&conn->poll, events, on_poll) == 0);
  }
}

void bl_conn__flush(struct bl_conn *conn) {
  if (conn->out.failed) {
    /* A part of an answer is worse than none. */
    bl_conn__drop_output(conn);
    conn->closing = true;
  }
  if (conn->connecting || !conn->polling || conn->want_write) {
    bl_conn__keep(conn);
  } else if (!bl_conn__write(conn)) {
    conn->closing = true;
  }
  if (conn->out.failed) conn->closing = true;
  if (conn->stalled && !conn->closing && !bl_conn_output_full(conn)) {
    /* Its answers are written at the end of the next turn. */
    conn->net->again = true;
    feed(conn, bl_buf_slice(&conn->in));
  }
  if (conn->closing) {
    bl_conn__destroy(conn);
    return;
  }
  if (conn->polling) bl_conn__watch(conn);
}

uint64_t bl_conn_id(const struct bl_conn *conn) {
  return conn->id;
}
void *bl_conn_context(const struct bl_conn *conn) {
  return conn->context;
}
void *bl_conn_user(const struct bl_conn *conn) {
  return conn->user;
}
void bl_conn_set_user(struct bl_conn *conn, void *user) {
  conn->user = user;
}
struct bl_net *bl_conn_net(const struct bl_conn *conn) {
  return conn->net;
}
const char *bl_conn_peer_text(const struct bl_conn *conn) {
  return conn->peer_text;
}
const struct bl_net_addr *bl_conn_peer(const struct bl_conn *conn) {
  return &conn->peer;
}
const struct bl_net_addr *bl_conn_local(const struct bl_conn *conn) {
  return &conn->local;
}
