/* Inside src/server only. */
#ifndef BOLIDE_SERVER_SERVER_INTERNAL_H
#define BOLIDE_SERVER_SERVER_INTERNAL_H

#include "broker/broker.h"
#include "broker/register/register.h"
#include "namesrv/routes.h"
#include "remoting/remoting.h"
#include "server/advertise.h"
#include "server/server.h"

struct bl_server {
  const struct bl_server_settings *settings;
  struct bl_timers timers;
  struct bl_net *net;
  struct bl_remoting *remoting;
  struct bl_worker *flush_worker;
  struct bl_worker *pool;
  struct bl_broker *broker;
  struct bl_namesrv *namesrv;
  struct bl_registrar *registrar;
  struct bl_advertise advertise;
  struct bl_role namesrv_role;
  struct bl_role broker_role;
  struct bl_role vip_role;
  struct bl_listener *namesrv_listener;
  struct bl_listener *broker_listener;
  struct bl_listener *vip_listener;
  bool topics_changed; /* the name server of this process does not know yet */
};

/* local.c: the broker with the name server of the same process, by function calls. */
BL_MUST_CHECK bl_err bl_server__register_local(struct bl_server *server, struct bl_why *why);
void bl_server__unregister_local(struct bl_server *server);
/* ready.c */
void bl_server__print_ready(const struct bl_server *server);
BL_MUST_CHECK bl_err bl_server__write_ready(const struct bl_server *server, struct bl_why *why);

#endif
