/* The topics that every broker has. Thread: core, at start.
 * Source: apache/rocketmq TopicConfigManager#init; reference protocol.md 6.0. */
#ifndef BOLIDE_BROKER_SYSTEM_TOPICS_H
#define BOLIDE_BROKER_SYSTEM_TOPICS_H

struct bl_broker;

/* Makes those that are missing. They follow from the settings, so the log does not carry them. */
void bl_system_topics_make(struct bl_broker *broker);

#endif
