#include "net/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "net/net_testlib.h"

#define BIG_BYTES (8u << 20)

/* The server of these tests: a message is a byte that says how many follow it. */
struct world {
  struct bl_clock_fake fake;
  struct bl_timers timers;
  struct bl_net *net;
  struct bl_listener *listener;
  int port;
  int calls;    /* of on_input */
  int messages; /* whole ones */
  int opened;
  int closed;
  uint64_t last_id;
  size_t reply_bytes; /* of each message's answer, 0: none */
  const char *borrowed;
  char text[65536];
  size_t text_bytes;
};

static void answer(struct world *world, struct bl_conn *conn, struct bl_slice message) {
  if (world->text_bytes + message.len <= sizeof(world->text)) {
    memcpy(world->text + world->text_bytes, message.ptr, message.len);
    world->text_bytes += message.len;
  }
  world->messages++;
  if (world->reply_bytes == 0) return;
  if (world->borrowed != NULL) {
    bl_buf_put_char(bl_conn_out(conn), '<');
    bl_conn_put_borrowed(conn, bl_slice_of(world->borrowed, world->reply_bytes));
    bl_buf_put_char(bl_conn_out(conn), '>');
  } else {
    for (size_t i = 0; i < world->reply_bytes; i++) {
      bl_buf_put_char(bl_conn_out(conn), (char)('a' + (world->messages - 1) % 26));
    }
  }
  bl_conn_mark(conn);
}

static size_t on_input(struct bl_conn *conn, struct bl_slice input, size_t *out_need) {
  struct world *world = bl_conn_context(conn);
  size_t used = 0;
  world->calls++;
  world->last_id = bl_conn_id(conn);
  while (!bl_conn_closing(conn) && !bl_conn_output_full(conn) && used < input.len) {
    struct bl_slice rest = bl_slice_from(input, used);
    size_t bytes = 1 + (size_t)(uint8_t)rest.ptr[0];
    if (bytes == 256) bytes = 100u << 20; /* one that never ends */
    if (bytes > rest.len) {
      *out_need = bytes;
      return used;
    }
    answer(world, conn, bl_slice_of(rest.ptr + 1, bytes - 1));
    used += bytes;
  }
  return used;
}

static void on_open(struct bl_conn *conn) {
  struct world *world = bl_conn_context(conn);
  world->opened++;
  world->last_id = bl_conn_id(conn);
}

static void on_close(struct bl_conn *conn) {
  struct world *world = bl_conn_context(conn);
  assert_true(bl_conn_closing(conn));
  assert_null(bl_net_conn(bl_conn_net(conn), bl_conn_id(conn)));
  world->closed++;
}

static const struct bl_conn_ops ops = {
    .on_input = on_input, .on_open = on_open, .on_close = on_close};

static void start(struct world *world, const struct bl_net_settings *settings, bool fake_clock) {
  struct bl_why why;
  memset(world, 0, sizeof(*world));
  bl_clock_fake_init(&world->fake, 0);
  bl_timers_init(&world->timers);
  world->net =
      bl_net_new(settings, fake_clock ? &world->fake.clock : bl_clock_real(), &world->timers);
  assert_int_equal(bl_net_listen(world->net, "127.0.0.1", 0, &ops, world, &world->listener, &why),
                   BL_OK);
  world->port = bl_listener_port(world->listener);
}

static struct bl_net_settings defaults(void) {
  struct bl_net_settings settings;
  bl_net_settings_default(&settings);
  return settings;
}

static void stop(struct world *world) {
  bl_net_free(world->net);
  bl_timers_fini(&world->timers);
}

static void a_message_in_parts_is_shown_once_it_is_whole(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  start(&world, &settings, false);
  int fd = bl_peer_connect(world.port);
  static const char message[] = "\x0ahello worl";
  for (size_t i = 0; i < 11; i++) {
    assert_int_equal(world.messages, 0);
    bl_peer_send(world.net, fd, message + i, 1);
    bl_net_run_turns(world.net, 3);
  }
  assert_true(bl_net_run_until(world.net, &world.messages, 1));
  assert_memory_equal(world.text, "hello worl", 10);
  assert_int_equal(world.calls,
                   2); /* at the first byte, and when all that it asked for was there */
  struct bl_net_stats stats;
  bl_net_stats(world.net, &stats);
  assert_int_equal(stats.input_bytes, 0);
  bl_peer_close(fd);
  assert_true(bl_net_run_until(world.net, &world.closed, 1));
  stop(&world);
}

