/* Who asks, as the name server wants to know it. */
#ifndef BOLIDE_REQUESTS_ROUTE_ASKER_H
#define BOLIDE_REQUESTS_ROUTE_ASKER_H

#include "namesrv/routes.h"
#include "net/net.h"
#include "remoting/call.h"

/* BORROWS the connection. */
static inline struct bl_namesrv_asker bl_asker_of(const struct bl_call *call) {
  return (struct bl_namesrv_asker){.local = bl_conn_local(call->conn),
                                   .peer = bl_conn_peer(call->conn)};
}

/* A copy for calls that take several turns, in which the connection may close. */
struct bl_asker_copy {
  struct bl_net_addr local, peer;
};
static inline struct bl_asker_copy bl_asker_copy_of(const struct bl_call *call) {
  return (struct bl_asker_copy){*bl_conn_local(call->conn), *bl_conn_peer(call->conn)};
}
static inline struct bl_namesrv_asker bl_asker_of_copy(const struct bl_asker_copy *copy) {
  return (struct bl_namesrv_asker){.local = &copy->local, .peer = &copy->peer};
}

#endif
