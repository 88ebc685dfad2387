#include "broker/register/register.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/crc32.h"
#include "base/log.h"
#include "broker/broker.h"
#include "remoting/remoting.h"
#include "wire/headers.h"

#define REGISTER_BROKER 103
#define UNREGISTER_BROKER 104
#define QUERY_DATA_VERSION 322
#define SERVERS_MAX 16
#define QUERY_MS 10000
/* Changes within one turn, and a little more, go together. */
#define GATHER_MS 2
#define RETRY_MS 1000
#define HA_PORT_FROM_BROKER 1

struct server {
  struct bl_registrar *registrar;
  struct bl_slice address; /* HELD */
  struct bl_outcall call;
  int64_t registered_counter; /* data version that it has; -1: none */
  int64_t sent_counter;
  bool up;
};

struct bl_registrar {
  struct bl_broker *broker;
  struct bl_timer timer;
  struct server servers[SERVERS_MAX];
  int count;
};

int32_t bl_registrar_perm(const struct bl_broker *broker, const struct bl_topic *topic) {
  const int32_t both = BL_PERM_READ | BL_PERM_WRITE;
  int32_t perm = broker->settings->broker_permission;
  if (broker->store_stopped) perm &= ~BL_PERM_WRITE;
  return (perm & both) == both ? topic->perm : topic->perm & perm;
}

void bl_registrar_write_body(const struct bl_broker *broker, struct bl_buf *out) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  bl_json_open_object(&w);
  bl_json_key(&w, "filterServerList");
  bl_json_open_array(&w);
  bl_json_close_array(&w);
  bl_json_key(&w, "topicConfigSerializeWrapper");
  bl_json_open_object(&w);
  bl_json_key(&w, "dataVersion");
  bl_version_write(&w, &broker->topics.table.version);
  bl_json_key(&w, "topicConfigTable");
  bl_json_open_object(&w);
  while ((entry = bl_map_next(&broker->topics.table.map, &cursor)) != NULL) {
    bl_json_key_slice(&w, entry->key);
    struct bl_topic shown = *(const struct bl_topic *)entry->value;
    shown.perm = bl_registrar_perm(broker, &shown);
    bl_topic_write(&w, &shown);
  }
  bl_json_close_object(&w);
  bl_json_close_object(&w);
  bl_json_close_object(&w);
}

static void sleep_until(struct bl_registrar *registrar, int64_t wait_ms) {
  int64_t due_ms = bl_clock_mono_ms(registrar->broker->clock) + wait_ms;
  if (registrar->timer.place != 0 && registrar->timer.deadline_ms <= due_ms) return;
  bl_timer_set(registrar->broker->timers, &registrar->timer, due_ms);
}

static void note_state(struct server *server, bool up, const char *why) {
  if (server->up == up) return;
  server->up = up;
  if (up) {
    bl_log(BL_LOG_INFO, "broker", "registered", "namesrv=%.*s", BL_FMT(server->address));
  } else {
    bl_log(BL_LOG_WARN, "broker", "register.failed", "namesrv=%.*s why=%s; trying again in %d ms",
           BL_FMT(server->address), why, RETRY_MS);
  }
}

static void on_registered(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct server *server = BL_CONTAINER(call, struct server, call);
  if (err == BL_OK && response->code == 0) {
    server->registered_counter = server->sent_counter;
    note_state(server, true, "");
    /* The table may have changed meanwhile. */
    if (server->sent_counter != server->registrar->broker->topics.table.version.counter) {
      sleep_until(server->registrar, GATHER_MS);
    }
    return;
  }
  server->registered_counter = -1;
  note_state(server, false, err != BL_OK ? bl_err_text(err) : "it answered with an error");
  sleep_until(server->registrar, RETRY_MS);
}

static void send_registration(struct server *server) {
  struct bl_broker *broker = server->registrar->broker;
  struct bl_buf body;
  char ha[BL_HOST_TEXT_MAX];
  struct bl_host ha_host = broker->store_host;
  ha_host.port += HA_PORT_FROM_BROKER;
  bl_buf_init(&body, BL_FRAME_BYTES_MAX - 65536);
  bl_registrar_write_body(broker, &body);
  struct bl_register_broker_header header = {
      .broker_name = bl_slice_text(broker->settings->broker_name),
      .broker_addr = bl_slice_text(broker->address),
      .cluster = bl_slice_text(broker->settings->cluster_name),
      .ha_addr = bl_slice_of(ha, bl_host_text(&ha_host, ha)),
      .broker_id = broker->settings->broker_id};
  BL_SET(&header, register_broker, compressed, false);
  BL_SET(&header, register_broker, body_crc,
         (int32_t)(bl_crc32(0, body.data, body.len) & 0x7fffffff));
  struct bl_outgoing outgoing = {.code = REGISTER_BROKER,
                                 .table = &bl_register_broker_table,
                                 .header = &header,
                                 .body = bl_buf_slice(&body)};
  server->sent_counter = broker->topics.table.version.counter;
  server->call.done = on_registered;
  bl_err err = body.failed
                   ? BL_ERR_FULL
                   : bl_remoting_call_address(broker->remoting, server->address, &outgoing,
                                              broker->settings->register_timeout_ms, &server->call);
  bl_buf_fini(&body);
  if (err != BL_OK) on_registered(&server->call, err, NULL);
}

