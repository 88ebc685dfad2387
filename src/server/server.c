#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "os/entropy.h"
#include "os/process.h"
#include "requests/pull/answer.h"
#include "requests/registration/namesrv_wiring.h"
#include "server/server_internal.h"

/* A write of the log does not wait for a sync of it. */
#define FLUSH_THREADS 2
#define POOL_THREADS 2
#define STOP_TURNS_MAX 100
#define STOP_TURN_MS 5
#define VIP_BELOW_BROKER 2
#define LOCK_TRIES 20
#define LOCK_TRY_MS 25

static int64_t log_now_ms(void) {
  return bl_clock_wall_ms(bl_clock_real());
}

static int complain(bl_err err, const struct bl_why *why) {
  fprintf(stderr, "bolide: %s\n", why->text);
  return err == BL_ERR_USAGE ? 2 : 1;
}

static bool is_loopback(const char *host) {
  return strncmp(host, "127.", 4) == 0 || strcmp(host, "localhost") == 0 ||
         strcmp(host, "::1") == 0;
}

static bl_err check_reach(const struct bl_server_settings *settings, struct bl_why *why) {
  if (is_loopback(settings->listen) || settings->insecure) return BL_OK;
  return bl_why_set(
      why, BL_ERR_USAGE,
      "listening on %s lets everyone on the network read and write, because authentication is "
      "not configured; listen on 127.0.0.1, or say --insecure when that is meant",
      settings->listen);
}

static bool end_turn(void *context) {
  struct bl_server *server = context;
  /* First what jobs brought: calls that wait for it go on in this turn. */
  bl_worker_drain(server->pool);
  if (server->flush_worker != NULL) bl_worker_drain(server->flush_worker);
  bool more = bl_remoting_turn(server->remoting);
  if (server->topics_changed) {
    struct bl_why why;
    if (bl_server__register_local(server, &why) != BL_OK) {
      bl_log(BL_LOG_ERROR, "server", "register.failed", "why=\"%s\"", why.text);
      server->topics_changed = false;
    }
  }
  if (server->broker != NULL) more = bl_broker_turn(server->broker) || more;
  return more;
}

static void on_topics_changed(void *context) {
  struct bl_server *server = context;
  server->topics_changed = server->namesrv != NULL;
  bl_registrar_topics_changed(server->registrar);
}

static void on_signal(void *context, int signal_number) {
  struct bl_server *server = context;
  bl_log(BL_LOG_INFO, "server", "stopping", "signal=%d", signal_number);
  bl_net_stop(server->net);
}

static bl_err start_namesrv(struct bl_server *server, struct bl_why *why) {
  struct bl_namesrv_deps deps = {.clock = bl_clock_real(),
                                 .timers = &server->timers,
                                 .disk = bl_disk_real(),
                                 .worker = server->pool,
                                 .actions = bl_namesrv_actions_on(server->remoting)};
  server->namesrv = bl_namesrv_new(&deps, server->settings->namesrv_settings);
  bl_err err = bl_namesrv_load(server->namesrv, why);
  if (err != BL_OK) return err;
  server->namesrv_role = (struct bl_role){
      .role = BL_ROLE_NAMESRV, .server = server->namesrv, .on_close = bl_namesrv_on_conn_close};
  err =
      bl_remoting_listen(server->remoting, server->settings->listen, server->settings->namesrv_port,
                         &server->namesrv_role, &server->namesrv_listener, why);
  if (err != BL_OK) return err;
  server->settings->namesrv_settings->listen_port = bl_listener_port(server->namesrv_listener);
  return BL_OK;
}

/* What was chosen is what GET_BROKER_CONFIG shows. */
static bl_err note_address(struct bl_broker_settings *settings, struct bl_slice addr, int port,
                           struct bl_why *why) {
  bl_err err = bl_options_set(&bl_broker_options, settings, BL_SLICE("brokerIP1"), addr,
                              BL_OPTION_AT_START, why);
  if (err == BL_OK && settings->broker_ip2[0] == '\0') {
    err = bl_options_set(&bl_broker_options, settings, BL_SLICE("brokerIP2"), addr,
                         BL_OPTION_AT_START, why);
  }
  settings->listen_port = port;
  return err;
}

