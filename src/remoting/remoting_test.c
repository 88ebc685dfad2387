#include "remoting/remoting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/json.h"
#include "net/net_testlib.h"
#include "wire/headers.h"

enum {
  ECHO = 1,
  NEEDS_BODY,
  LONG,
  PARK,
  NOT_FAST,
  WITH_HEADER,
  OF_BROKER,
  JSON,
  SILENT,
  SHARED, /* one row for the name server, another for the broker */
};

/* A server, and an endpoint that calls it, on one net. */
static struct world {
  struct bl_timers timers;
  struct bl_net *net;
  struct bl_remoting *server;
  struct bl_remoting *caller;
  struct bl_role namesrv;
  struct bl_role broker;
  struct bl_role vip;
  struct bl_listener *listeners[3];
  struct bl_arena arena;
  int calls;
  int steps;            /* of LONG */
  int long_steps;       /* after how many it is done */
  int64_t long_wait_ms; /* between its steps, unless there is a turn anyway */
  int parked;
  int closed; /* connections of the broker role */
  int done;   /* outcalls */
  bl_err done_err;
  int32_t done_code;
  char done_body[64]; /* of all */
  struct bl_ticket tickets[4];
  uint64_t last_conn;
} world;

static enum bl_outcome echo(struct bl_call *call) {
  world.calls++;
  world.last_conn = bl_conn_id(call->conn);
  struct bl_reply reply = {.body = &call->command->body, .body_count = 1, .body_borrowed = true};
  bl_call_reply(call, &reply);
  return BL_DONE;
}

/* Keeps what it has put together in call->body, and its place in memory of its own. */
static enum bl_outcome take_long(struct bl_call *call) {
  int *place = call->progress;
  if (place == NULL) {
    place = calloc(1, sizeof(*place));
    call->progress = place;
  }
  world.steps++;
  bl_buf_put_char(call->body, (char)('a' + *place));
  call->again_ms = world.long_wait_ms;
  if (++*place < world.long_steps) return BL_AGAIN;
  struct bl_ticket ticket = bl_call_ticket(call);
  assert_int_equal(ticket.conn_id, call->conn != NULL ? bl_conn_id(call->conn) : 0);
  bl_buf_put_slice(call->body, call->command->body);
  free(place);
  return bl_call_ok_body(call);
}

static enum bl_outcome park(struct bl_call *call) {
  world.tickets[world.parked++ % 4] = bl_call_ticket(call);
  return BL_PARKED;
}

static enum bl_outcome with_header(struct bl_call *call) {
  const struct bl_topic_name_header *header = call->header;
  return bl_call_fail(call, BL_ERR_NO_TOPIC, "no topic %.*s", BL_FMT(header->topic));
}

static enum bl_outcome read_json(struct bl_call *call) {
  const struct bl_json *root = bl_call_json(call);
  if (root == NULL) return BL_DONE;
  return bl_call_fail_code(call, (int32_t)bl_json_i64(bl_json_get(root, "code"), -1), "as you say");
}

static enum bl_outcome say_nothing(struct bl_call *call) {
  (void)call;
  world.calls++;
  return BL_DONE;
}

static enum bl_outcome say_namesrv(struct bl_call *call) {
  return bl_call_fail_code(call, 501, "name server");
}
static enum bl_outcome say_broker(struct bl_call *call) {
  return bl_call_fail(call, BL_ERR_BUSY, NULL);
}

