#include "requests/admin_testlib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* After what it needs. */
#include <cmocka.h>

#include "base/assert.h"
#include "remoting/request.h"

#define TIMEOUT_MS 20000
#define TABLE_MAX 512

static const struct bl_request *table[TABLE_MAX];
static struct at *current;

/* What a consumer answers to 307 and 309. */
static enum bl_outcome client_handle(struct bl_call *call) {
  current->relayed++;
  current->relayed_body = bl_arena_copy(&current->arena, call->command->body);
  bl_buf_put_text(call->body, "{\"from\":\"client\"}");
  return bl_call_ok_body(call);
}
static const struct bl_request client_307 = {
    .code = 307, .name = "T", .roles = BL_ROLE_CLIENT, .handle = client_handle};
static const struct bl_request client_309 = {
    .code = 309, .name = "T", .roles = BL_ROLE_CLIENT, .handle = client_handle};

static bool end_turn(void *context) {
  struct at *at = context;
  bl_worker_drain(at->flush);
  bl_worker_drain(at->pool);
  bool more = bl_remoting_turn(at->remoting);
  if (at->broker != NULL) more = bl_broker_turn(at->broker) || more;
  return more;
}

static bl_err read_cached(struct bl_disk *disk, int file, void *to, size_t len, int64_t offset,
                          size_t *out_len) {
  if (current->never_cached) return BL_ERR_COLD;
  return bl_disk_real()->ops->read_cached(disk, file, to, len, offset, out_len);
}

static void open_broker(struct at *at) {
  struct bl_why why = {{0}};
  struct bl_net_settings net;
  size_t count = 0;
  while (count < bl_request_table_count) {
    table[count] = bl_request_table[count];
    count++;
  }
  table[count++] = &client_307;
  table[count++] = &client_309;
  BL_ASSERT(count <= TABLE_MAX);
  at->disk_ops = *bl_disk_real()->ops;
  at->disk_ops.read_cached = read_cached;
  at->disk.ops = &at->disk_ops;
  bl_timers_init(&at->timers);
  at->flush = bl_worker_new_inline();
  at->pool = bl_worker_new_inline();
  bl_net_settings_default(&net);
  at->net = bl_net_new(&net, bl_clock_real(), &at->timers);
  at->remoting = bl_remoting_new(at->net, bl_clock_real(), &at->timers, table, count);
  struct bl_broker_world world = {.settings = &at->settings,
                                  .clock = bl_clock_real(),
                                  .timers = &at->timers,
                                  .disk = &at->disk,
                                  .flush_worker = at->flush,
                                  .pool = at->pool,
                                  .remoting = at->remoting,
                                  .seed = 1};
  if (bl_broker_open(&world, &at->broker, &why) != BL_OK) fail_msg("%s", why.text);
  at->broker_role = (struct bl_role){
      .role = BL_ROLE_BROKER, .server = at->broker, .on_close = bl_broker_conn_closed};
  at->client_role = (struct bl_role){.role = BL_ROLE_CLIENT, .server = at};
  bl_remoting_outgoing_role(at->remoting, &at->client_role);
  if (bl_remoting_listen(at->remoting, "127.0.0.1", 0, &at->broker_role, &at->listener, &why) !=
      BL_OK) {
    fail_msg("%s", why.text);
  }
  snprintf(at->address, sizeof(at->address), "127.0.0.1:%d", bl_listener_port(at->listener));
  struct bl_host host;
  assert_true(bl_host_parse(bl_slice_text(at->address), &host));
  bl_broker_set_address(at->broker, &host);
  bl_net_on_turn(at->net, end_turn, at);
}

static void close_broker(struct at *at) {
  bl_listener_close(at->listener);
  size_t cursor = 0;
  struct bl_conn *conn;
  while ((conn = bl_net_next(at->net, &cursor)) != NULL) bl_conn_close(conn);
  for (int i = 0; i < 5; i++) bl_net_run_once(at->net, 1);
  bl_broker_close(at->broker);
  at->broker = NULL;
  bl_remoting_free(at->remoting);
  bl_net_free(at->net);
  bl_worker_free(at->flush);
  bl_worker_free(at->pool);
  bl_timers_fini(&at->timers);
}

void at_start(struct at *at) {
  memset(at, 0, sizeof(*at));
  current = at;
  snprintf(at->dir, sizeof(at->dir), "/tmp/bolide-admin-XXXXXX");
  assert_non_null(mkdtemp(at->dir));
  bl_arena_init(&at->arena);
  bl_options_init(&bl_broker_options, &at->settings);
  assert_int_equal(bl_options_set(&bl_broker_options, &at->settings, BL_SLICE("storePathRootDir"),
                                  bl_slice_text(at->dir), BL_OPTION_AT_START, NULL),
                   BL_OK);
  at->settings.segment_bytes = 64 << 20;
  at->settings.ring_bytes = 64 << 20;
  at->settings.snapshot_interval_ms = 3600000;
  open_broker(at);
}

static void remove_tree(const char *dir) {
  struct bl_arena arena;
  struct bl_disk *disk = bl_disk_real();
  const char *const *names;
  size_t count = 0;
  bl_arena_init(&arena);
  if (disk->ops->list(disk, dir, &arena, &names, &count) != BL_OK) count = 0;
  for (size_t i = 0; i < count; i++) {
    struct bl_disk_stat stat;
    const char *path = bl_arena_printf(&arena, "%s/%s", dir, names[i]).ptr;
    if (disk->ops->stat(disk, path, &stat) == BL_OK && stat.is_dir) {
      remove_tree(path);
    } else {
      disk->ops->remove(disk, path);
    }
  }
  disk->ops->remove(disk, dir);
  bl_arena_fini(&arena);
}

