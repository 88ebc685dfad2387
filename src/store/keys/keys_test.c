/* The key index against a list of all keys. Searches run on real threads in one test. */
/* threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "os/fake/disk_fake.h"
#include "store/keys/keys_internal.h"
#include "store/queues/driver_testlib.h"
#include "wire/properties.h"

enum { KEYS = 40, SHOWN_MAX = 60000 };

struct fixture {
  struct bl_disk_fake *fake;
  struct bl_disk *disk;
  struct bl_worker *pool;
  struct bl_keys *keys;
  struct bl_follower *follower;
  struct { /* the log; number i is at offset i * 10 */
    int key;
    int unique;
    int32_t sys_flag;
  } log[SHOWN_MAX];
  int log_count;
  int64_t log_min;
};

static void open_keys(struct fixture *f) {
  f->keys = bl_keys_new("/store", f->disk, f->pool);
  bl_keys__set_block_entries(f->keys, 300);
  f->follower = bl_keys_follower(f->keys);
}

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof(*f));
  f->fake = bl_disk_fake_new();
  f->disk = bl_disk_fake_disk(f->fake);
  f->pool = bl_worker_new_inline();
  open_keys(f);
  assert_int_equal(bl_driver_load(f->follower), 0);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  bl_keys_free(f->keys);
  bl_worker_free(f->pool);
  bl_disk_fake_free(f->fake);
  free(f);
  return 0;
}

static void show_properties(struct fixture *f, const char *topic, int64_t offset, int32_t sys_flag,
                            const char *properties) {
  struct bl_record record = {
      .topic = bl_slice_text(topic),
      .log_offset = offset,
      .sys_flag = sys_flag,
      .properties = bl_slice_text(properties),
  };
  f->follower->ops->on_record(f->follower, &record);
}

static void show(struct fixture *f, int i) {
  char properties[128];
  snprintf(properties, sizeof(properties), "TAGS\x01T\x02KEYS\x01key%d  all\x02UNIQ_KEY\x01U%d\x02",
           f->log[i].key, f->log[i].unique);
  show_properties(f, "topic", (int64_t)i * 10, f->log[i].sys_flag, properties);
}

static void append(struct fixture *f, uint64_t *random) {
  assert_true(f->log_count < SHOWN_MAX);
  int i = f->log_count++;
  f->log[i].key = (int)(bl_driver_random(random) % KEYS);
  f->log[i].unique = i;
  f->log[i].sys_flag = bl_driver_random(random) % 20 == 0 ? BL_SYS_ROLLBACK : 0;
  show(f, i);
}

static int searches_done;
static void on_found(struct bl_keys_search *search) {
  (void)search;
  searches_done++;
}

static void find(struct fixture *f, struct bl_keys_search *search, const char *topic,
                 const char *key, uint32_t max) {
  int before = searches_done;
  bl_keys_find(f->keys, search, bl_slice_text(topic), bl_slice_text(key), INT64_MAX, max, on_found);
  assert_int_equal(searches_done, before);
  while (searches_done == before) bl_worker_finish(f->pool);
  assert_int_equal(search->err, BL_OK);
}

/* key < 0: the key "all" that every record has. */
static void check_key(struct fixture *f, int key, uint32_t max, uint64_t seed) {
  struct bl_keys_search search;
  char text[16] = "all";
  if (key >= 0) snprintf(text, sizeof(text), "key%d", key);
  find(f, &search, "topic", text, max);
  uint32_t at = 0;
  for (int i = f->log_count - 1; i >= 0 && at < max; i--) {
    if ((int64_t)i * 10 < f->log_min) break;
    if ((key >= 0 && f->log[i].key != key) || f->log[i].sys_flag != 0) continue;
    if (at >= search.count || search.offsets[at] != (int64_t)i * 10) {
      fail_msg("seed %llu: %s: place %u of %u is not log offset %d", (unsigned long long)seed, text,
               at, search.count, i * 10);
    }
    at++;
  }
  assert_int_equal(search.count, at);
}

