/* Messages that expire: those of a topic with the attribute message.ttl, and those that say so
 * themselves (user property __TTL_MS, milliseconds). When a message is stored it gets its end as a
 * property, __EXPIRES_AT (ms since 1970): from the time of the send on, of a delayed one from the
 * time it is due. From then on it is passed over by pulls as if a filter did not want it; queries
 * show it as it is. A retry keeps the end of the message that it is of; dead letters never expire.
 *
 * A topic knows whether any of its messages may expire: by message.ttl, or by ttl.property=true,
 * which the broker sets with the first message that has a __TTL_MS of its own. Pulls of other
 * topics look at nothing. A message of a batch with a __TTL_MS of its own counts in topics that
 * have one of the two.
 *
 * Thread: core. */
#ifndef BOLIDE_BROKER_TTL_TTL_H
#define BOLIDE_BROKER_TTL_TTL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "wire/record.h"

#define BL_PROP_TTL_MS BL_SLICE("__TTL_MS")
#define BL_PROP_EXPIRES_AT BL_SLICE("__EXPIRES_AT")
/* What a message grows by. */
#define BL_TTL_STAMP_BYTES 34

struct bl_broker;
struct bl_topic;

/* What a message says. */
struct bl_ttl_ask {
  struct bl_slice own;        /* __TTL_MS */
  struct bl_slice expires_at; /* __EXPIRES_AT, of a message that is sent again */
};

/* Puts the message's end into `properties`, which have none. from_ms: when it is stored, or due.
 * BL_ERR_MESSAGE_ILLEGAL 13: __TTL_MS is no number of milliseconds from 1 to 3650 days; else as
 * bl_broker_put_topic. `why` is the remark. */
BL_MUST_CHECK bl_err bl_ttl_stamp(struct bl_broker *broker, struct bl_topic *topic,
                                  const struct bl_ttl_ask *ask, int64_t from_ms,
                                  struct bl_buf *properties, struct bl_why *why);

/* For a message of a batch: FILLS `out` with its properties and its end. Errors as above. */
BL_MUST_CHECK bl_err bl_ttl_stamp_copy(struct bl_broker *broker, struct bl_topic *topic,
                                       struct bl_slice properties, int64_t now_ms,
                                       struct bl_buf *out, struct bl_why *why);

/* A message that the broker itself is about to store: when it has an end its topic knows. */
void bl_ttl_note(struct bl_broker *broker, const struct bl_record *record,
                 struct bl_slice properties);

/* Its end; INT64_MAX: none. */
int64_t bl_ttl_expires_ms(struct bl_slice properties);

#endif
