/* Checks and changes of topics that 17 and 18 share. Source: apache/rocketmq AdminBrokerProcessor.
 */
#ifndef BOLIDE_REQUESTS_TOPIC_TOPIC_CHANGE_H
#define BOLIDE_REQUESTS_TOPIC_TOPIC_CHANGE_H

#include "base/err.h"
#include "broker/topic/topics.h"

struct bl_broker;

/* System topics, also those named after the cluster and the broker: nobody makes or deletes them.
 */
bool bl_topic_is_reserved(const struct bl_broker *broker, struct bl_slice name);

/* Name, system topics, queue numbers and attributes ("+key=value,-key"; absent: none). FILLS
 * change->attributes in the arena. BL_ERR_PARAMETER (29) and BL_ERR_SYSTEM (1), with RocketMQ's
 * remark. */
BL_MUST_CHECK bl_err bl_topic_change_check(struct bl_broker *broker, struct bl_topic_change *change,
                                           struct bl_slice attribute_changes,
                                           struct bl_arena *arena, struct bl_why *why);

#endif
