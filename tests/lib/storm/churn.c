#include <stdio.h>
#include <stdlib.h>

#include "run.h"

#define TICK_US 2000

struct churn {
  const struct bl_storm_options *options;
  struct bl_storm_loop loop;
  struct bl_storm_world world;
  struct bl_storm_group groups[2];
  uint32_t group_count;
  struct bl_storm_consumer *consumers;
  struct bl_storm_producer producer;
  struct bl_storm_random random;
  uint32_t lives;    /* so far: the number of the next one in the history */
  uint32_t *life_of; /* by slot: of its id */
  uint64_t joins, leaves, closes, mutes;
};

static void join(struct churn *churn, uint32_t slot) {
  char id[BL_STORM_ID_BYTES];
  /* Back under the same name, or as somebody new. */
  if (bl_storm_random(&churn->random, 2) == 0) churn->life_of[slot] = churn->lives;
  bl_storm_id(id, slot, churn->life_of[slot]);
  bl_storm_consumer_join(&churn->consumers[slot], id, churn->lives++);
  churn->joins++;
}

static uint32_t count_on(const struct churn *churn, const struct bl_storm_group *group) {
  uint32_t on = 0;
  for (uint32_t i = 0; i < churn->options->consumers; i++) {
    const struct bl_storm_consumer *consumer = &churn->consumers[i];
    on += consumer->group == group && consumer->state == BL_STORM_ON;
  }
  return on;
}

/* One joins or leaves. A quarter of a group stays. */
static void stir(struct churn *churn) {
  uint32_t slot = (uint32_t)bl_storm_random(&churn->random, churn->options->consumers);
  struct bl_storm_consumer *consumer = &churn->consumers[slot];
  uint64_t how = bl_storm_random(&churn->random, 100);
  if (consumer->state == BL_STORM_OFF) {
    join(churn, slot);
    return;
  }
  uint64_t least = churn->options->consumers / churn->group_count / 4;
  if (consumer->state != BL_STORM_ON || count_on(churn, consumer->group) <= least) return;
  if (how < 40) {
    churn->leaves++;
    bl_storm_consumer_leave(consumer);
  } else if (how < 75) {
    churn->closes++;
    bl_storm_consumer_close(consumer);
  } else {
    churn->mutes++;
    bl_storm_consumer_mute(consumer);
  }
}

/* Everything that was acked has been asked for by the owner of its queue. */
static bool is_drained(const struct churn *churn, const struct bl_storm_group *group) {
  uint32_t queues = churn->world.queue_count, done = 0;
  if (group->single != queues) return false;
  for (uint32_t i = 0; i < churn->options->consumers; i++) {
    const struct bl_storm_consumer *consumer = &churn->consumers[i];
    if (consumer->group != group || consumer->state != BL_STORM_ON) continue;
    for (uint32_t k = 0; k < consumer->mine_count; k++) {
      const struct bl_storm_queue *q = &consumer->queues[consumer->mine[k]];
      done +=
          q->phase == BL_STORM_PULL && q->next_offset >= churn->producer.ends[consumer->mine[k]];
    }
  }
  return done == queues;
}

static void turn(struct churn *churn) {
  int64_t now_us = bl_storm_now_us();
  bl_storm_loop_turn(&churn->loop, now_us + TICK_US);
  now_us = bl_storm_now_us();
  for (uint32_t i = 0; i < churn->options->consumers; i++)
    bl_storm_consumer_tick(&churn->consumers[i], now_us);
}

static void load(struct churn *churn) {
  int64_t start_us = bl_storm_now_us(), now_us = start_us;
  int64_t end_us = start_us + (int64_t)churn->options->seconds * 1000000;
  int64_t stir_us = start_us + 1000000;
  bl_storm_producer_start(&churn->producer, start_us);
  for (; now_us < end_us; now_us = bl_storm_now_us()) {
    bl_storm_producer_pump(&churn->producer, now_us);
    if (churn->options->churn_ms > 0 && now_us >= stir_us) {
      stir(churn);
      stir_us =
          now_us + (int64_t)(bl_storm_random(&churn->random, 2000) * churn->options->churn_ms);
    }
    turn(churn);
  }
}

/* RETURNS whether both groups got to the end in time. */
static bool drain(struct churn *churn, int64_t until_us) {
  while (bl_storm_now_us() < until_us) {
    turn(churn);
    bool done = bl_storm_producer_open(&churn->producer) == 0;
    for (uint32_t g = 0; g < churn->group_count; g++)
      done = done && is_drained(churn, &churn->groups[g]);
    if (done) return true;
  }
  return false;
}

