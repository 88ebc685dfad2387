/* Single claims about the queue index; property_test.c compares it with a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "os/fake/disk_fake.h"
#include "store/queues/driver_testlib.h"
#include "store/queues/queues_internal.h"

struct fixture {
  struct bl_disk_fake *fake;
  struct bl_disk *disk;
  struct bl_worker *pool;
  struct bl_queues *queues;
  struct bl_follower *follower;
  int64_t log_end;
};

static void open_index(struct fixture *f) {
  f->queues = bl_queues_new("/store", f->disk, f->pool);
  bl_queues__set_segment_bytes(f->queues, 256 << 10);
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

static struct bl_record record_of(struct fixture *f, const char *topic, int32_t queue_id,
                                  int64_t queue_offset) {
  struct bl_record record = {
      .topic = bl_slice_text(topic),
      .queue_id = queue_id,
      .queue_offset = queue_offset,
      .log_offset = f->log_end,
      .store_ms = 1000000,
      .size_bytes = 100,
      .properties = BL_SLICE(""),
  };
  f->log_end += 100;
  return record;
}

static void show(struct fixture *f, const struct bl_record *record) {
  f->follower->ops->on_record(f->follower, record);
}

/* Shows `count` records of queue (T, 0) from `queue_offset` on. */
static void show_run(struct fixture *f, const char *topic, int64_t queue_offset, int count) {
  for (int i = 0; i < count; i++) {
    struct bl_record record = record_of(f, topic, 0, queue_offset + i);
    show(f, &record);
  }
}

static struct bl_queue *queue_of(struct fixture *f, const char *topic) {
  struct bl_queue *queue = bl_queues_find(f->queues, bl_slice_text(topic), 0);
  assert_non_null(queue);
  return queue;
}

static struct bl_queue *queue_of_or_new(struct fixture *f, const char *topic) {
  struct bl_queue *queue;
  assert_int_equal(bl_queues_open_queue(f->queues, bl_slice_text(topic), 0, &queue), BL_OK);
  return queue;
}

static struct bl_queue_entry entry_at(struct bl_queue *queue, int64_t offset) {
  struct bl_queue_entry entry = {0};
  uint32_t count = 0;
  assert_int_equal(bl_queue_read_blocking(queue, offset, &entry, 1, &count), BL_OK);
  assert_int_equal(count, 1);
  return entry;
}

static void reload(struct fixture *f) {
  bl_queues_free(f->queues);
  open_index(f);
  bl_driver_load(f->follower);
}

static void a_queue_is_found_by_topic_and_id(void **state) {
  struct fixture *f = *state;
  assert_null(bl_queues_find(f->queues, BL_SLICE("T"), 0));
  static const int32_t ids[] = {7, 0, 65535, 1, 3, 2};
  struct bl_queue *queues[6];
  for (int i = 0; i < 6; i++) {
    assert_int_equal(bl_queues_open_queue(f->queues, BL_SLICE("T"), ids[i], &queues[i]), BL_OK);
  }
  for (int i = 0; i < 6; i++) {
    assert_ptr_equal(bl_queues_find(f->queues, BL_SLICE("T"), ids[i]), queues[i]);
    assert_int_equal(bl_queue_id(queues[i]), ids[i]);
    assert_true(bl_slice_is(bl_queue_topic(queues[i]), "T"));
  }
  assert_null(bl_queues_find(f->queues, BL_SLICE("T"), 4));
  assert_null(bl_queues_find(f->queues, BL_SLICE("TT"), 0));
  struct bl_queue *queue;
  assert_int_equal(bl_queues_open_queue(f->queues, BL_SLICE("T"), -1, &queue), BL_ERR_PARAMETER);
  assert_int_equal(bl_queues_open_queue(f->queues, BL_SLICE(""), 0, &queue), BL_ERR_PARAMETER);
  size_t cursor = 0;
  for (int i = 0; i < 6; i++) assert_ptr_equal(bl_queues_next(f->queues, &cursor), queues[i]);
  assert_null(bl_queues_next(f->queues, &cursor));
}

