/* What the files of the delay share; nobody else includes it. */
#ifndef BOLIDE_BROKER_DELAY_DELAY_INTERNAL_H
#define BOLIDE_BROKER_DELAY_DELAY_INTERNAL_H

#include "base/timer.h"
#include "broker/broker.h"
#include "broker/delay/delay.h"
#include "broker/retention/sure_clock.h"

/* Records that are read from the disk at a time. */
#define BL_DELAY_READS_MAX 32

/* Deliveries that are not durable yet: who sends meanwhile waits for their bytes, too. */
#define BL_DELAY_BEHIND_BYTES_MAX (1 << 20)

struct bl_delay_read {
  struct bl_store_warm warm;
  struct bl_delay *delay;
  struct bl_pending_body *body; /* that of an entry, room for it; NULL: not in use */
  int64_t log_offset;
  int tries;
};

struct bl_delay {
  struct bl_broker *broker;
  struct bl_pending *pending;
  struct bl_sure_clock clock;
  struct bl_timer timer;
  int64_t levels_ms[BL_PENDING_LEVELS_MAX];
  int level_count;
  struct bl_buf properties; /* of the message being delivered */
  struct bl_delay_read reads[BL_DELAY_READS_MAX];
  int reading;
  bool closing;
  int64_t started_ms;              /* sure wall clock */
  int64_t behind_bytes;            /* delivered and not durable, at most ... */
  int64_t behind_end;              /* ... until this log offset is visible */
  int64_t retry_ms;                /* after an append that failed: not before that, monotonic */
  struct bl_pending_entry rolling; /* with a body: the one that is being appended again */
  struct bl_delay_stats stats;
};

int64_t bl_delay__now(struct bl_delay *delay);

/* fetch.c: the bytes of a record */
/* FILLS entry->body from memory, or has it read: body->reading until then. Without room for
 * another read body stays NULL. */
void bl_delay__fetch(struct bl_delay *delay, struct bl_pending_entry *entry);

/* deliver.c */
enum bl_delay_step { BL_DELAY_STEP_DONE, BL_DELAY_STEP_IDLE, BL_DELAY_STEP_BLOCKED };
/* The next that is due. IDLE: none is. */
/* Whether too many of the deliveries are not durable yet. */
bool bl_delay__is_behind(struct bl_delay *delay);
void bl_delay__note_append(struct bl_delay *delay, const struct bl_record *record);
enum bl_delay_step bl_delay__deliver_next(struct bl_delay *delay, int64_t now_ms);
/* An append failed: the next is tried later, and not sooner than that. */
void bl_delay__wait(struct bl_delay *delay, bl_err err);

/* roll.c */
enum bl_delay_step bl_delay__roll_next(struct bl_delay *delay);

#endif