static void many_messages_in_one_write_get_one_write_of_answers(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  start(&world, &settings, false);
  world.reply_bytes = 1;
  int fd = bl_peer_connect(world.port);
  assert_true(bl_net_run_until(world.net, &world.opened, 1));
  char bytes[1000 * 2 + 1];
  for (int i = 0; i < 1000; i++) memcpy(bytes + 2 * (size_t)i, "\x01x", 2);
  bytes[2000] = 3; /* and the begin of one more */
  bl_peer_send_some(fd, bytes, sizeof(bytes));
  char answers[1000];
  assert_int_equal(bl_peer_recv(world.net, fd, answers, 1000), 1000);
  for (int i = 0; i < 1000; i++) assert_int_equal(answers[i], 'a' + i % 26);
  struct bl_net_stats stats;
  bl_net_stats(world.net, &stats);
  assert_int_equal(stats.writes, 1);
  assert_int_equal(world.messages, 1000);
  bl_peer_send(world.net, fd, "end", 3);
  assert_true(bl_net_run_until(world.net, &world.messages, 1001));
  bl_peer_close(fd);
  stop(&world);
  assert_int_equal(world.closed, 1);
}

static void who_does_not_read_is_not_served_until_he_does(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  settings.output_pause_bytes = 1 << 20;
  start(&world, &settings, false);
  world.reply_bytes = 2 << 20;
  int fd = bl_peer_connect(world.port);
  bl_peer_small_window(fd);
  bl_peer_send(world.net, fd, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
  for (int i = 0; i < 50; i++) bl_net_run_once(world.net, 1);
  /* The kernel's buffers take some; the connection itself holds one answer at most. */
  int before = world.messages;
  assert_in_range(before, 1, 11);
  bl_peer_send_some(fd, "\0\0\0\0", 4); /* not even read */
  for (int i = 0; i < 20; i++) bl_net_run_once(world.net, 1);
  assert_int_equal(world.messages, before);
  char *answers = malloc(16u * (2u << 20));
  size_t all = 16u * (2u << 20);
  assert_int_equal(bl_peer_recv(world.net, fd, answers, all), all);
  for (size_t i = 0; i < all; i++) {
    if (answers[i] != (char)('a' + i / (2u << 20)))
      fail_msg("answer %zu at byte %zu", i / (2u << 20), i);
  }
  free(answers);
  assert_int_equal(world.messages, 16);
  bl_peer_close(fd);
  stop(&world);
}

static void fill(char *bytes, char seed) {
  for (size_t i = 0; i < BIG_BYTES; i++) bytes[i] = (char)(seed + (char)(i % 61));
}

static void check_answer(struct world *world, int fd, char seed) {
  char *got = malloc(BIG_BYTES + 2);
  char *expected = malloc(BIG_BYTES);
  fill(expected, seed);
  assert_int_equal(bl_peer_recv(world->net, fd, got, BIG_BYTES + 2), BIG_BYTES + 2);
  assert_int_equal(got[0], '<');
  assert_memory_equal(got + 1, expected, BIG_BYTES);
  assert_int_equal(got[BIG_BYTES + 1], '>');
  free(got);
  free(expected);
}

/* Borrowed bytes are another's after the turn: also those that were put while the socket was full
 * already. */
static void borrowed_bytes_are_copied_when_the_socket_is_full(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  settings.output_pause_bytes = 100 << 20;
  start(&world, &settings, false);
  world.reply_bytes = BIG_BYTES;
  int fd = bl_peer_connect(world.port);
  bl_peer_small_window(fd);
  for (int turn = 0; turn < 3; turn++) {
    char *bytes = malloc(BIG_BYTES);
    fill(bytes, (char)('A' + turn));
    world.borrowed = bytes;
    bl_peer_send_some(fd, "\0", 1);
    assert_true(bl_net_run_until(world.net, &world.messages, turn + 1));
    memset(bytes, 0, BIG_BYTES);
    free(bytes);
  }
  for (int turn = 0; turn < 3; turn++) check_answer(&world, fd, (char)('A' + turn));
  struct bl_net_stats stats;
  bl_net_stats(world.net, &stats);
  assert_int_equal(stats.bytes_out, 3 * (BIG_BYTES + 2));
  bl_peer_close(fd);
  stop(&world);
}

static void output_before_a_close_is_tried_once(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  start(&world, &settings, false);
  int fd = bl_peer_connect(world.port);
  assert_true(bl_net_run_until(world.net, &world.opened, 1));
  struct bl_conn *conn = bl_net_conn(world.net, world.last_id);
  bl_buf_put_text(bl_conn_out(conn), "bye");
  bl_conn_close(conn);
  bl_conn_close(conn);
  assert_int_equal(world.closed, 0); /* not from inside */
  assert_null(bl_net_conn(world.net, world.last_id));
  char got[3];
  assert_int_equal(bl_peer_recv(world.net, fd, got, 3), 3);
  assert_memory_equal(got, "bye", 3);
  assert_true(bl_peer_ended(world.net, fd));
  assert_int_equal(world.closed, 1);
  bl_peer_close(fd);
  stop(&world);
}

static void a_close_does_not_wait_for_a_slow_reader(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  start(&world, &settings, false);
  world.reply_bytes = BIG_BYTES;
  int fd = bl_peer_connect(world.port);
  bl_peer_small_window(fd);
  bl_peer_send(world.net, fd, "\0", 1);
  assert_true(bl_net_run_until(world.net, &world.messages, 1));
  bl_conn_close(bl_net_conn(world.net, world.last_id));
  bl_net_run_turns(world.net, 1);
  assert_int_equal(world.closed, 1);
  bl_peer_close(fd);
  stop(&world);
}

static void too_much_output_closes_without_a_broken_answer(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  settings.output_bytes_max = 1 << 20;
  start(&world, &settings, false);
  world.reply_bytes = 2 << 20;
  int fd = bl_peer_connect(world.port);
  bl_peer_send(world.net, fd, "\0", 1);
  assert_true(bl_peer_ended(world.net, fd));
  assert_int_equal(world.closed, 1);
  bl_peer_close(fd);
  stop(&world);
}

static void too_much_input_closes_who_sends_it(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  settings.input_bytes_max = 2 << 20;
  start(&world, &settings, false);
  int small = bl_peer_connect(world.port);
  bl_peer_send(world.net, small,
               "\x05"
               "ab",
               3); /* a part that stays small */
  int fd = bl_peer_connect(world.port);
  char *bytes = malloc(1 << 20);
  memset(bytes, 0xff, 1 << 20);
  struct bl_net_stats stats;
  int64_t most = 0;
  for (int i = 0; i < 2000 && world.closed == 0; i++) {
    bl_peer_send_some(fd, bytes, 1 << 20);
    bl_net_run_once(world.net, 1);
    bl_net_stats(world.net, &stats);
    if (stats.input_bytes > most) most = stats.input_bytes;
  }
  assert_int_equal(world.closed, 1);
  assert_in_range(most, 0, 4 << 20);
  bl_peer_send(world.net, small, "cde", 3);
  assert_true(bl_net_run_until(world.net, &world.messages, 1));
  bl_net_stats(world.net, &stats);
  assert_int_equal(stats.input_bytes, 0);
  free(bytes);
  bl_peer_close(fd);
  bl_peer_close(small);
  stop(&world);
}

static void connections_are_counted_and_refused(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  settings.conns_max = 2;
  start(&world, &settings, false);
  int fds[3];
  for (int i = 0; i < 3; i++) fds[i] = bl_peer_connect(world.port);
  assert_true(bl_peer_ended(world.net, fds[2]));
  struct bl_net_stats stats;
  bl_net_stats(world.net, &stats);
  assert_int_equal(stats.conns, 2);
  assert_int_equal(stats.accepted, 2);
  assert_int_equal(stats.refused, 1);
  assert_null(bl_net_connect(world.net, BL_SLICE("127.0.0.1:1"), &ops, &world));
  for (int i = 0; i < 3; i++) bl_peer_close(fds[i]);
  assert_true(bl_net_run_until(world.net, &world.closed, 2));
  assert_non_null(bl_net_connect(world.net, BL_SLICE("127.0.0.1:1"), &ops, &world));
  stop(&world);
  assert_int_equal(world.closed, 3);
}

static void ids_are_never_used_twice(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  start(&world, &settings, false);
  uint64_t ids[20];
  for (int i = 0; i < 20; i++) {
    int fd = bl_peer_connect(world.port);
    assert_true(bl_net_run_until(world.net, &world.opened, i + 1));
    ids[i] = world.last_id;
    assert_non_null(bl_net_conn(world.net, ids[i]));
    bl_peer_close(fd);
    assert_true(bl_net_run_until(world.net, &world.closed, i + 1));
    for (int j = 0; j <= i; j++) {
      assert_null(bl_net_conn(world.net, ids[j]));
      assert_true(j == i || ids[j] != ids[i]);
    }
  }
  assert_null(bl_net_conn(world.net, 0));
  assert_null(bl_net_conn(world.net, UINT64_MAX));
  stop(&world);
}

static void silent_connections_are_closed(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  start(&world, &settings, true);
  int silent = bl_peer_connect(world.port);
  int talks = bl_peer_connect(world.port);
  bl_net_run_turns(world.net, 5);
  assert_int_equal(world.opened, 2);
  for (int seconds = 0; seconds < 119; seconds++) {
    world.fake.now_mono_ns += 1000000000LL;
    if (seconds == 100) bl_peer_send_some(talks, "\0", 1);
    bl_net_run_turns(world.net, 2);
    assert_int_equal(world.closed, 0);
  }
  world.fake.now_mono_ns += 12 * 1000000000LL;
  bl_net_run_turns(world.net, 2);
  assert_int_equal(world.closed, 1);
  world.fake.now_mono_ns += 120 * 1000000000LL;
  bl_net_run_turns(world.net, 2);
  assert_int_equal(world.closed, 2);
  struct bl_net_stats stats;
  bl_net_stats(world.net, &stats);
  assert_int_equal(stats.idle_closed, 2);
  bl_peer_close(silent);
  bl_peer_close(talks);
  stop(&world);
}

static void a_refused_connect_ends_with_on_close(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  start(&world, &settings, false);
  char address[32];
  int free_port = world.port;
  bl_listener_close(world.listener); /* nobody listens there now */
  bl_net_run_turns(world.net, 2);
  int len = snprintf(address, sizeof(address), "127.0.0.1:%d", free_port);
  struct bl_conn *conn = bl_net_connect(world.net, bl_slice_of(address, (size_t)len), &ops, &world);
  bl_buf_put_text(bl_conn_out(conn), "never sent");
  bl_conn_mark(conn);
  assert_int_equal(world.closed, 0);
  assert_true(bl_net_run_until(world.net, &world.closed, 1));
  assert_int_equal(world.opened, 0);
  stop(&world);
}

static void addresses_that_cannot_be_end_with_on_close(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      ":",
      "x",
      "127.0.0.1",
      ":10911",
      "127.0.0.1:0",
      "127.0.0.1:65536",
      "127.0.0.1:-1",
      "127.0.0.1:x",
      "[::1:80",
      "[]:80",
      /* No name may have such a part, so nobody is asked. */
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:80",
  };
  struct world world;
  struct bl_net_settings settings = defaults();
  start(&world, &settings, false);
  int count = (int)(sizeof(bad) / sizeof(bad[0]));
  for (int i = 0; i < count; i++) {
    assert_non_null(bl_net_connect(world.net, bl_slice_text(bad[i]), &ops, &world));
  }
  assert_non_null(bl_net_connect(world.net, (struct bl_slice){NULL, 0}, &ops, &world));
  assert_int_equal(world.closed, 0);
  assert_true(bl_net_run_until(world.net, &world.closed, count + 1));
  assert_int_equal(world.opened, 0);
  stop(&world);
}