static void assigned_offsets_run_ahead_of_readable_ones(void **state) {
  struct fixture *f = *state;
  struct bl_queue *queue;
  assert_int_equal(bl_queues_open_queue(f->queues, BL_SLICE("T"), 0, &queue), BL_OK);
  assert_int_equal(bl_queue_assign(queue, 1), 0);
  assert_int_equal(bl_queue_assign(queue, 10), 1);
  assert_int_equal(bl_queue_assigned_offset(queue), 11);
  assert_int_equal(bl_queue_max_offset(queue), 0);
  show_run(f, "T", 0, 1);
  assert_int_equal(bl_queue_max_offset(queue), 1);
  assert_int_equal(bl_queue_assigned_offset(queue), 11);
}

static void a_range_crosses_chunks_and_tail(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 2500);
  struct bl_queue *queue = queue_of(f, "T");
  assert_int_equal(queue->ref_count, 2);
  static struct bl_queue_entry entries[2600];
  uint32_t count;
  assert_int_equal(bl_queue_read(queue, 1000, entries, 2600, &count), BL_OK);
  assert_int_equal(count, 1500);
  for (uint32_t i = 0; i < count; i++) {
    assert_int_equal(entries[i].queue_offset, 1000 + i);
    assert_int_equal(entries[i].log_offset, (1000 + i) * 100);
    assert_int_equal(entries[i].count, 1);
    assert_int_equal(entries[i].size_bytes, 100);
  }
  assert_int_equal(bl_queue_read(queue, 2500, entries, 10, &count), BL_OK);
  assert_int_equal(count, 0);
  assert_int_equal(bl_queue_read(queue, -1, entries, 10, &count), BL_OK);
  assert_int_equal(count, 0);
}

static void a_record_shown_again_changes_nothing(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 20);
  f->log_end = 0;
  show_run(f, "T", 0, 20);
  struct bl_queues_stats stats;
  bl_queues_stats(f->queues, &stats);
  assert_int_equal(stats.entry_count, 20);
  assert_int_equal(bl_queue_max_offset(queue_of(f, "T")), 20);
}

static void prepared_and_rolled_back_records_have_no_entry(void **state) {
  struct fixture *f = *state;
  static const int32_t flags[] = {BL_SYS_PREPARED, BL_SYS_ROLLBACK, BL_SYS_COMMIT, 0};
  for (int i = 0; i < 4; i++) {
    struct bl_record record = record_of(f, "T", i, 0);
    record.sys_flag = flags[i];
    show(f, &record);
    bool wanted = i >= 2;
    assert_int_equal(bl_queues_find(f->queues, BL_SLICE("T"), i) != NULL, wanted);
  }
}

static void a_batch_is_one_entry_of_many_offsets(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 3);
  struct bl_record record = record_of(f, "T", 0, 3);
  record.sys_flag = BL_SYS_INNER_BATCH;
  record.properties = BL_SLICE(
      "INNER_NUM\x01"
      "7\x02INNER_BASE\x01"
      "3\x02");
  show(f, &record);
  show_run(f, "T", 10, 2);
  struct bl_queue *queue = queue_of(f, "T");
  assert_int_equal(bl_queue_max_offset(queue), 12);
  for (int64_t offset = 3; offset < 10; offset++) {
    struct bl_queue_entry entry = entry_at(queue, offset);
    assert_int_equal(entry.queue_offset, 3);
    assert_int_equal(entry.count, 7);
  }
  assert_int_equal(entry_at(queue, 10).queue_offset, 10);
  assert_int_equal(entry_at(queue, 11).log_offset, record.log_offset + 200);
}

static void a_delayed_message_has_its_delivery_time_as_code(void **state) {
  struct fixture *f = *state;
  static const struct {
    struct bl_slice properties;
    int64_t code;
  } cases[] = {
      {{"DELAY\x01"
        "1\x02",
        8},
       1001000},
      {{"DELAY\x01"
        "3\x02",
        8},
       1010000},
      {{"DELAY\x01"
        "18\x02",
        9},
       8200000},
      {{"DELAY\x01"
        "99\x02",
        9},
       8200000},
      {{"DELAY\x01"
        "0\x02TAGS\x01"
        "A\x02",
        15},
       65},
      {{"DELAY\x01x\x02TAGS\x01"
        "A\x02",
        15},
       65},
      {{"TAGS\x01"
        "A\x02",
        7},
       65},
  };
  for (int i = 0; i < 7; i++) {
    struct bl_record record = record_of(f, "SCHEDULE_TOPIC_XXXX", 0, i);
    record.properties = cases[i].properties;
    show(f, &record);
    assert_int_equal(entry_at(queue_of(f, "SCHEDULE_TOPIC_XXXX"), i).tags_code, cases[i].code);
  }
  struct bl_record record = record_of(f, "T", 0, 0);
  record.properties = cases[0].properties;
  show(f, &record);
  assert_int_equal(entry_at(queue_of(f, "T"), 0).tags_code, 0);
}

