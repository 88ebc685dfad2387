/* What a consumer group wants of a topic. Thread: core.
 * Source: apache/rocketmq FilterAPI#build, SubscriptionData; reference protocol.md 6.10. */
#ifndef BOLIDE_BROKER_MEMBERS_SUBSCRIPTION_H
#define BOLIDE_BROKER_MEMBERS_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

#define BL_SUBSCRIPTION_TAGS_MAX 1024
#define BL_SUBSCRIPTION_BYTES_MAX 65536

struct bl_subscription {
  struct bl_slice topic;           /* HELD */
  struct bl_slice expression;      /* HELD: subString as the client sent it */
  struct bl_slice expression_type; /* HELD: "TAG", "SQL92" */
  int64_t version;
  uint32_t round;        /* of the group's update that named it last */
  bool all;              /* every message */
  int32_t *codes;        /* Java hashes of the tags, sorted */
  struct bl_slice *tags; /* HELD texts */
  uint32_t tag_count;
};

/* RETURNS OWNED copy of everything. type absent or empty: TAG. BL_ERR_SUBSCRIPTION_PARSE: no tag
 * between the bars, or over the limits. */
BL_MUST_CHECK bl_err bl_subscription_new(struct bl_slice topic, struct bl_slice expression,
                                         struct bl_slice type, int64_t version,
                                         struct bl_subscription **out_subscription);
void bl_subscription_free(struct bl_subscription *subscription);

bool bl_subscription_is_tag(const struct bl_subscription *subscription);
/* By hash alone; the client compares the texts. */
bool bl_subscription_matches(const struct bl_subscription *subscription, int64_t tags_code);

#endif
