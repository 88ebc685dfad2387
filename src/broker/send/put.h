/* The last steps of all that stores a message for somebody: sends of clients come through
 * broker/send, what the broker itself stores (a retry, a delayed message that is due, a commit)
 * comes here at once. Thread: core. */
#ifndef BOLIDE_BROKER_SEND_PUT_H
#define BOLIDE_BROKER_SEND_PUT_H

#include "base/buf.h"
#include "base/err.h"
#include "broker/delay/delay.h"
#include "wire/record.h"

struct bl_broker;
struct bl_queue;
struct bl_topic;

/* Appends `record` to the queue of its topic, which need not be in the table: whoever makes a topic
 * of that name again finds its messages. `properties` holds the record's properties without those
 * in `ask` (NULL: none), may grow, and is BORROWED by the record until it is appended. When `ask`
 * says so the record goes to a system topic first. The caller set topic, queue_id, sys_flag, flag,
 * times, hosts, body and prepared_offset; the rest is FILLED. Wait for record->log_offset +
 * record->size_bytes. Light queues that are over their limit, or whose offsets have no room in the
 * properties, do without the message.
 * Errors as bl_delay_apply, bl_broker_open_queue and bl_store_append; `why` has a sentence. */
BL_MUST_CHECK bl_err bl_broker_put(struct bl_broker *broker, struct bl_record *record,
                                   struct bl_buf *properties, const struct bl_delay_ask *ask,
                                   struct bl_why *why);

/* The end of it, for a record whose queue is known: appends it at the queue's next offset, takes
 * `count` offsets, and those in the light queues that were prepared (broker/send/light.h), and
 * counts it. topic: of that queue; NULL: not in the table. Nothing changed on errors, which are
 * those of bl_store_append. */
BL_MUST_CHECK bl_err bl_put_append(struct bl_broker *broker, struct bl_topic *topic,
                                   struct bl_queue *queue, uint32_t count,
                                   struct bl_record *record);
/* RETURNS err, of an append or of a queue or topic that could not be made; `why` says what it means
 * to the sender. */
bl_err bl_put_error(struct bl_broker *broker, bl_err err, struct bl_why *why);

/* Whether a property speaks of the one record that it stands in: its checksum, its place in light
 * queues, the timer that it took away, the time at which it is due. Who makes another record of a
 * stored one leaves it out: a copied BOLIDE_TIMER would take a timer away again. */
bool bl_put_is_of_one_record(struct bl_slice name);

#endif