static void check(struct fixture *f, uint64_t *random, uint64_t seed) {
  check_key(f, -1, 256, seed);
  for (int i = 0; i < 4; i++) {
    check_key(f, (int)(bl_driver_random(random) % KEYS),
              1 + (uint32_t)(bl_driver_random(random) % 256), seed);
  }
  if (f->log_count == 0) return;
  int i = (int)(bl_driver_random(random) % (uint64_t)f->log_count);
  char text[16];
  snprintf(text, sizeof(text), "U%d", i);
  struct bl_keys_search search;
  find(f, &search, "topic", text, 10);
  bool there = f->log[i].sys_flag == 0 && (int64_t)i * 10 >= f->log_min;
  assert_int_equal(search.count, there);
  if (there) assert_int_equal(search.offsets[0], (int64_t)i * 10);
}

static void reload(struct fixture *f) {
  int64_t written = f->follower->ops->needs_from(f->follower);
  bl_keys_free(f->keys);
  bl_disk_fake_restart(f->fake);
  open_keys(f);
  int64_t covered = bl_driver_load(f->follower);
  assert_true(covered >= written); /* a snapshot that was written is read */
  if (f->log_min > 0) f->follower->ops->log_min_moved(f->follower, f->log_min);
  if (covered < f->log_min) covered = f->log_min;
  for (int i = (int)((covered + 9) / 10); i < f->log_count; i++) show(f, i);
}

static bl_err snapshot(struct fixture *f) {
  return bl_driver_snapshot(f->follower, f->disk, (int64_t)f->log_count * 10);
}

static size_t run_files(struct fixture *f) {
  struct bl_arena arena;
  bl_arena_init(&arena);
  const char *const *names;
  size_t count;
  assert_int_equal(f->disk->ops->list(f->disk, "/store/bolide/keys", &arena, &names, &count),
                   BL_OK);
  bl_arena_fini(&arena);
  return count;
}

static void every_key_of_a_message_is_found_newest_first(void **state) {
  struct fixture *f = *state;
  show_properties(f, "T", 10, 0,
                  "KEYS\x01"
                  "a b\x02UNIQ_KEY\x01"
                  "X\x02");
  show_properties(f, "T", 20, 0, "KEYS\x01 b  c b \x02");
  show_properties(f, "U", 30, 0,
                  "KEYS\x01"
                  "a\x02");
  show_properties(f, "T", 40, BL_SYS_ROLLBACK,
                  "KEYS\x01"
                  "a\x02");
  show_properties(f, "T", 50, BL_SYS_PREPARED,
                  "KEYS\x01"
                  "a\x02");
  show_properties(f, "T", 20, 0, "KEYS\x01late\x02");
  static const struct {
    const char *topic;
    const char *key;
    uint32_t count;
    int64_t offsets[2];
  } cases[] = {
      {"T", "a", 2, {50, 10}}, {"T", "b", 2, {20, 10}}, {"T", "c", 1, {20}},
      {"T", "X", 1, {10}},     {"U", "a", 1, {30}},     {"U", "b", 0, {0}},
      {"T", "", 0, {0}},       {"T", "late", 0, {0}},   {"T#a", "", 0, {0}},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct bl_keys_search search;
    find(f, &search, cases[i].topic, cases[i].key, 100);
    assert_int_equal(search.count, cases[i].count);
    for (uint32_t k = 0; k < search.count; k++) {
      assert_int_equal(search.offsets[k], cases[i].offsets[k]);
    }
  }
}

static void hashes_never_change(void **state) {
  (void)state;
  assert_true(bl_keys__hash(BL_SLICE("TopicTest"), BL_SLICE("OrderID188")) ==
              0x1aca204fe89d3200ull);
  assert_true(bl_keys__hash(BL_SLICE("T"), BL_SLICE("")) == 0x75ee0b2dafedd5a6ull);
  assert_true(bl_keys__hash(BL_SLICE("T"), BL_SLICE("a")) !=
              bl_keys__hash(BL_SLICE("Ta"), BL_SLICE("")));
}

