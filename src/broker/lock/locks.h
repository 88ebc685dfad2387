/* Queue locks of orderly consumers: a lease of 60 s per group and queue. Thread: core.
 * Source: apache/rocketmq RebalanceLockManager; reference protocol.md F25, G49. */
#ifndef BOLIDE_BROKER_LOCK_LOCKS_H
#define BOLIDE_BROKER_LOCK_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/slice.h"

#define BL_LOCK_LEASE_MS 60000

struct bl_broker;

struct bl_locks {
  struct bl_map groups; /* group -> its locks by queue */
  int64_t count;
  int64_t drop_at_ms; /* monotonic: expired ones are looked for again from then on */
};

void bl_locks_init(struct bl_locks *locks);
void bl_locks_fini(struct bl_locks *locks);
/* Takes or renews the lease. false: another client holds it, or a name is too long, or the table is
 * full. */
bool bl_locks_take(struct bl_broker *broker, struct bl_slice group, struct bl_slice topic,
                   int32_t queue_id, struct bl_slice client_id);
/* Only the holder can. */
void bl_locks_give(struct bl_broker *broker, struct bl_slice group, struct bl_slice topic,
                   int32_t queue_id, struct bl_slice client_id);

/* Whether any queue of the group is locked now. */
bool bl_locks_any(const struct bl_broker *broker, struct bl_slice group);

#endif
