/* When messages go: by time, by bytes, by the space of the disk, and per topic.
 *
 * Every cleanResourceInterval: first the topics with a retention of their own (topic_round.h),
 * whose queues' min offsets move at once; then whole files from the front of the log, by the rules
 * of RocketMQ's CleanCommitLogService:
 *   - older than fileReservedTime: in the hours of deleteWhen, or at any hour while the disk is
 *     fuller than diskMaxUsedSpaceRatio, or for a while after somebody asked (329);
 *   - beyond retentionBytes (ours): at any hour;
 *   - whatever their age while the disk is fuller than diskSpaceCleanForciblyRatio, one by one
 * until it is not, when cleanFileForciblyEnable. A file in which a topic's own, longer retention.ms
 * keeps messages stays in all cases. While the disk is fuller than diskSpaceWarningLevelRatio sends
 * are refused.
 *
 * Ages are those of the records' store times, seen from a clock that is sure (sure_clock.h).
 * Thread: core. */
#ifndef BOLIDE_BROKER_RETENTION_RETENTION_H
#define BOLIDE_BROKER_RETENTION_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/retention/sure_clock.h"
#include "broker/retention/topic_round.h"
#include "store/retention.h"

struct bl_broker;

struct bl_retention {
  struct bl_broker *broker;
  struct bl_timer timer;
  struct bl_sure_clock clock;
  int64_t now_ms; /* sure time of this check */
  struct bl_topic_round round;
  bool checking; /* from the timer until nothing more is to be done */
  bool asked_snapshot;
  int removed; /* files in this check */
  int manual;  /* checks that do not look at the hour */
  struct bl_store_look look;
  struct bl_store_removal removal;
  bool known; /* the space was looked up */
  int64_t total_bytes;
  int64_t free_bytes;
  int used_percent;      /* rounded up, as RocketMQ */
  bool stopped;          /* no sends: the disk is nearly full */
  int64_t pinned_bytes;  /* of files that would go but for topics that keep longer */
  int64_t removed_files; /* since start */
  int64_t removed_bytes;
};

/* RETURNS OWNED; begins to check. The store is open. */
struct bl_retention *bl_retention_new(struct bl_broker *broker);
/* No job of it may run: after the pool was finished. Accepts NULL. */
void bl_retention_free(struct bl_retention *retention);
/* Part of every turn. RETURNS true when there is more to do at once. */
bool bl_retention_turn(struct bl_retention *retention);

/* BL_ERR_NOT_AVAILABLE with the reason while the disk is too full for sends. Cheap. */
bl_err bl_retention_may_send(const struct bl_retention *retention, struct bl_why *why);
/* FILLS `why` with the reason that the next file of the log cannot be made. */
bl_err bl_retention_full(const struct bl_retention *retention, bl_err err, struct bl_why *why);
/* Expired files go whatever the hour, now and in the next checks, as RocketMQ does it. */
void bl_retention_delete_now(struct bl_retention *retention);

#endif