static void a_log_that_begins_above_moves_the_minimum(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 500, 3);
  struct bl_queue *queue = queue_of(f, "T");
  assert_int_equal(bl_queue_min_offset(queue), 500);
  assert_int_equal(bl_queue_max_offset(queue), 503);
  assert_int_equal(entry_at(queue, 500).log_offset, 0);
}

static void inside_a_gap_the_next_entry_is_read(void **state) {
  struct fixture *f = *state;
  static const int64_t gaps[] = {1, 5, 3000, (int64_t)BL_QUEUE_HOLE_SPAN_MAX + 7};
  for (int i = 0; i < 4; i++) {
    char topic[16];
    snprintf(topic, sizeof(topic), "T%d", i);
    show_run(f, topic, 0, 30);
    int64_t after = 30 + gaps[i];
    show_run(f, topic, after, 1100);
    struct bl_queue *queue = queue_of(f, topic);
    assert_int_equal(bl_queue_min_offset(queue), 0);
    assert_int_equal(bl_queue_max_offset(queue), after + 1100);
    assert_int_equal(entry_at(queue, 30).queue_offset, after);
    assert_int_equal(entry_at(queue, after - 1).queue_offset, after);
    assert_int_equal(entry_at(queue, after + 1).queue_offset, after + 1);
    struct bl_queue_entry entries[2];
    uint32_t count;
    assert_int_equal(bl_queue_read_blocking(queue, 29, entries, 2, &count), BL_OK);
    assert_int_equal(count, 2);
    assert_int_equal(entries[0].queue_offset, 29);
    assert_int_equal(entries[1].queue_offset, after);
    assert_int_equal(bl_queue_assigned_offset(queue), after + 1100);
  }
}

static void a_queue_that_begins_again_drops_what_was(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 1500);
  show_run(f, "T", 0, 2);
  struct bl_queue *queue = queue_of(f, "T");
  assert_int_equal(bl_queue_min_offset(queue), 0);
  assert_int_equal(bl_queue_max_offset(queue), 2);
  assert_int_equal(bl_queue_assigned_offset(queue), 2);
  assert_int_equal(entry_at(queue, 0).log_offset, 1500 * 100);
  show_run(f, "U", 10, 5);
  show_run(f, "U", 3, 1);
  assert_int_equal(bl_queue_min_offset(queue_of(f, "U")), 3);
  assert_int_equal(bl_queue_max_offset(queue_of(f, "U")), 4);
}

static void what_the_log_lost_is_dropped(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 3000);
  struct bl_queue *queue = queue_of(f, "T");
  static const int64_t mins[] = {0, 5, 1023, 1024, 1025, 2100, 2999, 3000};
  for (size_t i = 0; i < sizeof(mins) / sizeof(mins[0]); i++) {
    f->follower->ops->log_min_moved(f->follower, mins[i] * 100);
    assert_int_equal(bl_queue_min_offset(queue), mins[i]);
    struct bl_queue_entry entry;
    uint32_t count;
    assert_int_equal(bl_queue_read(queue, mins[i] - 1, &entry, 1, &count), BL_OK);
    assert_int_equal(count, 0);
    if (mins[i] < 3000) assert_int_equal(entry_at(queue, mins[i]).log_offset, mins[i] * 100);
  }
  assert_int_equal(bl_queue_max_offset(queue), 3000);
  show_run(f, "T", 3000, 1);
  assert_int_equal(entry_at(queue, 3000).queue_offset, 3000);
}

