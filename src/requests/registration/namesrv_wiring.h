/* What a name server needs of the endpoint that it answers on: its actions, and the news of closed
 * connections. */
#ifndef BOLIDE_REQUESTS_REGISTRATION_NAMESRV_WIRING_H
#define BOLIDE_REQUESTS_REGISTRATION_NAMESRV_WIRING_H

#include "namesrv/namesrv.h"

struct bl_conn;
struct bl_remoting;

/* The actions of a name server on this endpoint, which is BORROWED: brokers are told of a new
 * smallest id by code 905, one-way; the connection of a broker that was silent too long is closed.
 */
struct bl_namesrv_actions bl_namesrv_actions_on(struct bl_remoting *remoting);

/* For struct bl_role's on_close; the server is the struct bl_namesrv. */
void bl_namesrv_on_conn_close(void *server, struct bl_conn *conn);

#endif
