/* Pulls that wait: for a message (long polling), or for the disk. A hold sits in its queue and is
 * woken by the entry that matches; no polling. Wakes are budgeted per turn. Thread: core. */
#ifndef BOLIDE_BROKER_PULL_HOLDS_H
#define BOLIDE_BROKER_PULL_HOLDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/timer.h"
#include "broker/pull/pull.h"
#include "remoting/call.h"
#include "store/queues/queues.h"
#include "store/store.h"

struct bl_broker;

/* What a carried expression takes: its text, and at most some seven times that when compiled. */
#define BL_HOLDS_FILTER_FACTOR 8
#define BL_HOLDS_FILTER_BYTES_MAX (512LL << 20)
/* Expressions that one message is compared with before held pulls are woken to look themselves; a
 * long one counts as several (bl_filter_cost). */
#define BL_HOLDS_COMPARED_MAX 64

/* Where a hold is: in its queue's list; in `ready`; in `cold`, because too many wait for the disk
 * already; in no list while the disk is read for it. */
enum bl_hold_state { BL_HOLD_QUEUED, BL_HOLD_READY, BL_HOLD_COLD, BL_HOLD_READING };

struct bl_conn_holds;

struct bl_hold {
  struct bl_list node;
  enum bl_hold_state state;
  struct bl_list of_conn; /* in its connection's list */
  struct bl_timer timer;  /* its deadline */
  struct bl_broker *broker;
  struct bl_ticket ticket;
  struct bl_pull pull; /* texts in `texts` */
  char *texts;         /* HELD */
  char peer[72];
  struct bl_subscription
      *filter;     /* HELD: what the pull carries; NULL: the group's, looked up when woken */
  int64_t version; /* of the group's subscription when the client asked */
  int64_t filter_bytes;
  struct bl_conn_holds *conn; /* NULL: closed */
  struct bl_queue *queue;
  struct bl_cold_place place; /* what it waits for */
  int cold_count;             /* times it waited for the disk */
  bool cold_late;             /* for too long */
  bl_err cold_err;            /* what the disk said */
  bool gone;                  /* answered, or its connection closed, while the disk was read: it
                                 goes when that ends */
  union {
    struct bl_queue_warm queue;
    struct bl_store_warm log;
  } warm;
};

struct bl_holds {
  struct bl_list ready;
  struct bl_map by_conn; /* connection id, 8 bytes -> its holds */
  struct bl_list cold;
  int32_t count;
  int64_t filter_bytes; /* that expressions which pulls carry may take */
  int64_t filter_bytes_max;
  int64_t refused;      /* over the limits */
  int32_t reading;      /* pulls that the disk is read for */
  int32_t cold_waiting; /* pulls that wait until the limits of that allow it */
  int64_t cold_waits;   /* how often one had to */
  int64_t cold_late;    /* answered "busy": waited for the disk for too long */
  int64_t looking_ns;   /* of this turn that pulls looked through records (SQL92) */
  /* Answers a pull that was held. */
  void (*answer)(struct bl_broker *broker, const struct bl_ticket *ticket,
                 const struct bl_pull *pull, const struct bl_pulled *pulled,
                 const struct bl_why *why);
};

void bl_holds_init(struct bl_broker *broker);
void bl_holds_fini(struct bl_broker *broker);

/* Parks it until a message comes at or behind pull->offset, or pull->suspend_ms passed. Copies the
 * pull. false: over the limit: answer it now. */
bool bl_holds_park(struct bl_broker *broker, const struct bl_ticket *ticket,
                   const struct bl_pull *pull, struct bl_queue *queue);
/* Reads from the disk first, of which so many at a time are under way for a connection, for a
 * queue, and in all; who waits for more than BL_COLD_WAIT_MS is answered "busy". false: over the
 * limit of holds, not held. */
#define BL_COLD_READING_MAX 64
#define BL_COLD_READING_PER_CONN 8
#define BL_COLD_READING_PER_QUEUE 8
#define BL_COLD_WAIT_MS 5000
bool bl_holds_warm(struct bl_broker *broker, const struct bl_ticket *ticket,
                   const struct bl_pull *pull, struct bl_queue *queue,
                   const struct bl_cold_place *cold);
/* Goes on in the next turn with a pull that was cut (bl_pulled.more). false: as above. */
bool bl_holds_go_on(struct bl_broker *broker, const struct bl_ticket *ticket,
                    const struct bl_pull *pull, struct bl_queue *queue);
/* The connection is gone, and with it whom its holds would answer. */
void bl_holds_conn_closed(struct bl_broker *broker, uint64_t conn_id);
/* Answers what is ready, for about 200 us a turn. true: more are ready. */
bool bl_holds_turn(struct bl_broker *broker);
/* Every hold of the topic is answered now (topic deleted, offsets reset). */
void bl_holds_wake_topic(struct bl_broker *broker, struct bl_slice topic);
/* The same for those of one group. */
void bl_holds_wake_group(struct bl_broker *broker, struct bl_slice topic, struct bl_slice group);

#endif