#define BOTH (BL_ROLE_NAMESRV | BL_ROLE_BROKER)
static const struct bl_request rows[] = {
    {ECHO, "ECHO", BOTH, 0, NULL, echo},
    {NEEDS_BODY, "NEEDS_BODY", BOTH, BL_REQUEST_NEEDS_BODY, NULL, echo},
    {LONG, "LONG", BOTH, 0, NULL, take_long},
    {PARK, "PARK", BOTH, 0, NULL, park},
    {NOT_FAST, "NOT_FAST", BOTH, BL_REQUEST_NOT_ON_FAST_PORT, NULL, echo},
    {WITH_HEADER, "WITH_HEADER", BOTH, 0, &bl_topic_name_table, with_header},
    {OF_BROKER, "OF_BROKER", BL_ROLE_BROKER, 0, NULL, echo},
    {JSON, "JSON", BOTH, 0, NULL, read_json},
    {SILENT, "SILENT", BOTH, 0, NULL, say_nothing},
    {SHARED, "SHARED_N", BL_ROLE_NAMESRV, 0, NULL, say_namesrv},
    {SHARED, "SHARED_B", BL_ROLE_BROKER, 0, NULL, say_broker},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))
static const struct bl_request *row_pointers[ROW_COUNT];

static bool end_turn(void *context) {
  (void)context;
  bool more = bl_remoting_turn(world.server);
  return bl_remoting_turn(world.caller) || more;
}

static void on_close(void *server, struct bl_conn *conn) {
  (void)conn;
  assert_ptr_equal(server, &world);
  world.closed++;
}

static int begin(void **state) {
  (void)state;
  memset(&world, 0, sizeof(world));
  for (size_t i = 0; i < ROW_COUNT; i++) row_pointers[i] = &rows[i];
  const struct bl_clock *clock = bl_clock_real();
  struct bl_net_settings settings;
  bl_net_settings_default(&settings);
  bl_timers_init(&world.timers);
  bl_arena_init(&world.arena);
  world.net = bl_net_new(&settings, clock, &world.timers);
  world.server = bl_remoting_new(world.net, clock, &world.timers, row_pointers, ROW_COUNT);
  world.caller = bl_remoting_new(world.net, clock, &world.timers, row_pointers, 1);
  bl_net_on_turn(world.net, end_turn, NULL);
  world.namesrv = (struct bl_role){.role = BL_ROLE_NAMESRV};
  world.broker = (struct bl_role){.role = BL_ROLE_BROKER, .server = &world, .on_close = on_close};
  world.vip = world.broker;
  world.vip.fast_port = true;
  struct bl_role *roles[] = {&world.namesrv, &world.broker, &world.vip};
  for (int i = 0; i < 3; i++) {
    struct bl_why why;
    bl_err err =
        bl_remoting_listen(world.server, "127.0.0.1", 0, roles[i], &world.listeners[i], &why);
    assert_int_equal(err, BL_OK);
  }
  return 0;
}

static int end(void **state) {
  (void)state;
  bl_net_free(world.net);
  bl_remoting_free(world.caller);
  bl_remoting_free(world.server);
  bl_timers_fini(&world.timers);
  bl_arena_fini(&world.arena);
  return 0;
}

enum { NAMESRV, BROKER, VIP };

static int connect_to(int which) {
  return bl_peer_connect(bl_listener_port(world.listeners[which]));
}

static void send_frame(int fd, int32_t code, int32_t opaque, int32_t flag, enum bl_codec codec,
                       struct bl_slice body) {
  struct bl_buf out;
  struct bl_command_writer writer;
  bl_buf_init(&out, 0);
  bl_command_begin(&writer, &out, codec, code, opaque, flag, (struct bl_slice){NULL, 0});
  bl_command_end(&writer, body.len);
  bl_buf_put_slice(&out, body);
  bl_peer_send(world.net, fd, out.data, out.len);
  bl_buf_fini(&out);
}

static void request(int fd, int32_t code, int32_t opaque, const char *body) {
  send_frame(fd, code, opaque, 0, BL_CODEC_JSON, bl_slice_text(body));
}

/* The next frame, in the arena. */
static struct bl_command receive(int fd) {
  char head[4];
  assert_int_equal(bl_peer_recv(world.net, fd, head, 4), 4);
  size_t rest = bl_load_u32(head);
  char *frame = bl_arena_take(&world.arena, rest + 4);
  memcpy(frame, head, 4);
  assert_int_equal(bl_peer_recv(world.net, fd, frame + 4, rest), rest);
  struct bl_command command;
  bl_err err = bl_command_decode(bl_slice_of(frame, rest + 4), &world.arena, &command);
  assert_int_equal(err, BL_OK);
  return command;
}

