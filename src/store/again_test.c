/* The queue index of a whole store, damaged and taken away: never a wrong entry, and all of it back
 * from the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "store/queues/queues.h"
#include "store/store_testlib.h"

enum { MESSAGES = 3000, OFFSETS_MAX = 6000 };

struct fixture {
  struct st st;
  struct bl_queues *queues;
  int64_t log_offsets[OFFSETS_MAX];
};

static void open_store(struct fixture *f) {
  f->queues = bl_queues_new(ST_DIR, f->st.disk, f->st.pool);
  f->st.followers[0] = bl_queues_follower(f->queues);
  st_open(&f->st);
}

static void close_store(struct fixture *f) {
  st_close(&f->st);
  bl_queues_free(f->queues);
}

static void send_some(struct fixture *f, int count) {
  for (int i = 0; i < count; i++) {
    int64_t number = f->st.next;
    st_send(&f->st, 20);
    if (i % 50 == 0) st_settle(&f->st);
    struct bl_store_marks marks = bl_store_marks(f->st.store);
    f->log_offsets[number + 1] = marks.appended;
  }
  st_settle(&f->st);
}

/* Two chunks and a tail, all of it in a snapshot. */
static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof(*f));
  st_init(&f->st);
  f->st.settings.snapshot_bytes = 1ll << 40;
  open_store(f);
  send_some(f, MESSAGES);
  st_pass(&f->st, 30000);
  bl_log_set_level(BL_LOG_OFF);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  close_store(f);
  st_fini(&f->st);
  free(f);
  bl_log_set_level(BL_LOG_INFO);
  return 0;
}

static struct bl_queue *queue_of(struct fixture *f) {
  struct bl_queue *queue = bl_queues_find(f->queues, BL_SLICE("TopicTest"), 3);
  assert_non_null(queue);
  return queue;
}

static int warmed;
static void on_warm(struct bl_queue_warm *warm) {
  (void)warm;
  warmed++;
}

/* As a pull does: reads, and waits when it must. The error is that of the warming. */
static bl_err read_one(struct fixture *f, int64_t offset, struct bl_queue_entry *out_entry) {
  uint32_t count = 0;
  bl_err err = bl_queue_read(queue_of(f), offset, out_entry, 1, &count);
  if (err == BL_ERR_COLD) {
    struct bl_queue_warm warm;
    warmed = 0;
    bl_queue_warm(queue_of(f), &warm, offset, on_warm);
    st_settle(&f->st);
    assert_int_equal(warmed, 1);
    if (warm.err != BL_OK) return warm.err;
    err = bl_queue_read(queue_of(f), offset, out_entry, 1, &count);
  }
  if (err == BL_OK) assert_int_equal(count, 1);
  return err;
}

/* A blank record may stand before a record that begins a file. */
static bool is_place(const struct fixture *f, int64_t offset, int64_t log_offset) {
  int64_t end = f->log_offsets[offset];
  int64_t size = f->st.settings.segment_bytes;
  return log_offset == end || log_offset == (end + size - 1) / size * size;
}

static void check_all(struct fixture *f) {
  assert_int_equal(bl_queue_min_offset(queue_of(f)), 0);
  assert_int_equal(bl_queue_max_offset(queue_of(f)), f->st.next);
  for (int64_t i = 0; i < f->st.next; i++) {
    struct bl_queue_entry entry;
    assert_int_equal(read_one(f, i, &entry), BL_OK);
    assert_int_equal(entry.queue_offset, i);
    assert_true(is_place(f, i, entry.log_offset));
  }
}

static void flip(struct fixture *f, const char *path, int64_t at) {
  int file;
  size_t len;
  char byte;
  struct bl_disk *disk = f->st.disk;
  assert_int_equal(disk->ops->open(disk, path, BL_OPEN_READ | BL_OPEN_WRITE, &file, NULL), BL_OK);
  assert_int_equal(disk->ops->read(disk, file, &byte, 1, at, &len), BL_OK);
  byte ^= 4;
  assert_int_equal(disk->ops->write(disk, file, &byte, 1, at), BL_OK);
  assert_int_equal(disk->ops->sync(disk, file), BL_OK);
  disk->ops->close(disk, file);
}

