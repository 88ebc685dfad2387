/* Light queues of a message: one record gives entries to several queues (RIP-28). The record names
 * them in INNER_MULTI_DISPATCH and its offsets in them in INNER_MULTI_QUEUE_OFFSET; the entries
 * come from the record (store/entry.h). Thread: core. Source: apache/rocketmq LmqDispatch,
 * HookUtils#handleLmqQuota, LiteUtil. */
#ifndef BOLIDE_BROKER_SEND_LIGHT_H
#define BOLIDE_BROKER_SEND_LIGHT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct bl_broker;
struct bl_queue;
struct bl_topic;

/* Light queues of one message at most. */
#define BL_LIGHT_PER_MESSAGE_MAX 1024
/* Light queues in all, whatever the settings say: half of the queues that there may be. */
#define BL_LIGHT_QUEUES_MAX (1 << 19)

#define BL_PROP_LIGHT_NAMES BL_SLICE("INNER_MULTI_DISPATCH")
#define BL_PROP_LIGHT_OFFSETS BL_SLICE("INNER_MULTI_QUEUE_OFFSET")
/* A message for a light topic (5.5): its light queue is %LMQ%$TOPIC$LIGHT_TOPIC. */
#define BL_PROP_LITE_TOPIC BL_SLICE("__LITE_TOPIC")

/* The light queue, made when missing. BL_ERR_LMQ_FULL: there are as many as there may be. */
BL_MUST_CHECK bl_err bl_light_open(struct bl_broker *broker, struct bl_slice name,
                                   struct bl_queue **out_queue);

/* Before a record of `topic` is appended that names light queues (names: what
 * INNER_MULTI_DISPATCH says; may be empty): puts INNER_MULTI_QUEUE_OFFSET behind its properties,
 * which have no such property yet. Nothing is done for topics whose records are in no light queue,
 * or when it is switched off. BL_ERR_MESSAGE_ILLEGAL, BL_ERR_LMQ_FULL with `why`: nothing changed,
 * and who appends it nevertheless puts it into its own queue alone. */
bl_err bl_light_prepare(struct bl_broker *broker, struct bl_slice topic, struct bl_slice names,
                        struct bl_buf *properties, struct bl_why *why);
/* The same check for a message that is delivered later, from whose stored properties the above is
 * done then. Without room for what delivery adds `properties` fail. BL_ERR_MESSAGE_ILLEGAL with
 * `why`. */
bl_err bl_light_prepare_later(struct bl_broker *broker, struct bl_slice topic,
                              struct bl_slice names, struct bl_buf *properties, struct bl_why *why);
/* The record was appended: its offsets in the light queues are taken. After a bl_light_prepare that
 * did nothing it does nothing. */
void bl_light_take(struct bl_broker *broker);

/* Whether properties that are stored as they came have INNER_MULTI_QUEUE_OFFSET, which only the
 * broker may write. A few nanoseconds. */
bool bl_light_has_offsets(struct bl_slice properties);

/* The name of a light topic's queue at the end of `out`. */
void bl_light_put_lite_name(struct bl_buf *out, struct bl_slice topic, struct bl_slice lite_topic);

#endif