static void sorting_is_by_hash_then_newest(void **state) {
  (void)state;
  enum { COUNT = 5000 };
  static struct bl_key_entry entries[COUNT];
  static struct bl_key_entry sorted[COUNT];
  for (int kind = 0; kind < 3; kind++) {
    uint64_t random = 42;
    for (int i = 0; i < COUNT; i++) {
      uint64_t hash = bl_driver_random(&random);
      if (kind == 1) hash &= 3;                      /* one bucket, many equal */
      if (kind == 2) hash = UINT64_MAX - (hash & 1); /* the last bucket */
      entries[i] = (struct bl_key_entry){hash, i};
    }
    bl_keys__sort(entries, COUNT, sorted);
    int64_t sum = 0;
    for (int i = 0; i < COUNT; i++) {
      sum += sorted[i].offset;
      if (i == 0) continue;
      bool rises = sorted[i].hash > sorted[i - 1].hash;
      bool equal = sorted[i].hash == sorted[i - 1].hash;
      assert_true(rises || (equal && sorted[i].offset < sorted[i - 1].offset));
    }
    assert_int_equal(sum, (int64_t)COUNT * (COUNT - 1) / 2);
  }
}

static void any_history_of_runs_merges_and_crashes_finds_every_key(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 25; seed++) {
    void *inner;
    setup(&inner);
    struct fixture *f = inner;
    uint64_t random = seed * 31337;
    for (int step = 0; step < 60; step++) {
      uint64_t dice = bl_driver_random(&random) % 12;
      if (dice < 6) {
        for (uint64_t n = bl_driver_random(&random) % 900; n > 0; n--) append(f, &random);
      } else if (dice < 8) {
        bl_worker_drain(f->pool);
      } else if (dice == 8) {
        assert_int_equal(snapshot(f), BL_OK);
      } else if (dice == 9) {
        bl_worker_finish(f->pool);
        check(f, &random, seed);
      } else if (dice == 10 && f->log_count > 0) {
        f->log_min += (int64_t)(bl_driver_random(&random) % 2000);
        if (f->log_min > (int64_t)f->log_count * 10) f->log_min = (int64_t)f->log_count * 10;
        f->follower->ops->log_min_moved(f->follower, f->log_min);
      } else {
        struct bl_driver_crash crash;
        bl_driver_crash_after(&crash, f->fake, (int64_t)(bl_driver_random(&random) % 80), seed);
        (void)snapshot(f);
        bl_worker_finish(f->pool);
        if (!crash.happened) bl_disk_fake_power_loss(f->fake, random);
        bl_disk_fake_on_op(f->fake, NULL, NULL);
        reload(f);
        check(f, &random, seed);
      }
    }
    reload(f);
    check(f, &random, seed);
    teardown(&inner);
  }
}

static void many_runs_become_few(void **state) {
  struct fixture *f = *state;
  uint64_t random = 5;
  for (int i = 0; i < 20000; i++) {
    append(f, &random);
    if (i % 100 == 0) bl_worker_drain(f->pool);
  }
  bl_worker_finish(f->pool);
  assert_in_range(f->keys->runs.count, 1, 25); /* about 190 blocks */
  assert_int_equal(snapshot(f), BL_OK);
  bl_worker_finish(f->pool);
  assert_int_equal(run_files(f), f->keys->runs.count); /* none before was durable in a snapshot */
  check_key(f, 3, 256, 0);
  reload(f);
  assert_int_equal(f->keys->last_log, 199990);
  check_key(f, 3, 256, 0);
  f->log_min = 200000;
  f->follower->ops->log_min_moved(f->follower, f->log_min);
  assert_int_equal(f->keys->runs.count, 0);
  assert_int_equal(snapshot(f), BL_OK);
  bl_worker_finish(f->pool);
  assert_int_equal(run_files(f), 0);
}

static void append_and_merge(struct fixture *f, uint64_t *random, int count) {
  for (int i = 0; i < count; i++) append(f, random);
  bl_worker_finish(f->pool);
}