static void a_cold_minimum_is_never_too_high(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 1500);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  bl_disk_fake_set_cold(f->fake);
  struct bl_queue *queue = queue_of(f, "T");
  f->follower->ops->log_min_moved(f->follower, 700 * 100);
  assert_int_equal(bl_queue_min_offset(queue), 0);
  struct bl_queue_entry entry;
  uint32_t count;
  assert_int_equal(bl_queue_read(queue, 700, &entry, 1, &count), BL_ERR_COLD);
  assert_int_equal(bl_queue_read_blocking(queue, 700, &entry, 1, &count), BL_OK);
  assert_int_equal(entry.queue_offset, 700);
  assert_int_equal(bl_queue_min_offset(queue), 700);
}

static void a_retired_topic_is_empty_and_goes_on_at_its_offset(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 1300);
  show_run(f, "U", 0, 5);
  int64_t deleted_at = f->log_end;
  f->log_end += 100;
  bl_queues_retire_topic(f->queues, BL_SLICE("T"), deleted_at);
  bl_queues_retire_topic(f->queues, BL_SLICE("T"), deleted_at);
  bl_queues_retire_topic(f->queues, BL_SLICE("missing"), deleted_at);
  struct bl_queue *queue = queue_of(f, "T");
  assert_int_equal(bl_queue_min_offset(queue), 1300);
  assert_int_equal(bl_queue_max_offset(queue), 1300);
  assert_int_equal(bl_queue_min_offset(queue_of(f, "U")), 0);
  show_run(f, "T", bl_queue_assign(queue, 1), 1);
  assert_int_equal(entry_at(queue, 1300).log_offset, deleted_at + 100);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  reload(f);
  queue = queue_of(f, "T");
  assert_int_equal(bl_queue_min_offset(queue), 1300);
  assert_int_equal(bl_queue_max_offset(queue), 1301);
}

struct warmed {
  struct bl_queue_warm warm;
  int done;
};

static void on_warm(struct bl_queue_warm *warm) {
  BL_CONTAINER(warm, struct warmed, warm)->done++;
}

static void a_cold_chunk_is_read_after_warming(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 2100);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  bl_disk_fake_set_cold(f->fake);
  struct bl_queue *queue = queue_of(f, "T");
  struct bl_queue_entry entries[2000];
  uint32_t count;
  assert_int_equal(bl_queue_read(queue, 1030, entries, 5, &count), BL_ERR_COLD);
  assert_int_equal(bl_queue_read(queue, 2050, entries, 5, &count), BL_OK);
  struct warmed warmed = {0};
  bl_queue_warm(queue, &warmed.warm, 1030, on_warm);
  assert_int_equal(warmed.done, 0);
  bl_worker_drain(f->pool);
  assert_int_equal(warmed.done, 1);
  assert_int_equal(warmed.warm.err, BL_OK);
  assert_int_equal(bl_queue_read(queue, 1030, entries, 5, &count), BL_OK);
  assert_int_equal(count, 5);
  assert_int_equal(entries[0].log_offset, 1030 * 100);
  bl_queue_warm(queue, &warmed.warm, 2090, on_warm);
  bl_worker_drain(f->pool);
  assert_int_equal(warmed.done, 2);
  assert_int_equal(warmed.warm.err, BL_OK);
}

static void flip_byte(struct fixture *f, const char *path, int64_t at) {
  int file;
  size_t len;
  char byte;
  assert_int_equal(f->disk->ops->open(f->disk, path, BL_OPEN_READ | BL_OPEN_WRITE, &file, NULL),
                   BL_OK);
  assert_int_equal(f->disk->ops->read(f->disk, file, &byte, 1, at, &len), BL_OK);
  assert_int_equal(len, 1);
  byte ^= 0x20;
  assert_int_equal(f->disk->ops->write(f->disk, file, &byte, 1, at), BL_OK);
  f->disk->ops->close(f->disk, file);
}

/* What the store does for a follower that wants a range again; the log is T from 0 on. */
static void serve_again(struct fixture *f, bl_err err) {
  int64_t from;
  int64_t to;
  assert_true(f->follower->ops->wants_again(f->follower, &from, &to));
  int64_t end = f->log_end;
  f->log_end = from - from % 100;
  if (f->log_end < from) f->log_end += 100;
  while (f->log_end < to && err == BL_OK) {
    struct bl_record other = record_of(f, "U", 0, f->log_end / 100);
    f->log_end -= 100;
    struct bl_record record = record_of(f, "T", 0, f->log_end / 100);
    f->follower->ops->on_again(f->follower, &other);
    f->follower->ops->on_again(f->follower, &record);
  }
  f->log_end = end;
  f->follower->ops->again_done(f->follower, err);
}

