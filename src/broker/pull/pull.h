/* Pulling: checks, which records, what the client shall ask next. Thread: core.
 * Order of checks and texts: apache/rocketmq PullMessageProcessor, DefaultMessageStore#getMessage;
 * reference protocol.md 6.1b. */
#ifndef BOLIDE_BROKER_PULL_PULL_H
#define BOLIDE_BROKER_PULL_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

/* PullSysFlag. */
#define BL_PULL_COMMIT 1
#define BL_PULL_SUSPEND 2
#define BL_PULL_SUBSCRIPTION 4

struct bl_broker;
struct bl_queue;
struct bl_subscription;

struct bl_pull {
  struct bl_slice group;
  struct bl_slice topic;
  int32_t queue_id;
  int64_t offset;
  int32_t max_count;
  int32_t max_bytes; /* 0: no wish */
  int32_t sys_flag;
  int64_t commit_offset;
  int64_t suspend_ms;
  struct bl_slice subscription;
  struct bl_slice expression_type;
  int64_t sub_version;
  int64_t scan_from; /* when scanned > 0: a pull that was cut goes on there */
  int32_t scanned;   /* entries that it looked at before */
  bool lite;
  const char *peer; /* for texts */
};

/* PullMessageResponseHeader's forbiddenType. */
enum bl_forbidden {
  BL_FORBIDDEN_NONE = 0,
  BL_FORBIDDEN_BROKER = 1,
  BL_FORBIDDEN_GROUP = 2,
  BL_FORBIDDEN_TOPIC = 3,
  BL_FORBIDDEN_BROADCASTING = 4,
  BL_FORBIDDEN_SUBSCRIPTION = 5,
};

struct bl_pulled {
  int32_t code;       /* response code */
  const char *status; /* remark: RocketMQ's GetMessageStatus */
  bool counted;       /* the offsets below were computed: they go into the answer */
  int64_t next_offset;
  int64_t min_offset;
  int64_t max_offset;
  int64_t suggest_broker_id;
  int32_t topic_sys_flag;
  int32_t group_sys_flag;
  enum bl_forbidden forbidden;
  struct bl_slice *bodies; /* runs of records: BORROWED from the ring until the end of the turn, or
                              in the arena */
  uint32_t body_count;
  int32_t message_count;
  int64_t bytes;
  struct bl_queue *queue; /* where a hold waits; NULL when it may not */
  bool none_yet;          /* nothing new at that offset: may be held */
  /* None matched so far, and its time in this turn is over: it may go on in the next one
   * (bl_pull_go_on), or be answered as it is. */
  bool more;
  int32_t scanned; /* entries looked at, by this and those before */
};

/* FILLS out_pulled. Commits the offset first when asked and `first`. BL_OK: answer it (also with
 * codes 19 to 29). BL_ERR_COLD: not in memory; *out_cold says what to warm, then call again.
 * BL_ERR_IO and the like: the disk refused the first message. `why` gets the remark of a refusal.
 */
struct bl_cold_place {
  struct bl_queue *queue; /* chunk at queue_offset; NULL: the log */
  int64_t queue_offset;
  int64_t log_offset;
  int64_t log_bytes;
};
BL_MUST_CHECK bl_err bl_broker_pull(struct bl_broker *broker, const struct bl_pull *pull,
                                    bool first, struct bl_arena *arena,
                                    struct bl_pulled *out_pulled, struct bl_cold_place *out_cold,
                                    struct bl_why *why);
/* Has the same pull go on where it was cut, or where it found that something is not in memory. */
static inline void bl_pull_go_on(struct bl_pull *pull, const struct bl_pulled *pulled) {
  if (pulled->scanned == 0) return;
  pull->scan_from = pulled->next_offset;
  pull->scanned = pulled->scanned;
}

#endif
