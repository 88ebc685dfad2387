#define _GNU_SOURCE
/* Listening and connecting. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/net_internal.h"

#define ACCEPTS_PER_TURN 256
#define BACKLOG 1024
#define NAME_BYTES_MAX 255

static void addr_of(const struct sockaddr_storage *from, struct bl_net_addr *out_addr) {
  memset(out_addr, 0, sizeof(*out_addr));
  if (from->ss_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
    bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
    out_addr->port = ntohs(v6->sin6_port);
    out_addr->addr_bytes = mapped ? 4 : 16;
    memcpy(out_addr->addr, v6->sin6_addr.s6_addr + (mapped ? 12 : 0), out_addr->addr_bytes);
    return;
  }
  const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
  out_addr->port = ntohs(v4->sin_port);
  out_addr->addr_bytes = 4;
  memcpy(out_addr->addr, &v4->sin_addr, 4);
}

static void note_addresses(struct bl_conn *conn) {
  struct sockaddr_storage addr;
  socklen_t len = sizeof(addr);
  memset(&addr, 0, sizeof(addr));
  if (getpeername(conn->fd, (struct sockaddr *)&addr, &len) == 0) {
    char text[INET6_ADDRSTRLEN] = "";
    addr_of(&addr, &conn->peer);
    bool v4 = conn->peer.addr_bytes == 4;
    inet_ntop(v4 ? AF_INET : AF_INET6, conn->peer.addr, text, sizeof(text));
    snprintf(conn->peer_text, BL_NET_TEXT_MAX, v4 ? "%s:%d" : "[%s]:%d", text, conn->peer.port);
  }
  len = sizeof(addr);
  memset(&addr, 0, sizeof(addr));
  if (getsockname(conn->fd, (struct sockaddr *)&addr, &len) == 0) addr_of(&addr, &conn->local);
}

void bl_conn__opened(struct bl_conn *conn) {
  int on = 1;
  setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  conn->connecting = false;
  note_addresses(conn);
  bl_conn__watch(conn);
  bl_conn_mark(conn);
  if (conn->ops->on_open != NULL) conn->ops->on_open(conn);
}

/* The process has no descriptor left: the listener would stay ready, and the loop awake, as long as
 * nobody takes the connection that waits. So it is taken and closed. */
static void refuse_one(struct bl_listener *listener) {
  if (listener->spare_fd < 0) return;
  close(listener->spare_fd);
  int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
  if (fd >= 0) {
    listener->net->stats.refused++;
    close(fd);
  }
  listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_acceptable(uv_poll_t *poll, int status, int events) {
  struct bl_listener *listener = poll->data;
  struct bl_net *net = listener->net;
  bl_net__begin_turn(net);
  if (status < 0 || (events & UV_READABLE) == 0) return;
  for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EINTR) continue;
    if (fd < 0) {
      if (errno == EMFILE || errno == ENFILE) refuse_one(listener);
      return;
    }
    if (net->stats.conns >= net->settings.conns_max) {
      net->stats.refused++;
      close(fd);
      continue;
    }
    net->stats.accepted++;
    bl_conn__opened(bl_conn__new(net, fd, listener->ops, listener->context));
  }
}

/* FILLS a socket address; false when the text is no address. "*" is every address. */
static bool make_sockaddr(const char *host, int port, struct sockaddr_storage *out,
                          socklen_t *out_len) {
  memset(out, 0, sizeof(*out));
  struct sockaddr_in *v4 = (struct sockaddr_in *)out;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
  if (strcmp(host, "localhost") == 0) host = "127.0.0.1";
  if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    *out_len = sizeof(*v4);
    return true;
  }
  if (strcmp(host, "*") == 0) host = "::";
  if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    *out_len = sizeof(*v6);
    return true;
  }
  return false;
}

static bl_err bind_error(const char *host, int port, int code, struct bl_why *why) {
  if (code == EADDRINUSE) {
    return bl_why_set(why, BL_ERR_EXISTS,
                      "port %d on %s is taken by another process; choose another port or stop it",
                      port, host);
  }
  if (code == EACCES) {
    return bl_why_set(why, BL_ERR_NO_PERMISSION,
                      "no right to listen on port %d; choose a port above 1023", port);
  }
  return bl_why_set(why, BL_ERR_IO, "cannot listen on %s port %d: %s", host, port, strerror(code));
}