static void a_damaged_chunk_is_made_anew_from_the_log(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 3100);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  char path[512];
  bl_index__segment_path(f->queues, 0, path);
  struct bl_queue *queue = queue_of(f, "T");
  flip_byte(f, path, queue->refs[1].position + 2000);
  struct bl_queue_entry entry;
  uint32_t count;
  assert_int_equal(bl_queue_read_blocking(queue, 1500, &entry, 1, &count), BL_ERR_CRC);
  assert_int_equal(bl_queue_read(queue, 1500, &entry, 1, &count), BL_ERR_COLD);
  assert_int_equal(entry_at(queue, 1000).log_offset, 100000);
  assert_int_equal(entry_at(queue, 2500).log_offset, 250000);
  struct warmed warmed = {0};
  bl_queue_warm(queue, &warmed.warm, 1500, on_warm);
  bl_worker_drain(f->pool);
  assert_int_equal(warmed.done, 0);
  show_run(f, "T", 3100, 1000);
  serve_again(f, BL_OK);
  assert_int_equal(warmed.done, 1);
  assert_int_equal(warmed.warm.err, BL_OK);
  int64_t from;
  int64_t to;
  assert_false(f->follower->ops->wants_again(f->follower, &from, &to));
  for (int64_t i = 0; i < 4100; i++) assert_int_equal(entry_at(queue, i).log_offset, i * 100);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  reload(f);
  for (int64_t i = 0; i < 4100; i += 7)
    assert_int_equal(entry_at(queue_of(f, "T"), i).log_offset, i * 100);
}

static void a_damaged_chunk_of_a_damaged_log_is_an_error(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 1100);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  char path[512];
  bl_index__segment_path(f->queues, 0, path);
  flip_byte(f, path, 2000);
  struct bl_queue *queue = queue_of(f, "T");
  bl_disk_fake_set_cold(f->fake);
  struct warmed warmed = {0};
  bl_queue_warm(queue, &warmed.warm, 3, on_warm);
  bl_worker_drain(f->pool);
  assert_int_equal(warmed.done, 0);
  serve_again(f, BL_ERR_IO);
  bl_worker_drain(f->pool);
  assert_int_equal(warmed.done, 1);
  assert_int_equal(warmed.warm.err, BL_ERR_IO);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  reload(f); /* the next life tries again; who waits when it ends is told */
  queue = queue_of(f, "T");
  warmed.done = 0;
  bl_queue_warm(queue, &warmed.warm, 3, on_warm);
  bl_worker_drain(f->pool);
  assert_int_equal(warmed.done, 0);
  bl_queues_stop_reading(f->queues);
  assert_int_equal(warmed.done, 1);
  assert_int_equal(warmed.warm.err, BL_ERR_NOT_AVAILABLE);
  bl_queue_warm(queue, &warmed.warm, 3, on_warm);
  bl_worker_drain(f->pool);
  assert_int_equal(warmed.done, 2);
  assert_int_equal(warmed.warm.err, BL_ERR_NOT_AVAILABLE);
  assert_int_equal(entry_at(queue, 1050).log_offset, 105000);
}

/* Every byte of every file: the right entries, or a replay of the whole log. */
static void a_flipped_bit_anywhere_never_gives_a_wrong_entry(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 2100);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  char path[512];
  bl_index__segment_path(f->queues, 0, path);
  bl_log_set_level(BL_LOG_OFF);
  for (int64_t at = 0; at < 2 * (64 + 24 * 1024); at += at < 200 ? 1 : 811) {
    reload(f);
    flip_byte(f, path, at);
    struct bl_queue *queue = queue_of(f, "T");
    for (int64_t i = 0; i < 2100; i += 300) {
      struct bl_queue_entry entry;
      uint32_t count;
      bl_err err = bl_queue_read(queue, i, &entry, 1, &count);
      bool damaged = i / 1024 == at / (64 + 24 * 1024);
      assert_int_equal(err, damaged && i < 2048 ? BL_ERR_COLD : BL_OK);
      if (err == BL_OK) assert_int_equal(entry.log_offset, i * 100);
    }
    flip_byte(f, path, at);
  }
  bl_log_set_level(BL_LOG_INFO);
}