static void on_version(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct server *server = BL_CONTAINER(call, struct server, call);
  if (err != BL_OK || response->code != 0) {
    on_registered(call, err, response);
    return;
  }
  if (bl_slice_bool(bl_command_field(response, BL_SLICE("changed")))) send_registration(server);
}

static void ask_version(struct server *server) {
  struct bl_broker *broker = server->registrar->broker;
  struct bl_broker_identity_header header = {
      .broker_name = bl_slice_text(broker->settings->broker_name),
      .broker_addr = bl_slice_text(broker->address),
      .cluster = bl_slice_text(broker->settings->cluster_name),
      .broker_id = broker->settings->broker_id};
  struct bl_buf body;
  bl_buf_init(&body, 4096);
  struct bl_json_writer w = bl_json_writer_of(&body, false);
  bl_version_write(&w, &broker->topics.table.version);
  struct bl_outgoing outgoing = {.code = QUERY_DATA_VERSION,
                                 .table = &bl_broker_identity_table,
                                 .header = &header,
                                 .body = bl_buf_slice(&body)};
  server->call.done = on_version;
  bl_err err = bl_remoting_call_address(broker->remoting, server->address, &outgoing, QUERY_MS,
                                        &server->call);
  bl_buf_fini(&body);
  if (err != BL_OK) on_registered(&server->call, err, NULL);
}

static void on_timer(struct bl_timer *timer, int64_t now_ms) {
  struct bl_registrar *registrar = BL_CONTAINER(timer, struct bl_registrar, timer);
  struct bl_broker *broker = registrar->broker;
  (void)now_ms;
  for (int i = 0; i < registrar->count; i++) {
    struct server *server = &registrar->servers[i];
    if (server->call.open) continue;
    bool same = server->registered_counter == broker->topics.table.version.counter;
    if (same && !broker->settings->force_register) {
      ask_version(server);
    } else {
      send_registration(server);
    }
  }
  sleep_until(registrar, broker->settings->register_period_ms);
}

struct bl_registrar *bl_registrar_new(struct bl_broker *broker) {
  struct bl_slice rest = bl_slice_text(broker->settings->namesrv_addr);
  if (rest.len == 0) return NULL;
  struct bl_registrar *registrar = calloc(1, sizeof(*registrar));
  BL_ASSERT(registrar != NULL);
  registrar->broker = broker;
  registrar->timer.fire = on_timer;
  while (rest.ptr != NULL && registrar->count < SERVERS_MAX) {
    struct bl_slice address = bl_slice_trim(bl_slice_cut(&rest, ';'));
    if (address.len == 0) continue;
    registrar->servers[registrar->count++] = (struct server){.registrar = registrar,
                                                             .address = bl_table_own(address),
                                                             .registered_counter = -1,
                                                             .up = true};
  }
  sleep_until(registrar, 0);
  return registrar;
}

static void take_leave(struct server *server) {
  struct bl_broker *broker = server->registrar->broker;
  struct bl_broker_identity_header header = {
      .broker_name = bl_slice_text(broker->settings->broker_name),
      .broker_addr = bl_slice_text(broker->address),
      .cluster = bl_slice_text(broker->settings->cluster_name),
      .broker_id = broker->settings->broker_id};
  struct bl_outgoing outgoing = {
      .code = UNREGISTER_BROKER, .table = &bl_broker_identity_table, .header = &header};
  uint64_t conn = bl_remoting_conn_of(broker->remoting, server->address);
  if (conn != 0) bl_remoting_send(broker->remoting, conn, &outgoing);
}

void bl_registrar_free(struct bl_registrar *registrar) {
  if (registrar == NULL) return;
  bl_timer_cancel(registrar->broker->timers, &registrar->timer);
  for (int i = 0; i < registrar->count; i++) {
    bl_remoting_cancel(&registrar->servers[i].call);
    take_leave(&registrar->servers[i]);
    bl_table_disown(registrar->servers[i].address);
  }
  free(registrar);
}

void bl_registrar_topics_changed(struct bl_registrar *registrar) {
  if (registrar != NULL) sleep_until(registrar, GATHER_MS);
}
