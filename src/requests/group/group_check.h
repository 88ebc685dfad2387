/* Group names as the broker checks them. Source: apache/rocketmq TopicValidator#validateGroup. */
#ifndef BOLIDE_REQUESTS_GROUP_GROUP_CHECK_H
#define BOLIDE_REQUESTS_GROUP_GROUP_CHECK_H

#include "base/err.h"
#include "base/slice.h"

/* BL_ERR_PARAMETER with RocketMQ's remark. */
BL_MUST_CHECK bl_err bl_group_name_validate(struct bl_slice name, struct bl_why *why);

#endif
