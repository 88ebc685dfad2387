/* Random histories of the queue index against a plain list: appends, batches, gaps, topics deleted
 * and begun again, retention, snapshots taken while records come, full disks, power losses. Prints
 * its seed when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "os/fake/disk_fake.h"
#include "store/queues/driver_testlib.h"
#include "store/queues/queues_internal.h"

enum { TOPICS = 3, IDS = 3, QUEUES = TOPICS * IDS, LOG_MAX = 40000, RECORD_BYTES = 10 };

static const char *const topics[TOPICS] = {"TopicTest", "%RETRY%group", "c"};

enum kind { MESSAGE, RETIRE, RETIRE_QUEUE };

struct logged {
  enum kind kind;
  int queue; /* or topic */
  int64_t queue_offset;
  uint32_t count;
};

struct history {
  struct bl_disk_fake *fake;
  struct bl_disk *disk;
  struct bl_worker *pool;
  struct bl_queues *queues;
  struct bl_follower *follower;
  struct bl_snapshot snapshot;
  bool dumping;
  struct logged log[LOG_MAX]; /* number i is at log offset i * 10 */
  int log_count;
  int64_t log_min;
  int64_t retired[QUEUES];
  int64_t next[QUEUES];
  uint64_t random;
  uint64_t seed;
};

static uint64_t roll(struct history *h, uint64_t sides) {
  return bl_driver_random(&h->random) % sides;
}

static void open_index(struct history *h) {
  h->queues = bl_queues_new("/store", h->disk, h->pool);
  bl_queues__set_segment_bytes(h->queues, 64 << 10);
  h->queues->dump_step_bytes = 40; /* a queue or two a step */
  h->queues->refs_max = 4 + (uint32_t)(h->seed % 8);
  h->queues->small_part_bytes = 0;
  if (h->seed % 2 == 0) h->queues->tail_bytes_soft = 4000; /* chunks of 128 and 32 units */
  h->follower = bl_queues_follower(h->queues);
}

static int64_t log_end(const struct history *h) {
  return (int64_t)h->log_count * RECORD_BYTES;
}

static void show(struct history *h, int i) {
  const struct logged *logged = &h->log[i];
  int64_t log_offset = (int64_t)i * RECORD_BYTES;
  if (logged->kind == RETIRE) {
    bl_queues_retire_topic(h->queues, bl_slice_text(topics[logged->queue]), log_offset);
    return;
  }
  if (logged->kind == RETIRE_QUEUE) {
    struct bl_queue *queue =
        bl_queues_find(h->queues, bl_slice_text(topics[logged->queue / IDS]), logged->queue % IDS);
    if (queue != NULL) bl_queues_retire_queue(queue, logged->queue_offset);
    return;
  }
  char properties[64];
  int len = snprintf(properties, sizeof(properties), "TAGS\x01%c\x02INNER_NUM\x01%u\x02",
                     'A' + i % 26, logged->count);
  struct bl_record record = {
      .topic = bl_slice_text(topics[logged->queue / IDS]),
      .queue_id = logged->queue % IDS,
      .queue_offset = logged->queue_offset,
      .log_offset = log_offset,
      .size_bytes = (uint32_t)(100 + i % 50),
      .sys_flag = logged->count > 1 ? BL_SYS_INNER_BATCH : 0,
      .properties = bl_slice_of(properties, (size_t)len),
  };
  h->follower->ops->on_record(h->follower, &record);
}

static void append(struct history *h) {
  assert_true(h->log_count < LOG_MAX);
  struct logged *logged = &h->log[h->log_count];
  *logged = (struct logged){.kind = MESSAGE, .queue = (int)roll(h, QUEUES), .count = 1};
  if (roll(h, 3) > 0) logged->queue = 0; /* one busy queue */
  if (roll(h, 30) == 0) logged->count = 2 + (uint32_t)roll(h, 30);
  logged->queue_offset = h->next[logged->queue];
  if (roll(h, 300) == 0) logged->queue_offset += 1 + (int64_t)roll(h, 2000);
  if (roll(h, 3000) == 0)
    logged->queue_offset = (int64_t)roll(h, (uint64_t)logged->queue_offset + 1);
  h->next[logged->queue] = logged->queue_offset + logged->count;
  show(h, h->log_count++);
}

