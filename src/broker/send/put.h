/* The last step of all that stores a message for somebody: sends of clients come through
 * broker/send, what the broker itself stores (a retry, a delayed message that is due, a commit)
 * comes here at once. Thread: core. */
#ifndef BOLIDE_BROKER_SEND_PUT_H
#define BOLIDE_BROKER_SEND_PUT_H

#include "base/buf.h"
#include "base/err.h"
#include "broker/delay/delay.h"
#include "wire/record.h"

struct bl_broker;

/* Appends `record` to the queue of its topic, which need not be in the table: whoever makes a topic
 * of that name again finds its messages. `properties` holds the record's properties without those
 * in `ask` (NULL: none), may grow, and is BORROWED by the record until it is appended. When `ask`
 * says so the record goes to a system topic first. The caller set topic, queue_id, sys_flag, flag,
 * times, hosts, body and prepared_offset; the rest is FILLED. Wait for record->log_offset +
 * record->size_bytes. Light queues that are over their limit do without the message.
 * Errors as bl_delay_apply, bl_broker_open_queue and bl_store_append; `why` has a sentence. */
BL_MUST_CHECK bl_err bl_broker_put(struct bl_broker *broker, struct bl_record *record,
                                   struct bl_buf *properties, const struct bl_delay_ask *ask,
                                   struct bl_why *why);

#endif
