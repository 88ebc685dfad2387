/* Sends numbered messages at a rate. Each key has one queue and one message under way: the next is
 * sent after the answer, so their order is known. */
#ifndef BOLIDE_TESTS_STORM_PRODUCER_H
#define BOLIDE_TESTS_STORM_PRODUCER_H

#include "consumer.h"

#define BL_STORM_PRODUCER_LINKS 4

struct bl_storm_producer {
  struct bl_storm_world *world;
  struct bl_storm_link links[BL_STORM_PRODUCER_LINKS];
  uint32_t *free_keys; /* a ring */
  uint32_t key_count, free_from, free_count;
  uint32_t body_bytes;
  char *body;
  double per_us;
  int64_t start_us;
  uint64_t made, acked, refused, unknown;
  int64_t *ends; /* of each queue: behind the last acked */
  int64_t slowest_us;
};

void bl_storm_producer_init(struct bl_storm_producer *producer, struct bl_storm_world *world,
                            uint32_t keys, uint32_t body_bytes, uint32_t rate);
void bl_storm_producer_fini(struct bl_storm_producer *producer);
void bl_storm_producer_start(struct bl_storm_producer *producer, int64_t now_us);
/* Sends what is due, as far as keys are free. */
void bl_storm_producer_pump(struct bl_storm_producer *producer, int64_t now_us);
static inline uint64_t bl_storm_producer_open(const struct bl_storm_producer *producer) {
  return producer->made - producer->acked - producer->refused - producer->unknown;
}
/* What had no answer by now is of unknown fate. */
void bl_storm_producer_give_up(struct bl_storm_producer *producer);

#endif
