/* Light queues: one record gives entries to several queues. And inner batches: one entry for
 * several offsets. */
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

#define RECORD_BYTES 100

struct fixture {
  struct bl_disk_fake *fake;
  struct bl_disk *disk;
  struct bl_worker *pool;
  struct bl_queues *queues;
  struct bl_follower *follower;
  int64_t log_end;
  int64_t woken; /* entries that held pulls would hear of */
};

static void on_entry(void *context, struct bl_queue *queue, const struct bl_queue_entry *entry,
                     const struct bl_record *record) {
  struct fixture *f = context;
  assert_int_equal(entry->log_offset, record->log_offset);
  assert_int_equal(bl_queue_max_offset(queue), entry->queue_offset + entry->count);
  f->woken++;
}

static void open_index(struct fixture *f) {
  f->queues = bl_queues_new("/store", f->disk, f->pool);
  bl_queues__set_segment_bytes(f->queues, 256 << 10);
  bl_queues_on_entry(f->queues, on_entry, f);
  f->follower = bl_queues_follower(f->queues);
}

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof(*f));
  f->fake = bl_disk_fake_new();
  f->disk = bl_disk_fake_disk(f->fake);
  f->pool = bl_worker_new_inline();
  open_index(f);
  assert_int_equal(bl_driver_load(f->follower), 0);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  bl_queues_free(f->queues);
  bl_worker_free(f->pool);
  bl_disk_fake_free(f->fake);
  free(f);
  return 0;
}

static void show_at(struct fixture *f, int64_t log_offset, int64_t queue_offset,
                    const char *properties, bool again) {
  struct bl_record record = {
      .topic = BL_SLICE("Parent"),
      .queue_offset = queue_offset,
      .log_offset = log_offset,
      .size_bytes = RECORD_BYTES,
      .properties = bl_slice_text(properties),
  };
  if (again) {
    f->follower->ops->on_again(f->follower, &record);
  } else {
    f->follower->ops->on_record(f->follower, &record);
  }
}

/* Record number i: every one in the light queue a, every third in b, too. */
static void properties_of(int64_t i, char out[128]) {
  if (i % 3 == 0) {
    snprintf(out, 128,
             "INNER_MULTI_DISPATCH\x01%%LMQ%%a,%%LMQ%%b\x02INNER_MULTI_QUEUE_OFFSET\x01%d,%d\x02",
             (int)i, (int)(i / 3));
  } else {
    snprintf(out, 128, "INNER_MULTI_DISPATCH\x01%%LMQ%%a\x02INNER_MULTI_QUEUE_OFFSET\x01%d\x02",
             (int)i);
  }
}

static void show_run(struct fixture *f, int64_t from, int64_t to, bool again) {
  for (int64_t i = from; i < to; i++) {
    char properties[128];
    properties_of(i, properties);
    show_at(f, i * RECORD_BYTES, i, properties, again);
  }
  if (!again) f->log_end = to * RECORD_BYTES;
}

static struct bl_queue *queue_of(struct fixture *f, const char *topic) {
  struct bl_queue *queue = bl_queues_find(f->queues, bl_slice_text(topic), 0);
  assert_non_null(queue);
  return queue;
}

static void expect_all(struct fixture *f, int64_t count) {
  struct bl_queue_entry entry;
  uint32_t got;
  struct bl_queue *a = queue_of(f, "%LMQ%a"), *b = queue_of(f, "%LMQ%b");
  assert_int_equal(bl_queue_max_offset(queue_of(f, "Parent")), count);
  assert_int_equal(bl_queue_max_offset(a), count);
  assert_int_equal(bl_queue_max_offset(b), (count + 2) / 3);
  for (int64_t i = 0; i < count; i++) {
    assert_int_equal(bl_queue_read_blocking(a, i, &entry, 1, &got), BL_OK);
    assert_int_equal(got, 1);
    assert_int_equal(entry.log_offset, i * RECORD_BYTES);
    assert_int_equal(entry.count, 1);
    if (i % 3 != 0) continue;
    assert_int_equal(bl_queue_read_blocking(b, i / 3, &entry, 1, &got), BL_OK);
    assert_int_equal(entry.log_offset, i * RECORD_BYTES);
    assert_int_equal(entry.size_bytes, RECORD_BYTES);
  }
}

