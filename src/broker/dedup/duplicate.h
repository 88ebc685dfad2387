/* Sends that were stored before: in a topic with the attribute dedup.window, a message whose unique
 * key (UNIQ_KEY) a record of the topic has that is no older than the window. Its answer is that of
 * the first; nothing is stored. Keys are found by hash (store/dedup) and compared in the record
 * itself, so two messages are never taken for one.
 *
 * A key goes with its message: when retention or a deletion of the topic took the first, the next
 * is new. Of a batch each message counts by itself; of one that stays one record
 * (queue.type=BatchCQ) the key of the batch. Messages without a key of their sender's are always
 * new.
 *
 * Thread: core. */
#ifndef BOLIDE_BROKER_DEDUP_DUPLICATE_H
#define BOLIDE_BROKER_DEDUP_DUPLICATE_H

#include "base/err.h"
#include "base/timer.h"
#include "broker/send/send.h"
#include "store/dedup/dedup.h"

struct bl_topic;

/* For a topic with a window, before anything is stored. out_sent->duplicate: it was, or every
 * message of the batch was; *out_sent is the answer. Else it is to be sent, of a batch what
 * bl_duplicate_known says is new; out_sent->queue_id is then where the first known one is. FILLS
 * out_sent->look and BL_ERR_COLD: a record must be read, or be durable, first. BL_ERR_SYSTEM:
 * neither will come to be; `why` says what. */
BL_MUST_CHECK bl_err bl_duplicate_find(struct bl_broker *broker, const struct bl_topic *topic,
                                       const struct bl_send *send, struct bl_sent *out_sent,
                                       struct bl_why *why);
/* FILLS where message `index` of the batch is, as the last find knows; false: it is new. */
bool bl_duplicate_known(const struct bl_sends *sends, int32_t index, int64_t *out_log_offset);
/* What was just appended. */
void bl_duplicate_note(struct bl_broker *broker, const struct bl_topic *topic,
                       const struct bl_send *send, const struct bl_sent *sent);

/* What the follower asks of the topics. context: struct bl_broker. */
int64_t bl_duplicate_window_ms(void *context, struct bl_slice topic);

/* Gives memory back now and then, while there are keys. */
struct bl_duplicates {
  struct bl_timer timer;
  struct bl_broker *broker;
  int64_t count; /* sends, and messages of batches, that were stored before */
};
void bl_duplicates_init(struct bl_broker *broker);
void bl_duplicates_fini(struct bl_broker *broker);

#endif
