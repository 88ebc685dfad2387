/* Queue locks of orderly consumers: a lease of lockMaxLiveTime (60 s) per group and queue. Thread:
 * core.
 *
 * Who holds a queue survives a restart of the broker (RocketMQ forgets it): the holder goes on, and
 * nobody else is given the queue while it may still work on a message. A change of holders is a
 * record of the metadata; renewals are not, so a lock that was held when the broker ended counts as
 * renewed then.
 *
 * Source: apache/rocketmq RebalanceLockManager; reference protocol.md F25, G49.
 * Files in reading order: locks.c, keep.c. */
#ifndef BOLIDE_BROKER_LOCK_LOCKS_H
#define BOLIDE_BROKER_LOCK_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/map.h"
#include "base/slice.h"
#include "os/clock.h"

#define BL_LOCK_LEASE_MS 60000 /* unless lockMaxLiveTime says otherwise */
#define BL_LOCKS_MAX 1000000   /* of all groups; more are refused */
/* While locks are renewed a record says so that often, for the time of their end to be known. */
#define BL_LOCK_ALIVE_MS 20000
/* Changes that are worth a record before the request ends. */
#define BL_LOCK_CHANGES_BYTES 65536

struct bl_broker;

struct bl_lock {
  struct bl_slice client_id; /* HELD */
  int64_t until_ms;          /* monotonic */
};

struct bl_lock_group {
  struct bl_map queues; /* topic@queue -> struct bl_lock */
};

struct bl_locks {
  const struct bl_clock *clock;
  int64_t lease_ms;
  struct bl_map groups; /* group -> struct bl_lock_group */
  int64_t count;
  int64_t drop_at_ms;    /* monotonic: expired ones are looked for again from then on */
  struct bl_buf changes; /* JSON texts of queues whose holder changed and that are not logged */
  int64_t logged_ms;     /* monotonic: when a record was made */
};

void bl_locks_init(struct bl_locks *locks, const struct bl_clock *clock);
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

/* keep.c: what was taken, or given, by one request of that client since the last call. The body of
 * a record into `out`; false: there is nothing to say now. */
bool bl_locks_write_changes(struct bl_locks *locks, struct bl_slice client_id, bool given,
                            struct bl_buf *out);
/* After a start: what was held when the broker ended, last_ms by the wall clock, is held until its
 * lease ends. */
void bl_locks_resume(struct bl_locks *locks, int64_t last_ms);

/* Doors (bl_meta_table). context: struct bl_locks; a change's name is the group. */
void bl_locks_apply(void *context, struct bl_slice group, const struct bl_json *json,
                    int64_t log_offset);
bl_err bl_locks_replace(void *context, const struct bl_json *root, struct bl_why *why);
bool bl_locks_write_step(void *context, struct bl_buf *out, void **progress);

/* Inside src/broker/lock only. Sets the holder of "topic@queue"; NULL: the table is full. */
struct bl_lock *bl_locks__hold(struct bl_locks *locks, struct bl_slice group, struct bl_slice key,
                               struct bl_slice client_id);
void bl_locks__drop(struct bl_locks *locks, struct bl_slice group, struct bl_slice key,
                    struct bl_slice client_id);
void bl_locks__clear(struct bl_locks *locks);

#endif
