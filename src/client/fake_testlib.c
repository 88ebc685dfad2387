#include "client/fake_testlib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/json.h"
#include "os/clock.h"
#include "wire/headers.h"
#include "wire/record.h"

static enum bl_outcome on_route(struct bl_call *call) {
  const struct bl_get_route_header *header = call->header;
  const struct bl_fake *fake = call->server;
  bool known = bl_slice_is(header->topic, "TBW102") ||
               (fake->topic != NULL && bl_slice_is(header->topic, fake->topic));
  if (!known) return bl_call_fail_code(call, 17, "No topic route info");
  bl_buf_printf(
      call->body,
      "{\"brokerDatas\":[{\"brokerAddrs\":{\"0\":\"127.0.0.1:%d\"},\"brokerName\":\"b\"}],"
      "\"queueDatas\":[{\"brokerName\":\"b\",\"perm\":6,\"readQueueNums\":%d,\"writeQueueNums\":%d}"
      "]}",
      fake->port, fake->queue_count, fake->queue_count);
  return bl_call_ok_body(call);
}

static enum bl_outcome on_heartbeat(struct bl_call *call) {
  struct bl_fake *fake = call->server;
  const struct bl_json *root = bl_call_json(call);
  if (root == NULL) return BL_DONE;
  struct bl_slice id = bl_json_text(bl_json_get(root, "clientID"));
  const struct bl_json *consumers = bl_json_get(root, "consumerDataSet");
  if (consumers != NULL && consumers->count > 0)
    snprintf(fake->member, sizeof(fake->member), "%.*s", BL_FMT(id));
  fake->heartbeats++;
  return bl_call_ok(call);
}

static enum bl_outcome on_members(struct bl_call *call) {
  const struct bl_fake *fake = call->server;
  struct bl_json_writer w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&w);
  bl_json_key(&w, "consumerIdList");
  bl_json_open_array(&w);
  for (int i = 0; i < fake->other_member_count; i++) {
    bl_json_put_text(&w, bl_slice_text(fake->other_members[i]));
  }
  if (fake->member[0] != '\0') bl_json_put_text(&w, bl_slice_text(fake->member));
  bl_json_close_array(&w);
  bl_json_close_object(&w);
  return bl_call_ok_body(call);
}

static void store(struct bl_fake *fake, int queue_id, struct bl_slice body) {
  struct bl_fake_queue *queue = &fake->queues[queue_id];
  BL_ASSERT(queue->count < BL_FAKE_MESSAGES_MAX);
  queue->bodies[queue->count++] = bl_arena_copy(&fake->arena, body);
}

void bl_fake_store(struct bl_fake *fake, int queue_id, const char *body) {
  store(fake, queue_id, bl_slice_text(body));
}

/* RETURNS how many messages of a batch body were stored. */
static int store_batch(struct bl_fake *fake, int queue_id, struct bl_slice batch) {
  int count = 0;
  while (batch.len > 0) {
    uint32_t entry_bytes = bl_load_u32(batch.ptr);
    store(fake, queue_id, bl_slice_of(batch.ptr + 20, bl_load_u32(batch.ptr + 16)));
    batch = bl_slice_from(batch, entry_bytes);
    count++;
  }
  return count;
}

static enum bl_outcome on_send(struct bl_call *call) {
  const struct bl_send_message_v2_header *header = call->header;
  struct bl_fake *fake = call->server;
  fake->sends++;
  if (fake->drop_sends > 0) {
    fake->drop_sends--;
    bl_conn_close(call->conn);
    return BL_PARKED;
  }
  if (fake->fail_sends > 0) {
    fake->fail_sends--;
    return bl_call_fail_code(call, fake->fail_code, "spoiled");
  }
  int64_t offset = fake->queues[header->queue_id].count;
  int stored = 1;
  if (header->batch) {
    fake->batches++;
    stored = store_batch(fake, header->queue_id, call->command->body);
  } else {
    store(fake, header->queue_id, call->command->body);
  }
  struct bl_buf ids = {0};
  for (int i = 0; i < stored; i++)
    bl_buf_printf(&ids, "%sID%lld", i > 0 ? "," : "", (long long)offset + i);
  struct bl_send_reply_header reply = {.msg_id = bl_arena_copy(call->arena, bl_buf_slice(&ids)),
                                       .queue_id = header->queue_id,
                                       .queue_offset = offset};
  bl_buf_fini(&ids);
  return bl_call_ok_header(call, &bl_send_reply_table, &reply);
}