static void runs_stay_as_long_as_a_snapshot_may_name_them(void **state) {
  struct fixture *f = *state;
  uint64_t random = 11;
  append_and_merge(f, &random, 750);
  assert_in_range(f->keys->runs.count, 5, 8);
  assert_int_equal(snapshot(f), BL_OK);
  append_and_merge(f, &random, 400);
  assert_true(f->keys->dead.count > 0);
  bl_disk_fake_fail(f->fake, BL_FAKE_RENAME, "keys.snapshot", 0, 1, BL_ERR_IO);
  assert_int_equal(snapshot(f), BL_ERR_IO);
  bl_worker_finish(f->pool);
  reload(f); /* asserts that the first snapshot is good */
  check(f, &random, 11);
  /* Merged while a snapshot that names them is being taken. */
  static struct bl_snapshot during;
  append_and_merge(f, &random, 300);
  bl_driver_begin(&during, (int64_t)f->log_count * 10);
  while (f->follower->ops->snapshot_step(f->follower, &during)) {}
  append_and_merge(f, &random, 1200);
  assert_int_equal(bl_driver_write(f->follower, f->disk, &during), BL_OK);
  bl_worker_finish(f->pool);
  reload(f);
  check(f, &random, 11);
}

static void a_run_that_cannot_be_written_stays_in_memory(void **state) {
  struct fixture *f = *state;
  uint64_t random = 9;
  bl_disk_fake_fail(f->fake, BL_FAKE_WRITE, "keys/", 0, 3, BL_ERR_NO_SPACE);
  for (int i = 0; i < 1000; i++) {
    append(f, &random);
    bl_worker_drain(f->pool);
  }
  check(f, &random, 9);
  assert_true(f->keys->runs.count > 0);
  assert_int_equal(f->keys->hole_count, 0);
  /* For good: what was dropped is taken from the log again, at the next start at the latest. */
  bl_disk_fake_fail(f->fake, BL_FAKE_WRITE, "keys/", 0, -1, BL_ERR_NO_SPACE);
  assert_int_equal(snapshot(f), BL_OK);
  for (int i = 0; i < 3000; i++) append(f, &random);
  assert_true(f->keys->hole_count > 0);
  bl_disk_fake_fail(f->fake, BL_FAKE_WRITE, "keys/", -1, 0, BL_OK);
  assert_int_equal(snapshot(f), BL_OK);
  reload(f);
  check(f, &random, 9);
}

/* What the store does for a follower that wants a part of the log again. */
static void show_again(struct fixture *f) {
  int64_t from;
  int64_t to;
  while (f->follower->ops->wants_again(f->follower, &from, &to)) {
    for (int i = 0; i < f->log_count; i++) {
      if ((int64_t)i * 10 < from || (int64_t)i * 10 >= to || (int64_t)i * 10 < f->log_min) continue;
      char properties[128];
      snprintf(properties, sizeof(properties), "KEYS\x01key%d  all\x02UNIQ_KEY\x01U%d\x02",
               f->log[i].key, f->log[i].unique);
      struct bl_record record = {.topic = BL_SLICE("topic"),
                                 .log_offset = (int64_t)i * 10,
                                 .sys_flag = f->log[i].sys_flag,
                                 .properties = bl_slice_text(properties)};
      f->follower->ops->on_again(f->follower, &record);
    }
    f->follower->ops->again_done(f->follower, BL_OK);
    bl_worker_finish(f->pool);
  }
}

static void damage_run(struct fixture *f, const struct bl_key_run *run, int64_t at) {
  int file;
  char byte;
  size_t len;
  char path[512];
  bl_keys__run_path(f->keys, run, path);
  unsigned flags = BL_OPEN_READ | BL_OPEN_WRITE;
  assert_int_equal(f->disk->ops->open(f->disk, path, flags, &file, NULL), BL_OK);
  assert_int_equal(f->disk->ops->read(f->disk, file, &byte, 1, at, &len), BL_OK);
  byte ^= 0x10;
  assert_int_equal(f->disk->ops->write(f->disk, file, &byte, 1, at), BL_OK);
  f->disk->ops->close(f->disk, file);
}

static bl_err find_all(struct fixture *f, struct bl_keys_search *search) {
  bl_keys_find(f->keys, search, BL_SLICE("topic"), BL_SLICE("all"), INT64_MAX, 256, on_found);
  bl_worker_finish(f->pool);
  return search->err;
}