/* "LOCALHOST" goes the way of every name. What is put before the connection is open is sent then.
 */
static void a_name_is_resolved_and_connected(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  start(&world, &settings, false);
  struct bl_listener *any = NULL;
  struct bl_why why;
  assert_int_equal(bl_net_listen(world.net, "*", 0, &ops, &world, &any, &why), BL_OK);
  char address[32];
  int len = snprintf(address, sizeof(address), "LOCALHOST:%d", bl_listener_port(any));
  struct bl_conn *conn = bl_net_connect(world.net, bl_slice_of(address, (size_t)len), &ops, &world);
  char *bytes = strdup("\x05hello");
  bl_conn_put_borrowed(conn, bl_slice_text(bytes));
  bl_conn_mark(conn);
  bl_net_run_once(world.net, 0);
  memset(bytes, 0, 6);
  free(bytes);
  assert_true(bl_net_run_until(world.net, &world.messages, 1));
  assert_memory_equal(world.text, "hello", 5);
  assert_int_equal(world.opened, 2);
  stop(&world);
  assert_int_equal(world.closed, 2);
}

static void the_net_may_end_while_a_name_is_looked_up(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  start(&world, &settings, false);
  assert_non_null(bl_net_connect(world.net, BL_SLICE("LOCALHOST:1"), &ops, &world));
  stop(&world);
  assert_int_equal(world.closed, 1);
}