static void expect(int fd, int32_t opaque, int32_t code, const char *remark) {
  struct bl_command answer = receive(fd);
  assert_true(bl_command_is_response(&answer));
  assert_int_equal(answer.opaque, opaque);
  assert_int_equal(answer.code, code);
  if (remark != NULL) assert_string_equal(bl_arena_copy(&world.arena, answer.remark).ptr, remark);
}

static void requests_find_their_handler_by_code_and_role(void **state) {
  (void)state;
  int namesrv = connect_to(NAMESRV);
  int broker = connect_to(BROKER);
  request(namesrv, SHARED, 1, "");
  expect(namesrv, 1, 501, "name server");
  request(broker, SHARED, 2, "");
  expect(broker, 2, 2, bl_err_text(BL_ERR_BUSY));
  request(broker, OF_BROKER, 3, "hello");
  struct bl_command answer = receive(broker);
  assert_true(bl_slice_is(answer.body, "hello"));
  request(namesrv, OF_BROKER, 4, "");
  expect(namesrv, 4, 3, " request type 7 not supported");
  bl_peer_close(namesrv);
  bl_peer_close(broker);
  assert_true(bl_net_run_until(world.net, &world.closed, 1));
}

/* The text of RocketMQ 5.5.0 (tests/wire/golden/broker-unknown-code.txt). */
static void an_unknown_code_is_said_as_java_does(void **state) {
  (void)state;
  static const int32_t codes[] = {0, -1, 11, 99999, INT32_MIN, INT32_MAX};
  int fd = connect_to(BROKER);
  for (int i = 0; i < 6; i++) {
    char remark[64];
    snprintf(remark, sizeof(remark), " request type %d not supported", codes[i]);
    request(fd, codes[i], i, "");
    expect(fd, i, 3, remark);
  }
  bl_peer_close(fd);
}

static void the_fast_port_does_not_serve_all(void **state) {
  (void)state;
  int vip = connect_to(VIP);
  int broker = connect_to(BROKER);
  request(vip, NOT_FAST, 1, "");
  expect(vip, 1, 3, " request type 5 not supported");
  request(vip, ECHO, 2, "");
  expect(vip, 2, 0, NULL);
  request(broker, NOT_FAST, 3, "");
  expect(broker, 3, 0, NULL);
  bl_peer_close(vip);
  bl_peer_close(broker);
}

static void the_answer_comes_in_the_codec_of_the_request(void **state) {
  (void)state;
  int fd = connect_to(BROKER);
  send_frame(fd, ECHO, 1, 0, BL_CODEC_BINARY, BL_SLICE("b"));
  assert_int_equal(receive(fd).codec, BL_CODEC_BINARY);
  send_frame(fd, ECHO, 2, 0, BL_CODEC_JSON, BL_SLICE("b"));
  assert_int_equal(receive(fd).codec, BL_CODEC_JSON);
  bl_peer_close(fd);
}

static void a_one_way_request_is_never_answered(void **state) {
  (void)state;
  int fd = connect_to(BROKER);
  world.long_steps = 3;
  static const int32_t codes[] = {ECHO, NEEDS_BODY, LONG, PARK, WITH_HEADER, JSON, SILENT, 9999};
  for (int i = 0; i < 8; i++)
    send_frame(fd, codes[i], i, BL_FLAG_ONEWAY, BL_CODEC_JSON, BL_SLICE(""));
  assert_true(bl_net_run_until(world.net, &world.parked, 1));
  bl_ticket_reply(world.server, &world.tickets[0], &(struct bl_reply){.code = 7});
  request(fd, ECHO, 100, "");
  expect(fd, 100, 0, NULL); /* the first thing that comes */
  bl_net_run_turns(world.net, 5);
  request(fd, ECHO, 101, "");
  expect(fd, 101, 0, NULL);
  assert_int_equal(world.steps, 3);
  bl_peer_close(fd);
}