static void raise(int64_t *retired, int64_t log_offset) {
  if (log_offset > *retired) *retired = log_offset;
}

static void retire(struct history *h) {
  int topic = (int)roll(h, TOPICS);
  h->log[h->log_count] = (struct logged){.kind = RETIRE, .queue = topic};
  for (int i = 0; i < IDS; i++) raise(&h->retired[topic * IDS + i], log_end(h));
  show(h, h->log_count++);
}

/* Retention of a queue: up to anywhere. What is done is seen again in the log, for the model. */
static void retire_queue(struct history *h) {
  int queue = (int)roll(h, QUEUES);
  int64_t to = (int64_t)roll(h, (uint64_t)h->log_count + 1) * RECORD_BYTES;
  h->log[h->log_count] = (struct logged){.kind = RETIRE_QUEUE, .queue = queue, .queue_offset = to};
  if (h->next[queue] > 0) raise(&h->retired[queue], to);
  show(h, h->log_count++);
}

/* Entries of a queue that should be readable, oldest first. */
static int expected(const struct history *h, int queue, struct bl_queue_entry *out) {
  int count = 0;
  int64_t next = 0;
  int64_t floor = h->log_min > h->retired[queue] ? h->log_min : h->retired[queue];
  for (int i = 0; i < h->log_count; i++) {
    const struct logged *logged = &h->log[i];
    if (logged->kind != MESSAGE || logged->queue != queue) continue;
    if (logged->queue_offset < next) count = 0;
    next = logged->queue_offset + logged->count;
    if ((int64_t)i * RECORD_BYTES < floor) continue;
    out[count++] = (struct bl_queue_entry){
        .queue_offset = logged->queue_offset,
        .log_offset = (int64_t)i * RECORD_BYTES,
        .size_bytes = (uint32_t)(100 + i % 50),
        .count = logged->count,
        .tags_code = 'A' + i % 26,
    };
  }
  return count;
}

static void check_range(struct history *h, struct bl_queue *queue,
                        const struct bl_queue_entry *want, int want_count, int64_t offset) {
  static struct bl_queue_entry got[LOG_MAX];
  uint32_t max = 1 + (uint32_t)roll(h, 3000);
  uint32_t count;
  assert_int_equal(bl_queue_read(queue, offset, got, max, &count), BL_OK);
  int at = 0;
  while (at < want_count && want[at].queue_offset + want[at].count <= offset) at++;
  if (offset < bl_queue_min_offset(queue)) at = want_count;
  uint32_t left = (uint32_t)(want_count - at);
  if (count != (left < max ? left : max)) {
    fail_msg("seed %llu: %.*s-%d from %lld: %u entries, not %u", (unsigned long long)h->seed,
             BL_FMT(bl_queue_topic(queue)), bl_queue_id(queue), (long long)offset, count,
             left < max ? left : max);
  }
  for (uint32_t i = 0; i < count; i++) {
    const struct bl_queue_entry *w = &want[at + (int)i];
    bool same = got[i].queue_offset == w->queue_offset && got[i].log_offset == w->log_offset &&
                got[i].size_bytes == w->size_bytes && got[i].count == w->count &&
                got[i].tags_code == w->tags_code;
    if (!same) {
      fail_msg("seed %llu: entry %u from %lld is queue %lld log %lld, not queue %lld log %lld",
               (unsigned long long)h->seed, i, (long long)offset, (long long)got[i].queue_offset,
               (long long)got[i].log_offset, (long long)w->queue_offset, (long long)w->log_offset);
    }
  }
}

static void check(struct history *h) {
  static struct bl_queue_entry want[LOG_MAX];
  for (int q = 0; q < QUEUES; q++) {
    int count = expected(h, q, want);
    struct bl_queue *queue = bl_queues_find(h->queues, bl_slice_text(topics[q / IDS]), q % IDS);
    if (queue == NULL) {
      assert_int_equal(h->next[q], 0);
      continue;
    }
    assert_int_equal(bl_queue_max_offset(queue), h->next[q]);
    assert_int_equal(bl_queue_assigned_offset(queue), h->next[q]);
    int64_t min = count > 0 ? want[0].queue_offset : h->next[q];
    if (bl_queue_min_offset(queue) != min) {
      fail_msg("seed %llu: %s-%d: min is %lld, not %lld", (unsigned long long)h->seed,
               topics[q / IDS], q % IDS, (long long)bl_queue_min_offset(queue), (long long)min);
    }
    for (int i = 0; i < 3; i++) {
      check_range(h, queue, want, count, (int64_t)roll(h, (uint64_t)h->next[q] + 2));
    }
    check_range(h, queue, want, count, min);
  }
}

