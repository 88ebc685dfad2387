/* The key windows as a follower: against a model, over restarts, crashes and damage. SEED=n repeats
 * a run. BOLIDE_SOAK=1: ten million keys, their memory and times. */
#include "store/dedup/dedup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "os/entropy.h"
#include "os/fake/disk_fake.h"
#include "store/dedup/dedup_internal.h"
#include "wire/properties.h"

#define DIR "/data/store"
#define WINDOW_MS 600000
#define SHORT_MS 10000
#define RECORD_BYTES 300

struct dt {
  struct bl_disk_fake *fake;
  struct bl_disk *disk;
  struct bl_clock_fake clock;
  struct bl_worker *pool;
  struct bl_dedup *dedup;
  struct bl_follower *follower;
  struct bl_list active;
  struct bl_list topic;
  int64_t end; /* of the log */
  int64_t covered;
};

static int64_t window_of(void *context, struct bl_slice topic) {
  (void)context;
  if (bl_slice_is(topic, "long")) return WINDOW_MS;
  if (bl_slice_is(topic, "short")) return SHORT_MS;
  return 0;
}

static void make(struct dt *dt) {
  struct bl_dedup_topics topics = {&dt->active, window_of, NULL};
  struct bl_why why = {{0}};
  dt->pool = bl_worker_new_inline();
  dt->dedup = bl_dedup_new(DIR, dt->disk, dt->pool, &dt->clock.clock, &topics, 7);
  dt->follower = bl_dedup_follower(dt->dedup);
  bl_err err = dt->follower->ops->load(dt->follower, &dt->covered, &why);
  if (err != BL_OK) fail_msg("%s", why.text);
}

static void start(struct dt *dt) {
  memset(dt, 0, sizeof(*dt));
  dt->fake = bl_disk_fake_new();
  dt->disk = bl_disk_fake_disk(dt->fake);
  bl_clock_fake_init(&dt->clock, 1700000000000);
  bl_list_init(&dt->active);
  bl_list_add_last(&dt->active, &dt->topic);
  make(dt);
}

static void forget(struct dt *dt) {
  bl_dedup_free(dt->dedup);
  bl_worker_free(dt->pool);
}

static void stop(struct dt *dt) {
  forget(dt);
  bl_disk_fake_free(dt->fake);
}

static void pass(struct dt *dt, int64_t ms) {
  dt->clock.now_wall_ms += ms;
  dt->clock.now_mono_ns += ms * 1000000;
}

static void show(struct dt *dt, const char *topic, const char *key, int64_t offset,
                 int64_t store_ms) {
  char properties[100];
  int len = snprintf(properties, sizeof(properties), "UNIQ_KEY\1%s\2", key);
  struct bl_record record = {.topic = bl_slice_text(topic),
                             .properties = bl_slice_of(properties, (size_t)len),
                             .log_offset = offset,
                             .store_ms = store_ms};
  dt->follower->ops->on_record(dt->follower, &record);
}

/* A record is appended and visible. */
static int64_t put(struct dt *dt, const char *topic, const char *key) {
  int64_t offset = dt->end;
  dt->end += RECORD_BYTES;
  show(dt, topic, key, offset, dt->clock.now_wall_ms);
  return offset;
}

static int64_t find(struct dt *dt, const char *topic, const char *key) {
  int64_t offsets[BL_DEDUP_FIND_MAX];
  uint64_t hash = bl_dedup_hash(dt->dedup, bl_slice_text(topic), bl_slice_text(key));
  uint32_t count = bl_dedup_find(dt->dedup, hash, window_of(NULL, bl_slice_text(topic)), offsets);
  return count > 0 ? offsets[0] : -1;
}

/* As the store does it; `fail`: the files cannot be written. */
static void snapshot(struct dt *dt, bool fail) {
  struct bl_snapshot snapshot;
  memset(&snapshot, 0, sizeof(snapshot));
  snapshot.covered_offset = dt->end;
  while (dt->follower->ops->snapshot_step(dt->follower, &snapshot)) snapshot.started = true;
  for (int i = 0; i < snapshot.file_count && !fail; i++) {
    assert_false(snapshot.files[i].bytes.failed);
    assert_int_equal(bl_disk_replace_file(dt->disk, snapshot.files[i].path,
                                          bl_buf_slice(&snapshot.files[i].bytes), false, NULL),
                     BL_OK);
  }
  dt->follower->ops->snapshot_done(dt->follower, &snapshot, fail ? BL_ERR_NO_SPACE : BL_OK);
  for (int i = 0; i < snapshot.file_count; i++) bl_buf_fini(&snapshot.files[i].bytes);
  bl_worker_drain(dt->pool);
}

