#include "net/net_testlib.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"

#define TRIES_MAX 10000 /* of 1 ms */

int bl_peer_connect(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  BL_ASSERT(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
  return fd;
}

size_t bl_peer_send_some(int fd, const void *bytes, size_t len) {
  ssize_t sent = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent > 0 ? (size_t)sent : 0;
}

void bl_peer_send(struct bl_net *net, int fd, const void *bytes, size_t len) {
  for (int i = 0; i < TRIES_MAX && len > 0; i++) {
    size_t sent = bl_peer_send_some(fd, bytes, len);
    bytes = (const char *)bytes + sent;
    len -= sent;
    bl_net_run_once(net, len > 0 ? 1 : 0);
  }
  BL_ASSERT(len == 0);
}

size_t bl_peer_recv(struct bl_net *net, int fd, void *out_bytes, size_t len) {
  size_t got = 0;
  for (int i = 0; i < TRIES_MAX && got < len;) {
    ssize_t n = recv(fd, (char *)out_bytes + got, len - got, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) return got;
    if (n > 0) got += (size_t)n;
    bl_net_run_once(net, n > 0 ? 0 : 1);
    if (n < 0) i++;
  }
  return got;
}

bool bl_peer_ended(struct bl_net *net, int fd) {
  for (int i = 0; i < TRIES_MAX; i++) {
    char c;
    ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) return true;
    if (n > 0) return false;
    bl_net_run_once(net, 1);
  }
  return false;
}

void bl_peer_close(int fd) {
  close(fd);
}

void bl_peer_small_window(int fd) {
  int bytes = 256 * 1024; /* much less makes loopback crawl */
  BL_ASSERT(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) == 0);
}

bool bl_net_run_until(struct bl_net *net, const int *value, int at_least) {
  for (int i = 0; i < TRIES_MAX && *value < at_least; i++) bl_net_run_once(net, 1);
  return *value >= at_least;
}

void bl_net_run_turns(struct bl_net *net, int turns) {
  for (int i = 0; i < turns; i++) bl_net_run_once(net, 0);
}
