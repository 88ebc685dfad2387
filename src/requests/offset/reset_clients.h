/* The members of a group are told to go to other offsets (RESET_CONSUMER_CLIENT_OFFSET, 220).
 * Source: apache/rocketmq Broker2Client#resetOffset, ResetOffsetBody, ResetOffsetBodyForC. */
#ifndef BOLIDE_REQUESTS_OFFSET_RESET_CLIENTS_H
#define BOLIDE_REQUESTS_OFFSET_RESET_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "remoting/call.h"

struct bl_broker;
struct bl_offset_plan;

/* Starts zeroed. */
struct bl_reset_clients {
  bool ready;         /* the bodies below are written */
  struct bl_buf body; /* what most clients read */
  struct bl_buf body_for_c;
  uint32_t position; /* members told so far */
};

void bl_reset_clients_fini(struct bl_reset_clients *clients);
/* Tells some members a turn; the call is a 222. BL_DONE: it was answered. */
enum bl_outcome bl_reset_clients_step(struct bl_call *call, struct bl_offset_plan *plan,
                                      struct bl_reset_clients *clients);

/* {"offsetTable":{{queue}:offset,...}} */
void bl_reset_write_table(struct bl_json_writer *w, const struct bl_broker *broker,
                          struct bl_slice topic, const struct bl_offset_plan *plan);

#endif