static void what_a_request_lacks_is_named(void **state) {
  (void)state;
  int fd = connect_to(BROKER);
  request(fd, NEEDS_BODY, 1, "");
  expect(fd, 1, 1, "the request has no body");
  request(fd, WITH_HEADER, 2, "");
  struct bl_command answer = receive(fd);
  assert_int_equal(answer.code, 1);
  assert_non_null(strstr(bl_arena_copy(&world.arena, answer.remark).ptr, "topic is missing"));
  request(fd, JSON, 3, "{code:");
  answer = receive(fd);
  assert_int_equal(answer.code, 1);
  assert_true(bl_slice_starts(answer.remark, BL_SLICE("the body is not JSON: ")));
  request(fd, JSON, 4, "{code:77}");
  expect(fd, 4, 77, "as you say");
  bl_peer_close(fd);
}

static void a_long_request_takes_turns_and_others_pass_it(void **state) {
  (void)state;
  int fd = connect_to(BROKER);
  world.long_steps = 20;
  request(fd, LONG, 1, "-body of the request");
  request(fd, ECHO, 2, "");
  expect(fd, 2, 0, NULL);
  struct bl_command answer = receive(fd);
  assert_int_equal(answer.opaque, 1);
  assert_true(bl_slice_is(answer.body, "abcdefghijklmnopqrst-body of the request"));
  assert_int_equal(world.steps, 20);
  assert_int_equal(bl_remoting_stats(world.server, 2)->count, 20);
  assert_int_equal(bl_remoting_stats(world.server, 2)->agains, 1);
  bl_peer_close(fd);
}

/* The loop sleeps meanwhile: a turn is made when the time is over, or another event comes. */
static void a_request_that_waits_does_not_keep_the_loop_awake(void **state) {
  (void)state;
  int fd = connect_to(BROKER);
  world.long_steps = 4; /* two in the turn that brings it */
  world.long_wait_ms = 5;
  request(fd, LONG, 1, "");
  assert_true(bl_net_run_until(world.net, &world.steps, 2));
  int64_t from_ms = bl_clock_mono_ms(bl_clock_real());
  struct bl_net_stats before, after;
  bl_net_stats(world.net, &before);
  while (world.steps < 4) bl_net_run_once(world.net, -1);
  bl_net_stats(world.net, &after);
  assert_true(bl_clock_mono_ms(bl_clock_real()) - from_ms >= 8);
  assert_true(after.turns - before.turns <= 4);
  assert_true(bl_slice_is(receive(fd).body, "abcd"));

  world.long_wait_ms = 60000;
  world.steps = 0;
  request(fd, LONG, 2, "");
  assert_true(bl_net_run_until(world.net, &world.steps, 2));
  for (int i = 0; i < 2; i++) {
    bl_net_wake(world.net);
    bl_net_run_once(world.net, -1);
  }
  assert_int_equal(world.steps, 4);
  assert_int_equal(receive(fd).opaque, 2);
  bl_peer_close(fd);
}

/* The handler runs to its end and frees what it has; nobody gets the answer. */
static void a_long_request_ends_although_its_connection_is_gone(void **state) {
  (void)state;
  int fd = connect_to(BROKER);
  world.long_steps = 50;
  request(fd, LONG, 1, "");
  assert_true(bl_net_run_until(world.net, &world.steps, 1));
  bl_peer_close(fd);
  assert_true(bl_net_run_until(world.net, &world.closed, 1));
  assert_in_range(world.steps, 1, 49);
  assert_true(bl_net_run_until(world.net, &world.steps, 50));
  bl_net_run_turns(world.net, 3);
  assert_int_equal(world.steps, 50);
}

