/* Cold reads: the bytes, reading ahead, limits, a disk that refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/cold.h"
#include "store/store_internal.h"
#include "store/store_testlib.h"

#define SEGMENT_BYTES (1 << 20)
#define BODY_BYTES 4000
#define MESSAGES 1000 /* about 4 MiB */

static struct st st;
static int ended;
static bl_err last_err;

/* A store of about four files, whose pages the system has forgotten. */
static void set_up_with(int64_t cold_bytes) {
  st_init(&st);
  st.settings.segment_bytes = SEGMENT_BYTES;
  st.settings.cold_bytes = cold_bytes;
  st_open(&st);
  for (int i = 0; i < MESSAGES; i++) {
    st_send(&st, BODY_BYTES);
    if (i % 8 == 0) st_settle(&st);
  }
  st_settle(&st);
  bl_disk_fake_set_cold(st.fake);
  ended = 0;
  last_err = BL_OK;
}

static int set_up(void **state) {
  (void)state;
  set_up_with(8 << 20);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  st_fini(&st);
  return 0;
}

static void on_warm(struct bl_store_warm *warm) {
  ended++;
  last_err = warm->err;
}

static int64_t offset_of(int64_t number) {
  return st.toy.at[number] - 1;
}

static uint32_t size_of(int64_t number) {
  char size[4];
  assert_int_equal(bl_store_read_blocking(st.store, offset_of(number), 4, size), BL_OK);
  return (uint32_t)(unsigned char)size[0] << 24 | (uint32_t)(unsigned char)size[1] << 16 |
         (uint32_t)(unsigned char)size[2] << 8 | (unsigned char)size[3];
}

static struct bl_cold_stats stats(void) {
  struct bl_cold_stats cold;
  bl_store_cold_stats(st.store, &cold);
  return cold;
}

/* Through the read path without waiting. RETURNS how often the disk had to be waited for. */
static int read_number(int64_t number, uint32_t size) {
  char *bytes = malloc(size);
  char *same = malloc(size);
  int waits = 0;
  bl_err err;
  while ((err = bl_store_read(st.store, offset_of(number), size, bytes)) == BL_ERR_COLD) {
    struct bl_store_warm warm;
    int before = ended;
    bl_store_warm(st.store, &warm, offset_of(number), size, on_warm);
    assert_int_equal(ended, before); /* never from inside */
    assert_true(++waits < 4);
    st_settle(&st);
    assert_int_equal(ended, before + 1);
    assert_int_equal(warm.err, BL_OK);
  }
  assert_int_equal(err, BL_OK);
  assert_int_equal(bl_store_read_blocking(st.store, offset_of(number), size, same), BL_OK);
  assert_memory_equal(bytes, same, size);
  struct bl_slice lent = bl_store_peek(st.store, offset_of(number), size);
  if (lent.ptr != NULL) assert_memory_equal(lent.ptr, same, size);
  free(bytes);
  free(same);
  return waits;
}

static void what_is_read_is_what_was_written(void **state) {
  (void)state;
  uint32_t size = size_of(0);
  bl_disk_fake_set_cold(st.fake);
  int waits = 0;
  for (int64_t i = 0; i < MESSAGES; i++) {
    waits += read_number(i, size);
    st_settle(&st);
  }
  /* The reads were large and ahead of the reader: it waited for a few of the first only. */
  assert_in_range(waits, 1, 12);
  assert_true(stats().ahead_reads > 4);
  assert_in_range(stats().reads, 5, 40);
  assert_true(stats().bytes >= offset_of(900));
  assert_true(stats().bytes < 5 << 20); /* each byte once */
}

static void jumping_readers_get_small_windows(void **state) {
  (void)state;
  uint32_t size = size_of(0);
  bl_disk_fake_set_cold(st.fake);
  for (int64_t i = 10; i < 800; i += 100) read_number(i, size);
  assert_int_equal(stats().ahead_reads, 0);
  assert_int_equal(stats().bytes, 8 * BL_COLD_WINDOW_BYTES_MIN);
}

static void memory_is_bounded_and_comes_back(void **state) {
  (void)state;
  st_fini(&st);
  int64_t most = 4 * BL_COLD_WINDOW_BYTES_MIN;
  set_up_with(most);
  uint32_t size = size_of(0);
  bl_disk_fake_set_cold(st.fake);
  struct bl_store_warm warm[40];
  for (int i = 0; i < 40; i++) {
    bl_store_warm(st.store, &warm[i], offset_of(i * 20), size, on_warm);
    assert_true(stats().memory_bytes <= most);
  }
  assert_true(stats().waiting > 0);
  assert_true(stats().waits > 0);
  st_settle(&st);
  /* What was read and not looked into is kept for its reader for a while. */
  assert_true(ended < 40);
  for (int i = 0; i < 40 && ended < 40; i++) {
    st_pass(&st, 1000);
    assert_true(stats().memory_bytes <= most);
  }
  assert_int_equal(ended, 40);
  assert_int_equal(stats().waiting, 0);
  for (int i = 0; i < 5; i++) st_pass(&st, 1000);
  assert_int_equal(stats().memory_bytes, 0);
  assert_int_equal(st.timers.count > 0 && st.store->cold.timer.place > 0, 0); /* it sleeps */
}

