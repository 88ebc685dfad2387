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

struct bl_hold {
  struct bl_list node;    /* in its queue's list, in ready, or in none while the disk is read */
  struct bl_list of_conn; /* in its connection's list */
  struct bl_timer timer;  /* its deadline */
  struct bl_broker *broker;
  struct bl_ticket ticket;
  struct bl_pull pull; /* texts in `texts` */
  char *texts;         /* HELD */
  char peer[72];
  struct bl_subscription
      *filter; /* HELD: what the pull carries; NULL: the group's, looked up when woken */
  int64_t deadline_ms;
  int cold_count; /* times it waited for the disk */
  bool warming;   /* the disk is being read for it */
  bool gone;      /* its connection closed while the disk was read: it goes when that ends */
  union {
    struct bl_queue_warm queue;
    struct bl_store_warm log;
  } warm;
};

struct bl_holds {
  struct bl_list ready;
  struct bl_map by_conn; /* connection id, 8 bytes -> its holds */
  int32_t count;
  int64_t refused; /* over the limit */
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
/* Reads from the disk first. false: over the limit, not held. */
bool bl_holds_warm(struct bl_broker *broker, const struct bl_ticket *ticket,
                   const struct bl_pull *pull, const struct bl_cold *cold);
/* The connection is gone, and with it whom its holds would answer. */
void bl_holds_conn_closed(struct bl_broker *broker, uint64_t conn_id);
/* Answers what is ready, for about 200 us a turn. true: more are ready. */
bool bl_holds_turn(struct bl_broker *broker);
/* Every hold of the topic is answered now (topic deleted, offsets reset). */
void bl_holds_wake_topic(struct bl_broker *broker, struct bl_slice topic);

#endif
