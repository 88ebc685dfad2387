/* What the files of sending share; nobody else includes it.
 *
 *   send.c        one message, from the checks to the answer
 *   check.c       whether the topic, the queue and the sizes may be
 *   properties.c  the sender's properties, and what they ask for
 *   batch.c       several messages in one body
 *   light.c       light queues
 *   put.c         the last steps of all that is stored for somebody */
#ifndef BOLIDE_BROKER_SEND_SEND_INTERNAL_H
#define BOLIDE_BROKER_SEND_SEND_INTERNAL_H

#include "broker/delay/delay.h"
#include "broker/send/send.h"
#include "broker/ttl/ttl.h"

struct bl_queue;
struct bl_topic;

/* What the properties of a message ask of the broker. BORROWED from them. */
struct bl_send_wishes {
  struct bl_slice uniq_key;
  struct bl_slice keys;
  struct bl_slice light_names;
  struct bl_slice lite_topic;
  struct bl_delay_ask delay;
  struct bl_ttl_ask ttl;
  bool no_wait;
  bool transaction;
  bool inner;
};

/* properties.c */
/* Appends the sender's properties without those that are the broker's own to set, and without those
 * that are put when it is known what becomes of them (delay, end, light queues). FILLS the wishes.
 */
void bl_send__copy_properties(struct bl_buf *out, struct bl_slice properties,
                              struct bl_send_wishes *wishes);
/* What the broker says of itself in each message. */
void bl_send__put_broker_properties(struct bl_broker *broker, struct bl_buf *out);

/* check.c: errors as bl_broker_send; `why` is the remark */
#define BL_SEND_FAQ "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
bl_err bl_send__check_topic(struct bl_broker *broker, const struct bl_send *send,
                            struct bl_topic **out_topic, struct bl_why *why);
bl_err bl_send__check_sizes(struct bl_broker *broker, const struct bl_send *send,
                            struct bl_why *why);
bl_err bl_send__check_wishes(struct bl_broker *broker, const struct bl_topic *topic,
                             const struct bl_send_wishes *wishes, struct bl_why *why);
bl_err bl_send__choose_queue(struct bl_broker *broker, const struct bl_send *send,
                             const struct bl_topic *topic, int32_t *out_queue_id,
                             struct bl_why *why);
bl_err bl_send__too_large(struct bl_broker *broker, struct bl_why *why);

/* send.c */
/* The common part of every record of a send. */
void bl_send__start_record(struct bl_broker *broker, const struct bl_send *send,
                           const struct bl_topic *topic, int32_t queue_id,
                           struct bl_record *record);
/* `record` was appended. */
void bl_send__count(const struct bl_record *record, struct bl_sent *sent);

/* batch.c */
bl_err bl_send__batch(struct bl_broker *broker, const struct bl_send *send, struct bl_topic *topic,
                      struct bl_queue *queue, struct bl_sent *sent, struct bl_why *why);

#endif