static void listening_fails_with_a_reason(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  struct bl_listener *listener = NULL;
  struct bl_why why;
  start(&world, &settings, false);
  bl_err err = bl_net_listen(world.net, "127.0.0.1", world.port, &ops, &world, &listener, &why);
  assert_int_equal(err, BL_ERR_EXISTS);
  char port[16];
  snprintf(port, sizeof(port), "%d", world.port);
  assert_non_null(strstr(why.text, port));
  err = bl_net_listen(world.net, "nowhere.example", 0, &ops, &world, &listener, &why);
  assert_int_equal(err, BL_ERR_USAGE);
  static const int no_ports[] = {-1, 65536, 70000};
  for (int i = 0; i < 3; i++) {
    err = bl_net_listen(world.net, "127.0.0.1", no_ports[i], &ops, &world, &listener, &why);
    assert_int_equal(err, BL_ERR_USAGE);
  }
  assert_null(listener);
  stop(&world);
}

static bool count_turn(void *context) {
  int *left = context;
  return --*left > 0;
}

static void the_owner_may_ask_for_more_turns_and_wake_the_net(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  start(&world, &settings, false);
  int left = 5;
  bl_net_on_turn(world.net, count_turn, &left);
  bl_net_wake(world.net);
  for (int i = 0; i < 5; i++) bl_net_run_once(world.net, -1); /* would sleep for ever otherwise */
  assert_int_equal(left, 0);
  bl_net_wake(world.net);
  bl_net_run_once(world.net, -1);
  assert_int_equal(left, -1);
  stop(&world);
}

