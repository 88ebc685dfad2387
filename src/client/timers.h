/* Delayed messages of all brokers: listed in order of due time, counted by it, cancelled, moved.
 * Requests 960001 to 960003, which only bolide serves.
 *
 * Thread: the net's. Callbacks come from the loop. */
#ifndef BOLIDE_CLIENT_TIMERS_H
#define BOLIDE_CLIENT_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct bl_client;
struct bl_timer_work;

enum bl_timer_action { BL_TIMER_LIST, BL_TIMER_COUNT, BL_TIMER_CANCEL, BL_TIMER_MOVE };

enum bl_timer_end {
  BL_TIMER_DONE,
  BL_TIMER_STOPPED,     /* bl_timer_work_stop */
  BL_TIMER_UNREACHABLE, /* a server did not answer, or not what it should */
  BL_TIMER_NO_TOPIC,
  BL_TIMER_REFUSED, /* by a broker: it is not bolide, the message was recalled, the time is too far
                       ahead */
  BL_TIMER_NO_MESSAGE, /* no such message waits */
};

/* A message that waits. BORROWED for the call. */
struct bl_timer_row {
  struct bl_slice broker_name;
  int64_t due_ms;
  int64_t store_ms;
  struct bl_slice topic;
  int32_t queue_id;
  struct bl_slice uniq_key; /* may be absent */
  struct bl_slice msg_id;   /* the broker's */
  struct bl_slice keys;
  struct bl_slice tags;
  int64_t body_bytes;
  bool recalled; /* its sender took it back: it is dropped when its time comes */
};

struct bl_timer_settings {
  enum bl_timer_action action;
  struct bl_slice topic; /* absent: all (LIST, COUNT) */
  struct bl_slice id; /* CANCEL, MOVE: a unique key, or a broker's message id; LIST: only messages
                         with it, or with that word in KEYS; absent: all */
  int64_t from_ms;    /* LIST, COUNT: due then or later; INT64_MIN: any */
  int64_t until_ms;   /* due before that; INT64_MAX: any */
  int64_t bucket_ms;  /* COUNT */
  int64_t limit;      /* LIST; 0: all */
  int64_t to_ms;      /* MOVE */
  void (*on_row)(void *context, const struct bl_timer_row *row);
  /* Before the end; in order, none is 0. */
  void (*on_bucket)(void *context, int64_t start_ms, int64_t count);
  /* Once. changed: messages cancelled or moved, rows given, or messages counted. `sentence` (NULL
   * when done or stopped): what happened, why, what to do next, without a full stop. */
  void (*on_end)(void *context, enum bl_timer_end end, int64_t changed, const char *sentence);
  void *context;
};

/* RETURNS OWNED. BORROWS the client; texts are copied. Starts at once. */
struct bl_timer_work *bl_timer_work_new(struct bl_client *client,
                                        const struct bl_timer_settings *settings);
/* Accepts NULL. */
void bl_timer_work_free(struct bl_timer_work *work);
/* on_end comes. */
void bl_timer_work_stop(struct bl_timer_work *work);

#endif
