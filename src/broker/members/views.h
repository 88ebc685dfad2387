/* Whether the members of a consumer group want the same: RocketMQ keeps one subscription for a
 * group, the one of the latest heartbeat, so members that disagree lose messages to one another. A
 * view is what some members of a group say alike; a group with several is told of in the log, and
 * who says what in the runtime information. Thread: core. */
#ifndef BOLIDE_BROKER_MEMBERS_VIEWS_H
#define BOLIDE_BROKER_MEMBERS_VIEWS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"

struct bl_heartbeat_consumer;
struct bl_member;
struct bl_member_group;

#define BL_VIEW_TEXT_BYTES 256
/* Of one group; who says something else again is not told apart. */
#define BL_VIEWS_MAX 64

struct bl_view {
  struct bl_list in_group;
  struct bl_list members; /* struct bl_member: in_view */
  uint32_t member_count;
  uint64_t hash;
  char text[BL_VIEW_TEXT_BYTES]; /* "CLUSTERING TopicA=a||b TopicB=*", cut when it is longer */
};

/* What the member said in a heartbeat with subscriptions. */
void bl_views_take(struct bl_member *member, const struct bl_heartbeat_consumer *consumer);
/* The member leaves. Accepts one that never said anything. */
void bl_views_leave(struct bl_member *member);
/* "3 members want CLUSTERING T=a: c1 (127.0.0.1:4), c2 ...; 1 member wants ...". */
void bl_views_describe(const struct bl_member_group *group, struct bl_buf *out);

#endif