/* Found by a search: said to be busy until what it held is there again. */
static void a_damaged_run_is_made_again(void **state) {
  struct fixture *f = *state;
  uint64_t random = 9;
  struct bl_keys_search search;
  for (int i = 0; i < 700; i++) append(f, &random);
  bl_worker_finish(f->pool);
  assert_int_equal(snapshot(f), BL_OK);
  size_t runs = f->keys->runs.count;
  assert_true(runs > 1);
  for (int page = 1; page < 3; page++) {
    damage_run(f, f->keys->runs.items[f->keys->runs.count - 1], page * BL_KEYS_PAGE_BYTES + 100);
  }
  assert_int_equal(find_all(f, &search), BL_ERR_BUSY);
  assert_int_equal(f->keys->runs.count, runs - 1);
  assert_int_equal(find_all(f, &search), BL_ERR_BUSY); /* not less than all as if it were all */
  assert_int_equal(snapshot(f), BL_OK);
  assert_true(f->keys->covered < f->log_count * 10 || f->keys->hole_count > 0);
  show_again(f);
  check(f, &random, 9);
  assert_true(f->follower->ops->unsettled(f->follower));
  assert_int_equal(snapshot(f), BL_OK);
  assert_false(f->follower->ops->unsettled(f->follower));
  reload(f);
  int64_t from;
  int64_t to;
  assert_false(f->follower->ops->wants_again(f->follower, &from, &to));
  check(f, &random, 9);
}

/* The process ends before it is made again: the next start misses the run. */
static void a_damaged_run_is_missed_at_the_next_start(void **state) {
  struct fixture *f = *state;
  uint64_t random = 9;
  struct bl_keys_search search;
  for (int i = 0; i < 700; i++) append(f, &random);
  bl_worker_finish(f->pool);
  assert_int_equal(snapshot(f), BL_OK);
  for (int page = 1; page < 3; page++) {
    damage_run(f, f->keys->runs.items[f->keys->runs.count - 1], page * BL_KEYS_PAGE_BYTES + 200);
  }
  assert_int_equal(find_all(f, &search), BL_ERR_BUSY);
  reload(f);
  assert_int_equal(f->keys->hole_count, 1);
  assert_int_equal(find_all(f, &search), BL_ERR_BUSY);
  show_again(f);
  check(f, &random, 9);
}

/* Every run file, gone or with a header that is not one. */
static void runs_that_are_missing_at_the_start(void **state) {
  struct fixture *f = *state;
  uint64_t random = 9;
  for (int i = 0; i < 800; i++) append(f, &random);
  bl_worker_finish(f->pool);
  assert_int_equal(snapshot(f), BL_OK);
  int runs = (int)f->keys->runs.count;
  assert_true(runs > 3);
  for (int run = 0; run < runs; run++) {
    char path[512];
    bl_keys__run_path(f->keys, f->keys->runs.items[run], path);
    if (run % 2 == 0) {
      assert_int_equal(f->disk->ops->remove(f->disk, path), BL_OK);
    } else {
      damage_run(f, f->keys->runs.items[run], 8 + run);
    }
    reload(f);
    assert_int_equal(f->keys->hole_count, 1);
    show_again(f);
    check(f, &random, 9);
    assert_int_equal(snapshot(f), BL_OK);
    reload(f);
    assert_int_equal(f->keys->hole_count, 0);
    check(f, &random, 9);
    if ((int)f->keys->runs.count <= run + 1) break;
  }
}

/* A merge reads whole runs: it finds what no search came upon. */
static void a_merge_finds_damage(void **state) {
  struct fixture *f = *state;
  uint64_t random = 9;
  for (int i = 0; i < 400; i++) append(f, &random);
  bl_worker_finish(f->pool);
  damage_run(f, f->keys->runs.items[0], BL_KEYS_PAGE_BYTES + 300);
  for (int i = 0; i < 3000; i++) append(f, &random);
  bl_worker_finish(f->pool);
  assert_int_equal(f->keys->hole_count, 1);
  show_again(f);
  check(f, &random, 9);
}