/* brokerIP1, or the address that others on the same network most likely reach. */
static bl_err choose_store_host(struct bl_server *server, struct bl_why *why) {
  struct bl_broker_settings *settings = server->settings->broker_settings;
  struct bl_host host = {.addr_bytes = 4, .port = bl_listener_port(server->broker_listener)};
  char text[300];
  if (settings->broker_ip1[0] != '\0') {
    const char *format = strchr(settings->broker_ip1, ':') != NULL ? "[%s]:%d" : "%s:%d";
    int len = snprintf(text, sizeof(text), format, settings->broker_ip1, host.port);
    if (!bl_host_parse(bl_slice_of(text, (size_t)len), &host)) {
      return bl_why_set(why, BL_ERR_USAGE, "brokerIP1 %s is not an IP address",
                        settings->broker_ip1);
    }
  } else if (is_loopback(server->settings->listen)) {
    memcpy(host.addr, (uint8_t[4]){127, 0, 0, 1}, 4);
  } else {
    bl_process_host_ipv4(host.addr);
  }
  bl_broker_set_address(server->broker, &host);
  const char *advertised = bl_advertise_default(&server->advertise);
  if (advertised != NULL) {
    snprintf(server->broker->address, sizeof(server->broker->address), "%s", advertised);
  }
  char addr[BL_HOST_TEXT_MAX];
  size_t len = bl_host_addr_text(&host, addr);
  return note_address(settings, bl_slice_of(addr, len), host.port, why);
}

static bl_err listen_broker(struct bl_server *server, struct bl_why *why) {
  const struct bl_server_settings *settings = server->settings;
  server->broker_role = (struct bl_role){
      .role = BL_ROLE_BROKER, .server = server->broker, .on_close = bl_broker_conn_closed};
  server->vip_role = server->broker_role;
  server->vip_role.fast_port = true;
  bl_err err = bl_remoting_listen(server->remoting, settings->listen, settings->broker_port,
                                  &server->broker_role, &server->broker_listener, why);
  if (err != BL_OK) return err;
  int vip_port = settings->broker_port == 0 ? 0 : settings->broker_port - VIP_BELOW_BROKER;
  return bl_remoting_listen(server->remoting, settings->listen, vip_port, &server->vip_role,
                            &server->vip_listener, why);
}

/* A process that was killed holds its lock until the kernel has taken it apart. */
static bl_err open_broker(const struct bl_broker_world *world, struct bl_broker **out_broker,
                          struct bl_why *why) {
  bl_err err = bl_broker_open(world, out_broker, why);
  for (int i = 0; i < LOCK_TRIES && err == BL_ERR_LOCKED; i++) {
    bl_process_sleep_ms(LOCK_TRY_MS);
    err = bl_broker_open(world, out_broker, why);
  }
  return err;
}

static bl_err start_broker(struct bl_server *server, struct bl_why *why) {
  struct bl_broker_world world = {.settings = server->settings->broker_settings,
                                  .clock = bl_clock_real(),
                                  .timers = &server->timers,
                                  .disk = bl_disk_real(),
                                  .flush_worker = server->flush_worker,
                                  .pool = server->pool,
                                  .remoting = server->remoting,
                                  .seed = bl_entropy_u64()};
  bl_err err = open_broker(&world, &server->broker, why);
  if (err == BL_OK) err = listen_broker(server, why);
  if (err == BL_OK) err = choose_store_host(server, why);
  if (err != BL_OK) return err;
  bl_pull_answers_attach(server->broker);
  server->broker->on_topics_changed = on_topics_changed;
  server->broker->topics_changed_context = server;
  if (server->namesrv != NULL) err = bl_server__register_local(server, why);
  server->registrar = bl_registrar_new(server->broker);
  return err;
}