static enum bl_outcome reply_offset(struct bl_call *call, int64_t offset) {
  struct bl_offset_reply_header reply = {.offset = offset};
  return bl_call_ok_header(call, &bl_offset_reply_table, &reply);
}

static enum bl_outcome on_query_offset(struct bl_call *call) {
  const struct bl_query_consumer_offset_header *header = call->header;
  const struct bl_fake *fake = call->server;
  int64_t committed = fake->queues[header->queue_id].committed;
  if (committed < 0) return bl_call_fail_code(call, 22, "Not found");
  return reply_offset(call, committed);
}

static enum bl_outcome on_commit(struct bl_call *call) {
  const struct bl_update_consumer_offset_header *header = call->header;
  struct bl_fake *fake = call->server;
  fake->queues[header->queue_id].committed = header->commit_offset;
  return bl_call_ok(call);
}

static enum bl_outcome on_max_offset(struct bl_call *call) {
  const struct bl_get_max_offset_header *header = call->header;
  const struct bl_fake *fake = call->server;
  return reply_offset(call, fake->queues[header->queue_id].count);
}

static enum bl_outcome on_min_offset(struct bl_call *call) {
  return reply_offset(call, 0);
}

static void put_record(struct bl_fake *fake, struct bl_buf *out, int queue_id, int64_t offset) {
  struct bl_record record = {
      .queue_id = queue_id,
      .queue_offset = offset,
      .born_host = {.addr = {127, 0, 0, 1}, .addr_bytes = 4, .port = 1},
      .store_host = {.addr = {127, 0, 0, 1}, .addr_bytes = 4, .port = fake->port},
      .topic = bl_slice_text(fake->topic),
      .body = fake->queues[queue_id].bodies[offset],
      .properties = BL_SLICE("")};
  uint32_t bytes = bl_record_size(&record);
  bl_record_encode(&record, bl_buf_reserve(out, bytes));
  out->len += bytes;
}

static enum bl_outcome on_pull(struct bl_call *call) {
  const struct bl_pull_message_header *header = call->header;
  struct bl_fake *fake = call->server;
  const struct bl_fake_queue *queue = &fake->queues[header->queue_id];
  fake->pulls++;
  int64_t offset = header->queue_offset;
  for (; offset < queue->count && offset < header->queue_offset + header->max_count; offset++) {
    put_record(fake, call->body, header->queue_id, offset);
  }
  struct bl_pull_reply_header reply = {.max_offset = queue->count, .next_offset = offset};
  struct bl_slice body = bl_buf_slice(call->body);
  struct bl_reply answer = {.code = body.len > 0 ? 0 : 19,
                            .table = &bl_pull_reply_table,
                            .header = &reply,
                            .body = &body,
                            .body_count = 1};
  bl_call_reply(call, &answer);
  return BL_DONE;
}

static enum bl_outcome on_leave(struct bl_call *call) {
  struct bl_fake *fake = call->server;
  fake->leaves++;
  fake->member[0] = '\0';
  return bl_call_ok(call);
}

#define ROW(request_code, table, function)                                                         \
  {                                                                                                \
    .code = request_code, .name = #function, .roles = BL_ROLE_BROKER, .header = table,             \
    .handle = function                                                                             \
  }
