/* What a consumer group wants of a topic. Thread: core.
 * Source: apache/rocketmq FilterAPI#build, SubscriptionData; reference protocol.md 6.10. */
#ifndef BOLIDE_BROKER_MEMBERS_SUBSCRIPTION_H
#define BOLIDE_BROKER_MEMBERS_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "broker/filter/cache.h"

#define BL_SUBSCRIPTION_TAGS_MAX 1024
#define BL_SUBSCRIPTION_BYTES_MAX 65536

struct bl_subscription {
  struct bl_slice topic;           /* HELD */
  struct bl_slice expression;      /* HELD: subString as the client sent it */
  struct bl_slice expression_type; /* HELD: "TAG", "SQL92" */
  int64_t version;
  uint32_t round; /* of the group's update that named it last */
  bool is_tag;
  bool all;              /* every message */
  int32_t *codes;        /* Java hashes of the tags, sorted */
  struct bl_slice *tags; /* HELD texts */
  uint32_t tag_count;
  struct bl_filter *filter; /* a reference; NULL: of tags, or not compiled (yet) */
  bool refused;             /* it cannot be compiled */
};

/* RETURNS OWNED copy of everything. type absent or empty: TAG. BL_ERR_SUBSCRIPTION_PARSE: nothing
 * but bars, or over the limits. Another type than TAG is kept as it is, to be compiled. */
BL_MUST_CHECK bl_err bl_subscription_new(struct bl_slice topic, struct bl_slice expression,
                                         struct bl_slice type, int64_t version,
                                         struct bl_subscription **out_subscription);
void bl_subscription_free(struct bl_subscription *subscription);

/* FILLS subscription->filter when it is no tag subscription and was not compiled before: by the
 * first who needs it, because a heartbeat may bring thousands. BL_ERR_SUBSCRIPTION_PARSE: it cannot
 * be; `why` (may be NULL) says where and what was expected. */
BL_MUST_CHECK bl_err bl_subscription_compile(struct bl_subscription *subscription,
                                             struct bl_filter_cache *cache, struct bl_why *why);
bool bl_subscription_is_tag(const struct bl_subscription *subscription);
/* By hash of the tag alone; the client compares the texts. true for other types: what they look at
 * is in the record. */
bool bl_subscription_matches(const struct bl_subscription *subscription, int64_t tags_code);

#endif
