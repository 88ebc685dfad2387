/* Looks through a whole store and tells every place where bytes are not what was written: the
 * commit log, the files beside it, and of a Java broker's store what it derived from the log.
 *
 * What is certain: in a record with the property CRC each flipped bit is found, also in what fills
 * the end of a file; so in every file of bolide's. In a record without it only the body has a
 * checksum; sizes, magic, its own offset and the order of queue offsets are checked beside it, and
 * the other bytes are counted.
 *
 * Only reads, also while a server uses the store: a file that changes under it is read again.
 * Blocks; one thread. */
#ifndef BOLIDE_STORE_CHECK_VERIFY_H
#define BOLIDE_STORE_CHECK_VERIFY_H

#include "store/check/finding.h"
#include "store/check/source.h"

struct bl_verify_totals {
  int64_t log_min;
  int64_t log_end;
  int64_t segments;
  int64_t records;
  int64_t record_bytes;
  int64_t crc_records;     /* with the property CRC */
  int64_t filler_records;  /* that a repair put over damage */
  int64_t uncovered_bytes; /* of records, that no checksum covers */
  int64_t gaps;
  int64_t damaged_bytes; /* of the log */
  int64_t lost_records;  /* queue offsets that no record has, where there was damage */
  int64_t queues;
  int64_t files; /* beside the log */
  int64_t file_bytes;
  int64_t unchecked_bytes; /* of these, in files that have no checksum */
  int64_t queue_entries;   /* of Java's consume queues, compared with the log */
  int64_t damage;          /* findings */
  int64_t notes;
};

struct bl_verify_settings {
  int settle_ms; /* a place that may be in work is looked at again after that; 0: never */
  bool log_only;
  /* BORROWS the finding for the call. */
  void (*finding)(void *context, const struct bl_finding *finding);
  void *context;
};

/* FILLS the totals. BL_ERR_IO and the like: it could not go on; `why` has the sentence. Damage is
 * no error. */
BL_MUST_CHECK bl_err bl_verify(struct bl_source *source, const struct bl_verify_settings *settings,
                               struct bl_verify_totals *out_totals, struct bl_why *why);

#endif