static void test_window(void **state) {
  struct dt dt;
  (void)state;
  start(&dt);
  int64_t first = put(&dt, "long", "a");
  put(&dt, "other", "b");
  assert_int_equal(find(&dt, "long", "a"), first);
  assert_int_equal(find(&dt, "long", "b"), -1);
  assert_int_equal(find(&dt, "short", "a"), -1); /* another topic */
  put(&dt, "long", "a");                         /* a rebuild may show it twice: the first counts */
  assert_int_equal(find(&dt, "long", "a"), first);
  pass(&dt, WINDOW_MS);
  assert_int_equal(find(&dt, "long", "a"), first);
  pass(&dt, WINDOW_MS / 30);
  assert_int_equal(find(&dt, "long", "a"), -1);
  stop(&dt);
}

/* Between append and visible, and shown once more. */
static void test_added_before_shown(void **state) {
  struct dt dt;
  struct bl_dedup_stats stats;
  (void)state;
  start(&dt);
  uint64_t hash = bl_dedup_hash(dt.dedup, BL_SLICE("long"), BL_SLICE("a"));
  bl_dedup_add(dt.dedup, hash, 5000, WINDOW_MS);
  assert_int_equal(find(&dt, "long", "a"), 5000);
  show(&dt, "long", "a", 5000, dt.clock.now_wall_ms);
  bl_dedup_stats(dt.dedup, &stats);
  assert_int_equal(stats.keys, 1);
  stop(&dt);
}

/* What was only added is in no snapshot: the log has it, or it never was. */
static void test_snapshot_without_invisible(void **state) {
  struct dt dt;
  (void)state;
  start(&dt);
  int64_t first = put(&dt, "long", "a");
  bl_dedup_add(dt.dedup, bl_dedup_hash(dt.dedup, BL_SLICE("long"), BL_SLICE("b")), dt.end,
               WINDOW_MS);
  snapshot(&dt, false);
  forget(&dt);
  make(&dt);
  assert_int_equal(dt.covered, dt.end);
  assert_int_equal(find(&dt, "long", "a"), first);
  assert_int_equal(find(&dt, "long", "b"), -1);
  stop(&dt);
}

static void test_clock_jumps(void **state) {
  struct dt dt;
  (void)state;
  start(&dt);
  int64_t first = put(&dt, "long", "a");
  dt.clock.now_wall_ms += 10 * WINDOW_MS;
  assert_int_equal(find(&dt, "long", "a"), first);
  dt.clock.now_wall_ms -= 20 * WINDOW_MS;
  assert_int_equal(find(&dt, "long", "a"), first);
  bl_dedup_add(dt.dedup, bl_dedup_hash(dt.dedup, BL_SLICE("long"), BL_SLICE("b")), dt.end,
               WINDOW_MS);
  int64_t second = put(&dt, "long", "b");
  snapshot(&dt, false);
  forget(&dt);
  make(&dt);
  assert_int_equal(find(&dt, "long", "a"), first);
  assert_int_equal(find(&dt, "long", "b"), second);
  stop(&dt);
}

static void test_log_min(void **state) {
  struct dt dt;
  (void)state;
  start(&dt);
  put(&dt, "long", "a");
  int64_t second = put(&dt, "long", "b");
  dt.follower->ops->log_min_moved(dt.follower, second);
  assert_int_equal(find(&dt, "long", "a"), -1);
  assert_int_equal(find(&dt, "long", "b"), second);
  stop(&dt);
}

static void test_limit(void **state) {
  struct dt dt;
  struct bl_dedup_stats stats;
  char key[32];
  (void)state;
  start(&dt);
  bl_dedup_set_limit(dt.dedup, 10000);
  for (int i = 0; i < 25000; i++) {
    snprintf(key, sizeof(key), "k%d", i);
    put(&dt, "long", key);
    pass(&dt, 1);
  }
  bl_dedup_stats(dt.dedup, &stats);
  assert_in_range(stats.keys, 9500, 10000);
  assert_int_equal(stats.forgotten, 25000 - stats.keys);
  assert_int_equal(find(&dt, "long", "k0"), -1);
  for (int i = 25000 - (int)stats.keys; i < 25000; i++) {
    snprintf(key, sizeof(key), "k%d", i);
    assert_int_equal(find(&dt, "long", key), i * RECORD_BYTES);
  }
  stop(&dt);
}