static const struct bl_request rows[] = {
    ROW(105, &bl_get_route_table, on_route),
    ROW(34, NULL, on_heartbeat),
    ROW(38, &bl_consumer_group_table, on_members),
    ROW(310, &bl_send_message_v2_table, on_send),
    ROW(320, &bl_send_message_v2_table, on_send),
    ROW(14, &bl_query_consumer_offset_table, on_query_offset),
    ROW(15, &bl_update_consumer_offset_table, on_commit),
    ROW(30, &bl_get_max_offset_table, on_max_offset),
    ROW(31, &bl_get_min_offset_table, on_min_offset),
    ROW(11, &bl_pull_message_table, on_pull),
    ROW(35, &bl_unregister_client_table, on_leave),
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static bool end_turn(void *context) {
  struct bl_fake *fake = context;
  bool again = bl_remoting_turn(fake->remoting);
  return bl_client_turn(fake->client) || again;
}

void bl_fake_init(struct bl_fake *fake, const char *topic, int queue_count) {
  static const struct bl_request *pointers[ROW_COUNT];
  for (size_t i = 0; i < ROW_COUNT; i++) pointers[i] = &rows[i];
  memset(fake, 0, sizeof(*fake));
  fake->topic = topic;
  fake->queue_count = queue_count;
  for (int i = 0; i < BL_FAKE_QUEUES_MAX; i++) fake->queues[i].committed = -1;
  bl_arena_init(&fake->arena);
  bl_timers_init(&fake->timers);
  struct bl_net_settings settings;
  bl_net_settings_default(&settings);
  fake->net = bl_net_new(&settings, bl_clock_real(), &fake->timers);
  fake->remoting = bl_remoting_new(fake->net, bl_clock_real(), &fake->timers, pointers, ROW_COUNT);
  fake->role = (struct bl_role){.role = BL_ROLE_BROKER, .server = fake};
  struct bl_why why;
  BL_ASSERT(bl_remoting_listen(fake->remoting, "127.0.0.1", 0, &fake->role, &fake->listener,
                               &why) == BL_OK);
  fake->port = bl_listener_port(fake->listener);
  char server[32];
  snprintf(server, sizeof(server), "127.0.0.1:%d", fake->port);
  struct bl_client_settings client = {.servers = bl_slice_text(server)};
  BL_ASSERT(bl_client_new(fake->net, bl_clock_real(), &fake->timers, &client, &fake->client,
                          &why) == BL_OK);
  bl_net_on_turn(fake->net, end_turn, fake);
}

void bl_fake_fini(struct bl_fake *fake) {
  bl_net_free(fake->net);
  bl_client_free(fake->client);
  bl_remoting_free(fake->remoting);
  bl_timers_fini(&fake->timers);
  bl_arena_fini(&fake->arena);
}

bool bl_fake_run_until(struct bl_fake *fake, const int *flag, int value) {
  int64_t end_ms = bl_clock_mono_ms(bl_clock_real()) + 10000;
  while (*flag < value && bl_clock_mono_ms(bl_clock_real()) < end_ms)
    bl_net_run_once(fake->net, 20);
  return *flag >= value;
}

void bl_fake_run_ms(struct bl_fake *fake, int64_t ms) {
  int64_t end_ms = bl_clock_mono_ms(bl_clock_real()) + ms;
  while (bl_clock_mono_ms(bl_clock_real()) < end_ms) bl_net_run_once(fake->net, 5);
}

void bl_fake_notify(struct bl_fake *fake, const char *group) {
  struct bl_consumer_group_header header = {.group = bl_slice_text(group)};
  struct bl_outgoing outgoing = {.code = 40, .table = &bl_consumer_group_table, .header = &header};
  size_t cursor = 0;
  struct bl_conn *conn;
  while ((conn = bl_net_next(fake->net, &cursor)) != NULL) {
    if (bl_conn_context(conn) == &fake->role)
      BL_ASSERT(bl_remoting_send(fake->remoting, bl_conn_id(conn), &outgoing) == BL_OK);
  }
}
