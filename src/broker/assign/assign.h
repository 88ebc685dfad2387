/* Assignment of queues by the broker: a member asks which queues of a topic are its own. Thread:
 * core. Source: apache/rocketmq QueryAssignmentProcessor. */
#ifndef BOLIDE_BROKER_ASSIGN_ASSIGN_H
#define BOLIDE_BROKER_ASSIGN_ASSIGN_H

#include <stdbool.h>

#include "broker/assign/parts.h"
#include "broker/members/members.h"

/* A member's question. The owner keeps it, and its texts, until done. */
struct bl_assign_ask {
  struct bl_parts_ask parts_ask;
  struct bl_broker *broker;
  struct bl_slice topic;
  struct bl_slice group;
  struct bl_slice client_id;
  struct bl_slice strategy;
  enum bl_message_model model;
  bl_take_queue take; /* called for each queue, then done */
  /* found false: nothing can be said (no route, unknown strategy or group): the member keeps what
   * it has. */
  void (*done)(struct bl_assign_ask *ask, bool found);
};

/* Calls take and done from inside when the queues are known, else later. */
void bl_assign_start(struct bl_assign_ask *ask);

#endif
