/* What lies behind the end of the log after a crash: saved aside, then zeroed, so that neither this
 * program nor a Java broker ever takes it for records. Blocks: at start. */
#ifndef BOLIDE_STORE_LOG_TAIL_H
#define BOLIDE_STORE_LOG_TAIL_H

#include "store/log/log.h"

/* Leaves zeros in the file from `end` on and no later file but one that reads zero. Synced. What
 * was there is in <dir>/bolide/aside/. Makes the file that `end` is in when there is none. */
BL_MUST_CHECK bl_err bl_tail_clean(struct bl_log *log, int64_t end, struct bl_why *why);
/* Writes [from, to) again and syncs: after a failed sync the system may believe that unwritten
 * pages are clean. */
BL_MUST_CHECK bl_err bl_tail_make_durable(struct bl_log *log, int64_t from, int64_t to,
                                          bool rewrite, struct bl_why *why);

#endif