static void a_full_disk_keeps_the_tail_in_memory(void **state) {
  struct fixture *f = *state;
  bl_disk_fake_fail(f->fake, BL_FAKE_WRITE, "index/", 0, 2, BL_ERR_NO_SPACE);
  show_run(f, "T", 0, 4000); /* two chunks wait to be written */
  struct bl_queue *queue = queue_of(f, "T");
  for (int64_t i = 0; i < 4000; i++) assert_int_equal(entry_at(queue, i).log_offset, i * 100);
  assert_int_equal(queue->ref_count, 2);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_ERR_FULL);
  for (int64_t i = 0; i < 4000; i++) assert_int_equal(entry_at(queue, i).log_offset, i * 100);
  show_run(f, "T", 4000, 200);
  assert_int_equal(queue->ref_count, 4);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  reload(f);
  queue = queue_of(f, "T");
  for (int64_t i = 0; i < 4200; i++) assert_int_equal(entry_at(queue, i).log_offset, i * 100);
}

static void a_damaged_or_unknown_snapshot_means_a_whole_replay(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 1100);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  struct bl_arena arena;
  bl_arena_init(&arena);
  struct bl_slice good;
  char path[512];
  bl_queues__part_path(f->queues, 1, path);
  assert_int_equal(bl_disk_read_file(f->disk, path, 1 << 20, &arena, &good), BL_OK);
  char *bad = bl_arena_take(&arena, good.len);
  for (size_t at = 0; at < good.len; at += at < 80 ? 1 : 97) {
    memcpy(bad, good.ptr, good.len);
    bad[at] ^= 0x10;
    assert_int_equal(bl_disk_replace_file(f->disk, path, bl_slice_of(bad, good.len), false, NULL),
                     BL_OK);
    bl_queues_free(f->queues);
    open_index(f);
    assert_int_equal(bl_driver_load(f->follower), 0);
    assert_null(bl_queues_find(f->queues, BL_SLICE("T"), 0));
  }
  assert_int_equal(bl_disk_replace_file(f->disk, path, good, false, NULL), BL_OK);
  reload(f); /* the segments went with the damaged one, so this asks for all, too */
  assert_null(bl_queues_find(f->queues, BL_SLICE("T"), 0));
  bl_arena_fini(&arena);
}

static void discarding_forgets_all_and_the_snapshot_too(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 1100);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  f->follower->ops->discard(f->follower);
  assert_null(bl_queues_find(f->queues, BL_SLICE("T"), 0));
  f->log_end = 0;
  show_run(f, "U", 0, 1100);
  assert_int_equal(entry_at(queue_of(f, "U"), 3).log_offset, 300);
  bl_queues_free(f->queues);
  open_index(f);
  assert_int_equal(bl_driver_load(f->follower), 0);
  f->log_end = 0;
  show_run(f, "U", 0, 1100);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  reload(f);
  assert_int_equal(entry_at(queue_of(f, "U"), 1099).log_offset, 109900);
}

static void a_queue_may_grow_while_it_is_being_written(void **state) {
  struct fixture *f = *state;
  for (int steps = 1; steps < 12; steps++) {
    f->queues->dump_step_bytes = 40; /* two chunks a step */
    show_run(f, "T", bl_queue_max_offset(queue_of_or_new(f, "T")), 6 * 1024 + 100);
    static struct bl_snapshot snapshot;
    int64_t covered = f->log_end;
    bl_driver_begin(&snapshot, covered);
    bool more = true;
    for (int i = 0; i < steps && more; i++) {
      more = f->follower->ops->snapshot_step(f->follower, &snapshot);
    }
    int64_t first = bl_queue_max_offset(queue_of(f, "T"));
    show_run(f, "T", first, 2100);
    while (more) more = f->follower->ops->snapshot_step(f->follower, &snapshot);
    assert_int_equal(bl_driver_write(f->follower, f->disk, &snapshot), BL_OK);
    bl_queues_free(f->queues);
    open_index(f);
    assert_int_equal(bl_driver_load(f->follower), covered);
    f->log_end = covered;
    show_run(f, "T", first, 2100);
    struct bl_queue *queue = queue_of(f, "T");
    assert_int_equal(bl_queue_max_offset(queue), first + 2100);
    for (int64_t i = 0; i < first + 2100; i += 61) {
      assert_int_equal(entry_at(queue, i).log_offset, i * 100);
    }
  }
}

