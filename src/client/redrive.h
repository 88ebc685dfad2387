/* Dead letters of a group go back to the topics they came from (or to another one).
 *
 * It reads %DLQ%group, every queue from where the last run ended to where the queue ends when it
 * starts, and sends what the filter takes as new messages: properties, keys, tags and body as they
 * were, ORIGIN_MESSAGE_ID naming the first one. How far it is is kept at the brokers, as offsets of
 * a group of its own (bl_redrive_group) on %DLQ%group, committed when every message before was
 * stored; so a repetition goes on behind it, and after a crash at most the messages of one pull
 * are sent again. Each filter has a group, and progress, of its own.
 *
 * Thread: the net's. Callbacks come from the loop. */
#ifndef BOLIDE_CLIENT_REDRIVE_H
#define BOLIDE_CLIENT_REDRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "client/producer.h"

struct bl_client;
struct bl_redrive;

enum bl_redrive_end {
  BL_REDRIVE_DONE,        /* as far as was asked */
  BL_REDRIVE_STOPPED,     /* bl_redrive_stop */
  BL_REDRIVE_NO_LETTERS,  /* the group has no dead letter topic */
  BL_REDRIVE_UNREACHABLE, /* a server did not answer, or refused to be read */
  BL_REDRIVE_REFUSED,     /* a message was not taken by the topic it goes to */
  BL_REDRIVE_NO_ORIGIN,   /* a message does not say where it came from */
};

struct bl_redrive_filter {
  struct bl_slice key; /* one of its KEYS, its message id or its first message's; absent: any */
  struct bl_slice tag; /* absent: any */
  int64_t from_ms;     /* since 1970, when it became a dead letter; 0: any */
  int64_t until_ms;    /* before that; 0: any */
};

struct bl_redrive_counts {
  uint64_t total;   /* places in the queues to be looked at; known when `ready` */
  uint64_t passed;  /* looked at and settled */
  uint64_t matched; /* by the filter */
  uint64_t sent;
  bool ready;
};

/* A dead letter that the filter took. BORROWED for the call. */
struct bl_redrive_letter {
  struct bl_slice broker_name;
  int32_t queue_id;
  int64_t queue_offset;
  int64_t store_ms;
  int32_t reconsume_times;
  struct bl_slice msg_id;    /* unique key, else absent */
  struct bl_slice origin_id; /* ORIGIN_MESSAGE_ID, may be absent */
  struct bl_slice keys;
  struct bl_slice tags;
  struct bl_slice to; /* the topic that it goes to; absent when nothing says which */
  size_t body_bytes;
  const struct bl_send_result *result; /* NULL in a dry run */
};

struct bl_redrive_settings {
  struct bl_slice group;
  struct bl_slice to; /* absent: where each came from */
  struct bl_redrive_filter filter;
  int64_t limit; /* letters that the filter takes; 0: all */
  bool dry_run;  /* sends nothing, commits nothing */
  bool again;    /* from the first letter, whatever was sent before */
  /* May be NULL. */
  void (*on_letter)(void *context, const struct bl_redrive_letter *letter);
  /* Once. `sentence` (NULL when done or stopped): what happened, why, what to do next, without a
   * full stop. Free it then. */
  void (*on_end)(void *context, enum bl_redrive_end end, const char *sentence);
  void *context;
};

/* The group whose offsets on %DLQ%group say how far a redrive with that filter is: redrive_GROUP,
 * with a filter redrive_GROUP_ and eight hex digits of it. In the arena. */
struct bl_slice bl_redrive_group(struct bl_slice group, const struct bl_redrive_filter *filter,
                                 struct bl_arena *arena);

/* RETURNS OWNED. BORROWS the client; texts are copied. Starts at once. */
struct bl_redrive *bl_redrive_new(struct bl_client *client,
                                  const struct bl_redrive_settings *settings);
/* Accepts NULL. */
void bl_redrive_free(struct bl_redrive *redrive);
/* Ends after the messages that are on their way; on_end comes. */
void bl_redrive_stop(struct bl_redrive *redrive);
const struct bl_redrive_counts *bl_redrive_counts(const struct bl_redrive *redrive);

#endif