static bl_err start(struct bl_server *server, struct bl_why *why) {
  const struct bl_server_settings *settings = server->settings;
  bl_err err = check_reach(settings, why);
  if (err == BL_OK && settings->advertise != NULL) {
    err = bl_advertise_parse(settings->advertise, &server->advertise, why);
  }
  if (err != BL_OK) return err;
  struct bl_net_settings net;
  bl_net_settings_default(&net);
  if (settings->broker) net.spin_us = settings->broker_settings->spin_us;
  server->net = bl_net_new(&net, bl_clock_real(), &server->timers);
  bl_net_on_turn(server->net, end_turn, server);
  bl_net_on_signals(server->net, on_signal, server);
  server->remoting = bl_remoting_new(server->net, bl_clock_real(), &server->timers,
                                     bl_request_table, bl_request_table_count);
  server->pool = bl_worker_new("bolide-pool", POOL_THREADS, true, bl_net_wake, server->net);
  if (settings->broker)
    server->flush_worker =
        bl_worker_new("bolide-flush", FLUSH_THREADS, false, bl_net_wake, server->net);
  if (settings->namesrv) err = start_namesrv(server, why);
  if (err == BL_OK && settings->broker) err = start_broker(server, why);
  if (err == BL_OK) err = bl_server__write_ready(server, why);
  return err;
}

/* false: none is left, and no call takes another turn. A connection that ends may make its owner
 * open another. */
static bool close_conns(struct bl_server *server) {
  size_t cursor = 0;
  struct bl_conn *conn;
  bool left = bl_remoting_turn(server->remoting);
  while ((conn = bl_net_next(server->net, &cursor)) != NULL) {
    bl_conn_close(conn);
    left = true;
  }
  return left;
}

/* Acks what was accepted, then lets everybody go. */
static void drain(struct bl_server *server) {
  bl_listener_close(server->namesrv_listener);
  bl_listener_close(server->broker_listener);
  bl_listener_close(server->vip_listener);
  for (int i = 0; i < STOP_TURNS_MAX && server->broker != NULL; i++) {
    struct bl_store_marks marks = bl_store_marks(server->broker->store);
    struct bl_why why;
    if (marks.visible >= marks.appended || bl_store_failed(server->broker->store, &why)) break;
    bl_net_run_once(server->net, STOP_TURN_MS);
  }
  bl_registrar_free(server->registrar);
  server->registrar = NULL;
  bl_net_run_once(server->net, 0);
  for (int i = 0; i < STOP_TURNS_MAX && close_conns(server); i++) {
    bl_net_run_once(server->net, i == 0 ? 0 : STOP_TURN_MS);
  }
}

static void stop(struct bl_server *server) {
  if (server->net == NULL) return;
  drain(server);
  if (server->broker != NULL && server->namesrv != NULL) bl_server__unregister_local(server);
  bl_worker_finish(server->pool);
  if (server->broker != NULL) bl_broker_close(server->broker);
  bl_worker_finish(server->pool);
  bl_namesrv_free(server->namesrv);
  bl_remoting_free(server->remoting);
  bl_worker_free(server->flush_worker);
  bl_worker_free(server->pool);
  bl_net_free(server->net);
  bl_timers_fini(&server->timers);
}

int bl_server_run(const struct bl_server_settings *settings) {
  struct bl_server *server = calloc(1, sizeof(*server));
  BL_ASSERT(server != NULL);
  struct bl_why why;
  int exit_code = 0;
  server->settings = settings;
  bl_timers_init(&server->timers);
  bl_log_set_clock(log_now_ms);
  if (settings->broker) bl_log_set_level((enum bl_log_level)settings->broker_settings->log_level);
  bl_err err = start(server, &why);
  if (err == BL_OK) {
    bl_server__print_ready(server);
    bl_net_run(server->net);
  } else {
    exit_code = complain(err, &why);
  }
  stop(server);
  free(server);
  return exit_code;
}
