/* Half messages: sent, and invisible until their transaction ends. A follower of the log that knows
 * which are open, and how those ended that it still remembers.
 *
 * A half message is a record of RMQ_SYS_TRANS_HALF_TOPIC. It ends with a record that names it: one
 * with preparedTransactionOffset (committed), or the body of a record of
 * RMQ_SYS_TRANS_OP_HALF_TOPIC, which lists queue offsets (committed before, or rolled back). So a
 * store that a Java broker wrote is understood, and a Java broker understands ours. State changes
 * by records alone: what is not in the log did not happen.
 *
 * Thread: core. Source: apache/rocketmq TransactionalMessageBridge,
 * TransactionalMessageServiceImpl, EndTransactionProcessor.
 *
 * Files in reading order: halves.c, table.c, snapshot.c. */
#ifndef BOLIDE_STORE_HALVES_HALVES_H
#define BOLIDE_STORE_HALVES_HALVES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "os/disk.h"
#include "store/follower.h"

#define BL_HALF_TOPIC "RMQ_SYS_TRANS_HALF_TOPIC"
#define BL_HALF_OP_TOPIC "RMQ_SYS_TRANS_OP_HALF_TOPIC"
#define BL_HALF_QUEUE_ID 0
/* Ends that are remembered at least, so that one that is repeated is answered truthfully. */
#define BL_HALVES_REMEMBERED 262144
/* Real topics and producer groups that are known by name; all others together have no name. */
#define BL_HALVES_NAMES_MAX 65536

enum bl_half_state { BL_HALF_OPEN, BL_HALF_COMMITTED, BL_HALF_ROLLED_BACK, BL_HALF_MOVED };

struct bl_half {
  int64_t log_offset;
  int64_t queue_offset;
  int64_t born_ms;
  /* Open: the first op record that can name it has this queue offset or a later one. Ended: log
   * offset of the record that ended it. */
  int64_t op_or_end;
  uint32_t size_bytes;
  uint32_t topic; /* the real one, and the producer group: for bl_halves_name */
  uint32_t group;
  int32_t immunity_s; /* CHECK_IMMUNITY_TIME_IN_SECONDS; -1: none */
  uint16_t checks;    /* so far; may be fewer than there were after a crash */
  uint8_t state;
  uint8_t in_op; /* an op record names it: RocketMQ knows that it ended */
};

/* A real topic or a producer group. */
struct bl_half_name {
  struct bl_slice text; /* HELD */
  uint32_t index;
  bool is_topic;
  int64_t open; /* of the topic */
};

struct bl_halves_stats {
  int64_t open;
  int64_t remembered; /* ended, and not forgotten */
  int64_t committed;  /* since the start of the process */
  int64_t rolled_back;
  int64_t memory_bytes;
};

struct bl_halves;

/* RETURNS OWNED. dir: the store directory. BORROWS the disk. */
struct bl_halves *bl_halves_new(const char *dir, struct bl_disk *disk);
/* Accepts NULL. */
void bl_halves_free(struct bl_halves *halves);
struct bl_follower *bl_halves_follower(struct bl_halves *halves);

/* The half whose record is at that log offset, open or remembered; NULL: none. BORROWS until the
 * next turn. */
struct bl_half *bl_halves_find(struct bl_halves *halves, int64_t log_offset);
/* The first open one behind that log offset (-1: of all), having looked at `most` at most; NULL:
 * none among them. *out_reached: where to go on, INT64_MAX when there are no more. */
struct bl_half *bl_halves_next_open(struct bl_halves *halves, int64_t behind_log_offset,
                                    uint32_t most, int64_t *out_reached);
/* The first one behind that log offset that was committed and that no op record names, as after a
 * crash between the two; NULL: none. For a start. */
struct bl_half *bl_halves_next_unnamed(struct bl_halves *halves, int64_t behind_log_offset);
/* Log offset up to which records were shown: what lies behind may still become a half. */
int64_t bl_halves_seen_to(const struct bl_halves *halves);

/* Where a Java broker that takes over may begin, as offsets of its group CID_RMQ_SYS_TRANS: every
 * half before *out_half_offset has ended, and no op record before *out_op_offset names one behind
 * it. */
void bl_halves_done_to(struct bl_halves *halves, int64_t *out_half_offset, int64_t *out_op_offset);
/* A Java broker has dealt with all halves before that queue offset, and stored those that it wants
 * to keep again. For a start. */
void bl_halves_passed(struct bl_halves *halves, int64_t queue_offset);

void bl_halves_stats(const struct bl_halves *halves, struct bl_halves_stats *out_stats);
/* BORROWS. */
struct bl_slice bl_halves_name(const struct bl_halves *halves, uint32_t index);
/* Walks the real topics that have or had halves: cursor 0 at first; NULL at the end. */
const struct bl_half_name *bl_halves_next_topic(const struct bl_halves *halves, size_t *cursor);

/* Whether the bytes are a whole snapshot file of this or an earlier version. Pure; for verify. */
bool bl_halves_file_is_sound(struct bl_slice bytes);

#endif
