/* Inside src/client only: the cache of topic routes. A topic that is watched is asked for at once,
 * then every 30 s; every second while there is no answer, or while a producer lives on the route of
 * TBW102. Source: apache/rocketmq client MQClientInstance#updateTopicRouteInfoFromNameServer. */
#ifndef BOLIDE_CLIENT_ROUTES_H
#define BOLIDE_CLIENT_ROUTES_H

#include <stdbool.h>

#include "base/err.h"
#include "base/list.h"
#include "client/route.h"

struct bl_client;
struct bl_topic_routes;

#define BL_CLIENT_DEFAULT_TOPIC                                                                    \
  "TBW102"                         /* its route serves for a topic that a send will create         \
                                    */
#define BL_CLIENT_DEFAULT_QUEUES 4 /* defaultTopicQueueNums of DefaultMQProducer */

struct bl_route_watch {
  struct bl_list node;
  struct bl_topic_routes *topic;
  bool publish; /* TBW102 will do */
  bool told;
  /* BL_OK: the route is new or changed; BORROWED for the call. Else there is no route (and was none
   * before): BL_ERR_NO_TOPIC, or what went wrong with the name servers; `why` has the sentence;
   * asking goes on. The watch may be taken off in the call. */
  void (*on_route)(struct bl_route_watch *watch, bl_err err, const struct bl_route *route,
                   const struct bl_why *why);
};

/* HOLDS `watch`; its publish and on_route are set. on_route comes later, never from inside. */
void bl_routes_watch(struct bl_client *client, struct bl_slice topic, struct bl_route_watch *watch);
/* Accepts one that is not watching. */
void bl_routes_unwatch(struct bl_route_watch *watch);
/* The route may be wrong: ask again soon. */
void bl_routes_refresh(struct bl_route_watch *watch);
/* At the end of the client. */
void bl_routes_free(struct bl_client *client);

#endif