static void one_record_gives_entries_to_several_queues(void **state) {
  struct fixture *f = *state;
  show_run(f, 0, 10, false);
  expect_all(f, 10);
  assert_int_equal(f->woken, 10 + 10 + 4);
  assert_int_equal(bl_queues_light_count(f->queues), 2);
  show_run(f, 4, 10, false); /* shown again after a snapshot */
  expect_all(f, 10);
  assert_int_equal(f->woken, 24);
}

static void a_queue_that_is_named_twice_has_the_record_once(void **state) {
  struct fixture *f = *state;
  show_at(f, 0, 0,
          "INNER_MULTI_DISPATCH\x01%LMQ%a,%LMQ%a\x02INNER_MULTI_QUEUE_OFFSET\x01"
          "0,0\x02",
          false);
  assert_int_equal(bl_queue_max_offset(queue_of(f, "%LMQ%a")), 1);
  assert_int_equal(f->woken, 2);
}

static void a_copied_offset_changes_nothing(void **state) {
  struct fixture *f = *state;
  show_run(f, 0, 10, false);
  show_at(f, 10 * RECORD_BYTES, 10,
          "INNER_MULTI_DISPATCH\x01%LMQ%a\x02INNER_MULTI_QUEUE_OFFSET\x01"
          "4\x02",
          false);
  struct bl_queue *a = queue_of(f, "%LMQ%a");
  assert_int_equal(bl_queue_max_offset(a), 10);
  assert_int_equal(bl_queue_min_offset(a), 0);
  /* A Java broker deleted the queue: it begins again. */
  show_at(f, 11 * RECORD_BYTES, 11,
          "INNER_MULTI_DISPATCH\x01%LMQ%a\x02INNER_MULTI_QUEUE_OFFSET\x01"
          "0\x02",
          false);
  assert_int_equal(bl_queue_max_offset(a), 1);
}

static void offsets_out_of_range_are_refused(void **state) {
  struct fixture *f = *state;
  show_at(f, 0, 0,
          "INNER_MULTI_DISPATCH\x01%LMQ%a,%LMQ%b\x02INNER_MULTI_QUEUE_OFFSET\x01"
          "9223372036854775807,0\x02",
          false);
  assert_int_equal(f->queues->refused, 1);
  struct bl_queue *a = bl_queues_find(f->queues, BL_SLICE("%LMQ%a"), 0);
  assert_true(a == NULL || bl_queue_max_offset(a) == 0);
  assert_int_equal(bl_queue_max_offset(queue_of(f, "%LMQ%b")), 1);
}

static void light_queues_are_in_snapshots(void **state) {
  struct fixture *f = *state;
  show_run(f, 0, 3000, false);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  bl_queues_free(f->queues);
  open_index(f);
  assert_int_equal(bl_driver_load(f->follower), f->log_end);
  assert_int_equal(bl_queues_light_count(f->queues), 2);
  expect_all(f, 3000);
  show_run(f, 2990, 3100, false);
  expect_all(f, 3100);
  f->follower->ops->discard(f->follower);
  assert_int_equal(bl_queues_light_count(f->queues), 0);
  show_run(f, 0, 3100, false);
  expect_all(f, 3100);
}

static void retention_moves_their_minimum(void **state) {
  struct fixture *f = *state;
  show_run(f, 0, 3000, false);
  f->follower->ops->log_min_moved(f->follower, 1500 * RECORD_BYTES);
  assert_int_equal(bl_queue_min_offset(queue_of(f, "%LMQ%a")), 1500);
  assert_int_equal(bl_queue_min_offset(queue_of(f, "%LMQ%b")), 500);
  f->follower->ops->log_min_moved(f->follower, 3000 * RECORD_BYTES);
  assert_int_equal(bl_queue_min_offset(queue_of(f, "%LMQ%a")), 3000);
  assert_int_equal(bl_queue_max_offset(queue_of(f, "%LMQ%a")), 3000);
  bl_queues_retire_topic(f->queues, BL_SLICE("Parent"), 3000 * RECORD_BYTES);
  show_at(f, 3000 * RECORD_BYTES, 3000,
          "INNER_MULTI_DISPATCH\x01%LMQ%a\x02INNER_MULTI_QUEUE_OFFSET\x01"
          "3000\x02",
          false);
  assert_int_equal(bl_queue_max_offset(queue_of(f, "%LMQ%a")), 3001);
}