static void too_many_long_requests_are_told_to_come_again(void **state) {
  (void)state;
  int fd = connect_to(BROKER);
  world.long_steps = INT32_MAX;
  for (int i = 0; i < 1024; i++) request(fd, LONG, i, "");
  request(fd, LONG, 2000, "");
  expect(fd, 2000, 2, NULL);
  request(fd, ECHO, 2001, ""); /* others are served */
  expect(fd, 2001, 0, NULL);
  world.long_steps = 0; /* all end with their next step */
  for (int i = 0; i < 1024; i++) assert_int_equal(receive(fd).code, 0);
  bl_peer_close(fd);
}

static void a_parked_request_is_answered_by_its_ticket(void **state) {
  (void)state;
  int fd = connect_to(BROKER);
  request(fd, PARK, 11, "");
  request(fd, PARK, 12, "");
  assert_true(bl_net_run_until(world.net, &world.parked, 2));
  struct bl_reply reply = {.code = 5, .remark = BL_SLICE("later")};
  bl_ticket_reply(world.server, &world.tickets[1], &reply);
  bl_ticket_reply(world.server, &world.tickets[0], &reply);
  expect(fd, 12, 5, "later");
  expect(fd, 11, 5, "later");
  bl_peer_close(fd);
  assert_true(bl_net_run_until(world.net, &world.closed, 1));
  bl_ticket_reply(world.server, &world.tickets[0], &reply); /* no error */
}

static void bytes_that_are_no_frame_end_the_connection(void **state) {
  (void)state;
  static const struct bl_slice bad[] = {
      BL_SLICE("GET / HTTP/1.1\r\n\r\n"),
      BL_SLICE("\xff\xff\xff\xff"),
      BL_SLICE("\0\0\0\0\0\0\0\0"),
      BL_SLICE("\0\0\0\x06\0\0\0\x02{x"),
      BL_SLICE("\0\0\0\x08\x01\0\0\x04"
               "abcd"),
  };
  for (int i = 0; i < 5; i++) {
    int fd = connect_to(BROKER);
    request(fd, ECHO, 1, "first"); /* is answered all the same */
    bl_peer_send(world.net, fd, bad[i].ptr, bad[i].len);
    expect(fd, 1, 0, NULL);
    assert_true(bl_peer_ended(world.net, fd));
    bl_peer_close(fd);
    assert_int_equal(world.closed, i + 1);
  }
}

static void on_done(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  assert_false(call->open);
  world.done++;
  world.done_err = err;
  world.done_code = -1;
  if (err != BL_OK) {
    assert_null(response);
    return;
  }
  world.done_code = response->code;
  size_t len = strlen(world.done_body);
  snprintf(world.done_body + len, sizeof(world.done_body) - len, "%.*s", BL_FMT(response->body));
}

static struct bl_slice address_of(int which) {
  return bl_arena_printf(&world.arena, "127.0.0.1:%d", bl_listener_port(world.listeners[which]));
}

static bl_err call(struct bl_outcall *outcall, int32_t code, const char *body, int64_t timeout_ms) {
  *outcall = (struct bl_outcall){.done = on_done};
  struct bl_outgoing outgoing = {.code = code, .body = bl_slice_text(body)};
  return bl_remoting_call_address(world.caller, address_of(BROKER), &outgoing, timeout_ms, outcall);
}

static void calls_to_a_peer_share_a_connection(void **state) {
  (void)state;
  struct bl_outcall first;
  struct bl_outcall second;
  assert_int_equal(call(&first, ECHO, "one", 5000), BL_OK);
  assert_int_equal(call(&second, 9999, "", 5000), BL_OK);
  assert_int_equal(world.done, 0);
  assert_int_equal(first.conn_id, second.conn_id);
  assert_int_equal(bl_remoting_conn_of(world.caller, address_of(BROKER)), first.conn_id);
  assert_true(bl_net_run_until(world.net, &world.done, 2));
  assert_string_equal(world.done_body, "one");
  assert_int_equal(world.done_err, BL_OK);
  assert_int_equal(world.done_code, 3);
  struct bl_net_stats stats;
  bl_net_stats(world.net, &stats);
  assert_int_equal(stats.accepted, 1);
}

