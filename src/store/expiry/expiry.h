/* Messages that are to go to another topic when they expire (topic attribute ttl.topic): when, and
 * where in the log they are. A follower of the log.
 *
 * A record with __EXPIRES_AT in a topic that says so waits in a heap by its end; 16 bytes each. The
 * record that is stored in the other topic names the one that it is a copy of (property
 * BL_EXPIRY_MARK, and its log offset as prepared offset, so that others are told apart by one
 * number): it is the mark that this one is done, so a message is moved once, whatever the crash.
 *
 * Bounded: beyond the limit records are not taken; they are shown again when half of the room is
 * free. Until then they move late.
 *
 * Thread: core. */
#ifndef BOLIDE_STORE_EXPIRY_EXPIRY_H
#define BOLIDE_STORE_EXPIRY_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/slice.h"
#include "os/disk.h"
#include "store/follower.h"

/* TOPIC@QUEUE@QUEUE OFFSET@LOG OFFSET of the message that it is a copy of. */
#define BL_EXPIRY_MARK "__EXPIRED_FROM"
#define BL_EXPIRY_IN_FLIGHT_MAX 1024

struct bl_expiry;

struct bl_expiry_topics {
  const struct bl_list *active; /* topics with a ttl.topic now; empty: no record is looked at */
  bool (*moves)(void *context, struct bl_slice topic);
  void *context;
};

struct bl_expiry_entry {
  int64_t expires_ms;
  int64_t log_offset;
};

/* RETURNS OWNED. BORROWS all. */
struct bl_expiry *bl_expiry_new(const char *dir, struct bl_disk *disk,
                                const struct bl_expiry_topics *topics, int64_t limit);
/* Accepts NULL. */
void bl_expiry_free(struct bl_expiry *expiry);
struct bl_follower *bl_expiry_follower(struct bl_expiry *expiry);

/* FILLS the one that expires first; false: there is none, or none may be taken now (a snapshot is
 * being written, or too many are on their way). */
bool bl_expiry_first(struct bl_expiry *expiry, struct bl_expiry_entry *out_entry);
/* The first one is done without a record. */
void bl_expiry_drop_first(struct bl_expiry *expiry);
/* The first one's copy was appended: it waits for it to be visible. */
void bl_expiry_moved_first(struct bl_expiry *expiry);

struct bl_expiry_stats {
  int64_t waiting;
  int64_t limit;
  bool late; /* there are more than the limit: some will be late */
};
void bl_expiry_stats(const struct bl_expiry *expiry, struct bl_expiry_stats *out_stats);

#endif