static void on_warm(struct bl_queue_warm *warm) {
  assert_int_equal(warm->err, BL_OK);
}

static void a_damaged_chunk_of_a_light_queue_is_made_anew(void **state) {
  struct fixture *f = *state;
  show_run(f, 0, 4 * 1024, false);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  bl_queues_free(f->queues);
  open_index(f);
  bl_driver_load(f->follower);
  struct bl_queue *b = queue_of(f, "%LMQ%b");
  assert_true(b->ref_count >= 1);
  char path[512];
  int64_t at = b->refs[0].position;
  int file = -1;
  bl_index__segment_path(f->queues, at / f->queues->segment_bytes, path);
  assert_int_equal(f->disk->ops->open(f->disk, path, BL_OPEN_WRITE | BL_OPEN_READ, &file, NULL),
                   BL_OK);
  assert_int_equal(
      f->disk->ops->write(f->disk, file, "damage", 6, at % f->queues->segment_bytes + 100), BL_OK);
  f->disk->ops->close(f->disk, file);
  struct bl_queue_entry entry;
  uint32_t count;
  assert_int_equal(bl_queue_read(b, 5, &entry, 1, &count), BL_ERR_COLD);
  struct bl_queue_warm warm;
  bl_queue_warm(b, &warm, 5, on_warm);
  int64_t from, to;
  for (int i = 0; i < 10 && !f->follower->ops->wants_again(f->follower, &from, &to); i++)
    bl_worker_drain(f->pool);
  assert_true(f->queues->repairs.running);
  show_run(f, from / RECORD_BYTES, (to + RECORD_BYTES - 1) / RECORD_BYTES, true);
  f->follower->ops->again_done(f->follower, BL_OK);
  bl_worker_drain(f->pool);
  expect_all(f, 4 * 1024);
}

static void an_inner_batch_is_found_by_any_of_its_offsets(void **state) {
  struct fixture *f = *state;
  struct bl_record record = {.topic = BL_SLICE("Batches"), .size_bytes = 500};
  for (int64_t i = 0; i < 1500; i++) { /* batches of 1 to 7 messages */
    char properties[64];
    int64_t count = i % 7 + 1;
    snprintf(properties, sizeof(properties), "INNER_NUM\x01%d\x02INNER_BASE\x01%d\x02", (int)count,
             (int)record.queue_offset);
    record.sys_flag = BL_SYS_INNER_BATCH | BL_SYS_NEED_UNWRAP;
    record.properties = bl_slice_text(properties);
    record.log_offset = i * 500;
    f->follower->ops->on_record(f->follower, &record);
    record.queue_offset += count;
  }
  f->log_end = 1500 * 500;
  for (int round = 0; round < 2; round++) {
    struct bl_queue *queue = queue_of(f, "Batches");
    int64_t base = 0;
    assert_int_equal(bl_queue_max_offset(queue), record.queue_offset);
    for (int64_t i = 0; i < 1500; i++) {
      for (int64_t k = 0; k < i % 7 + 1; k++) {
        struct bl_queue_entry entry;
        uint32_t count;
        assert_int_equal(bl_queue_read_blocking(queue, base + k, &entry, 1, &count), BL_OK);
        assert_int_equal(entry.queue_offset, base);
        assert_int_equal(entry.count, i % 7 + 1);
        assert_int_equal(entry.log_offset, i * 500);
      }
      base += i % 7 + 1;
    }
    if (round > 0) break;
    assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
    bl_queues_free(f->queues);
    open_index(f);
    bl_driver_load(f->follower);
  }
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CASE(one_record_gives_entries_to_several_queues),
      CASE(a_queue_that_is_named_twice_has_the_record_once),
      CASE(a_copied_offset_changes_nothing),
      CASE(offsets_out_of_range_are_refused),
      CASE(light_queues_are_in_snapshots),
      CASE(retention_moves_their_minimum),
      CASE(a_damaged_chunk_of_a_light_queue_is_made_anew),
      CASE(an_inner_batch_is_found_by_any_of_its_offsets),
  };
#undef CASE
  return cmocka_run_group_tests(tests, NULL, NULL);
}
