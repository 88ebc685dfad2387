/* Reading single messages for administration: their store times, and whole records. What is not in
 * memory is read from the disk by the pool. Thread: core. */
#ifndef BOLIDE_BROKER_QUERY_READ_H
#define BOLIDE_BROKER_QUERY_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "broker/pull/pull.h"
#include "store/queues/queues.h"
#include "store/store.h"
#include "wire/record.h"

struct bl_broker;

/* Reads what a `cold` names. */
struct bl_query_warm {
  bool under_way;
  bl_err err;
  union {
    struct bl_queue_warm queue;
    struct bl_store_warm log;
  } warm;
  void (*done)(struct bl_query_warm *warm); /* may be NULL */
};
/* HOLDS `warm` until it is no longer under way; then calls done on the core thread. */
void bl_query_warm_start(struct bl_broker *broker, struct bl_query_warm *warm,
                         const struct bl_cold_place *cold);

/* FILLS the entry that holds the offset, or the next one that a record has, and when it was stored.
 * BL_ERR_NOT_FOUND: there is none (*out_entry is as it was), or its record is gone from the log or
 * fenced as damage. BL_ERR_COLD: *out_cold. */
BL_MUST_CHECK bl_err bl_query_store_time(struct bl_broker *broker, struct bl_queue *queue,
                                         int64_t queue_offset, struct bl_queue_entry *out_entry,
                                         int64_t *out_ms, struct bl_cold_place *out_cold);

/* The store times of messages, for an answer that is built in steps. Starts zeroed. */
struct bl_time_reader {
  struct bl_query_warm warm;
  int tries; /* of the time that is wanted now */
};
/* FILLS the store time of a queue's message, or -1 when there is none (queue NULL, the offset is
 * gone, the disk refuses). BL_ERR_COLD: it is being read; ask for the same again next turn. */
BL_MUST_CHECK bl_err bl_time_reader_get(struct bl_time_reader *reader, struct bl_broker *broker,
                                        struct bl_queue *queue, int64_t queue_offset,
                                        int64_t *out_ms);

/* Whether the disk is read for it: the call that has it may not end, nor go on, before that. Its
 * end makes a turn. */
static inline bool bl_time_reader_waits(const struct bl_time_reader *reader) {
  return reader->warm.under_way;
}

/* FILLS a record that begins at that log offset; it and *out_bytes are in the arena.
 * BL_ERR_NOT_FOUND: no visible record begins there (verified with its checksum). BL_ERR_COLD:
 * *out_cold. */
BL_MUST_CHECK bl_err bl_query_record(struct bl_broker *broker, int64_t log_offset,
                                     struct bl_arena *arena, struct bl_record *out_record,
                                     struct bl_slice *out_bytes, struct bl_cold_place *out_cold);

/* The same, waiting for the disk without holding the core. */
struct bl_record_fetch {
  struct bl_broker *broker;
  int64_t log_offset;
  struct bl_query_warm warm;
  int tries;
  struct bl_arena arena;
  struct bl_record record; /* FILLED, in the arena */
  struct bl_slice bytes;
  bl_err err;
  void (*done)(struct bl_record_fetch *fetch);
};
/* Calls done from inside when nothing must be read from the disk, else later. HOLDS until done; the
 * arena is then freed by the owner with bl_record_fetch_fini. */
void bl_record_fetch_start(struct bl_record_fetch *fetch, struct bl_broker *broker,
                           int64_t log_offset, void (*done)(struct bl_record_fetch *fetch));
void bl_record_fetch_fini(struct bl_record_fetch *fetch);

#endif
