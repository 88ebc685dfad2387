/* Who is in a group, as an answer to 38 said. A thousand clients get the same answer: equal bytes
 * are one list. And the share of each by RocketMQ's AllocateMessageQueueAveragely. */
#ifndef BOLIDE_TESTS_STORM_MEMBERS_H
#define BOLIDE_TESTS_STORM_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bl_storm_members {
  uint32_t holders;
  uint32_t count;
  char *body; /* the answer's bytes */
  size_t body_len;
  char *texts;
  const char **ids; /* sorted as Java's String compares ASCII */
};

/* RETURNS a list that the caller holds. */
struct bl_storm_members *bl_storm_members_take(const char *body, size_t len);
void bl_storm_members_drop(struct bl_storm_members *members); /* accepts NULL */

struct bl_storm_share {
  uint32_t first, count;
};
/* Nothing for who is not in the list. */
struct bl_storm_share bl_storm_members_share(const struct bl_storm_members *members, const char *id,
                                             uint32_t queues);

#endif
