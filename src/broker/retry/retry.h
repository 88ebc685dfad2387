/* A message that a consumer could not handle comes back: it is stored again for its group, to be
 * given later, or as a dead letter. Thread: core.
 * Source: apache/rocketmq AbstractSendMessageProcessor#consumerSendMsgBack; reference protocol.md
 * 6.3.
 *
 * A caller checks first, then reads the record that came back (bl_record_fetch: it may be cold),
 * then stores. What a group, its topics and its policy are is looked at again when it stores.
 *
 * Files in reading order: retry.c, policy.c. */
#ifndef BOLIDE_BROKER_RETRY_RETRY_H
#define BOLIDE_BROKER_RETRY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "wire/record.h"

struct bl_broker;

struct bl_send_back {
  struct bl_slice group;
  int64_t log_offset;  /* of the record that came back */
  int32_t delay_level; /* 0: as the group's policy says; below 0: it is a dead letter now */
  bool has_max_times;  /* false: the group's retryMaxTimes */
  int32_t max_times;
  bool unit_mode;
};

/* Whether the group may send back: it is there (or made, with its retry topic), and the broker and
 * the topic may be written. *out_ignored: the group keeps no retries (retryQueueNums 0), and the
 * message is not needed. `why` is the remark: BL_ERR_NO_GROUP 26, BL_ERR_NO_PERMISSION 16,
 * BL_ERR_NOT_AVAILABLE and BL_ERR_NO_SPACE 14, BL_ERR_PARAMETER 29 (the group's name is too long
 * for a retry topic), BL_ERR_FULL 1. */
BL_MUST_CHECK bl_err bl_retry_check(struct bl_broker *broker, const struct bl_send_back *back,
                                    bool *out_ignored, struct bl_why *why);

/* Stores `origin`, the record at back->log_offset, again. BORROWS it. *out_end: wait for this mark.
 * Errors as bl_retry_check, and BL_ERR_MESSAGE_ILLEGAL 13 (no room for the properties that a retry
 * has), BL_ERR_SYSTEM 1 (a record that no consumer was given), BL_ERR_BUSY 2 (try again in a
 * turn). */
BL_MUST_CHECK bl_err bl_retry_store(struct bl_broker *broker, const struct bl_send_back *back,
                                    const struct bl_record *origin, int64_t *out_end,
                                    struct bl_why *why);

#endif