static void lent_bytes_stay_until_the_turn_is_over(void **state) {
  (void)state;
  st_fini(&st);
  set_up_with(2 * BL_COLD_WINDOW_BYTES_MIN);
  uint32_t size = size_of(0);
  bl_disk_fake_set_cold(st.fake);
  read_number(100, size);
  struct bl_slice lent = bl_store_peek(st.store, offset_of(100), size);
  assert_non_null(lent.ptr);
  char *copy = malloc(size);
  memcpy(copy, lent.ptr, size);
  struct bl_store_warm warm[3];
  for (int i = 0; i < 3; i++)
    bl_store_warm(st.store, &warm[i], offset_of(300 + i * 50), size, on_warm);
  bl_worker_drain(st.pool); /* no turn ends */
  assert_memory_equal(lent.ptr, copy, size);
  assert_ptr_equal(bl_store_peek(st.store, offset_of(100), size).ptr, lent.ptr);
  free(copy);
  for (int i = 0; i < 5; i++) st_pass(&st, 1000);
  assert_int_equal(ended, 4);
}

static void a_page_that_the_disk_refuses(void **state) {
  (void)state;
  uint32_t size = size_of(0);
  char *bytes = malloc(size);
  bl_disk_fake_set_cold(st.fake);
  bl_disk_fake_fail(st.fake, BL_FAKE_READ, "commitlog", 0, -1, BL_ERR_IO);
  struct bl_store_warm warm;
  bl_store_warm(st.store, &warm, offset_of(5), size, on_warm);
  st_settle(&st);
  assert_int_equal(ended, 1);
  assert_int_equal(last_err, BL_ERR_IO);
  assert_int_equal(stats().errors, 1);
  int64_t reads = bl_disk_fake_count(st.fake, BL_FAKE_READ);
  /* The disk works again, but who asks at once is told what it said. */
  bl_disk_fake_fail(st.fake, BL_FAKE_READ, "", -1, 0, BL_OK);
  bl_store_warm(st.store, &warm, offset_of(5), size, on_warm);
  st_settle(&st);
  assert_int_equal(last_err, BL_ERR_IO);
  assert_int_equal(bl_store_read(st.store, offset_of(5), size, bytes), BL_ERR_IO);
  assert_int_equal(bl_disk_fake_count(st.fake, BL_FAKE_READ), reads + 1); /* the page cache's no */
  st_pass(&st, 1500);
  assert_int_equal(read_number(5, size), 1);
  free(bytes);
}

/* Only the first read fails: the rest, in smaller pieces, is there. */
static void a_read_that_fails_once_is_done_in_pieces(void **state) {
  (void)state;
  uint32_t size = size_of(0);
  bl_disk_fake_set_cold(st.fake);
  bl_disk_fake_fail(st.fake, BL_FAKE_READ, "commitlog", 0, 1, BL_ERR_IO);
  struct bl_store_warm warm;
  bl_store_warm(st.store, &warm, offset_of(5), size, on_warm);
  st_settle(&st);
  assert_int_equal(last_err, BL_OK);
  assert_int_equal(read_number(5, size), 0);
}

static void what_is_not_there_ends_at_once(void **state) {
  (void)state;
  struct bl_store_warm warm;
  int64_t nowhere[] = {-5, (int64_t)1 << 40, bl_store_marks(st.store).visible};
  for (int i = 0; i < 3; i++) {
    bl_store_warm(st.store, &warm, nowhere[i], 100, on_warm);
    st_settle(&st);
    assert_int_equal(ended, i + 1);
  }
}

static void a_store_that_closes_tells_those_who_wait(void **state) {
  (void)state;
  st_fini(&st);
  set_up_with(2 * BL_COLD_WINDOW_BYTES_MIN);
  uint32_t size = size_of(0);
  bl_disk_fake_set_cold(st.fake);
  struct bl_store_warm warm[6];
  for (int i = 0; i < 6; i++) bl_store_warm(st.store, &warm[i], offset_of(i * 50), size, on_warm);
  st_settle(&st);
  assert_int_equal(ended, 2);
  bl_store_stop_reading(st.store);
  assert_int_equal(ended, 6);
  assert_int_equal(last_err, BL_ERR_NOT_AVAILABLE);
  bl_store_warm(st.store, &warm[0], offset_of(700), size, on_warm);
  st_settle(&st);
  assert_int_equal(ended, 7);
  assert_int_equal(last_err, BL_ERR_NOT_AVAILABLE);
}

/* Readers at random places and in a row, in turns, with little memory. */
static void many_readers(void **state) {
  (void)state;
  st_fini(&st);
  set_up_with(6 * BL_COLD_WINDOW_BYTES_MIN);
  uint32_t size = size_of(0);
  unsigned seed = 20261122;
  print_message("seed %u\n", seed);
  srand(seed);
  int64_t rows[3] = {0, 300, 600};
  for (int i = 0; i < 600; i++) {
    bl_disk_fake_set_cold(st.fake);
    int who = rand() % 4;
    int64_t number = who < 3 ? rows[who]++ : rand() % MESSAGES;
    read_number(number % MESSAGES, size);
    if (i % 3 == 0) st_pass(&st, 400);
    assert_true(stats().memory_bytes <= 6 * BL_COLD_WINDOW_BYTES_MIN);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(what_is_read_is_what_was_written),
      TEST(jumping_readers_get_small_windows),
      TEST(memory_is_bounded_and_comes_back),
      TEST(lent_bytes_stay_until_the_turn_is_over),
      TEST(a_page_that_the_disk_refuses),
      TEST(a_read_that_fails_once_is_done_in_pieces),
      TEST(what_is_not_there_ends_at_once),
      TEST(a_store_that_closes_tells_those_who_wait),
      TEST(many_readers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
