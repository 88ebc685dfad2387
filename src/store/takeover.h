/* The store directory as Java knows it: `lock`, `abort`, `checkpoint`, and what it derives from the
 * log.
 *
 * Java's consume queues and its index stay where they are while we append: on the way back a Java
 * broker goes on from where they end. It does so exactly when `abort` is there (with `abort` absent
 * it skips one message) and when there is no `checkpoint`, which would let it begin too late; and a
 * `checkpoint` that is there again says that a Java broker was here. They must not stay when Java
 * would go on wrongly:
 *   - they speak of log that was cut: other records are there now;
 *   - Java would not look back far enough (commitLogRecoverMaxNum, 10 files): its queues would have
 * a hole, which it fills with what comes behind;
 *   - the log begins behind their end: the same hole.
 * Without them Java builds new ones from the last 10 files of the log.
 * Source: apache/rocketmq store DefaultMessageStore (lockFile, createTempFile, recover),
 * CommitLog.recoverAbnormally, ConsumeQueue.recover, ConsumeQueue.putMessagePositionInfo,
 * StorePathConfigHelper. */
#ifndef BOLIDE_STORE_TAKEOVER_H
#define BOLIDE_STORE_TAKEOVER_H

#include <stdbool.h>

#include "base/err.h"
#include "store/log/log.h"

/* Files of the log that may follow the one in which Java's consume queues end. Java opens the
 * prepared next file too, so this is well below its 10. */
#define BL_TAKEOVER_FILES_MAX 8

struct bl_takeover {
  bool foreign;       /* a Java broker ran here last */
  int64_t java_until; /* the log may grow to here before Java's files must go; INT64_MAX: there are
                         none */
};

/* Where Java's derived files went. */
struct bl_takeover_aside {
  char folder[BL_STORE_PATH_BYTES_MAX - 72];
  int moved;
};

/* Makes the directory and locks <dir>/lock. FILLS the open file, which holds the lock.
 * BL_ERR_LOCKED. */
BL_MUST_CHECK bl_err bl_takeover_lock(struct bl_disk *disk, const char *dir, int *out_file,
                                      struct bl_why *why);
/* Before the recovery: finds out who was here, and leaves `abort` for as long as the directory is
 * ours. */
BL_MUST_CHECK bl_err bl_takeover_begin(struct bl_log *log, struct bl_takeover *out_takeover,
                                       struct bl_why *why);
/* After the recovery, before the first append: moves what must not stay into
 * bolide/aside/java-<time>/; the checkpoint last, so that a crash begins all this again. */
BL_MUST_CHECK bl_err bl_takeover_end(struct bl_log *log, struct bl_takeover *takeover,
                                     struct bl_why *why);
/* Moves Java's derived files aside. Blocks; any thread. */
BL_MUST_CHECK bl_err bl_takeover_drop(struct bl_log *log, struct bl_takeover_aside *out_aside,
                                      struct bl_why *why);

/* takeover_queues.c. FILLS the log offset behind the last record of which a consume queue of Java's
 * speaks, as Java finds it; -1: there is none. Blocks. */
BL_MUST_CHECK bl_err bl_takeover_queues_end(struct bl_log *log, int64_t *out_end,
                                            struct bl_why *why);

#endif
