/* Pieces of JSON that several answers share. Source: apache/rocketmq MessageQueue,
 * SubscriptionData, Connection. */
#ifndef BOLIDE_REQUESTS_JSON_PARTS_H
#define BOLIDE_REQUESTS_JSON_PARTS_H

#include <stdint.h>

#include "base/json.h"
#include "broker/members/members.h"

/* {"brokerName":..,"queueId":..,"topic":..} as the key of a member. */
void bl_json_key_queue(struct bl_json_writer *w, struct bl_slice broker_name, struct bl_slice topic,
                       int32_t queue_id);
/* The same as a value. */
void bl_json_put_queue(struct bl_json_writer *w, struct bl_slice broker_name, struct bl_slice topic,
                       int32_t queue_id);
void bl_json_put_subscription(struct bl_json_writer *w, const struct bl_subscription *subscription);
/* Connections of some members from the `position`th on, some a step: false at the end. Members that
 * leave meanwhile may hide one that follows them. */
bool bl_json_put_connections(struct bl_json_writer *w, const struct bl_member_group *group,
                             uint32_t *position);

/* The same as ProducerInfo. */
bool bl_json_put_producers(struct bl_json_writer *w, const struct bl_member_group *group,
                           uint32_t *position);

/* Calls `visit` for some members from the `position`th on, as above. */
bool bl_members_step(const struct bl_member_group *group, uint32_t *position,
                     void (*visit)(struct bl_json_writer *w, const struct bl_client *client),
                     struct bl_json_writer *w);

#endif