static void test_memory_comes_back(void **state) {
  struct dt dt;
  struct bl_dedup_stats stats;
  char key[32];
  (void)state;
  start(&dt);
  for (int i = 0; i < 100000; i++) {
    snprintf(key, sizeof(key), "k%d", i);
    put(&dt, "short", key);
  }
  bl_dedup_stats(dt.dedup, &stats);
  assert_true(stats.memory_bytes > 1000000);
  snapshot(&dt, false);
  pass(&dt, 2 * SHORT_MS);
  snapshot(&dt, false);
  for (int i = 0; bl_dedup_sweep(dt.dedup) > 0; i++) assert_true(i < 10000);
  bl_dedup_stats(dt.dedup, &stats);
  assert_int_equal(stats.keys, 0);
  assert_int_equal(stats.memory_bytes, 0);
  struct bl_arena arena;
  const char *const *names;
  size_t count;
  bl_arena_init(&arena);
  assert_int_equal(dt.disk->ops->list(dt.disk, DIR "/bolide/dedup", &arena, &names, &count), BL_OK);
  assert_int_equal(count, 0);
  bl_arena_fini(&arena);
  stop(&dt);
}

/* Nothing on the disk and nobody who wants it: the log need not be shown. */
static void test_load_without_files(void **state) {
  struct dt dt;
  (void)state;
  start(&dt);
  assert_int_equal(dt.covered, 0); /* a topic has a window */
  forget(&dt);
  bl_list_remove(&dt.topic);
  make(&dt);
  assert_true(dt.covered == BL_FOLLOWER_NEEDS_NOTHING);
  stop(&dt);
}

static void replace(struct dt *dt, const char *path, struct bl_slice bytes) {
  assert_int_equal(bl_disk_replace_file(dt->disk, path, bytes, false, NULL), BL_OK);
}

/* Any bit of any file: either it is refused, and the log is asked for from the oldest key on, or
 * (in what no checksum covers) nothing differs. */
static void test_flipped_bits(void **state) {
  struct dt dt;
  struct bl_arena arena;
  const char *const *names;
  size_t count;
  char key[32];
  (void)state;
  start(&dt);
  put(&dt, "other", "x");
  for (int i = 0; i < 70000; i++) {
    snprintf(key, sizeof(key), "k%d", i);
    put(&dt, "long", key);
  }
  snapshot(&dt, false);
  put(&dt, "short", "tail");
  snapshot(&dt, false);
  bl_arena_init(&arena);
  assert_int_equal(dt.disk->ops->list(dt.disk, DIR "/bolide/dedup", &arena, &names, &count), BL_OK);
  assert_int_equal(count, 1);
  char part[300];
  snprintf(part, sizeof(part), DIR "/bolide/dedup/%s", names[0]);
  const char *paths[] = {DIR "/bolide/dedup.snapshot", part};
  struct bl_slice whole[2];
  for (int f = 0; f < 2; f++)
    assert_int_equal(bl_disk_read_file(dt.disk, paths[f], 1 << 30, &arena, &whole[f]), BL_OK);
  for (int f = 0; f < 2; f++) {
    char *copy = bl_arena_take(&arena, whole[f].len);
    for (size_t at = 0; at < whole[f].len; at += f == 0 ? 7 : whole[f].len / 20) {
      replace(&dt, paths[0], whole[0]);
      replace(&dt, paths[1], whole[1]); /* the load before removed it */
      memcpy(copy, whole[f].ptr, whole[f].len);
      copy[at] ^= 0x10;
      replace(&dt, paths[f], bl_slice_of(copy, whole[f].len));
      forget(&dt);
      make(&dt);
      assert_int_equal(dt.covered, f == 0 ? 0 : RECORD_BYTES); /* the oldest key */
      assert_int_equal(find(&dt, "long", "k1"), -1);
      show(&dt, "long", "k1", 2 * RECORD_BYTES, dt.clock.now_wall_ms);
      assert_int_equal(find(&dt, "long", "k1"), 2 * RECORD_BYTES);
    }
  }
  replace(&dt, paths[0], whole[0]);
  replace(&dt, paths[1], whole[1]);
  forget(&dt);
  make(&dt);
  assert_int_equal(find(&dt, "long", "k1"), 2 * RECORD_BYTES);
  bl_arena_fini(&arena);
  stop(&dt);
}

/* ---- against a model ---- */

#define KEYS 20000
#define STEPS 60000

struct model {
  struct dt dt;
  int64_t offset[2][KEYS]; /* of the first record that counts; -1: none */
  int64_t at_ms[2][KEYS];
  struct {
    uint8_t topic;
    uint32_t key;
    int64_t offset;
    int64_t at_ms;
  } * log;
  int count;
  uint64_t random;
};

