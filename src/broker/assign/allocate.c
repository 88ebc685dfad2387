#include "broker/assign/allocate.h"

#include <stdio.h>

#include "base/assert.h"
#include "broker/assign/ring.h"

#define KEY_BYTES 768

bool bl_strategy_of(struct bl_slice name, enum bl_strategy *out_strategy) {
  static const char *const names[] = {"AVG", "AVG_BY_CIRCLE", "CONSISTENT_HASH"};
  for (int i = 0; i < 3; i++) {
    if (!bl_slice_is(name, names[i])) continue;
    *out_strategy = (enum bl_strategy)i;
    return true;
  }
  return false;
}

uint32_t bl_topic_parts_queues(const struct bl_topic_parts *parts) {
  uint32_t queues = 0;
  for (uint32_t i = 0; i < parts->count; i++) queues += (uint32_t)parts->parts[i].queues;
  return queues;
}

/* Which of [0, queues) are the member's. */
struct share {
  uint32_t first;
  uint32_t end;
  uint32_t stride;
};

static struct share share_of(enum bl_strategy strategy, uint32_t queues, uint32_t members,
                             uint32_t member) {
  if (strategy == BL_STRATEGY_AVG_BY_CIRCLE) return (struct share){member, queues, members};
  uint32_t each = queues / members;
  uint32_t with_one_more = queues % members; /* the first members of the list */
  uint32_t before = member < with_one_more ? member : with_one_more;
  uint32_t first = member * each + before;
  return (struct share){first, first + each + (member < with_one_more ? 1 : 0), 1};
}

/* MessageQueue#toString is what is hashed. */
static bool owns(struct bl_ring *ring, uint32_t member, struct bl_slice topic,
                 struct bl_slice broker, int32_t queue_id) {
  char key[KEY_BYTES];
  int len = snprintf(key, sizeof(key), "MessageQueue [topic=%.*s, brokerName=%.*s, queueId=%d]",
                     BL_FMT(topic), BL_FMT(broker), queue_id);
  BL_ASSERT(len > 0 && (size_t)len < sizeof(key));
  return bl_ring_owner(ring, bl_slice_of(key, (size_t)len)) == member;
}

void bl_allocate(enum bl_strategy strategy, struct bl_ring *ring, uint32_t member,
                 const struct bl_topic_parts *parts, bl_take_queue take, void *context) {
  struct share share = share_of(strategy, bl_topic_parts_queues(parts), ring->id_count, member);
  uint32_t at = 0;
  for (uint32_t i = 0; i < parts->count; i++) {
    const struct bl_topic_part *part = &parts->parts[i];
    for (int32_t id = 0; id < part->queues; id++, at++) {
      bool mine =
          strategy == BL_STRATEGY_CONSISTENT_HASH
              ? owns(ring, member, parts->topic, part->broker, id)
              : at >= share.first && at < share.end && (at - share.first) % share.stride == 0;
      if (mine) take(context, part->broker, id);
    }
  }
}

void bl_allocate_all(const struct bl_topic_parts *parts, bl_take_queue take, void *context) {
  for (uint32_t i = 0; i < parts->count; i++) {
    const struct bl_topic_part *part = &parts->parts[i];
    for (int32_t id = 0; id < part->queues; id++) take(context, part->broker, id);
  }
}
