/* For tests of src/net and src/remoting: a net on the real loopback, and a peer with a plain
 * socket. */
#ifndef BOLIDE_NET_NET_TESTLIB_H
#define BOLIDE_NET_NET_TESTLIB_H

#include <stddef.h>

#include "net/net.h"

/* A socket connected to 127.0.0.1:port, which never blocks for longer than `bl_peer_recv` says. */
int bl_peer_connect(int port);
/* Sends all; turns of the net run while the socket is full. */
void bl_peer_send(struct bl_net *net, int fd, const void *bytes, size_t len);
/* Sends what the socket takes. RETURNS how much. */
size_t bl_peer_send_some(int fd, const void *bytes, size_t len);
/* Runs turns until `len` bytes came. RETURNS how many did; fewer: the connection ended, or 10 s
 * went by. */
size_t bl_peer_recv(struct bl_net *net, int fd, void *out_bytes, size_t len);
/* Runs turns until the end of the connection. false: bytes came, or 10 s went by. */
bool bl_peer_ended(struct bl_net *net, int fd);
void bl_peer_close(int fd);
/* A small buffer, so that the other side finds its socket full soon. */
void bl_peer_small_window(int fd);

/* Runs turns until *value reaches `at_least`; false after 10 s. */
bool bl_net_run_until(struct bl_net *net, const int *value, int at_least);
void bl_net_run_turns(struct bl_net *net, int turns);

#endif
