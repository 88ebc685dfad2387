/* Finds the end of the log and shows the records to the followers: at start, blocking. */
#ifndef BOLIDE_STORE_LOG_RECOVER_H
#define BOLIDE_STORE_LOG_RECOVER_H

#include "store/log/checkpoint.h"
#include "store/log/log.h"

struct bl_recovery {
  const struct bl_checkpoint *checkpoint; /* BORROWED */
  struct bl_follower *const *followers;   /* BORROWED */
  int follower_count;
  int64_t *covered; /* FILLED: per follower, where its snapshot ends */
  bool foreign; /* a Java broker wrote here last: its idea of the end counts, not our checkpoint */
};

/* Loads every follower, replays, cleans what is behind the end and starts the log there.
 *
 * The end is the first place without a whole record at or above what was known to be durable (our
 * checkpoint, the followers' snapshots). Below that such a place is damage: noted, fenced, skipped
 * to the next good record. A follower whose snapshot covers more than the log has, or another log,
 * is told to discard. */
BL_MUST_CHECK bl_err bl_log_recover(struct bl_log *log, struct bl_recovery *recovery,
                                    struct bl_why *why);

#endif
