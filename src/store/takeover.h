/* The store directory as Java knows it: `lock`, `abort`, and its derived files.
 * Source: apache/rocketmq store DefaultMessageStore (lockFile, createTempFile), StorePathConfigHelper. */
#ifndef BOLIDE_STORE_TAKEOVER_H
#define BOLIDE_STORE_TAKEOVER_H

#include <stdbool.h>

#include "base/err.h"
#include "store/log/log.h"

/* Makes the directory and locks <dir>/lock. FILLS the open file, which holds the lock. BL_ERR_LOCKED. */
BL_MUST_CHECK bl_err bl_takeover_lock(struct bl_disk *disk, const char *dir, int *out_file,
                                      struct bl_why *why);
/* Moves Java's consume queues, index and checkpoint into bolide/aside/java-<time>/, so that Java builds
 * them anew on the way back, and leaves an `abort` file for as long as the directory is ours: with it, and
 * without a checkpoint, a Java broker reads the whole log at start. FILLS *out_foreign: there was something. */
BL_MUST_CHECK bl_err bl_takeover_java(struct bl_log *log, bool *out_foreign, struct bl_why *why);

#endif