bl_err bl_net_listen(struct bl_net *net, const char *host, int port, const struct bl_conn_ops *ops,
                     void *context, struct bl_listener **out_listener, struct bl_why *why) {
  struct sockaddr_storage addr;
  socklen_t addr_len;
  if (port < 0 || port > 65535) {
    return bl_why_set(why, BL_ERR_USAGE,
                      "%d is no port; choose one up to 65535, or 0 for any free one", port);
  }
  if (!make_sockaddr(host, port, &addr, &addr_len)) {
    return bl_why_set(why, BL_ERR_USAGE,
                      "%s is not an address to listen on; give an IP address, localhost or *",
                      host);
  }
  int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return bind_error(host, port, errno, why);
  int on = 1;
  int off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (addr.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  if (bind(fd, (struct sockaddr *)&addr, addr_len) != 0 || listen(fd, BACKLOG) != 0) {
    int code = errno;
    close(fd);
    return bind_error(host, port, code, why);
  }
  struct bl_listener *listener = calloc(1, sizeof(*listener));
  BL_ASSERT(listener != NULL);
  *listener = (struct bl_listener){.net = net,
                                   .fd = fd,
                                   .spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
                                   .ops = ops,
                                   .context = context};
  getsockname(fd, (struct sockaddr *)&addr, &addr_len);
  listener->port = ntohs(addr.ss_family == AF_INET ? ((struct sockaddr_in *)&addr)->sin_port
                                                   : ((struct sockaddr_in6 *)&addr)->sin6_port);
  BL_ASSERT(uv_poll_init(&net->loop, &listener->poll, fd) == 0);
  listener->poll.data = listener;
  BL_ASSERT(uv_poll_start(&listener->poll, UV_READABLE, on_acceptable) == 0);
  bl_list_add_last(&net->listeners, &listener->node);
  *out_listener = listener;
  return BL_OK;
}

int bl_listener_port(const struct bl_listener *listener) {
  return listener->port;
}

static void start_connect(struct bl_conn *conn, const struct sockaddr *addr, socklen_t addr_len) {
  conn->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (conn->fd < 0 || (connect(conn->fd, addr, addr_len) != 0 && errno != EINPROGRESS)) {
    bl_conn_close(conn);
    return;
  }
  bl_conn__watch(conn);
}

/* The first IPv4 address, else the first: a name with both is reached where servers listen by
 * default, and Java's clients choose so too. */
static const struct addrinfo *choose(const struct addrinfo *found) {
  for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
    if (at->ai_family == AF_INET) return at;
  }
  return found;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
  struct bl_conn *conn = request->data;
  if (conn != NULL) {
    conn->resolving = NULL;
    bl_net__begin_turn(conn->net);
    if (status == 0 && found != NULL) {
      const struct addrinfo *chosen = choose(found);
      start_connect(conn, chosen->ai_addr, chosen->ai_addrlen);
    } else {
      bl_conn_close(conn);
    }
  }
  uv_freeaddrinfo(found);
  free(request);
}

static void resolve(struct bl_conn *conn, const char *host, const char *port) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  conn->resolving = calloc(1, sizeof(*conn->resolving));
  BL_ASSERT(conn->resolving != NULL);
  conn->resolving->data = conn;
  if (uv_getaddrinfo(&conn->net->loop, conn->resolving, on_resolved, host, port, &hints) != 0) {
    free(conn->resolving);
    conn->resolving = NULL;
    bl_conn_close(conn);
  }
}

/* Splits "host:port" or "[v6]:port". */
static bool split_address(struct bl_slice address, char host[NAME_BYTES_MAX + 1], int *out_port) {
  if (address.ptr == NULL) return false;
  size_t colon = address.len;
  while (colon > 0 && address.ptr[colon - 1] != ':') colon--;
  int32_t port;
  if (colon == 0 || !bl_slice_i32(bl_slice_from(address, colon), &port)) return false;
  if (port <= 0 || port > 65535) return false;
  struct bl_slice name = bl_slice_of(address.ptr, colon - 1);
  if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
    name = bl_slice_of(name.ptr + 1, name.len - 2);
  if (name.len == 0 || name.len > NAME_BYTES_MAX) return false;
  memcpy(host, name.ptr, name.len);
  host[name.len] = '\0';
  *out_port = port;
  return true;
}

struct bl_conn *bl_net_connect(struct bl_net *net, struct bl_slice address,
                               const struct bl_conn_ops *ops, void *context) {
  if (net->closing || net->stats.conns >= net->settings.conns_max) return NULL;
  struct bl_conn *conn = bl_conn__new(net, -1, ops, context);
  conn->connecting = true;
  snprintf(conn->peer_text, sizeof(conn->peer_text), "%.*s", BL_FMT(address));
  char host[NAME_BYTES_MAX + 1];
  char port_text[16];
  int port;
  struct sockaddr_storage addr;
  socklen_t addr_len;
  if (!split_address(address, host, &port)) {
    bl_conn_close(conn);
  } else if (make_sockaddr(host, port, &addr, &addr_len)) {
    start_connect(conn, (struct sockaddr *)&addr, addr_len);
  } else {
    snprintf(port_text, sizeof(port_text), "%d", port);
    resolve(conn, host, port_text);
  }
  return conn;
}
