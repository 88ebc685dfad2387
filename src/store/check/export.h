/* Writes from the log what a Java broker derives from it: consumequeue/TOPIC/QUEUE/ and, for queues
 * of batches, batchconsumequeue/. With them it starts without making them anew.
 *
 * A queue offset that no record has (damage that was repaired) gets the entry of the next record of
 * the queue: a Java broker puts entries where they come, so without it every later message would
 * move to another offset. A client that gets the record twice knows it by its queue offset.
 *
 * Blocks; one thread. */
#ifndef BOLIDE_STORE_CHECK_EXPORT_H
#define BOLIDE_STORE_CHECK_EXPORT_H

#include "store/check/source.h"

struct bl_export_totals {
  int64_t queues;
  int64_t entries;
  int64_t files;
  int64_t holes; /* entries for queue offsets that no record has */
  int64_t gaps;  /* damaged ranges of the log, without entries */
  int64_t light; /* records that are in light queues (LMQ), too */
};

/* disk: to write with. to: the store directory that gets them; its consumequeue and
 * batchconsumequeue are not there. FILLS the totals. */
BL_MUST_CHECK bl_err bl_export(struct bl_source *source, struct bl_disk *disk, const char *to,
                               int settle_ms, struct bl_export_totals *out_totals,
                               struct bl_why *why);

#endif