static void a_damaged_snapshot_means_a_whole_replay(void **state) {
  struct fixture *f = *state;
  uint64_t random = 9;
  for (int i = 0; i < 400; i++) append(f, &random);
  bl_worker_finish(f->pool);
  assert_int_equal(snapshot(f), BL_OK);
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice good;
  const char *path = "/store/bolide/keys.snapshot";
  assert_int_equal(bl_disk_read_file(f->disk, path, 1 << 20, &arena, &good), BL_OK);
  char *bad = bl_arena_take(&arena, good.len);
  for (size_t at = 0; at < good.len; at += at < 120 ? 1 : 131) {
    memcpy(bad, good.ptr, good.len);
    bad[at] ^= 0x04;
    assert_int_equal(bl_disk_replace_file(f->disk, path, bl_slice_of(bad, good.len), false, NULL),
                     BL_OK);
    bl_keys_free(f->keys);
    open_keys(f);
    assert_int_equal(bl_driver_load(f->follower), 0);
    assert_int_equal(f->keys->runs.count, 0);
  }
  bl_arena_fini(&arena);
  reload(f);
  check(f, &random, 9);
}

static void discarding_forgets_all_and_the_snapshot_too(void **state) {
  struct fixture *f = *state;
  uint64_t random = 9;
  for (int i = 0; i < 1000; i++) append(f, &random);
  assert_int_equal(snapshot(f), BL_OK);
  f->follower->ops->discard(f->follower);
  f->log_count = 0;
  for (int i = 0; i < 500; i++) append(f, &random);
  check(f, &random, 9);
  bl_keys_free(f->keys);
  open_keys(f);
  assert_int_equal(bl_driver_load(f->follower), 0);
  assert_int_equal(run_files(f), 0);
}

static void wake(void *context) {
  (void)context;
}

static void searches_run_beside_appends_and_merges(void **state) {
  (void)state;
  void *inner;
  setup(&inner);
  struct fixture *f = inner;
  bl_keys_free(f->keys);
  bl_worker_free(f->pool);
  f->pool = bl_worker_new("test-pool", 2, false, wake, NULL);
  open_keys(f);
  assert_int_equal(bl_driver_load(f->follower), 0);
  uint64_t random = 77;
  static struct bl_keys_search searches[64];
  int running = 0;
  searches_done = 0;
  for (int i = 0; i < 8000; i++) {
    append(f, &random);
    if (i % 250 == 249 && running < 64) {
      bl_keys_find(f->keys, &searches[running++], BL_SLICE("topic"), BL_SLICE("all"), INT64_MAX,
                   200, on_found);
    }
    if (i % 3000 == 2999) assert_int_equal(snapshot(f), BL_OK);
    if (i % 50 == 0) bl_worker_drain(f->pool);
  }
  bl_worker_finish(f->pool);
  assert_int_equal(searches_done, running);
  for (int i = 0; i < running; i++) {
    assert_int_equal(searches[i].err, BL_OK);
    assert_int_equal(searches[i].count, 200);
    assert_in_range(searches[i].offsets[0], (i * 250 + 200) * 10, (i * 250 + 249) * 10);
  }
  check(f, &random, 77);
  teardown(&inner);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_key_of_a_message_is_found_newest_first, setup,
                                      teardown),
      cmocka_unit_test(hashes_never_change),
      cmocka_unit_test(sorting_is_by_hash_then_newest),
      cmocka_unit_test(any_history_of_runs_merges_and_crashes_finds_every_key),
      cmocka_unit_test_setup_teardown(many_runs_become_few, setup, teardown),
      cmocka_unit_test_setup_teardown(runs_stay_as_long_as_a_snapshot_may_name_them, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_run_that_cannot_be_written_stays_in_memory, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_damaged_run_is_made_again, setup, teardown),
      cmocka_unit_test_setup_teardown(a_damaged_run_is_missed_at_the_next_start, setup, teardown),
      cmocka_unit_test_setup_teardown(runs_that_are_missing_at_the_start, setup, teardown),
      cmocka_unit_test_setup_teardown(a_merge_finds_damage, setup, teardown),
      cmocka_unit_test_setup_teardown(a_damaged_snapshot_means_a_whole_replay, setup, teardown),
      cmocka_unit_test_setup_teardown(discarding_forgets_all_and_the_snapshot_too, setup, teardown),
      cmocka_unit_test(searches_run_beside_appends_and_merges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