/* An answer that comes too late finds the place of its call empty, or taken by another that it is
 * not for. */
static void a_late_answer_reaches_nobody(void **state) {
  (void)state;
  struct bl_outcall late;
  struct bl_outcall next;
  assert_int_equal(call(&late, PARK, "", 30), BL_OK);
  assert_true(bl_net_run_until(world.net, &world.done, 1));
  assert_int_equal(world.done_err, BL_ERR_TIMEOUT);
  assert_int_equal(world.parked, 1);
  assert_int_equal(call(&next, PARK, "", 5000), BL_OK);
  assert_int_not_equal(next.opaque, late.opaque);
  assert_true(bl_net_run_until(world.net, &world.parked, 2));
  bl_ticket_reply(world.server, &world.tickets[0], &(struct bl_reply){.code = 40});
  for (int i = 0; i < 20; i++) bl_net_run_once(world.net, 1);
  assert_int_equal(world.done, 1);
  bl_ticket_reply(world.server, &world.tickets[1], &(struct bl_reply){.code = 41});
  assert_true(bl_net_run_until(world.net, &world.done, 2));
  assert_int_equal(world.done_code, 41);
}

static void a_call_ends_with_its_connection(void **state) {
  (void)state;
  struct bl_outcall outcall;
  assert_int_equal(call(&outcall, PARK, "", 5000), BL_OK);
  assert_true(bl_net_run_until(world.net, &world.parked, 1));
  bl_conn_close(bl_net_conn(world.net, world.tickets[0].conn_id));
  assert_true(bl_net_run_until(world.net, &world.done, 1));
  assert_int_equal(world.done_err, BL_ERR_CLOSED);
  assert_int_equal(bl_remoting_conn_of(world.caller, address_of(BROKER)), 0);
  assert_int_equal(call(&outcall, ECHO, "again", 5000), BL_OK); /* on a new one */
  assert_true(bl_net_run_until(world.net, &world.done, 2));
  assert_string_equal(world.done_body, "again");
  bl_remoting_disconnect(world.caller, address_of(BROKER));
  assert_int_equal(bl_remoting_conn_of(world.caller, address_of(BROKER)), 0);
}

static void a_call_to_where_nobody_listens_ends(void **state) {
  (void)state;
  struct bl_slice address = address_of(VIP);
  bl_listener_close(world.listeners[VIP]);
  bl_net_run_turns(world.net, 2);
  struct bl_outcall outcall = {.done = on_done};
  struct bl_outgoing outgoing = {.code = ECHO};
  assert_int_equal(bl_remoting_call_address(world.caller, address, &outgoing, 5000, &outcall),
                   BL_OK);
  assert_true(bl_net_run_until(world.net, &world.done, 1));
  assert_int_equal(world.done_err, BL_ERR_CLOSED);
  assert_int_equal(
      bl_remoting_call_address(world.caller, BL_SLICE("nonsense"), &outgoing, 5000, &outcall),
      BL_ERR_CLOSED);
  assert_int_equal(world.done, 1);
}

static void a_cancelled_call_is_not_done(void **state) {
  (void)state;
  struct bl_outcall outcall;
  assert_int_equal(call(&outcall, ECHO, "", 20), BL_OK);
  bl_remoting_cancel(&outcall);
  bl_remoting_cancel(&outcall);
  memset(&outcall, 0xff, sizeof(outcall)); /* ours again */
  for (int i = 0; i < 40; i++) bl_net_run_once(world.net, 1);
  assert_int_equal(world.done, 0);
  assert_int_equal(world.calls, 1);
}

