/* The two runs of the program, and what they are told. */
#ifndef BOLIDE_TESTS_STORM_RUN_H
#define BOLIDE_TESTS_STORM_RUN_H

#include "consumer.h"
#include "producer.h"

struct bl_storm_options {
  const char *broker, *broker_name, *topic, *history;
  const char *group, *ordered_group; /* NULL: none */
  uint64_t queues, consumers, rate, seconds, churn_ms, keys, body_bytes, seed, batch;
  uint64_t heartbeat_ms, rebalance_ms, commit_ms, lock_ms, lock_retry_ms, lock_lives_ms;
  uint64_t unowned_ms, drain_seconds, spread_ms;
};

/* Random numbers of a seed (splitmix64). */
struct bl_storm_random {
  uint64_t state;
};
uint64_t bl_storm_random(struct bl_storm_random *random, uint64_t below);

/* An id as Java clients have them, sorted by slot. */
void bl_storm_id(char out[BL_STORM_ID_BYTES], uint32_t slot, uint32_t life);
void bl_storm_world_init(struct bl_storm_world *world, struct bl_storm_loop *loop,
                         const struct bl_storm_options *options);
void bl_storm_group_init(struct bl_storm_group *group, const char *name, uint16_t number,
                         bool ordered, uint32_t queues);
/* Members of the common figures, without braces. */
void bl_storm_tell(const struct bl_storm_world *world);

/* Both print one JSON object and return the exit status: 0, or 1 when the time was not enough. */
int bl_storm_churn(const struct bl_storm_options *options);
int bl_storm_rebalance(const struct bl_storm_options *options);

#endif