static void begin_dump(struct history *h) {
  if (h->dumping) return;
  bl_driver_begin(&h->snapshot, log_end(h));
  h->dumping = true;
}

static void end_dump(struct history *h) {
  begin_dump(h);
  while (h->follower->ops->snapshot_step(h->follower, &h->snapshot)) {}
  (void)bl_driver_write(h->follower, h->disk, &h->snapshot);
  h->dumping = false;
}

static void power_loss(struct history *h) {
  struct bl_driver_crash crash;
  bl_driver_crash_after(&crash, h->fake, (int64_t)roll(h, 60), h->random);
  if (roll(h, 2) == 0) end_dump(h);
  bl_worker_finish(h->pool);
  if (!crash.happened) bl_disk_fake_power_loss(h->fake, h->random);
  bl_disk_fake_on_op(h->fake, NULL, NULL);
  if (h->dumping) bl_driver_drop(&h->snapshot);
  h->dumping = false;
  int64_t written = h->follower->ops->needs_from(h->follower);
  bl_queues_free(h->queues);
  bl_disk_fake_restart(h->fake);
  open_index(h);
  int64_t covered = bl_driver_load(h->follower);
  assert_true(covered >= written); /* a snapshot that was written is read */
  h->follower->ops->log_min_moved(h->follower, h->log_min);
  if (covered < h->log_min) covered = h->log_min;
  for (int i = (int)(covered / RECORD_BYTES); i < h->log_count; i++) show(h, i);
}

static void step(struct history *h) {
  uint64_t dice = roll(h, 100);
  if (dice < 45) {
    for (uint64_t n = roll(h, 700); n > 0; n--) append(h);
  } else if (dice < 60) {
    begin_dump(h);
    for (uint64_t n = 1 + roll(h, 12); n > 0 && h->dumping; n--) {
      if (h->follower->ops->snapshot_step(h->follower, &h->snapshot)) continue;
      (void)bl_driver_write(h->follower, h->disk, &h->snapshot);
      h->dumping = false;
    }
  } else if (dice < 70) {
    end_dump(h);
  } else if (dice < 75) {
    bl_worker_drain(h->pool);
  } else if (dice < 80) {
    int64_t limit = h->follower->ops->needs_from(h->follower);
    if (limit <= h->log_min) return;
    h->log_min += (int64_t)roll(h, (uint64_t)(limit - h->log_min) + 1);
    h->log_min -= h->log_min % RECORD_BYTES;
    h->follower->ops->log_min_moved(h->follower, h->log_min);
  } else if (dice < 81) {
    retire(h);
  } else if (dice < 82) {
    retire_queue(h);
  } else if (dice < 85) {
    bl_disk_fake_fail(h->fake, BL_FAKE_WRITE, "", (int64_t)roll(h, 5), (int64_t)roll(h, 5),
                      BL_ERR_NO_SPACE);
  } else if (dice < 90) {
    power_loss(h);
    check(h);
  } else {
    check(h);
  }
}

static void any_history_reads_like_the_list(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    struct history *h = calloc(1, sizeof(*h));
    h->seed = seed;
    h->random = seed * 1000003;
    h->fake = bl_disk_fake_new();
    h->disk = bl_disk_fake_disk(h->fake);
    h->pool = bl_worker_new_inline();
    open_index(h);
    assert_int_equal(bl_driver_load(h->follower), 0);
    for (int i = 0; i < 90; i++) step(h);
    power_loss(h);
    check(h);
    bl_queues_free(h->queues);
    bl_worker_free(h->pool);
    bl_disk_fake_free(h->fake);
    free(h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(any_history_reads_like_the_list)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
