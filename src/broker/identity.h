/* Who the broker is: its name is fixed at the first start and kept in the store (bolide/identity).
 * Thread: start. */
#ifndef BOLIDE_BROKER_IDENTITY_H
#define BOLIDE_BROKER_IDENTITY_H

#include "base/err.h"

struct bl_broker;

/* FILLS settings->broker_name from the store, or has the pool write the configured one into the
 * store. BL_ERR_USAGE: the configuration says another name than the store. */
BL_MUST_CHECK bl_err bl_identity_load(struct bl_broker *broker, struct bl_why *why);

#endif
