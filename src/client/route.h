/* Where the queues of a topic are: what a name server answers to request 105. Pure.
 * Source: apache/rocketmq remoting TopicRouteData; reference protocol.md 2.7. */
#ifndef BOLIDE_CLIENT_ROUTE_H
#define BOLIDE_CLIENT_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define BL_PERM_WRITE 0x2 /* apache/rocketmq PermName */
#define BL_PERM_READ 0x4
#define BL_ROUTE_QUEUES_MAX 65536 /* of one broker; what is beyond is not believed */
#define BL_ROUTE_BROKERS_MAX 1024

struct bl_route_address {
  int64_t broker_id; /* 0: master */
  struct bl_slice text;
};

struct bl_route_broker {
  struct bl_slice name;
  const struct bl_route_address *addresses;
  uint32_t address_count;
  int32_t perm; /* of the topic there; 0 when it has no queues there */
  int32_t read_queues;
  int32_t write_queues;
};

/* Sorted by broker name. */
struct bl_route {
  struct bl_arena arena; /* keeps all of it */
  struct bl_route_broker *brokers;
  uint32_t broker_count;
};

/* FILLS out_route (bl_route_fini it). BL_ERR_FORMAT: not a route, or beyond the limits; nothing is
 * to be freed then. */
BL_MUST_CHECK bl_err bl_route_parse(struct bl_slice body, struct bl_route *out_route,
                                    struct bl_why *why);
/* Accepts a zeroed struct. */
void bl_route_fini(struct bl_route *route);

bool bl_route_equal(const struct bl_route *a, const struct bl_route *b);
/* The broker of that name, or NULL. */
const struct bl_route_broker *bl_route_broker(const struct bl_route *route, struct bl_slice name);
/* The address of that id; else of the master; else any. The absent slice when there is none. */
struct bl_slice bl_route_address(const struct bl_route_broker *broker, int64_t broker_id);
/* The address of the master alone, or the absent slice. */
struct bl_slice bl_route_master(const struct bl_route_broker *broker);

#endif
