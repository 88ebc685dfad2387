/* storm churn|rebalance --broker IPV4:PORT --topic T --queues N --group G ...
 *
 * churn: consumers of two groups, one of them ordered, join and leave while messages come at a
 * rate; what happened is written to --history. rebalance: many consumers join one group; how long
 * it takes until each queue has one owner and all know the same members. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

uint64_t bl_storm_random(struct bl_storm_random *random, uint64_t below) {
  uint64_t z = random->state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (z ^ z >> 31) % below;
}

void bl_storm_id(char out[BL_STORM_ID_BYTES], uint32_t slot, uint32_t life) {
  snprintf(out, BL_STORM_ID_BYTES, "127.0.0.1@%05u#%012u", slot, life);
}

void bl_storm_world_init(struct bl_storm_world *world, struct bl_storm_loop *loop,
                         const struct bl_storm_options *options) {
  memset(world, 0, sizeof(*world));
  bl_storm_loop_init(loop, options->broker);
  world->loop = loop;
  world->topic = options->topic;
  world->broker_name = options->broker_name;
  world->queue_count = (uint32_t)options->queues;
  world->batch = (uint32_t)options->batch;
  world->mark = 0x5354524d00000000u + options->seed;
  world->times = (struct bl_storm_times){.heartbeat_us = (int64_t)options->heartbeat_ms * 1000,
                                         .rebalance_us = (int64_t)options->rebalance_ms * 1000,
                                         .commit_us = (int64_t)options->commit_ms * 1000,
                                         .lock_us = (int64_t)options->lock_ms * 1000,
                                         .lock_retry_us = (int64_t)options->lock_retry_ms * 1000,
                                         .lock_lives_us = (int64_t)options->lock_lives_ms * 1000,
                                         .suspend_ms = 15000};
  if (options->history == NULL) return;
  world->history = bl_hist_open(options->history);
  if (world->history == NULL) bl_storm_die("%s cannot be made", options->history);
}

void bl_storm_group_init(struct bl_storm_group *group, const char *name, uint16_t number,
                         bool ordered, uint32_t queues) {
  *group = (struct bl_storm_group){.name = name, .number = number, .ordered = ordered};
  group->owners = calloc(queues, sizeof(*group->owners));
  if (group->owners == NULL) bl_storm_die("no memory");
}

void bl_storm_tell(const struct bl_storm_world *world) {
  bool first = true;
  printf(
      "\"notices\":%llu,\"asked_members\":%llu,\"locks_refused\":%llu,\"locks_lost\":%llu,"
      "\"bytes_in\":%llu,\"anomalies\":%llu,\"codes\":{",
      (unsigned long long)world->notices, (unsigned long long)world->asked_members,
      (unsigned long long)world->locks_refused, (unsigned long long)world->locks_lost,
      (unsigned long long)world->loop->bytes_in, (unsigned long long)world->anomalies);
  for (int code = 0; code < BL_STORM_CODES; code++) {
    if (world->codes[code] == 0) continue;
    printf("%s\"%d\":%llu", first ? "" : ",", code, (unsigned long long)world->codes[code]);
    first = false;
  }
  printf("}");
}

struct option {
  const char *name;
  const char **text;
  uint64_t *number;
};

static void read_options(int argc, char **argv, struct bl_storm_options *o) {
  const struct option options[] = {
      {"--broker", &o->broker, NULL},
      {"--broker-name", &o->broker_name, NULL},
      {"--topic", &o->topic, NULL},
      {"--history", &o->history, NULL},
      {"--group", &o->group, NULL},
      {"--ordered-group", &o->ordered_group, NULL},
      {"--queues", NULL, &o->queues},
      {"--consumers", NULL, &o->consumers},
      {"--rate", NULL, &o->rate},
      {"--seconds", NULL, &o->seconds},
      {"--churn-ms", NULL, &o->churn_ms},
      {"--keys", NULL, &o->keys},
      {"--body-bytes", NULL, &o->body_bytes},
      {"--batch", NULL, &o->batch},
      {"--seed", NULL, &o->seed},
      {"--heartbeat-ms", NULL, &o->heartbeat_ms},
      {"--rebalance-ms", NULL, &o->rebalance_ms},
      {"--commit-ms", NULL, &o->commit_ms},
      {"--lock-ms", NULL, &o->lock_ms},
      {"--lock-retry-ms", NULL, &o->lock_retry_ms},
      {"--lock-lives-ms", NULL, &o->lock_lives_ms},
      {"--unowned-ms", NULL, &o->unowned_ms},
      {"--drain-seconds", NULL, &o->drain_seconds},
      {"--spread-ms", NULL, &o->spread_ms},
  };
  for (int i = 2; i < argc; i += 2) {
    const struct option *found = NULL;
    for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++)
      if (strcmp(argv[i], options[k].name) == 0) found = &options[k];
    if (found == NULL || i + 1 == argc) bl_storm_die("%s: no such option, or no value", argv[i]);
    if (found->text != NULL) {
      *found->text = argv[i + 1];
      continue;
    }
    char *end;
    errno = 0;
    *found->number = strtoull(argv[i + 1], &end, 10);
    if (*end != '\0' || errno != 0) bl_storm_die("%s: %s is no number", argv[i], argv[i + 1]);
  }
}

int main(int argc, char **argv) {
  struct bl_storm_options options = {.broker_name = "broker-a",
                                     .topic = "Storm",
                                     .queues = 32,
                                     .consumers = 40,
                                     .rate = 1000,
                                     .seconds = 10,
                                     .churn_ms = 250,
                                     .keys = 512,
                                     .body_bytes = 100,
                                     .batch = 32,
                                     .heartbeat_ms = 1000,
                                     .rebalance_ms = 20000,
                                     .commit_ms = 2000,
                                     .lock_ms = 2000,
                                     .lock_retry_ms = 500,
                                     .lock_lives_ms = 30000,
                                     .unowned_ms = 20000,
                                     .drain_seconds = 60};
  signal(SIGPIPE, SIG_IGN);
  if (argc < 2) bl_storm_die("churn or rebalance?");
  read_options(argc, argv, &options);
  if (options.broker == NULL || options.queues == 0 || options.consumers == 0 || options.keys == 0)
    bl_storm_die("--broker is missing, or a count is 0");
  if (strcmp(argv[1], "churn") == 0) return bl_storm_churn(&options);
  if (strcmp(argv[1], "rebalance") == 0) return bl_storm_rebalance(&options);
  bl_storm_die("%s: churn or rebalance?", argv[1]);
}
