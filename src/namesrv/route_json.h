/* The answer to "who has this topic" (TopicRouteData), kept per topic while nothing in it changed.
 * Thread: core. Source: apache/rocketmq RouteInfoManager#pickupTopicRouteData,
 * ClientRequestProcessor, ZoneRouteRPCHook. */
#ifndef BOLIDE_NAMESRV_ROUTE_JSON_H
#define BOLIDE_NAMESRV_ROUTE_JSON_H

#include <stdbool.h>

#include "base/slice.h"
#include "namesrv/routes.h"

#define BL_NAMESRV_ROUTE_CACHE_BYTES_MAX 67108864

/* OLD: numbers as keys stand without quotes. STANDARD: JSON, and all beyond ASCII escaped; for
 * clients of 4.9.4 and later. */
enum bl_namesrv_dialect { BL_NAMESRV_DIALECT_OLD, BL_NAMESRV_DIALECT_STANDARD };

/* RETURNS the body, or the absent slice when the topic has no route; BORROWED until the next call
 * of anything here. zone: not absent leaves out brokers of other zones that have a master. */
struct bl_slice bl_namesrv_route(struct bl_namesrv *ns, struct bl_slice topic,
                                 enum bl_namesrv_dialect dialect,
                                 const struct bl_namesrv_asker *asker, struct bl_slice zone);

#endif