static void dropped_segments_are_deleted_after_a_snapshot(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 40 * 1024); /* 10 chunks a segment */
  bl_worker_drain(f->pool);
  struct bl_queues_stats stats;
  bl_queues_stats(f->queues, &stats);
  assert_int_equal(stats.chunk_count, 40);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(f->follower->ops->unsettled(f->follower), true); /* then it is idle */
    assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  }
  assert_false(f->follower->ops->unsettled(f->follower));
  f->follower->ops->log_min_moved(f->follower, 25 * 1024 * 100);
  struct bl_disk_stat stat;
  char path[512];
  bl_index__segment_path(f->queues, 1, path);
  assert_true(f->follower->ops->unsettled(f->follower));
  assert_int_equal(f->disk->ops->stat(f->disk, path, &stat), BL_OK);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  bl_worker_drain(f->pool);
  assert_false(f->follower->ops->unsettled(f->follower));
  assert_int_equal(f->disk->ops->stat(f->disk, path, &stat), BL_ERR_NOT_FOUND);
  reload(f);
  for (int64_t i = 25 * 1024; i < 40 * 1024; i += 37) {
    assert_int_equal(entry_at(queue_of(f, "T"), i).log_offset, i * 100);
  }
}

/* Chunks below a node: the beginning is found to the message. */
static void the_minimum_lies_below_a_node(void **state) {
  struct fixture *f = *state;
  show_run(f, "T", 0, 6 * 1024);
  for (int i = 0; i < 2; i++)
    assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  struct bl_queue *queue = queue_of(f, "T");
  assert_int_equal(queue->ref_count, 1);
  assert_int_equal(queue->refs[0].level, 1);
  static const int64_t mins[] = {1, 1022, 1023, 1024, 1025, 3071, 3072, 6143, 6144};
  for (size_t i = 0; i < sizeof(mins) / sizeof(mins[0]); i++) {
    f->follower->ops->log_min_moved(f->follower, mins[i] * 100);
    assert_int_equal(bl_queue_min_offset(queue), mins[i]);
    if (mins[i] < 6144) assert_int_equal(entry_at(queue, mins[i]).log_offset, mins[i] * 100);
  }
}

static void show_each(struct fixture *f, int count, int64_t queue_offset) {
  for (int i = 0; i < count; i++) {
    struct bl_record record = record_of(f, "T", i, queue_offset);
    show(f, &record);
  }
}

static void a_snapshot_that_failed_half_way_is_made_up_for(void **state) {
  struct fixture *f = *state;
  enum { COUNT = 50 };
  f->queues->dump_step_bytes = 40;
  f->queues->small_part_bytes = 0;
  show_each(f, COUNT, 0);
  assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  for (int steps = 2; steps < 60; steps += 7) {
    int64_t next = bl_queue_max_offset(queue_of(f, "T"));
    show_each(f, COUNT, next);
    static struct bl_snapshot snapshot;
    bl_driver_begin(&snapshot, f->log_end);
    bool more = true;
    for (int i = 0; i < steps && more; i++)
      more = f->follower->ops->snapshot_step(f->follower, &snapshot);
    if (more) snapshot.files[0].bytes.failed = true;
    while (more) more = f->follower->ops->snapshot_step(f->follower, &snapshot);
    (void)bl_driver_write(f->follower, f->disk, &snapshot);
    show_each(f, 3, next + 1);
    assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
    reload(f);
    f->queues->dump_step_bytes = 40;
    f->queues->small_part_bytes = 0;
    for (int i = 0; i < COUNT; i++) {
      struct bl_queue *queue = bl_queues_find(f->queues, BL_SLICE("T"), i);
      assert_int_equal(bl_queue_max_offset(queue), next + (i < 3 ? 2 : 1));
    }
    for (int i = 3; i < COUNT; i++) { /* so that all go on at the same offset */
      struct bl_record record = record_of(f, "T", i, next + 1);
      show(f, &record);
    }
  }
}