static void looking_before_sleeping_backs_off_when_nothing_comes(void **state) {
  (void)state;
  struct world world;
  struct bl_net_settings settings = defaults();
  settings.spin_us = 20;
  start(&world, &settings, false);
  struct bl_net_stats stats;
  for (int i = 0; i < 64; i++) {
    bl_net_wake(world.net);
    bl_net_run_once(world.net, 0);
    bl_net_run_once(world.net, 1);
  }
  bl_net_stats(world.net, &stats);
  assert_in_range(stats.spin_misses, 1, 8); /* of 128 turns: 1 + 3 + 7 + ... are skipped */

  int fd = bl_peer_connect(world.port);
  int64_t hits = stats.spin_hits;
  for (int i = 0; i < 1000 && stats.spin_hits == hits; i++) {
    bl_peer_send(world.net, fd, "\x01x", 2);
    bl_net_wake(world.net);
    bl_net_run_once(world.net, 1);
    bl_net_stats(world.net, &stats);
  }
  assert_true(stats.spin_hits > hits);
  bl_peer_close(fd);
  stop(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_in_parts_is_shown_once_it_is_whole),
      cmocka_unit_test(many_messages_in_one_write_get_one_write_of_answers),
      cmocka_unit_test(who_does_not_read_is_not_served_until_he_does),
      cmocka_unit_test(borrowed_bytes_are_copied_when_the_socket_is_full),
      cmocka_unit_test(output_before_a_close_is_tried_once),
      cmocka_unit_test(a_close_does_not_wait_for_a_slow_reader),
      cmocka_unit_test(too_much_output_closes_without_a_broken_answer),
      cmocka_unit_test(too_much_input_closes_who_sends_it),
      cmocka_unit_test(connections_are_counted_and_refused),
      cmocka_unit_test(ids_are_never_used_twice),
      cmocka_unit_test(silent_connections_are_closed),
      cmocka_unit_test(a_refused_connect_ends_with_on_close),
      cmocka_unit_test(addresses_that_cannot_be_end_with_on_close),
      cmocka_unit_test(a_name_is_resolved_and_connected),
      cmocka_unit_test(the_net_may_end_while_a_name_is_looked_up),
      cmocka_unit_test(listening_fails_with_a_reason),
      cmocka_unit_test(looking_before_sleeping_backs_off_when_nothing_comes),
      cmocka_unit_test(the_owner_may_ask_for_more_turns_and_wake_the_net),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