static const char *const TOPICS[] = {"long", "short"};
static const int64_t WINDOWS[] = {WINDOW_MS, SHORT_MS};

static uint64_t next(struct model *model) {
  model->random ^= model->random << 13;
  model->random ^= model->random >> 7;
  model->random ^= model->random << 17;
  return model->random >> 8;
}

/* A record is stored only when no first is known, as the broker does it. */
static void send(struct model *model, int topic, uint32_t key) {
  struct dt *dt = &model->dt;
  char text[32];
  snprintf(text, sizeof(text), "k%u", key);
  int64_t found = find(dt, TOPICS[topic], text);
  int64_t first = model->offset[topic][key];
  int64_t age = dt->clock.now_wall_ms - model->at_ms[topic][key];
  if (first >= 0 && age <= WINDOWS[topic]) {
    if (found != first)
      fail_msg("key %u of %s stored at %lld, found %lld, age %lld", key, TOPICS[topic],
               (long long)first, (long long)found, (long long)age);
    return;
  }
  /* Up to 1/32 longer it may be known. */
  if (found >= 0) {
    assert_int_equal(found, first);
    assert_true(age <= WINDOWS[topic] + WINDOWS[topic] / 32 + 1);
    return;
  }
  int64_t offset = dt->end;
  dt->end += RECORD_BYTES;
  bool early = next(model) % 2 == 0;
  if (early)
    bl_dedup_add(dt->dedup,
                 bl_dedup_hash(dt->dedup, bl_slice_text(TOPICS[topic]), bl_slice_text(text)),
                 offset, WINDOWS[topic]);
  show(dt, TOPICS[topic], text, offset, dt->clock.now_wall_ms);
  model->offset[topic][key] = offset;
  model->at_ms[topic][key] = dt->clock.now_wall_ms;
  model->log[model->count].topic = (uint8_t)topic;
  model->log[model->count].key = key;
  model->log[model->count].offset = offset;
  model->log[model->count++].at_ms = dt->clock.now_wall_ms;
}

static void crash(struct model *model) {
  struct dt *dt = &model->dt;
  forget(dt);
  pass(dt, (int64_t)(next(model) % 2000));
  make(dt);
  for (int i = 0; i < model->count; i++) {
    char text[32];
    if (model->log[i].offset < dt->covered) continue;
    snprintf(text, sizeof(text), "k%u", model->log[i].key);
    show(dt, TOPICS[model->log[i].topic], text, model->log[i].offset, model->log[i].at_ms);
  }
}

static void test_random(void **state) {
  const char *seed = getenv("SEED");
  struct model *model = calloc(1, sizeof(*model));
  (void)state;
  assert_non_null(model);
  model->log = calloc(STEPS, sizeof(*model->log));
  assert_non_null(model->log);
  model->random = seed != NULL ? strtoull(seed, NULL, 10) : bl_entropy_u64() | 1;
  print_message("SEED=%llu\n", (unsigned long long)model->random);
  for (int t = 0; t < 2; t++)
    for (int i = 0; i < KEYS; i++) model->offset[t][i] = -1;
  start(&model->dt);
  for (int i = 0; i < STEPS; i++) {
    uint64_t what = next(model) % 1000;
    if (what < 980) {
      send(model, (int)(next(model) % 2), (uint32_t)(next(model) % KEYS));
    } else if (what < 990) {
      pass(&model->dt, (int64_t)(next(model) % 500));
    } else if (what < 994) {
      bl_dedup_sweep(model->dt.dedup);
    } else if (what < 997) {
      snapshot(&model->dt, next(model) % 4 == 0);
    } else if (what == 999) {
      crash(model);
    }
  }
  stop(&model->dt);
  free(model->log);
  free(model);
}

/* ---- ten million ---- */

static double cpu_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static long resident_kib(void) {
  char line[200];
  long kib = 0;
  FILE *file = fopen("/proc/self/status", "r");
  assert_non_null(file);
  while (fgets(line, sizeof(line), file) != NULL) {
    if (strncmp(line, "VmRSS:", 6) == 0) kib = strtol(line + 6, NULL, 10);
  }
  fclose(file);
  return kib;
}

