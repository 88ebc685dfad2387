/* Delayed messages: on the way in they are stored in RocketMQ's system topics, when their time
 * comes they are appended to the topic and queue that they are for. One mechanism for delay levels
 * and timers; what waits is known by src/store/timers.
 *
 * Never early: a message is due by the machine's wall clock, and a clock that jumps ahead counts
 * when it said the same for timerClockConfirmMs. Late by what a turn of the core takes.
 *
 * Thread: core.
 * Source: apache/rocketmq HookUtils#handleScheduleMessage, ScheduleMessageService,
 * TimerMessageStore, RecallMessageProcessor. */
#ifndef BOLIDE_BROKER_DELAY_DELAY_H
#define BOLIDE_BROKER_DELAY_DELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/metric.h"
#include "store/queues/queues.h"
#include "store/timers/pending.h"
#include "wire/record.h"

struct bl_broker;
struct bl_topic;
struct bl_delay;

/* Properties of a message that the delay reads. Absent: the message has none of that name. */
struct bl_delay_ask {
  struct bl_slice level;      /* DELAY */
  struct bl_slice delay_sec;  /* TIMER_DELAY_SEC */
  struct bl_slice delay_ms;   /* TIMER_DELAY_MS */
  struct bl_slice deliver_ms; /* TIMER_DELIVER_MS */
  struct bl_slice out_ms;     /* TIMER_OUT_MS: it was delayed before, and is not again */
  struct bl_slice del_key;    /* TIMER_DEL_UNIQKEY */
  struct bl_slice real_topic; /* REAL_TOPIC, REAL_QID */
  struct bl_slice real_queue;
};
/* Takes the property when it is one of those. false: it is another's. */
bool bl_delay_take(struct bl_delay_ask *ask, struct bl_slice name, struct bl_slice value);
/* Whether the message has any of them. */
static inline bool bl_delay_any(const struct bl_delay_ask *ask) {
  return ask->level.ptr != NULL || ask->delay_sec.ptr != NULL || ask->delay_ms.ptr != NULL ||
         ask->deliver_ms.ptr != NULL || ask->out_ms.ptr != NULL || ask->del_key.ptr != NULL ||
         ask->real_topic.ptr != NULL || ask->real_queue.ptr != NULL;
}

/* Where a message goes. */
struct bl_delay_place {
  struct bl_queue *queue; /* NULL: it is not delayed; the record is as it was */
  struct bl_topic *topic; /* of that queue; NULL: not in the table */
  int64_t recall_ms;      /* the time in its recall handle; 0: it cannot be recalled */
};
/* For every message that is appended for somebody, also by the broker itself: does what `ask` wants
 * to the record, whose topic, queue_id and properties are those of the message without the ones in
 * `ask`. `properties` holds the record's and gets those that stay. When it is delayed, topic and
 * queue_id are the system topic's: append it to place->queue at its next offset.
 * BL_ERR_MESSAGE_ILLEGAL 13: not a number, negative, too far ahead; BL_ERR_SYSTEM 1: timers are
 * off; BL_ERR_FULL: no queue can be made. `why` is the remark. Nothing changed then. */
BL_MUST_CHECK bl_err bl_delay_apply(struct bl_broker *broker, const struct bl_delay_ask *ask,
                                    struct bl_record *record, struct bl_buf *properties,
                                    struct bl_delay_place *out_place, struct bl_why *why);

/* When a message that is put now would be due; now: it is not delayed. */
int64_t bl_delay_due_ms(const struct bl_broker *broker, const struct bl_delay_ask *ask);

/* The table of messageDelayLevel: "1s 5s 10m 2h 1d". FILLS up to BL_PENDING_LEVELS_MAX.
 * BL_ERR_USAGE with a sentence. */
BL_MUST_CHECK bl_err bl_delay_levels_parse(struct bl_slice text, int64_t *out_delays_ms,
                                           int *out_count, struct bl_why *why);

/* After the store was opened. RETURNS OWNED. BORROWS the broker and its bl_pending. */
struct bl_delay *bl_delay_new(struct bl_broker *broker);
/* Nothing is delivered any more. Accepts NULL. */
void bl_delay_stop(struct bl_delay *delay);
/* After bl_delay_stop and the end of the pool's jobs, before the store closes. Accepts NULL. */
void bl_delay_free(struct bl_delay *delay);
/* Part of every turn, before the store's: appends what is due, for about 150 us. true: more is. */
bool bl_delay_turn(struct bl_delay *delay);
/* A file of the log that ends there is to go: messages that wait and begin before that are appended
 * again in the turns that follow. Accepts NULL. */
void bl_delay_make_room(struct bl_delay *delay, int64_t end_offset);
/* Milliseconds of a level from 1 on; more than there are counts as the last. 0: level <= 0. */
int64_t bl_delay_of_level(const struct bl_delay *delay, int64_t level);
int bl_delay_level_count(const struct bl_delay *delay);

/* Takes a message back by its handle: stores the order to drop it, as RocketMQ does; it works when
 * the message's time comes. FILLS the message's unique key (in the arena) and the mark to wait for.
 * `why` is the remark: BL_ERR_NO_PERMISSION 16 (recallMessageEnable is off), BL_ERR_NO_TOPIC 17,
 * BL_ERR_NOT_ALLOWED 604 (no handle, of another topic or broker, or its time is over), BL_ERR_BUSY
 * and those of bl_store_append. */
struct bl_delay_recall {
  struct bl_slice topic;
  struct bl_slice handle;
  struct bl_slice producer_group; /* may be absent */
  struct bl_host born_host;
};
BL_MUST_CHECK bl_err bl_delay_recall(struct bl_broker *broker, const struct bl_delay_recall *recall,
                                     struct bl_arena *arena, struct bl_slice *out_key,
                                     int64_t *out_end, struct bl_why *why);
struct bl_delay_stats {
  int64_t delivered;
  int64_t cancelled;
  int64_t dropped; /* by operators */
  int64_t moved;
  int64_t rolled; /* appended again, so that a file could go */
  int64_t lost;   /* their records are damaged, or name no topic and queue */
  int64_t cold_reads;
  int64_t blocked;             /* deliveries that waited for room in the log or for the disk */
  struct bl_histogram late_us; /* from due time to append, to the millisecond */
};
/* When the last step of delivery was sure that nothing is due any more: wall clock; what is due
 * before that has been delivered. */
int64_t bl_delay_done_ms(const struct bl_delay *delay);
const struct bl_delay_stats *bl_delay_stats(const struct bl_delay *delay);

#endif