void at_stop(struct at *at) {
  close_broker(at);
  bl_options_fini(&bl_broker_options, &at->settings);
  bl_arena_fini(&at->arena);
  remove_tree(at->dir);
}

void at_restart(struct at *at) {
  close_broker(at);
  open_broker(at);
}

void at_run(struct at *at, int64_t ms) {
  int64_t end_ms = bl_clock_mono_ms(bl_clock_real()) + ms;
  while (bl_clock_mono_ms(bl_clock_real()) < end_ms) bl_net_run_once(at->net, 1);
}

static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct at *at = BL_CONTAINER(call, struct at, call);
  at->answered = true;
  at->err = err;
  if (err != BL_OK) return;
  at->answer.code = response->code;
  at->answer.remark = bl_arena_copy(&at->arena, response->remark);
  at->answer.body = bl_arena_copy(&at->arena, response->body);
  for (uint32_t i = 0; i < response->field_count && i < AT_FIELDS_MAX; i++) {
    at->answer.fields[i].name = bl_arena_copy(&at->arena, response->fields[i].name);
    at->answer.fields[i].value = bl_arena_copy(&at->arena, response->fields[i].value);
    at->answer.field_count++;
  }
}

const struct at_answer *at_call(struct at *at, int32_t code, const char *body, ...) {
  struct bl_field fields[AT_FIELDS_MAX];
  struct bl_outgoing outgoing = {.code = code, .extra = fields, .body = bl_slice_text(body)};
  va_list args;
  va_start(args, body);
  const char *name;
  while ((name = va_arg(args, const char *)) != NULL) {
    fields[outgoing.extra_count].name = bl_slice_text(name);
    fields[outgoing.extra_count++].value = bl_slice_text(va_arg(args, const char *));
  }
  va_end(args);
  bl_arena_reset(&at->arena);
  memset(&at->answer, 0, sizeof(at->answer));
  memset(&at->call, 0, sizeof(at->call));
  at->answered = false;
  at->call.done = on_answer;
  assert_int_equal(bl_remoting_call_address(at->remoting, bl_slice_text(at->address), &outgoing,
                                            TIMEOUT_MS, &at->call),
                   BL_OK);
  while (!at->answered) bl_net_run_once(at->net, 5);
  if (at->err != BL_OK) fail_msg("request %d: %s", code, bl_err_text(at->err));
  return &at->answer;
}

const struct at_answer *at_expect(struct at *at, const struct at_answer *answer, int32_t code,
                                  const char *remark) {
  (void)at;
  if (answer->code != code) {
    fail_msg("code %d instead of %d: %.*s", answer->code, code, BL_FMT(answer->remark));
  }
  if (remark != NULL && !bl_slice_is(answer->remark, remark)) {
    fail_msg("remark '%.*s' instead of '%s'", BL_FMT(answer->remark), remark);
  }
  return answer;
}

void at_has(const struct at_answer *answer, const char *text) {
  if (answer->body.ptr == NULL || strstr(answer->body.ptr, text) == NULL) {
    fail_msg("not in the body: %s\nbody: %.*s", text, BL_FMT(answer->body));
  }
}

struct bl_slice at_field(const struct at_answer *answer, const char *name) {
  for (uint32_t i = 0; i < answer->field_count; i++) {
    if (bl_slice_is(answer->fields[i].name, name)) return answer->fields[i].value;
  }
  return (struct bl_slice){NULL, 0};
}

struct bl_slice at_send(struct at *at, const char *topic, int queue_id, const char *keys,
                        const char *body) {
  char queue[16];
  char properties[256];
  snprintf(queue, sizeof(queue), "%d", queue_id);
  snprintf(properties, sizeof(properties), "KEYS\001%s\002TAGS\001t\002", keys);
  const struct at_answer *answer = at_call(
      at, 310, body, "a", "PG", "b", topic, "c", "TBW102", "d", "4", "e", queue, "f", "0", "g",
      "1700000000000", "h", "0", "i", properties, "j", "0", "k", "false", "m", "false", NULL);
  at_expect(at, answer, 0, NULL);
  return at_field(answer, "msgId");
}

void at_join(struct at *at, const char *group, const char *topic) {
  char body[1024];
  snprintf(body, sizeof(body),
           "{\"clientID\":\"me@1\",\"consumerDataSet\":[{\"groupName\":\"%s\",\"consumeType\":"
           "\"CONSUME_PASSIVELY\",\"messageModel\":\"CLUSTERING\",\"consumeFromWhere\":"
           "\"CONSUME_FROM_LAST_OFFSET\",\"subscriptionDataSet\":[{\"topic\":\"%s\",\"subString\":"
           "\"a || b\","
           "\"subVersion\":7,\"expressionType\":\"TAG\"}]}],\"producerDataSet\":[{\"groupName\":"
           "\"PG\"}]}",
           group, topic);
  at_expect(at, at_call(at, 34, body, NULL), 0, NULL);
}

void at_topic(struct at *at, const char *name, int queues) {
  char text[16];
  snprintf(text, sizeof(text), "%d", queues);
  at_expect(at,
            at_call(at, 17, NULL, "topic", name, "defaultTopic", "TBW102", "readQueueNums", text,
                    "writeQueueNums", text, "perm", "6", "topicFilterType", "SINGLE_TAG",
                    "topicSysFlag", "0", "order", "false", NULL),
            0, "not set any response code");
}
