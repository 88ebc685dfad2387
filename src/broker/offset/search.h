/* Finding an offset by store time, and the store time of an offset: binary search over a queue,
 * reading the head of a record for each probe, from the disk when it must. Thread: core. */
#ifndef BOLIDE_BROKER_OFFSET_SEARCH_H
#define BOLIDE_BROKER_OFFSET_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/query/read.h"
#include "store/queues/queues.h"

struct bl_broker;

struct bl_time_search {
  struct bl_broker *broker;
  struct bl_queue *queue;
  bool first_only; /* just the store time of the first message */
  bool upper;      /* the last offset at or before the time; else the first at or behind it */
  int64_t timestamp_ms;
  int64_t low; /* [low, high): where the answer's boundary is */
  int64_t high;
  int64_t middle; /* of these */
  int64_t probe;  /* the message that is looked at: the middle, or one behind it */
  int64_t stride;
  int64_t offset;   /* FILLED: the answer */
  int64_t store_ms; /* FILLED: of the first message, -1 without */
  bl_err err;
  struct bl_query_warm warm;
  void (*done)(struct bl_time_search *search);
};

/* Sets the search up and runs it; done is called from inside when nothing must be read from the
 * disk, else later. HOLDS the search until done. queue may be NULL: no messages. */
void bl_time_search_start(struct bl_time_search *search);

#endif
