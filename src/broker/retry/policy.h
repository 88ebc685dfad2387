/* How long a group waits before a message that failed is given again: groupRetryPolicy of a
 * subscription group, or the delay levels. Pure.
 * Source: apache/rocketmq remoting GroupRetryPolicy, CustomizedRetryPolicy, ExponentialRetryPolicy.
 */
#ifndef BOLIDE_BROKER_RETRY_POLICY_H
#define BOLIDE_BROKER_RETRY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* The first retry is this delay level. */
#define BL_RETRY_LEVEL_FIRST 3

/* `policy`: the JSON of groupRetryPolicy, or absent. Whether it says anything of its own; a group
 * that nobody changed has {"type":"CUSTOMIZED"}. */
bool bl_retry_policy_is_set(struct bl_slice policy);

/* Milliseconds until the message is given again when it failed `times` times before; never
 * negative. Without a policy of its own: RocketMQ's delay levels from the third on, as they are by
 * default. */
int64_t bl_retry_policy_delay_ms(struct bl_slice policy, int32_t times);

#endif
