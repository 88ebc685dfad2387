/* A request that the broker passes on to a consumer, whose answer it gives back.
 * Source: apache/rocketmq AdminBrokerProcessor#callConsumer. */
#ifndef BOLIDE_REQUESTS_RELAY_H
#define BOLIDE_REQUESTS_RELAY_H

#include "remoting/remoting.h"

struct bl_broker;

/* Sends `outgoing` to the member and answers the ticket with what it answers, or with code 1 (not
 * online, too old, gone) or 207 (10 seconds are over). BORROWS for the call. */
void bl_relay_to_consumer(struct bl_broker *broker, const struct bl_ticket *ticket,
                          struct bl_slice group, struct bl_slice client_id,
                          const struct bl_outgoing *outgoing);

#endif