static void promise(struct churn *churn, int64_t begin_us, int64_t end_us) {
  for (uint32_t g = 0; g < churn->group_count; g++) {
    uint8_t flags = BL_HIST_DRAINED | (churn->groups[g].ordered ? BL_HIST_ORDERED : 0);
    if (churn->world.history == NULL) continue;
    bl_hist_put(churn->world.history,
                &(struct bl_hist_record){.kind = BL_HIST_GROUP,
                                         .result = flags,
                                         .group = churn->groups[g].number,
                                         .key = churn->world.queue_count,
                                         .begin_us = begin_us,
                                         .end_us = end_us,
                                         .due_us = (int64_t)churn->options->unowned_ms * 1000});
  }
}

static void tell(const struct churn *churn, bool drained, int64_t drain_us) {
  const struct bl_storm_producer *producer = &churn->producer;
  printf("{\"sent\":%llu,\"acked\":%llu,\"refused\":%llu,\"unknown\":%llu,\"slowest_ack_ms\":%.1f,",
         (unsigned long long)producer->made, (unsigned long long)producer->acked,
         (unsigned long long)producer->refused, (unsigned long long)producer->unknown,
         (double)producer->slowest_us / 1000);
  printf("\"joins\":%llu,\"leaves\":%llu,\"closes\":%llu,\"mutes\":%llu,\"mutes_open\":%llu,",
         (unsigned long long)churn->joins, (unsigned long long)churn->leaves,
         (unsigned long long)churn->closes, (unsigned long long)churn->mutes,
         (unsigned long long)churn->world.mutes_open);
  printf("\"drained\":%s,\"drain_ms\":%.1f,\"delivered\":[", drained ? "true" : "false",
         (double)drain_us / 1000);
  for (uint32_t g = 0; g < churn->group_count; g++)
    printf("%s%llu", g == 0 ? "" : ",", (unsigned long long)churn->groups[g].delivered);
  printf("],");
  bl_storm_tell(&churn->world);
  printf("}\n");
}

static void init(struct churn *churn, const struct bl_storm_options *options) {
  churn->options = options;
  churn->random.state = options->seed;
  bl_storm_world_init(&churn->world, &churn->loop, options);
  if (options->group != NULL) {
    bl_storm_group_init(&churn->groups[churn->group_count], options->group,
                        (uint16_t)churn->group_count, false, churn->world.queue_count);
    churn->group_count++;
  }
  if (options->ordered_group != NULL) {
    bl_storm_group_init(&churn->groups[churn->group_count], options->ordered_group,
                        (uint16_t)churn->group_count, true, churn->world.queue_count);
    churn->group_count++;
  }
  if (churn->group_count == 0) bl_storm_die("--group or --ordered-group is missing");
  churn->consumers = calloc(options->consumers, sizeof(*churn->consumers));
  churn->life_of = calloc(options->consumers, sizeof(*churn->life_of));
  if (churn->consumers == NULL || churn->life_of == NULL) bl_storm_die("no memory");
  for (uint32_t i = 0; i < options->consumers; i++)
    bl_storm_consumer_init(&churn->consumers[i], &churn->world,
                           &churn->groups[i % churn->group_count]);
  bl_storm_producer_init(&churn->producer, &churn->world, (uint32_t)options->keys,
                         (uint32_t)options->body_bytes, (uint32_t)options->rate);
}

static void fini(struct churn *churn) {
  bl_storm_producer_fini(&churn->producer);
  for (uint32_t i = 0; i < churn->options->consumers; i++)
    bl_storm_consumer_fini(&churn->consumers[i]);
  for (uint32_t g = 0; g < churn->group_count; g++) free(churn->groups[g].owners);
  free(churn->consumers);
  free(churn->life_of);
}

int bl_storm_churn(const struct bl_storm_options *options) {
  struct churn *churn = calloc(1, sizeof(*churn));
  if (churn == NULL) bl_storm_die("no memory");
  init(churn, options);
  int64_t begin_us = bl_storm_now_us();
  for (uint32_t i = 0; i < options->consumers; i++) join(churn, i);
  load(churn);
  int64_t drain_us = bl_storm_now_us();
  bool drained = drain(churn, drain_us + (int64_t)options->drain_seconds * 1000000);
  int64_t end_us = bl_storm_now_us();
  bl_storm_producer_give_up(&churn->producer);
  for (uint32_t i = 0; i < options->consumers; i++)
    if (churn->consumers[i].state == BL_STORM_ON) bl_storm_consumer_close(&churn->consumers[i]);
  promise(churn, begin_us, end_us);
  if (churn->world.history != NULL && !bl_hist_close(churn->world.history))
    bl_storm_die("the history is not written whole");
  tell(churn, drained, end_us - drain_us);
  fini(churn);
  free(churn);
  return drained ? 0 : 1;
}
