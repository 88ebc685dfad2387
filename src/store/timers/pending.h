/* Messages that wait for their time: delay levels and timers alike. A follower of the log.
 *
 * An entry is (due time, log offset, size) of a record in SCHEDULE_TOPIC_XXXX or
 * rmq_sys_wheel_timer, no copy of the message. It is taken away by a mark: a record whose first
 * property names it (BL_PENDING_MARK): the delivered message, its copy further on in the log (a
 * roll), or a cancellation. So a crash at any step neither loses a message nor delivers one twice:
 * either the mark is in the log or the entry is pending.
 *
 * Entries that are due soon are in a heap, some with the bytes of their record; others in a second
 * heap; when that has many, they go as a sorted file to bolide/timers/, which is read as their time
 * comes. Of equal due times the one that was sent first comes first.
 *
 * Thread: core; the pool writes and reads the files.
 * Source of the stored form: apache/rocketmq HookUtils, ScheduleMessageService, TimerMessageStore.
 */
#ifndef BOLIDE_STORE_TIMERS_PENDING_H
#define BOLIDE_STORE_TIMERS_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "os/disk.h"
#include "os/worker.h"
#include "store/follower.h"

#define BL_PENDING_LEVEL_TOPIC "SCHEDULE_TOPIC_XXXX" /* queue: level - 1 */
#define BL_PENDING_TIMER_TOPIC "rmq_sys_wheel_timer" /* queue 0 */
#define BL_PENDING_LEVELS_MAX 64
/* The value is "<log offset>,<due ms>" of what it takes away. Only as a record's first property it
 * says anything. */
#define BL_PENDING_MARK "BOLIDE_TIMER"
/* To the millisecond, where TIMER_OUT_MS is rounded down to RocketMQ's slot. */
#define BL_PENDING_DUE "BOLIDE_DUE_MS"
/* An operator's order to drop a message, with a mark: to bolide the mark is enough, to a Java
 * broker the record is a recall. */
#define BL_PENDING_ORDER "BOLIDE_TIMER_CANCEL"
/* RocketMQ's timerPrecisionMs: TIMER_OUT_MS is at most that much too early. */
#define BL_PENDING_SLOT_MS 1000
/* Messages that cannot be delivered now and do not hold up the others. */
#define BL_PENDING_PARKED_MAX 4096

/* In this order when due time and offset are equal. */
enum bl_pending_kind {
  BL_PENDING_DEAD,   /* takes away the entry of the same due time and offset */
  BL_PENDING_CANCEL, /* a recall: takes away messages by topic and unique key */
  BL_PENDING_MESSAGE,
};

/* The record's bytes, or room for them while they are read. */
struct bl_pending_body {
  uint32_t len;
  bool reading;
  bool unreadable; /* the record is damaged, or gone */
  bool failed;     /* the disk did not give it now */
  char bytes[];
};

struct bl_pending_entry {
  int64_t due_ms;
  int64_t log_offset;
  uint32_t size_bytes;
  uint32_t kind;                /* enum bl_pending_kind */
  struct bl_pending_body *body; /* HELD; NULL: in the log only */
};

struct bl_pending;

struct bl_pending_limits {
  int64_t body_bytes; /* memory for bodies */
  int64_t early_ms;   /* bodies are kept from the start when the message is due within that time */
};

/* RETURNS OWNED. BORROWS all. dir: the store directory. */
struct bl_pending *bl_pending_new(const char *dir, struct bl_disk *disk, struct bl_worker *pool);
/* Before the pool: waits for its own jobs on it. Accepts NULL. */
void bl_pending_free(struct bl_pending *pending);
struct bl_follower *bl_pending_follower(struct bl_pending *pending);
/* Times of the delay levels 1, 2, ...: for records that do not say when they are due (a Java
 * broker's). count <= BL_PENDING_LEVELS_MAX. Before the store opens. */
void bl_pending_set_levels(struct bl_pending *pending, const int64_t *delays_ms, int count);
/* The replay is over, it is now_ms: from here on bodies are kept. */
void bl_pending_go(struct bl_pending *pending, const struct bl_pending_limits *limits,
                   int64_t now_ms);

/* What a record of one of the two topics waits for; false: it is none of a message that waits. */
bool bl_pending_read(const struct bl_pending *pending, const struct bl_record *record,
                     struct bl_pending_entry *out_entry);
/* Whether this record, read from the log, is the one that the entry was made of. */
bool bl_pending_is_of(const struct bl_pending *pending, const struct bl_pending_entry *entry,
                      const struct bl_record *record);
/* FILLS what the record takes away; false: nothing. */
bool bl_pending_marked(struct bl_slice properties, int64_t *out_log_offset, int64_t *out_due_ms);
/* Whether the record is an operator's order to drop what its mark names. */
bool bl_pending_is_order(struct bl_slice properties);
/* Starts a properties string with the mark; `out` is empty. */
void bl_pending_put_mark(struct bl_buf *out, const struct bl_pending_entry *entry);

