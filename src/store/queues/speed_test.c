/* What the queue index costs. Without arguments a small run with claims: a snapshot has what
 * changed, no more; files stay few; an idle queue is small. With arguments, a measurement on the
 * real disk:
 *   store_queues_speed_test QUEUES [MESSAGES [QUEUES_PER_TOPIC]] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "os/fake/disk_fake.h"
#include "os/process.h"
#include "store/queues/driver_testlib.h"
#include "store/queues/queues_internal.h"

enum { BATCH = 64, NAME_BYTES = 23, RECORD_BYTES = 300, STRIDE = 7919 };

struct run {
  const char *dir;
  struct bl_disk *disk;
  struct bl_worker *pool;
  struct bl_queues *queues;
  struct bl_follower *follower;
  uint32_t queue_count;
  uint32_t per_topic;
  struct bl_queue **handles; /* as the broker's topics hold them */
  char (*topics)[NAME_BYTES + 1];
  int64_t log_end;
  uint64_t sent;
  int64_t step_us; /* the longest of a snapshot */
  int steps;
  int long_steps; /* over 100 us */
};

static void open_index(struct run *run) {
  run->queues = bl_queues_new(run->dir, run->disk, run->pool);
  run->follower = bl_queues_follower(run->queues);
  bl_driver_load(run->follower);
  for (uint32_t i = 0; i < run->queue_count; i++) {
    struct bl_slice topic = bl_slice_of(run->topics[i / run->per_topic], NAME_BYTES);
    int32_t id = (int32_t)(i % run->per_topic);
    assert_int_equal(bl_queues_open_queue(run->queues, topic, id, &run->handles[i]), BL_OK);
  }
}

static void begin(struct run *run, const char *dir, struct bl_disk *disk, uint32_t queue_count,
                  uint32_t per_topic) {
  *run = (struct run){.dir = dir, .disk = disk, .queue_count = queue_count, .per_topic = per_topic};
  uint32_t topics = queue_count / per_topic + 1;
  run->pool = bl_worker_new_inline();
  run->handles = calloc(queue_count, sizeof(*run->handles));
  run->topics = calloc(topics, sizeof(*run->topics));
  for (uint32_t i = 0; i < topics; i++)
    snprintf(run->topics[i], sizeof(run->topics[i]), "orders-of-region-%06u", i % 1000000);
  open_index(run);
}

static void end(struct run *run) {
  bl_queues_free(run->queues);
  bl_worker_free(run->pool);
  free(run->handles);
  free(run->topics);
}

/* A turn: messages are sent to queues `stride` apart, then shown. */
static void send_batch(struct run *run, uint32_t count, uint32_t stride) {
  struct bl_record records[BATCH];
  for (uint32_t i = 0; i < count; i++) {
    uint32_t at = (uint32_t)(run->sent++ * stride % run->queue_count);
    struct bl_queue *queue = run->handles[at];
    records[i] = (struct bl_record){
        .topic = bl_slice_of(run->topics[at / run->per_topic], NAME_BYTES),
        .queue_id = (int32_t)(at % run->per_topic),
        .queue_offset = bl_queue_assigned_offset(queue),
        .log_offset = run->log_end,
        .store_ms = 1000000,
        .size_bytes = RECORD_BYTES,
        .properties = BL_SLICE("TAGS\x01TagA\x02"),
    };
    run->log_end += RECORD_BYTES;
    bl_queue_assign_at(queue, 1, records[i].log_offset);
  }
  for (uint32_t i = 0; i < count; i++) run->follower->ops->on_record(run->follower, &records[i]);
}

static void send_all(struct run *run, uint64_t count, uint32_t stride) {
  for (; count > 0; count -= count < BATCH ? count : BATCH)
    send_batch(run, count < BATCH ? (uint32_t)count : BATCH, stride);
}

/* RETURNS its bytes. */
static size_t take_snapshot(struct run *run) {
  static struct bl_snapshot snapshot;
  bl_driver_begin(&snapshot, run->log_end);
  run->step_us = 0;
  run->steps = 0;
  run->long_steps = 0;
  for (bool more = true; more;) {
    int64_t from_us = bl_process_cpu_us();
    more = run->follower->ops->snapshot_step(run->follower, &snapshot);
    int64_t took_us = bl_process_cpu_us() - from_us;
    if (took_us > run->step_us) run->step_us = took_us;
    run->steps++;
    run->long_steps += took_us > 100;
  }
  size_t bytes = snapshot.files[0].bytes.len;
  assert_int_equal(bl_driver_write(run->follower, run->disk, &snapshot), BL_OK);
  bl_worker_finish(run->pool);
  return bytes;
}

static void timed_snapshot(struct run *run, const char *what) {
  int64_t from_us = bl_process_cpu_us();
  size_t bytes = take_snapshot(run);
  printf("snapshot, %s: %zu bytes, %.3f ms, longest step %lld us, %d of %d over 100 us\n", what,
         bytes, (double)(bl_process_cpu_us() - from_us) / 1e3, (long long)run->step_us,
         run->long_steps, run->steps);
}

static void measure(struct run *run, uint64_t messages) {
  send_all(run, run->queue_count, 1);
  int64_t from_us = bl_process_cpu_us();
  send_all(run, messages, STRIDE);
  printf("%u queues: assign and on_record %.1f ns a message\n", run->queue_count,
         (double)(bl_process_cpu_us() - from_us) * 1e3 / (double)messages);
  timed_snapshot(run, "all changed");
  send_all(run, run->queue_count / 100 + 1, STRIDE);
  timed_snapshot(run, "1 % changed, the others idle now");
  send_all(run, run->queue_count / 100 + 1, STRIDE);
  timed_snapshot(run, "1 % changed");
  timed_snapshot(run, "nothing changed");
  struct bl_queues_stats stats;
  bl_queues_stats(run->queues, &stats);
  printf("idle: %lld bytes a queue\n", (long long)(stats.memory_bytes / run->queue_count));
  bl_queues_free(run->queues);
  from_us = bl_process_cpu_us();
  open_index(run);
  printf("load and look up: %.3f ms\n", (double)(bl_process_cpu_us() - from_us) / 1e3);
}

