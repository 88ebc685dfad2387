/* Simulated power loss at every write, sync, allocation, rename, removal and opening of a recorded
 * workload: messages and batches with keys to several queues, segment rolls, snapshots, topics and
 * groups made and deleted, commits. At such a boundary the power goes on copies of the disk: each
 * 512-byte sector that no completed sync covers is old or new, so is each size and each name, the
 * names in order or each by itself; the system may have written some of it back before. The copy is
 * opened (now and then the power goes again meanwhile), compared with what was acknowledged, used,
 * and the power goes once more.
 *
 * `make test` takes a sample of the boundaries, `make soak` all. SEED=n repeats a run, BOUNDARY=n
 * looks at that boundary only (also SEED=n BOUNDARY=n VERBOSE=1: with what the broker says).
 * time limit: 280 s */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "world_testlib.h"

#define STEPS 160
#define OUTCOMES 3
#define SAMPLE_OF_1000 100
#define SEEDS_IN_SOAK 8

struct trial {
  struct world world;
  const char *mode;
  uint64_t seed;
  uint32_t of_1000; /* boundaries looked at */
  int64_t only;     /* boundary; -1: all of the sample */
  int64_t boundaries;
  int64_t crashes;
  int64_t double_crashes;
  char trouble[800];
};

struct second_crash {
  struct bl_disk_fake *fake;
  int64_t countdown;
  uint64_t seed;
};

static uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t z = a * 0x9e3779b97f4a7c15ull + b + 0x632be59bd9b4e019ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

static bool is_boundary(enum bl_disk_fake_op op) {
  return op != BL_FAKE_READ;
}

static void count_down(void *context, enum bl_disk_fake_op op, const char *path) {
  struct second_crash *crash = context;
  (void)path;
  if (crash->countdown < 0 || !is_boundary(op) || crash->countdown-- > 0) return;
  bl_disk_fake_power_loss(crash->fake, crash->seed);
}

/* Opens it, and the power goes at the operation with that number of the start. */
static bool crash_while_opening(struct world *world, int64_t at, uint64_t seed) {
  struct second_crash crash = {world->fake, at, seed};
  struct bl_why why;
  bl_disk_fake_on_op(world->fake, count_down, &crash);
  bl_err err = world_try_open(world, &why);
  bl_disk_fake_on_op(world->fake, NULL, NULL);
  bool happened = crash.countdown < 0;
  if (happened) {
    int64_t flushed = world->flushed; /* what it did before it died does not count */
    if (err == BL_OK) world_close(world);
    world->flushed = flushed;
    bl_disk_fake_restart(world->fake);
  } else if (err != BL_OK) {
    world_complain(world, "it does not start: %s: %s", bl_err_name(err), why.text);
  }
  return happened;
}

/* The log must go on: where the queues ended, and as durable as promised. */
static void use(struct world *world) {
  for (int i = 0; i < WORLD_TOPICS; i++) {
    if (!world_has_topic(world, i)) continue;
    bl_err err = world_send(world, i, i % WORLD_QUEUES, 700);
    if (err != BL_OK) world_complain(world, "a send after the start: %s", bl_err_name(err));
  }
  for (int i = 0; i < 3; i++) world_step(world);
  if (world->refused > 0)
    world_complain(world, "a send after the start was not acknowledged: %s",
                   bl_err_name(world->refused_code));
}

static void one_outcome(struct trial *trial, int outcome) {
  struct world world;
  uint64_t seed = mix(mix(trial->seed, (uint64_t)trial->boundaries), (uint64_t)outcome);
  world_clone(&world, &trial->world);
  world.random = seed;
  bl_disk_fake_set_names_loose(world.fake, seed % 2 == 0);
  world_power_loss(&world, seed);
  trial->crashes++;
  if (outcome == 1 && crash_while_opening(&world, (int64_t)(mix(seed, 1) % 40), mix(seed, 2)))
    trial->double_crashes++;
  for (int round = 0; round < 2 && world.trouble[0] == 0; round++) {
    if (world.broker == NULL && !world_open(&world)) break;
    world_check_crash(&world);
    if (round == 0) {
      if (outcome != 2) use(&world);
      world_power_loss(&world, mix(seed, 3));
    }
  }
  if (world.trouble[0] != 0 && trial->trouble[0] == 0)
    snprintf(trial->trouble, sizeof(trial->trouble), "%s: SEED=%llu BOUNDARY=%lld outcome %d: %s",
             trial->mode, (unsigned long long)trial->seed, (long long)trial->boundaries, outcome,
             world.trouble);
  world_fini(&world);
}

static void on_boundary(void *context, enum bl_disk_fake_op op, const char *path) {
  struct trial *trial = context;
  (void)path;
  if (!is_boundary(op)) return;
  trial->boundaries++;
  uint64_t dice = mix(trial->seed ^ 77, (uint64_t)trial->boundaries);
  if (dice % 8 == 0) bl_disk_fake_write_back(trial->world.fake, dice);
  if (trial->only >= 0 ? trial->boundaries != trial->only : dice / 8 % 1000 >= trial->of_1000)
    return;
  for (int i = 0; i < OUTCOMES; i++) {
    if (trial->trouble[0] != 0) return;
    one_outcome(trial, i);
  }
}