static void test_many(void **state) {
  bool soak = getenv("BOLIDE_SOAK") != NULL;
  int64_t count = soak ? 10000000 : 200000;
  struct dt dt;
  (void)state;
  start(&dt);
  long before = resident_kib();
  double from = cpu_s();
  double step_max = 0;
  for (int64_t i = 0; i < count; i++) {
    double one = cpu_s();
    uint64_t hash = (uint64_t)i * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 29;
    bl_dedup_add(dt.dedup, hash * 0xd1b54a32d192ed03ull, i * RECORD_BYTES, WINDOW_MS);
    one = cpu_s() - one;
    if (one > step_max) step_max = one;
  }
  struct bl_dedup_stats stats;
  bl_dedup_stats(dt.dedup, &stats);
  assert_int_equal(stats.keys, count);
  double add_ns = (cpu_s() - from) / (double)count * 1e9;
  long used = resident_kib() - before;
  from = cpu_s();
  int64_t offsets[BL_DEDUP_FIND_MAX];
  int64_t found = 0;
  int64_t others = 0;
  for (int64_t n = 0; n < count; n++) {
    int64_t i = n * 7919 % count;
    uint64_t hash = (uint64_t)i * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 29;
    uint32_t hits = bl_dedup_find(dt.dedup, hash * 0xd1b54a32d192ed03ull, WINDOW_MS, offsets);
    for (uint32_t h = 0; h < hits; h++) found += offsets[h] == i * RECORD_BYTES;
    others += hits - 1;
  }
  double find_ns = (cpu_s() - from) / (double)count * 1e9;
  assert_int_equal(found, count);
  print_message(
      "%lld keys: %ld KiB resident (%.1f bytes each), table %lld bytes; CPU: add %.0f ns "
      "(with two looks at the clock; longest %.0f us), find %.0f ns; other candidates "
      "%lld\n",
      (long long)count, used, (double)used * 1024 / (double)count, (long long)stats.memory_bytes,
      add_ns, step_max * 1e6, find_ns, (long long)others);
  assert_true(stats.memory_bytes <= count * 15 + 100000);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  if (soak) assert_true(used * 1024 <= 200000000);
#endif
  stop(&dt);
}

/* Snapshots while keys come, and a start from them. */
static void test_start_with_many(void **state) {
  bool soak = getenv("BOLIDE_SOAK") != NULL;
  int64_t count = soak ? 10000000 : 200000;
  struct dt dt;
  char key[32];
  (void)state;
  start(&dt);
  double step_max = 0;
  for (int64_t i = 0; i < count; i++) {
    snprintf(key, sizeof(key), "%lld", (long long)i);
    put(&dt, "long", key);
    if ((i + 1) % (count / 10) != 0) continue;
    struct bl_snapshot snap;
    memset(&snap, 0, sizeof(snap));
    snap.covered_offset = dt.end;
    for (bool more = true; more;) {
      double one = cpu_s();
      more = dt.follower->ops->snapshot_step(dt.follower, &snap);
      one = cpu_s() - one;
      if (one > step_max) step_max = one;
    }
    for (int f = 0; f < snap.file_count; f++)
      assert_int_equal(bl_disk_replace_file(dt.disk, snap.files[f].path,
                                            bl_buf_slice(&snap.files[f].bytes), false, NULL),
                       BL_OK);
    dt.follower->ops->snapshot_done(dt.follower, &snap, BL_OK);
    for (int f = 0; f < snap.file_count; f++) bl_buf_fini(&snap.files[f].bytes);
  }
  forget(&dt);
  double from = cpu_s();
  make(&dt);
  double took = cpu_s() - from;
  struct bl_dedup_stats stats;
  bl_dedup_stats(dt.dedup, &stats);
  assert_int_equal(stats.keys, count);
  print_message(
      "%lld keys: loaded in %.0f ms of CPU, %lld parts; longest step of a snapshot %.0f us\n",
      (long long)count, took * 1e3, (long long)stats.parts, step_max * 1e6);
  for (int64_t i = 0; i < count; i += 997) {
    snprintf(key, sizeof(key), "%lld", (long long)i);
    assert_int_equal(find(&dt, "long", key), i * RECORD_BYTES);
  }
  stop(&dt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_window),
      cmocka_unit_test(test_added_before_shown),
      cmocka_unit_test(test_snapshot_without_invisible),
      cmocka_unit_test(test_clock_jumps),
      cmocka_unit_test(test_log_min),
      cmocka_unit_test(test_limit),
      cmocka_unit_test(test_memory_comes_back),
      cmocka_unit_test(test_load_without_files),
      cmocka_unit_test(test_flipped_bits),
      cmocka_unit_test(test_random),
      cmocka_unit_test(test_many),
      cmocka_unit_test(test_start_with_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