static size_t count_parts(const struct run *run) {
  const char *const *names = NULL;
  size_t count = 0;
  struct bl_arena arena;
  bl_arena_init(&arena);
  char path[512];
  bl_queues__path(run->queues, "queues", path);
  assert_int_equal(run->disk->ops->list(run->disk, path, &arena, &names, &count), BL_OK);
  bl_arena_fini(&arena);
  return count;
}

static void a_snapshot_has_what_changed_and_files_stay_few(void **state) {
  (void)state;
  enum { QUEUES = 10000, EACH = 5, ROUNDS = 200 };
  struct bl_disk_fake *fake = bl_disk_fake_new();
  struct run run;
  begin(&run, "/store", bl_disk_fake_disk(fake), QUEUES, 8);
  run.queues->small_part_bytes = 1000;
  send_all(&run, QUEUES * EACH, 1);
  size_t all = take_snapshot(&run);
  struct bl_queues_stats stats;
  bl_queues_stats(run.queues, &stats);
  assert_in_range((stats.memory_bytes - (int64_t)sizeof(*run.queues)) / QUEUES, 128, 400);
  send_all(&run, QUEUES / 100, STRIDE);
  assert_in_range(take_snapshot(&run), 1, all / 50);
  size_t written = 0;
  for (int i = 0; i < ROUNDS; i++) {
    send_all(&run, QUEUES / 100, STRIDE);
    written += take_snapshot(&run);
    assert_in_range(count_parts(&run), 1, 20);
  }
  /* Two times all that was sent to, at 1 % a round, and what copying costs. */
  assert_in_range(written, 2 * all, 20 * all);
  bl_queues_free(run.queues);
  open_index(&run);
  for (uint32_t i = 0; i < QUEUES; i++) {
    struct bl_queue_entry entry;
    uint32_t count;
    int64_t last = bl_queue_max_offset(run.handles[i]) - 1;
    assert_in_range(last, EACH + 1, EACH + 4);
    assert_int_equal(bl_queue_read_blocking(run.handles[i], last, &entry, 1, &count), BL_OK);
    assert_int_equal(count, 1);
  }
  end(&run);
  bl_disk_fake_free(fake);
}

/* All that 20,000 queues had is gone from the log: they keep where to go on, and nothing else. */
static void queues_whose_messages_are_gone_keep_their_next_offset(void **state) {
  (void)state;
  enum { QUEUES = 20000 };
  struct bl_disk_fake *fake = bl_disk_fake_new();
  struct run run;
  begin(&run, "/store", bl_disk_fake_disk(fake), QUEUES, 1);
  send_all(&run, QUEUES * 3, 1);
  take_snapshot(&run);
  assert_false(run.follower->ops->unsettled(run.follower));
  run.follower->ops->log_min_moved(run.follower, run.log_end);
  assert_true(run.follower->ops->unsettled(run.follower));
  for (int restart = 0; restart < 2; restart++) {
    take_snapshot(&run);
    struct bl_queues_stats stats;
    bl_queues_stats(run.queues, &stats);
    assert_int_equal(stats.entry_count, 0);
    for (uint32_t i = 0; i < QUEUES; i++) {
      assert_int_equal(bl_queue_min_offset(run.handles[i]), 3);
      assert_int_equal(bl_queue_max_offset(run.handles[i]), 3);
      assert_int_equal(bl_queue_assigned_offset(run.handles[i]), 3);
    }
    bl_queues_free(run.queues);
    open_index(&run);
    run.follower->ops->log_min_moved(run.follower, run.log_end);
  }
  end(&run);
  bl_disk_fake_free(fake);
}

static void remove_folder(struct bl_disk *disk, const char *dir, const char *name) {
  const char *const *names = NULL;
  size_t count = 0;
  char path[512];
  struct bl_arena arena;
  bl_arena_init(&arena);
  snprintf(path, sizeof(path), "%s%s", dir, name);
  if (disk->ops->list(disk, path, &arena, &names, &count) != BL_OK) count = 0;
  for (size_t i = 0; i < count; i++) {
    snprintf(path, sizeof(path), "%s%s/%s", dir, name, names[i]);
    (void)disk->ops->remove(disk, path);
  }
  snprintf(path, sizeof(path), "%s%s", dir, name);
  (void)disk->ops->remove(disk, path);
  bl_arena_fini(&arena);
}

static int measure_main(int argc, char **argv) {
  struct run run;
  uint32_t queues = (uint32_t)strtoul(argv[1], NULL, 10);
  uint32_t per_topic = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 8;
  if (queues == 0 || per_topic == 0) return 2;
  const char *tmp = getenv("TMPDIR");
  char dir[256];
  snprintf(dir, sizeof(dir), "%s/bolide-queues-%d", tmp != NULL ? tmp : "/tmp", bl_process_pid());
  begin(&run, dir, bl_disk_real(), queues, per_topic < queues ? per_topic : queues);
  measure(&run, argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000);
  end(&run);
  static const char *const folders[] = {"/bolide/index", "/bolide/queues", "/bolide", ""};
  for (int i = 0; i < 4; i++) remove_folder(run.disk, dir, folders[i]);
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1) return measure_main(argc, argv);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_snapshot_has_what_changed_and_files_stay_few),
      cmocka_unit_test(queues_whose_messages_are_gone_keep_their_next_offset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
