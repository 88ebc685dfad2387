/* Goes through the log from end to end and says what is there: records, what fills the end of a
 * file, damage, the end. Built on bl_walk, which verifies each record.
 *
 * Where a record should be and none is:
 *   a gap    another record follows, whole and at its place: what is between is damaged. Whatever
 *            stands behind the last record, zeros but for what a write left that a crash cut, is
 *            no gap but
 *   a tail   nothing whole follows.
 * In a store that is in use, a record that is being written looks like a tail: such a place is
 * looked at again until it stands still. */
#ifndef BOLIDE_STORE_CHECK_SCAN_H
#define BOLIDE_STORE_CHECK_SCAN_H

#include "store/check/source.h"
#include "store/log/walk.h"

enum bl_scan_kind {
  BL_SCAN_RECORD,
  BL_SCAN_FILL, /* [from, to): the blank record and what is behind it, to the end of the file */
  BL_SCAN_GAP,  /* [from, to) */
  BL_SCAN_TAIL, /* [from, to): not all zero; to: one after the last byte that is not */
  BL_SCAN_END,  /* from: the end of the log */
};

struct bl_scan_item {
  enum bl_scan_kind kind;
  int64_t from;
  int64_t to;
  bl_err err;              /* why there is no record at `from`: of a gap and a tail */
  struct bl_record record; /* BORROWS the walk's window until the next call */
  int stale; /* of a tail: whole records in it that are older than those before: what a Java broker
                left when it cut the log */
};

struct bl_scan {
  struct bl_source *source;
  struct bl_walk walk;
  int64_t at;
  int64_t last_store_ms;
  int settle_ms; /* between two looks at a place that may be in work; 0: one look is enough */
  int sleeps;    /* so far: a log with much damage is not waited for at each place */
  bool ended;
};

/* from: the beginning of a record, or of the log. BORROWS the source. */
void bl_scan_init(struct bl_scan *scan, struct bl_source *source, int64_t from, int settle_ms);
void bl_scan_fini(struct bl_scan *scan);
/* The first record at or behind `offset`: for a scan that begins in the middle. */
BL_MUST_CHECK bl_err bl_scan_seek(struct bl_scan *scan, int64_t offset);
/* FILLS the next item; BL_SCAN_END for ever at the end. BL_ERR_IO. */
BL_MUST_CHECK bl_err bl_scan_next(struct bl_scan *scan, struct bl_scan_item *out_item);

/* Reads what it can of the record that should be in [from, to), damaged as it is: the fields that
 * make sense. false: nothing does. BORROWS the walk's window or `scratch`. */
bool bl_scan_guess(struct bl_scan *scan, int64_t from, int64_t to, struct bl_buf *scratch,
                   struct bl_record *out_record);

#endif