/* The workload, crashed at its boundaries. `lie`: syncs of such files do nothing. */
static void run_trial(struct trial *trial, const struct world_settings *wishes, const char *lie) {
  struct world *world = &trial->world;
  world_init(world, wishes, trial->seed);
  bl_disk_fake_lie(world->fake, lie);
  bl_disk_fake_on_op(world->fake, on_boundary, trial);
  if (world_open(world)) {
    for (int i = 0; i < 2; i++) {
      (void)!world_put_topic(world, i);
      (void)!world_put_group(world, i);
    }
    bool deletes = wishes->retention_bytes > 0;
    for (int i = 0; i < (deletes ? 2 * STEPS : STEPS) && world->trouble[0] == 0; i++) {
      world_step(world);
      if (deletes && i % 8 == 0) world_pass(world, 1500);
    }
    world_settle(world);
    world_check(world);
    world_close(world);
  }
  if (world->trouble[0] != 0 && trial->trouble[0] == 0)
    snprintf(trial->trouble, sizeof(trial->trouble), "SEED=%llu without a crash: %s",
             (unsigned long long)trial->seed, world->trouble);
  if (world->refused > 0 && trial->trouble[0] == 0)
    snprintf(trial->trouble, sizeof(trial->trouble), "SEED=%llu: %lld sends were refused",
             (unsigned long long)trial->seed, (long long)world->refused);
  bl_disk_fake_on_op(world->fake, NULL, NULL);
}

static int case_number;

static int report(bool good, const char *name, const char *text) {
  printf("%sok %d - %s\n", good ? "" : "not ", ++case_number, name);
  if (!good) printf("# %s\n", text);
  fflush(stdout);
  return good ? 0 : 1;
}

struct mode {
  const char *name;
  struct world_settings wishes;
};

static const struct mode modes[] = {
    {"SYNC_FLUSH, direct", {BL_FLUSH_SYNC, false, 0}},
    {"SYNC_FLUSH, buffered", {BL_FLUSH_SYNC, true, 0}},
    {"ASYNC_FLUSH, direct", {BL_FLUSH_ASYNC, false, 0}},
    {"ASYNC_FLUSH, buffered", {BL_FLUSH_ASYNC, true, 0}},
    {"SYNC_FLUSH, old files deleted", {BL_FLUSH_SYNC, false, 300 << 10}},
};

static int test_mode(const struct mode *mode, uint64_t seed, int64_t only) {
  bool all = getenv("BOLIDE_SOAK") != NULL;
  bool sync = mode->wishes.flush_mode == BL_FLUSH_SYNC;
  char name[200];
  snprintf(name, sizeof(name), "power loss loses %s: %s", sync ? "nothing acked" : "only a suffix",
           mode->name);
  int failed = 0;
  for (uint64_t i = 0; i < (all && only < 0 ? SEEDS_IN_SOAK : 1) && failed == 0; i++) {
    struct trial *trial = calloc(1, sizeof(*trial));
    trial->mode = mode->name;
    trial->seed = seed + i;
    trial->of_1000 = all ? 1000 : SAMPLE_OF_1000;
    trial->only = only;
    run_trial(trial, &mode->wishes, NULL);
    printf(
        "# SEED=%llu: %d messages, %d changes, log from %lld to %lld; %lld crashes (%lld of them "
        "twice) at %u in 1000 of %lld boundaries\n",
        (unsigned long long)trial->seed, trial->world.message_count, trial->world.change_count,
        (long long)trial->world.min_offset, (long long)trial->world.flushed,
        (long long)trial->crashes, (long long)trial->double_crashes, trial->of_1000,
        (long long)trial->boundaries);
    failed = report(trial->trouble[0] == 0, name, trial->trouble);
    world_fini(&trial->world);
    free(trial);
  }
  return failed;
}

/* An early ack, injected: syncs of these files do nothing. If that is not found, the test is blind.
 */
static int test_lie(const struct mode *mode, uint64_t seed) {
  struct trial *trial = calloc(1, sizeof(*trial));
  char name[200];
  snprintf(name, sizeof(name), "an early ack is caught: %s", mode->name);
  trial->mode = mode->name;
  trial->seed = seed;
  trial->of_1000 = 100;
  trial->only = -1;
  run_trial(trial, &mode->wishes, "/commitlog/");
  printf("# found after %lld crashes: %s\n", (long long)trial->crashes, trial->trouble);
  /* With an honest disk this seed was found good, above. */
  bool found = strstr(trial->trouble, "BOUNDARY=") != NULL;
  int failed = report(found, name, "nothing was found");
  world_fini(&trial->world);
  free(trial);
  return failed;
}

static void be_quiet(void) {
  int null = open("/dev/null", O_WRONLY);
  if (getenv("VERBOSE") == NULL && null >= 0) dup2(null, 2);
  bl_log_set_level(getenv("VERBOSE") != NULL ? BL_LOG_INFO : BL_LOG_OFF);
}

int main(void) {
  const char *text = getenv("SEED");
  uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL) % 1000000;
  text = getenv("BOUNDARY");
  int64_t only = text != NULL ? strtoll(text, NULL, 10) : -1;
  printf("# SEED=%llu\n", (unsigned long long)seed);
  be_quiet();
  int failed = 0;
  for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
    failed += test_mode(&modes[i], seed, only);
  for (size_t i = 0; i < 2 && only < 0; i++) failed += test_lie(&modes[i], seed);
  printf("1..%d\n", case_number);
  return failed > 0 ? 1 : 0;
}
