/* A client of RocketMQ: name servers, routes, connections and heartbeats, shared by the producers
 * and consumers made from it. Everything runs on the net's thread; nothing blocks; callbacks come
 * from the loop, never from inside the call that asked. Source of behaviour: apache/rocketmq client
 * MQClientInstance. */
#ifndef BOLIDE_CLIENT_CLIENT_H
#define BOLIDE_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/timer.h"
#include "net/net.h"
#include "os/clock.h"

struct bl_client;

#define BL_CLIENT_REFRESH_MS 30000   /* routes, as RocketMQ's pollNameServerInterval */
#define BL_CLIENT_HEARTBEAT_MS 30000 /* RocketMQ's heartbeatBrokerInterval */
#define BL_CLIENT_CALL_MS 3000       /* patience with one answer, as mqClientApiTimeout */

struct bl_client_settings {
  struct bl_slice servers; /* name servers: host:port, separated by ; or , */
  /* What a person may want to know and that is no error yet: a lost server, a topic that is waited
   * for. One sentence without a full stop; the same one at most once a minute. May be NULL. */
  void (*on_note)(void *context, const char *sentence);
  void *context;
};

/* RETURNS OWNED in out_client. BORROWS net, clock and timers. BL_ERR_USAGE: no usable name server
 * in settings. */
BL_MUST_CHECK bl_err bl_client_new(struct bl_net *net, const struct bl_clock *clock,
                                   struct bl_timers *timers,
                                   const struct bl_client_settings *settings,
                                   struct bl_client **out_client, struct bl_why *why);
/* Its producers and consumers must be freed first, then the net, whose connections belong to the
 * client. Accepts NULL. */
void bl_client_free(struct bl_client *client);
/* Once a turn, from the net's end of turn. RETURNS true when it should not sleep. */
bool bl_client_turn(struct bl_client *client);
/* ip@pid#nanoseconds, as RocketMQ's buildMQClientId after changeInstanceNameToPID. BORROWED. */
struct bl_slice bl_client_id(const struct bl_client *client);

#endif
