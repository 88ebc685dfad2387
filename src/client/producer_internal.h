/* Inside src/client only: the lanes of a producer. */
#ifndef BOLIDE_CLIENT_PRODUCER_INTERNAL_H
#define BOLIDE_CLIENT_PRODUCER_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "base/timer.h"
#include "client/client_internal.h"
#include "client/pack.h"
#include "client/producer.h"
#include "client/routes.h"

/* A queue that may be written to. Kept for the lane's life: a new route only changes `writable`. */
struct bl_lane_queue {
  struct bl_slice broker_name; /* OWNED */
  int32_t id;
  bool writable;
  bool busy; /* a request is in flight */
};

/* Messages for one topic, or for one queue of it. */
struct bl_lane {
  struct bl_producer *producer;
  struct bl_slice topic; /* OWNED */
  int32_t queue_id;      /* -1: any */
  struct bl_route_watch watch;
  bool has_route;
  struct bl_list ready;     /* of struct bl_shipment: full ones and those to be sent again */
  struct bl_list in_flight; /* also those that wait for their next try */
  struct bl_shipment *open; /* takes messages; may be NULL */
  struct bl_lane_queue **queues;
  uint32_t queue_count;
  uint32_t next;        /* the queue after the last one used */
  struct bl_timer kick; /* sends what one turn put in */
};

/* A pack on its way. */
struct bl_shipment {
  struct bl_list node;
  struct bl_lane *lane;
  struct bl_pack pack;
  int64_t born_ms;
  bool single; /* its properties forbid a batch */
  int32_t sys_flag;
  uint32_t tries;
  struct bl_lane_queue *queue; /* of the last try */
  struct bl_outcall call;
  struct bl_timer retry;
};

struct bl_producer {
  struct bl_client *client;
  struct bl_producer_settings settings;
  struct bl_heartbeat_part part;
  struct bl_map lanes; /* topic '@' queue id -> struct bl_lane */
  struct bl_lane *last_lane;
  uint32_t pending_count;
  int64_t pending_bytes;
  struct bl_leave leave;
  void (*left)(void *context);
  void *left_context;
};

/* lane.c */
struct bl_lane *bl_lane__new(struct bl_producer *producer, struct bl_slice topic, int32_t queue_id);
void bl_lane__free(struct bl_lane *lane);
void bl_lane__put(struct bl_lane *lane, const struct bl_send *send);
/* Sends what can be sent. */
void bl_lane__pump(struct bl_lane *lane);
/* The whole shipment failed; frees it. */
void bl_lane__fail(struct bl_shipment *shipment, bl_err err, int32_t code, const char *sentence);
/* Back in line, or failed when it was tried often enough. */
void bl_lane__again(struct bl_shipment *shipment, bl_err err, int32_t code, const char *sentence);

/* ship.c: one request and its answer. */
void bl_shipment__send(struct bl_shipment *shipment, struct bl_lane_queue *queue);
void bl_shipment__free(struct bl_shipment *shipment);
/* producer.c: the results of a shipment were told. */
void bl_producer__settle(struct bl_producer *producer, const struct bl_shipment *shipment);

#endif
