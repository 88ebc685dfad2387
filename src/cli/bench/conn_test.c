#include "cli/bench/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"

static struct bl_bench_loop loop;

/* A connection of the loop and its other end. */
static int make_pair(struct bl_bench_conn *conn) {
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  bl_bench_conn_take(&loop, ends[0], conn);
  return ends[1];
}

/* A frame of so many bytes in all, each after the length words the same letter. */
static char *make_frame(uint32_t bytes, char letter) {
  char *frame = malloc(bytes);
  assert_non_null(frame);
  memset(frame, letter, bytes);
  bl_store_u32(frame, bytes - 4);
  bl_store_u32(frame + 4, 0);
  return frame;
}

static void frames_come_in_pieces(void **state) {
  (void)state;
  struct bl_bench_conn conn;
  struct bl_slice frame;
  int peer = make_pair(&conn);
  char *bytes = make_frame(40, 'a');
  for (int i = 0; i < 39; i++) {
    assert_int_equal(write(peer, bytes + i, 1), 1);
    assert_int_equal(bl_bench_conn_read(&conn), BL_OK);
    assert_int_equal(bl_bench_conn_frame(&conn, &frame), BL_ERR_SHORT);
  }
  assert_int_equal(bl_bench_conn_read(&conn), BL_ERR_SHORT);
  assert_int_equal(write(peer, bytes + 39, 1), 1);
  assert_int_equal(write(peer, bytes, 40), 40);
  assert_int_equal(write(peer, bytes, 7), 7);
  assert_int_equal(bl_bench_conn_read(&conn), BL_OK);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(bl_bench_conn_frame(&conn, &frame), BL_OK);
    assert_int_equal(frame.len, 40);
    assert_memory_equal(frame.ptr, bytes, 40);
  }
  assert_int_equal(bl_bench_conn_frame(&conn, &frame), BL_ERR_SHORT);
  close(peer);
  assert_int_equal(bl_bench_conn_read(&conn), BL_ERR_CLOSED);
  bl_bench_conn_close(&conn);
  free(bytes);
}

/* A frame far larger than the buffer, behind others, through a socket that takes it in parts: the
 * writer keeps what is left, the reader's buffer grows. */
static void large_frames_pass_a_full_socket(void **state) {
  (void)state;
  static const uint32_t sizes[] = {100, 3000000, 8, 70000, 1000000, 9};
  struct bl_bench_conn from, to;
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  bl_bench_conn_take(&loop, ends[0], &from);
  bl_bench_conn_take(&loop, ends[1], &to);
  for (int i = 0; i < 6; i++) {
    char *bytes = make_frame(sizes[i], (char)('a' + i));
    assert_int_equal(bl_bench_conn_write(&from, bl_slice_of(bytes, sizes[i])), BL_OK);
    free(bytes);
  }
  assert_true(from.wants_write);
  int seen = 0;
  for (int turns = 0; seen < 6 && turns < 100000; turns++) {
    struct bl_slice frame;
    if (from.wants_write) assert_int_equal(bl_bench_conn_flush(&from), BL_OK);
    bl_err err = bl_bench_conn_read(&to);
    assert_true(err == BL_OK || err == BL_ERR_SHORT);
    while (bl_bench_conn_frame(&to, &frame) == BL_OK) {
      char *bytes = make_frame(sizes[seen], (char)('a' + seen));
      assert_int_equal(frame.len, sizes[seen]);
      assert_memory_equal(frame.ptr, bytes, frame.len);
      free(bytes);
      seen++;
    }
  }
  assert_int_equal(seen, 6);
  assert_false(from.wants_write);
  bl_bench_conn_close(&from);
  bl_bench_conn_close(&to);
}

static void impossible_lengths_are_told(void **state) {
  (void)state;
  static const uint32_t lengths[] = {0, 3, 0x7fffffff, 0xffffffff, 0xfffffffc, 16777213};
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    struct bl_bench_conn conn;
    struct bl_slice frame;
    char bytes[8] = {0};
    int peer = make_pair(&conn);
    bl_store_u32(bytes, lengths[i]);
    assert_int_equal(write(peer, bytes, 8), 8);
    assert_int_equal(bl_bench_conn_read(&conn), BL_OK);
    assert_int_equal(bl_bench_conn_frame(&conn, &frame), BL_ERR_FORMAT);
    bl_bench_conn_close(&conn);
    close(peer);
  }
}

static void a_wait_ends_in_time(void **state) {
  (void)state;
  int64_t from_ns = bl_bench_now_ns();
  for (int spin = 0; spin < 2; spin++) {
    loop.spin_ns = spin * 3000000;
    int64_t until_ns = bl_bench_now_ns() + 2000000;
    assert_int_equal(bl_bench_loop_wait(&loop, until_ns), 0);
    assert_true(bl_bench_now_ns() >= until_ns - 100000);
  }
  loop.spin_ns = 0;
  assert_int_equal(bl_bench_loop_wait(&loop, from_ns), 0); /* past: at once */
}

/* A paused connection is not told of input while its output waits. */
static void a_paused_connection_is_quiet(void **state) {
  (void)state;
  struct bl_bench_conn conn;
  int peer = make_pair(&conn);
  conn.pauses = true;
  char *bytes = make_frame(4000000, 'x');
  assert_int_equal(bl_bench_conn_write(&conn, bl_slice_of(bytes, 4000000)), BL_OK);
  assert_true(conn.wants_write);
  assert_int_equal(write(peer, bytes, 10), 10);
  assert_int_equal(bl_bench_loop_wait(&loop, bl_bench_now_ns() + 1000000), 0);
  for (size_t got = 0; got < 4000000;) {
    ssize_t some = read(peer, bytes, 4000000);
    assert_true(some > 0);
    got += (size_t)some;
    if (conn.wants_write) assert_int_equal(bl_bench_conn_flush(&conn), BL_OK);
  }
  assert_int_equal(bl_bench_loop_wait(&loop, bl_bench_now_ns() + 1000000000), 1);
  assert_ptr_equal(loop.events[0].data.ptr, &conn);
  assert_int_equal(loop.events[0].events, EPOLLIN);
  free(bytes);
  bl_bench_conn_close(&conn);
  close(peer);
}

static void addresses_are_checked(void **state) {
  (void)state;
  struct bl_bench_address address;
  struct bl_why why;
  assert_int_equal(bl_bench_resolve("127.0.0.1:80", &address, &why), BL_OK);
  assert_int_equal(bl_bench_resolve("[::1]:80", &address, &why), BL_OK);
  static const char *const wrong[] = {"", ":", "127.0.0.1", ":80", "127.0.0.1:"};
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
    assert_int_equal(bl_bench_resolve(wrong[i], &address, &why), BL_ERR_USAGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(frames_come_in_pieces),
      cmocka_unit_test(large_frames_pass_a_full_socket),
      cmocka_unit_test(impossible_lengths_are_told),
      cmocka_unit_test(a_wait_ends_in_time),
      cmocka_unit_test(a_paused_connection_is_quiet),
      cmocka_unit_test(addresses_are_checked),
  };
  bl_bench_loop_init(&loop, 0);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  bl_bench_loop_fini(&loop);
  return failed;
}
