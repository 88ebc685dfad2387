#include <stdio.h>
#include <stdlib.h>

#include "run.h"

#define TICK_US 5000

struct run {
  const struct bl_storm_options *options;
  struct bl_storm_loop loop;
  struct bl_storm_world world;
  struct bl_storm_group group;
  struct bl_storm_consumer *consumers;
  uint32_t count, lives;
  bool timely;
};

/* Each queue has one owner, and all who are there know the same members: themselves. */
static bool is_settled(const struct run *run) {
  const struct bl_storm_members *members = NULL;
  uint32_t on = 0;
  if (run->group.single != run->world.queue_count) return false;
  for (uint32_t i = 0; i < run->count; i++) {
    const struct bl_storm_consumer *consumer = &run->consumers[i];
    if (consumer->state == BL_STORM_LEAVING) return false;
    if (consumer->state != BL_STORM_ON) continue;
    if (members == NULL) members = consumer->members;
    if (consumer->members == NULL || consumer->members != members) return false;
    on++;
  }
  return members != NULL && members->count == on;
}

static void turn(struct run *run) {
  bl_storm_loop_turn(&run->loop, bl_storm_now_us() + TICK_US);
  int64_t now_us = bl_storm_now_us();
  for (uint32_t i = 0; i < run->count; i++) bl_storm_consumer_tick(&run->consumers[i], now_us);
}

/* Prints how long it took from `since_us`. */
static void settle(struct run *run, const char *name, int64_t since_us) {
  int64_t until_us = bl_storm_now_us() + (int64_t)run->options->drain_seconds * 1000000;
  while (!is_settled(run) && bl_storm_now_us() < until_us) turn(run);
  bool settled = is_settled(run);
  int64_t took_us = bl_storm_now_us() - since_us;
  if (!settled) run->timely = false;
  printf("\"%s_ms\":%.1f,", name, settled ? (double)took_us / 1000 : -1.0);
  fflush(stdout);
  /* What one step left behind (a notice that waits) is not the next one's. */
  int64_t quiet_us = bl_storm_now_us() + 1500000;
  while (bl_storm_now_us() < quiet_us) turn(run);
  if (!is_settled(run)) {
    run->timely = false;
    fprintf(stderr, "storm: %s did not stay settled\n", name);
  }
}

static void join(struct run *run, uint32_t slot) {
  char id[BL_STORM_ID_BYTES];
  bl_storm_id(id, slot, run->lives);
  bl_storm_consumer_join(&run->consumers[slot], id, run->lives++);
}

/* All join, within --spread-ms. */
static void join_all(struct run *run) {
  int64_t start_us = bl_storm_now_us();
  for (uint32_t i = 0; i < run->count; i++) {
    int64_t at_us = start_us + (int64_t)(run->options->spread_ms * 1000 * i / run->count);
    while (bl_storm_now_us() < at_us) turn(run);
    join(run, i);
    if (i % 16 == 0) turn(run);
  }
  settle(run, "all_join", run->consumers[run->count - 1].joined_us);
}

static void steps(struct run *run) {
  uint32_t middle = run->count / 2, tenth = run->count / 10;
  join_all(run);
  int64_t now_us = bl_storm_now_us();
  bl_storm_consumer_leave(&run->consumers[middle]);
  settle(run, "one_leaves", now_us);
  join(run, middle);
  settle(run, "one_joins", run->consumers[middle].joined_us);
  now_us = bl_storm_now_us();
  for (uint32_t i = 0; i < tenth; i++) bl_storm_consumer_close(&run->consumers[i * 10]);
  settle(run, "tenth_closes", now_us);
  for (uint32_t i = 0; i < tenth; i++) join(run, i * 10);
  settle(run, "tenth_joins", bl_storm_now_us());
}

int bl_storm_rebalance(const struct bl_storm_options *options) {
  struct run *run = calloc(1, sizeof(*run));
  if (run == NULL) bl_storm_die("no memory");
  run->options = options;
  run->count = (uint32_t)options->consumers;
  run->timely = true;
  bl_storm_world_init(&run->world, &run->loop, options);
  bl_storm_group_init(&run->group,
                      options->ordered_group != NULL ? options->ordered_group : options->group, 0,
                      options->ordered_group != NULL, run->world.queue_count);
  if (run->group.name == NULL) bl_storm_die("--group or --ordered-group is missing");
  run->consumers = calloc(run->count, sizeof(*run->consumers));
  if (run->consumers == NULL) bl_storm_die("no memory");
  for (uint32_t i = 0; i < run->count; i++)
    bl_storm_consumer_init(&run->consumers[i], &run->world, &run->group);
  printf("{");
  steps(run);
  bl_storm_tell(&run->world);
  printf("}\n");
  for (uint32_t i = 0; i < run->count; i++) bl_storm_consumer_fini(&run->consumers[i]);
  free(run->group.owners);
  free(run->consumers);
  bool timely = run->timely;
  free(run);
  return timely ? 0 : 1;
}
