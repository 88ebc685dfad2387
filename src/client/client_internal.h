/* Inside src/client only: what producers and consumers share. */
#ifndef BOLIDE_CLIENT_CLIENT_INTERNAL_H
#define BOLIDE_CLIENT_CLIENT_INTERNAL_H

#include "base/buf.h"
#include "base/json.h"
#include "base/list.h"
#include "base/map.h"
#include "client/client.h"
#include "client/route.h"
#include "remoting/remoting.h"
#include "wire/msgid.h"

#define BL_CLIENT_NOTES 16      /* remembered */
#define BL_CLIENT_NOTE_MS 60000 /* until the same one is told again */

/* One address of a broker: it gets heartbeats. */
struct bl_broker_link {
  struct bl_list node;
  struct bl_client *client;
  struct bl_slice address; /* OWNED */
  int64_t broker_id;
  struct bl_timer timer; /* of the next heartbeat */
  struct bl_outcall call;
  bool in_route; /* while a route is taken over */
};

struct bl_broker {
  struct bl_slice name; /* OWNED */
  struct bl_list links;
};

/* What a producer or consumer puts into heartbeats. */
struct bl_heartbeat_part {
  struct bl_list node;
  bool is_consumer;
  struct bl_slice group; /* OWNED by the part's owner */
  /* Writes one object of consumerDataSet; NULL for a producer. */
  void (*write)(const struct bl_heartbeat_part *part, struct bl_json_writer *writer);
  /* A broker took a heartbeat, or told that the members of the group changed. NULL for a producer.
   */
  void (*on_members)(struct bl_heartbeat_part *part);
};

struct bl_client {
  struct bl_net *net;
  const struct bl_clock *clock;
  struct bl_timers *timers;
  struct bl_remoting *remoting;
  struct bl_role role;
  struct bl_client_settings settings;
  struct bl_slice *servers; /* OWNED texts */
  uint32_t server_count;
  uint32_t server_at; /* the one that is asked */
  char id[96];
  struct bl_note {
    uint32_t hash;
    int64_t until_ms; /* not told again before */
  } notes[BL_CLIENT_NOTES];
  uint32_t next_note;
  struct bl_uniqkey uniqkeys;
  struct bl_map topics;  /* name -> struct bl_topic_routes, routes.c */
  struct bl_map brokers; /* name -> struct bl_broker */
  struct bl_list parts;
  struct bl_buf scratch;
};

/* RETURNS OWNED text with a NUL behind; free by free((char *)slice.ptr). */
struct bl_slice bl_client__copy(struct bl_slice text);
/* The part before the first line end, without a full stop: RocketMQ's remarks go on with a link. */
struct bl_slice bl_client__first_line(struct bl_slice text);
void bl_client__note(struct bl_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The broker, or NULL when no route named it yet. */
const struct bl_broker *bl_client__broker(const struct bl_client *client, struct bl_slice name);
/* The address of that id, else the master's, else any; absent when there is none. */
struct bl_slice bl_client__address(const struct bl_client *client, struct bl_slice broker,
                                   int64_t broker_id);
/* The master's alone. */
struct bl_slice bl_client__master(const struct bl_client *client, struct bl_slice broker);
/* heartbeat.c: takes over the addresses of a route; new ones get a heartbeat at once. */
void bl_client__take_brokers(struct bl_client *client, const struct bl_route *route);
void bl_client__free_brokers(struct bl_client *client);
/* Heartbeats from now on, the first at once. HOLDS `part` until removed. */
void bl_client__add_part(struct bl_client *client, struct bl_heartbeat_part *part);
void bl_client__remove_part(struct bl_client *client, struct bl_heartbeat_part *part);
/* A heartbeat to every broker at once. */
void bl_client__heartbeat_now(struct bl_client *client);

/* leave.c: tells every broker that the client leaves the group (35), then calls done once, from the
 * loop: also when brokers do not answer. HOLDS `leave`. */
struct bl_leave {
  struct bl_client *client;
  struct bl_leave_call *calls;
  uint32_t open;
  struct bl_timer timer;
  void (*done)(struct bl_leave *leave);
};
void bl_client__leave(struct bl_client *client, const struct bl_heartbeat_part *part,
                      struct bl_leave *leave);
/* Ends it without done. Accepts a zeroed struct. */
void bl_client__leave_cancel(struct bl_leave *leave);

/* notices.c */
extern const struct bl_request *const bl_client__requests[];
extern const size_t bl_client__requests_count;

#endif