static int remove_all(struct fixture *f, const char *folder) {
  struct bl_arena arena;
  bl_arena_init(&arena);
  const char *const *names = NULL;
  size_t count = 0;
  assert_int_equal(f->st.disk->ops->list(f->st.disk, folder, &arena, &names, &count), BL_OK);
  for (size_t i = 0; i < count; i++) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
    assert_int_equal(f->st.disk->ops->remove(f->st.disk, path), BL_OK);
  }
  bl_arena_fini(&arena);
  return (int)count;
}

#define INDEX ST_DIR "/bolide/index"
#define PARTS ST_DIR "/bolide/queues"
#define FIRST_SEGMENT INDEX "/00000000000000000000"

static void a_damaged_chunk_comes_back_while_sends_go_on(void **state) {
  struct fixture *f = *state;
  close_store(f);
  flip(f, FIRST_SEGMENT, 64 + 1000);
  open_store(f);
  struct bl_queue_entry entry;
  uint32_t count;
  assert_int_equal(bl_queue_read(queue_of(f), 5, &entry, 1, &count), BL_ERR_COLD);
  struct bl_queue_warm warm;
  warmed = 0;
  bl_queue_warm(queue_of(f), &warm, 5, on_warm);
  st_send(&f->st, 20);
  f->log_offsets[f->st.next] = bl_store_marks(f->st.store).appended;
  st_settle(&f->st);
  assert_int_equal(warmed, 1);
  assert_int_equal(warm.err, BL_OK);
  check_all(f);
  st_pass(&f->st, 30000);
  close_store(f);
  open_store(f);
  check_all(f);
}

static void what_the_log_lost_too_is_an_error_and_the_rest_is_there(void **state) {
  struct fixture *f = *state;
  flip(f, FIRST_SEGMENT, 64 + 1000);
  flip(f, ST_DIR "/commitlog/00000000000000000000", f->log_offsets[100] + 50);
  close_store(f);
  open_store(f);
  struct bl_queue_entry entry;
  assert_int_not_equal(read_one(f, 5, &entry), BL_OK);
  assert_int_equal(read_one(f, 2040, &entry), BL_OK);
  assert_true(is_place(f, 2040, entry.log_offset));
  assert_int_equal(read_one(f, 2900, &entry), BL_OK);
  assert_true(is_place(f, 2900, entry.log_offset));
  send_some(f, 10);
  assert_int_equal(read_one(f, 3005, &entry), BL_OK);
}

static void index_files_removed_while_stopped_are_made_anew(void **state) {
  struct fixture *f = *state;
  static const char *const folders[] = {INDEX, PARTS};
  for (int i = 0; i < 2; i++) {
    close_store(f);
    assert_in_range(remove_all(f, folders[i]), 1, 100);
    open_store(f);
    check_all(f);
    send_some(f, 100);
    st_pass(&f->st, 30000);
  }
}

static void index_files_removed_while_running_are_made_anew_at_the_next_start(void **state) {
  struct fixture *f = *state;
  assert_in_range(remove_all(f, INDEX), 1, 100);
  assert_in_range(remove_all(f, PARTS), 1, 100);
  send_some(f, 1500);
  check_all(f);
  st_pass(&f->st, 30000);
  send_some(f, 10);
  close_store(f);
  open_store(f);
  check_all(f);
}

static void a_cut_segment_is_made_anew(void **state) {
  struct fixture *f = *state;
  int file;
  close_store(f);
  struct bl_disk *disk = f->st.disk;
  assert_int_equal(disk->ops->open(disk, FIRST_SEGMENT, BL_OPEN_WRITE, &file, NULL), BL_OK);
  assert_int_equal(disk->ops->truncate(disk, file, 3000), BL_OK);
  disk->ops->close(disk, file);
  open_store(f);
  check_all(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_damaged_chunk_comes_back_while_sends_go_on, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(what_the_log_lost_too_is_an_error_and_the_rest_is_there,
                                      setup, teardown),
      cmocka_unit_test_setup_teardown(index_files_removed_while_stopped_are_made_anew, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(
          index_files_removed_while_running_are_made_anew_at_the_next_start, setup, teardown),
      cmocka_unit_test_setup_teardown(a_cut_segment_is_made_anew, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
