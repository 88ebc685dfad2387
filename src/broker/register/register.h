/* Registration with name servers of other processes: the topic table to each of them, every period
 * and when it changed; by QUERY_DATA_VERSION first unless forceRegister. A name server that is down
 * is tried again. Thread: core. Source: apache/rocketmq BrokerOuterAPI#registerBrokerAll,
 * #needRegister; reference protocol.md 3.10, G17, G18. */
#ifndef BOLIDE_BROKER_REGISTER_REGISTER_H
#define BOLIDE_BROKER_REGISTER_REGISTER_H

#include "base/buf.h"
#include "base/timer.h"

struct bl_broker;
struct bl_registrar;
struct bl_topic;

/* RETURNS OWNED; starts at once. Name servers come from settings->namesrv_addr. NULL: none is
 * configured. */
struct bl_registrar *bl_registrar_new(struct bl_broker *broker);
/* Takes leave of every name server (one-way) and frees. Accepts NULL. */
void bl_registrar_free(struct bl_registrar *registrar);
/* The topic table changed: registers at the next turn. Accepts NULL. */
void bl_registrar_topics_changed(struct bl_registrar *registrar);

/* The permission that name servers are told: what topic and broker both have, and no writing once
 * the store stopped. Source: BrokerController#registerBrokerAll. */
int32_t bl_registrar_perm(const struct bl_broker *broker, const struct bl_topic *topic);
/* The body of REGISTER_BROKER: the whole topic table. */
void bl_registrar_write_body(const struct bl_broker *broker, struct bl_buf *out);

#endif