/* Near entries. */

/* Takes over from the far ones the next that is due until until_ms, so that its bytes can be
 * fetched: bl_pending_give_near follows. From then on what is due that soon goes to the near ones
 * directly. false: there is none; *out_wait: the disk is read for it, come again next turn. */
bool bl_pending_take_far(struct bl_pending *pending, int64_t until_ms,
                         struct bl_pending_entry *out_entry, bool *out_wait);
/* TAKES the body (may be NULL). */
void bl_pending_give_near(struct bl_pending *pending, const struct bl_pending_entry *entry);
/* The next of the near ones that none of the far ones comes before, or NULL; BORROWS until the next
 * call, to set its body. What is dead is dropped. */
struct bl_pending_entry *bl_pending_top(struct bl_pending *pending);
/* Takes the top away. GIVES its body. */
void bl_pending_pop(struct bl_pending *pending, struct bl_pending_entry *out_entry);
/* What was popped was appended, its mark at mark_offset (in that order): it is pending until the
 * mark is visible. */
void bl_pending_in_flight(struct bl_pending *pending, const struct bl_pending_entry *entry,
                          int64_t mark_offset);
/* What was popped will not be delivered, without a mark: it was cancelled by an entry that is still
 * known, or its record is damaged. topic: its real one. */
void bl_pending_drop(struct bl_pending *pending, const struct bl_pending_entry *entry,
                     struct bl_slice topic);
/* Sets the top, which is not being read, aside until then, so that the others go on; it stays
 * pending. Times are the caller's and never decrease. false: BL_PENDING_PARKED_MAX are. */
bool bl_pending_park(struct bl_pending *pending, int64_t until_ms);
/* Those whose time came are near again. RETURNS whether there are others. */
bool bl_pending_unpark(struct bl_pending *pending, int64_t now_ms);
/* A cancellation that was popped works until until_ms was popped: it is kept that long. */
void bl_pending_arm(struct bl_pending *pending, const struct bl_pending_entry *entry,
                    uint64_t key_hash);
bool bl_pending_any_armed(const struct bl_pending *pending);
/* Whether a message with that key and due time is cancelled. */
bool bl_pending_is_cancelled(struct bl_pending *pending, uint64_t key_hash, int64_t due_ms);
/* Of topic, '+' and unique key. */
uint64_t bl_pending_key_hash(struct bl_slice topic_and_key);
/* RETURNS OWNED room for a record; counted. */
struct bl_pending_body *bl_pending_body_new(struct bl_pending *pending, uint32_t len);
/* Accepts NULL. */
void bl_pending_body_free(struct bl_pending *pending, struct bl_pending_body *body);
/* Whether bodies may take that much more memory. */
bool bl_pending_has_room(const struct bl_pending *pending, uint32_t bytes);
/* Messages whose records begin below in the log are to be appended again, so that its files can go.
 */
void bl_pending_roll(struct bl_pending *pending, int64_t below);
/* FILLS the next of those, again until bl_pending_rolled; false: there is none now. */
bool bl_pending_take_roll(struct bl_pending *pending, struct bl_pending_entry *out_entry);
/* It was appended again, its mark at mark_offset; -1: it cannot be read any more. */
void bl_pending_rolled(struct bl_pending *pending, int64_t mark_offset);
/* It could not be read now: it waits where it is, and nothing more is rolled until it is asked for
 * again. */
void bl_pending_not_rolled(struct bl_pending *pending);
/* Log offset below which no message waits that the files of the log would have to stay for. */
int64_t bl_pending_needs(const struct bl_pending *pending);
/* Part of every turn: heaps that grew go to files; what was looked up for a damaged file is added,
 * and until that is done there is no top. Cheap when there is nothing to do. RETURNS whether there
 * is more to add. */
bool bl_pending_turn(struct bl_pending *pending);
/* When something has to be done: the first due time of the near ones, or that of the far ones less
 * ahead_ms; INT64_MAX: nothing. */
int64_t bl_pending_next_ms(const struct bl_pending *pending, int64_t ahead_ms);

struct bl_pending_stats {
  int64_t count; /* messages that wait, those in flight included */
  int64_t near_count;
  int64_t far_count;
  int64_t disk_count; /* entries of files, delivered ones that are still in them not included */
  int64_t files;
  int64_t in_flight;
  int64_t parked;
  int64_t body_bytes;
  int64_t memory_bytes;
};
void bl_pending_stats(const struct bl_pending *pending, struct bl_pending_stats *out_stats);
/* How many wait for a topic, walking all topics: cursor 0 at the start, stays valid. false: the
 * end. */
bool bl_pending_next_topic(const struct bl_pending *pending, size_t *cursor,
                           struct bl_slice *out_topic, int64_t *out_count, int64_t *out_changed_ms);

#endif
