#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define READ_BYTES 65536

/* Links with output to write at the end of the turn. */
static struct bl_storm_link *dirty_links;

int64_t bl_storm_now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void bl_storm_loop_init(struct bl_storm_loop *loop, const char *address) {
  const char *colon = strrchr(address, ':');
  char host[64] = "";
  struct rlimit files;
  memset(loop, 0, sizeof(*loop));
  if (colon == NULL || (size_t)(colon - address) >= sizeof(host))
    bl_storm_die("'%s' is no address", address);
  memcpy(host, address, (size_t)(colon - address));
  loop->address.sin_family = AF_INET;
  loop->address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
  if (inet_pton(AF_INET, host, &loop->address.sin_addr) != 1)
    bl_storm_die("'%s' is no IPv4 address", host);
  loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (loop->epoll < 0) bl_storm_die("no epoll set");
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

static void watch(struct bl_storm_link *link, int operation) {
  struct epoll_event event = {.data.ptr = link};
  event.events = link->deaf ? EPOLLRDHUP : EPOLLIN | (link->wants_write ? EPOLLOUT : 0u);
  if (epoll_ctl(link->epoll, operation, link->fd, &event) != 0) bl_storm_die("epoll_ctl fails");
}

void bl_storm_link_open(struct bl_storm_loop *loop, struct bl_storm_link *link) {
  int on = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) bl_storm_die("no socket: %s", strerror(errno));
  if (connect(fd, (const struct sockaddr *)&loop->address, sizeof(loop->address)) != 0)
    bl_storm_die("the broker does not accept a connection: %s", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  fcntl(fd, F_SETFL, O_NONBLOCK);
  link->fd = fd;
  link->epoll = loop->epoll;
  link->deaf = false;
  link->wants_write = false;
  watch(link, EPOLL_CTL_ADD);
}

static void forget_dirty(struct bl_storm_link *link) {
  struct bl_storm_link **at = &dirty_links;
  if (!link->dirty) return;
  while (*at != link) at = &(*at)->next_dirty;
  *at = link->next_dirty;
  link->dirty = false;
}

void bl_storm_link_close(struct bl_storm_link *link) {
  if (link->fd < 0) return;
  close(link->fd);
  link->fd = -1;
  forget_dirty(link);
  free(link->in.ptr);
  free(link->out.ptr);
  link->in = link->out = (struct bl_storm_bytes){NULL, 0, 0};
  link->in_from = link->out_from = 0;
  link->call_count = 0;
}

void bl_storm_link_abandon(struct bl_storm_link *link, struct bl_storm_link *left) {
  left->fd = link->fd;
  left->epoll = link->epoll;
  left->deaf = true;
  watch(left, EPOLL_CTL_MOD);
  link->fd = dup(left->fd); /* to be closed: what it holds goes, the connection stays */
  bl_storm_link_close(link);
}

static void set_dirty(struct bl_storm_link *link) {
  if (link->dirty) return;
  link->dirty = true;
  link->next_dirty = dirty_links;
  dirty_links = link;
}

struct bl_storm_call *bl_storm_ask(struct bl_storm_link *link, struct bl_storm_request *request,
                                   int32_t code, int32_t kind) {
  if (link->call_count == link->call_cap) {
    link->call_cap = link->call_cap == 0 ? 8 : 2 * link->call_cap;
    link->calls = realloc(link->calls, link->call_cap * sizeof(*link->calls));
    if (link->calls == NULL) bl_storm_die("no memory");
  }
  struct bl_storm_call *call = &link->calls[link->call_count++];
  *call =
      (struct bl_storm_call){.opaque = ++link->opaque, .kind = kind, .begin_us = bl_storm_now_us()};
  bl_storm_begin(request, &link->out, code, call->opaque);
  set_dirty(link);
  return call;
}

static void lost(struct bl_storm_link *link) {
  if (link->on_lost != NULL) {
    link->on_lost(link);
  } else {
    bl_storm_die("the broker closed a connection");
  }
}

static void flush(struct bl_storm_loop *loop, struct bl_storm_link *link) {
  while (link->out_from < link->out.len) {
    ssize_t done = send(link->fd, link->out.ptr + link->out_from, link->out.len - link->out_from,
                        MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno != EAGAIN) return; /* reading will tell */
    if (done < 0) break;
    loop->bytes_out += (uint64_t)done;
    link->out_from += (size_t)done;
  }
  bool rest = link->out_from < link->out.len;
  if (!rest) link->out.len = link->out_from = 0;
  if (rest == link->wants_write || link->deaf) return;
  link->wants_write = rest;
  watch(link, EPOLL_CTL_MOD);
}

static void dispatch(struct bl_storm_link *link, const struct bl_storm_frame *frame) {
  if (frame->is_request) {
    link->on_frame(link, frame, NULL);
    return;
  }
  for (uint32_t i = 0; i < link->call_count; i++) {
    if (link->calls[i].opaque != frame->opaque) continue;
    struct bl_storm_call call = link->calls[i];
    link->calls[i] = link->calls[--link->call_count];
    link->on_frame(link, frame, &call);
    return;
  }
}

static void cut_frames(struct bl_storm_loop *loop, struct bl_storm_link *link) {
  while (link->fd >= 0 && !link->deaf) {
    const char *at = link->in.ptr + link->in_from;
    int64_t bytes = bl_storm_frame_bytes(at, link->in.len - link->in_from);
    if (bytes == 0) break;
    struct bl_storm_frame frame;
    if (bytes < 0 || !bl_storm_read(at, (size_t)bytes, &frame)) bl_storm_die("not a frame");
    link->in_from += (size_t)bytes;
    loop->frames_in++;
    dispatch(link, &frame);
  }
  if (link->fd < 0) return;
  memmove(link->in.ptr, link->in.ptr + link->in_from, link->in.len - link->in_from);
  link->in.len -= link->in_from;
  link->in_from = 0;
}

static void readable(struct bl_storm_loop *loop, struct bl_storm_link *link) {
  static char space[READ_BYTES];
  ssize_t got = recv(link->fd, space, sizeof(space), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    lost(link);
    return;
  }
  loop->bytes_in += (uint64_t)got;
  bl_storm_put(&link->in, space, (size_t)got);
  cut_frames(loop, link);
}

void bl_storm_loop_turn(struct bl_storm_loop *loop, int64_t until_us) {
  struct epoll_event events[EVENTS_MAX];
  while (dirty_links != NULL) {
    struct bl_storm_link *link = dirty_links;
    dirty_links = link->next_dirty;
    link->dirty = false;
    if (link->fd >= 0 && !link->wants_write) flush(loop, link);
  }
  int64_t wait_us = until_us - bl_storm_now_us();
  int wait_ms = wait_us <= 0 ? 0 : (int)((wait_us + 999) / 1000);
  int count = epoll_wait(loop->epoll, events, EVENTS_MAX, wait_ms);
  for (int i = 0; i < count; i++) {
    struct bl_storm_link *link = events[i].data.ptr;
    if (link->fd < 0) continue;
    if (link->deaf) {
      if ((events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) lost(link);
      continue;
    }
    if ((events[i].events & EPOLLOUT) != 0) flush(loop, link);
    if (link->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
      readable(loop, link);
  }
}