static void an_idle_queue_keeps_little_memory(void **state) {
  struct fixture *f = *state;
  enum { COUNT = 200 };
  for (int i = 0; i < COUNT; i++) {
    for (int64_t offset = 0; offset < 900; offset++) {
      struct bl_record record = record_of(f, "T", i, offset);
      show(f, &record);
    }
  }
  for (int i = 0; i < 2; i++) {
    assert_int_equal(bl_driver_snapshot(f->follower, f->disk, f->log_end), BL_OK);
  }
  struct bl_queues_stats stats;
  bl_queues_stats(f->queues, &stats);
  assert_int_equal(stats.entry_count, COUNT * 900);
  assert_in_range(
      (stats.memory_bytes - (int64_t)sizeof(*f->queues) - BL_INDEX_PENDING_BYTES) / COUNT, 1, 512);
  for (int i = 0; i < COUNT; i++) {
    struct bl_queue *queue = bl_queues_find(f->queues, BL_SLICE("T"), i);
    assert_int_equal(entry_at(queue, 899).queue_offset, 899);
  }
}

static int entries_told;
static void on_entry(void *context, struct bl_queue *queue, const struct bl_queue_entry *entry,
                     const struct bl_record *record) {
  assert_ptr_equal(context, &entries_told);
  assert_int_equal(bl_queue_max_offset(queue), entry->queue_offset + entry->count);
  assert_int_equal(entry->log_offset, record->log_offset);
  entries_told++;
}

static void every_new_entry_is_told_once(void **state) {
  struct fixture *f = *state;
  entries_told = 0;
  bl_queues_on_entry(f->queues, on_entry, &entries_told);
  show_run(f, "T", 0, 10);
  f->log_end = 0;
  show_run(f, "T", 0, 12);
  assert_int_equal(entries_told, 12);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_queue_is_found_by_topic_and_id, setup, teardown),
      cmocka_unit_test_setup_teardown(assigned_offsets_run_ahead_of_readable_ones, setup, teardown),
      cmocka_unit_test_setup_teardown(a_range_crosses_chunks_and_tail, setup, teardown),
      cmocka_unit_test_setup_teardown(a_record_shown_again_changes_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(prepared_and_rolled_back_records_have_no_entry, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_batch_is_one_entry_of_many_offsets, setup, teardown),
      cmocka_unit_test_setup_teardown(a_delayed_message_has_its_delivery_time_as_code, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_log_that_begins_above_moves_the_minimum, setup, teardown),
      cmocka_unit_test_setup_teardown(inside_a_gap_the_next_entry_is_read, setup, teardown),
      cmocka_unit_test_setup_teardown(a_queue_that_begins_again_drops_what_was, setup, teardown),
      cmocka_unit_test_setup_teardown(what_the_log_lost_is_dropped, setup, teardown),
      cmocka_unit_test_setup_teardown(a_cold_minimum_is_never_too_high, setup, teardown),
      cmocka_unit_test_setup_teardown(a_retired_topic_is_empty_and_goes_on_at_its_offset, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_cold_chunk_is_read_after_warming, setup, teardown),
      cmocka_unit_test_setup_teardown(a_damaged_chunk_is_made_anew_from_the_log, setup, teardown),
      cmocka_unit_test_setup_teardown(a_damaged_chunk_of_a_damaged_log_is_an_error, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_flipped_bit_anywhere_never_gives_a_wrong_entry, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_full_disk_keeps_the_tail_in_memory, setup, teardown),
      cmocka_unit_test_setup_teardown(a_damaged_or_unknown_snapshot_means_a_whole_replay, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(discarding_forgets_all_and_the_snapshot_too, setup, teardown),
      cmocka_unit_test_setup_teardown(a_queue_may_grow_while_it_is_being_written, setup, teardown),
      cmocka_unit_test_setup_teardown(dropped_segments_are_deleted_after_a_snapshot, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(the_minimum_lies_below_a_node, setup, teardown),
      cmocka_unit_test_setup_teardown(a_snapshot_that_failed_half_way_is_made_up_for, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(an_idle_queue_keeps_little_memory, setup, teardown),
      cmocka_unit_test_setup_teardown(every_new_entry_is_told_once, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