/* The answer counts only on the connection of the call: another peer cannot give it. */
static void nobody_answers_for_another(void **state) {
  (void)state;
  int asked = connect_to(BROKER);
  int other = connect_to(BROKER);
  request(other, ECHO, 1, "");
  expect(other, 1, 0, NULL);
  request(asked, ECHO, 1, "");
  expect(asked, 1, 0, NULL);
  struct bl_outcall outcall = {.done = on_done};
  struct bl_outgoing outgoing = {.code = 40};
  assert_int_equal(bl_remoting_call(world.server, world.last_conn, &outgoing, 5000, &outcall),
                   BL_OK);
  struct bl_command question = receive(asked);
  assert_int_equal(question.code, 40);
  send_frame(other, 0, question.opaque, BL_FLAG_RESPONSE, BL_CODEC_JSON, BL_SLICE("lie"));
  send_frame(asked, 0, question.opaque ^ 1 << 20, BL_FLAG_RESPONSE, BL_CODEC_JSON,
             BL_SLICE("wrong"));
  send_frame(asked, 0, -1, BL_FLAG_RESPONSE, BL_CODEC_JSON, BL_SLICE("wrong"));
  bl_net_run_turns(world.net, 5);
  assert_int_equal(world.done, 0);
  send_frame(asked, 0, question.opaque, BL_FLAG_RESPONSE, BL_CODEC_JSON, BL_SLICE("truth"));
  assert_true(bl_net_run_until(world.net, &world.done, 1));
  assert_string_equal(world.done_body, "truth");
  bl_peer_close(asked);
  bl_peer_close(other);
}

static void many_calls_at_once_all_come_back(void **state) {
  (void)state;
  enum { COUNT = 300 };
  struct bl_outcall *calls = calloc(COUNT, sizeof(*calls));
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(call(&calls[i], ECHO, "x", 5000), BL_OK);
    for (int j = 0; j < i; j++) assert_int_not_equal(calls[i].opaque, calls[j].opaque);
  }
  assert_true(bl_net_run_until(world.net, &world.done, COUNT));
  assert_int_equal(world.done_err, BL_OK);
  free(calls);
}

static struct bl_outcall second_call;

static void on_done_call_again(struct bl_outcall *outcall, bl_err err,
                               const struct bl_command *response) {
  (void)outcall;
  (void)response;
  assert_int_equal(err, BL_ERR_CLOSED);
  world.done++;
  assert_int_equal(call(&second_call, ECHO, "", 5000), BL_ERR_CLOSED);
}

/* Whoever calls again from `done` at the end finds the endpoint closed, not a call that never ends.
 */
static void open_calls_end_with_the_endpoint(void **state) {
  (void)state;
  struct bl_outcall outcall;
  assert_int_equal(call(&outcall, PARK, "", 5000), BL_OK);
  outcall.done = on_done_call_again;
  assert_true(bl_net_run_until(world.net, &world.parked, 1));
  bl_net_free(world.net); /* closes its connection */
  world.net = NULL;
  assert_int_equal(world.done, 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(requests_find_their_handler_by_code_and_role),
      TEST(an_unknown_code_is_said_as_java_does),
      TEST(the_fast_port_does_not_serve_all),
      TEST(the_answer_comes_in_the_codec_of_the_request),
      TEST(a_one_way_request_is_never_answered),
      TEST(what_a_request_lacks_is_named),
      TEST(a_long_request_takes_turns_and_others_pass_it),
      TEST(a_long_request_ends_although_its_connection_is_gone),
      TEST(a_request_that_waits_does_not_keep_the_loop_awake),
      TEST(too_many_long_requests_are_told_to_come_again),
      TEST(a_parked_request_is_answered_by_its_ticket),
      TEST(bytes_that_are_no_frame_end_the_connection),
      TEST(calls_to_a_peer_share_a_connection),
      TEST(a_late_answer_reaches_nobody),
      TEST(a_call_ends_with_its_connection),
      TEST(a_call_to_where_nobody_listens_ends),
      TEST(a_cancelled_call_is_not_done),
      TEST(nobody_answers_for_another),
      TEST(many_calls_at_once_all_come_back),
      TEST(open_calls_end_with_the_endpoint),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
