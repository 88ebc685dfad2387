/* The broker and the name server of one process: registration is a function call, and a client is
 * told the address that it can reach. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "broker/register/register.h"
#include "namesrv/route_json.h"
#include "server/server_internal.h"

static void address_for(void *context, const struct bl_net_addr *local,
                        const struct bl_net_addr *peer,
                        char out_text[BL_NAMESRV_ADDRESS_BYTES_MAX]) {
  const struct bl_server *server = context;
  const char *advertised = bl_advertise_for(&server->advertise, peer);
  if (advertised != NULL) {
    snprintf(out_text, BL_NAMESRV_ADDRESS_BYTES_MAX, "%s", advertised);
    return;
  }
  struct bl_host host = {.addr_bytes = local->addr_bytes,
                         .port = bl_listener_port(server->broker_listener)};
  char text[BL_HOST_TEXT_MAX];
  memcpy(host.addr, local->addr, sizeof(host.addr));
  bl_host_text(&host, text);
  snprintf(out_text, BL_NAMESRV_ADDRESS_BYTES_MAX, "%s", text);
}

static struct bl_slice find_route(void *context, struct bl_slice topic) {
  const struct bl_server *server = context;
  return bl_namesrv_route(server->namesrv, topic, BL_NAMESRV_DIALECT_STANDARD, NULL,
                          bl_slice_text(NULL));
}

static size_t list_topics(const struct bl_broker *broker, struct bl_namesrv_topic *out_topics) {
  size_t count = 0;
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&broker->topics.table.map, &cursor)) != NULL) {
    const struct bl_topic *topic = entry->value;
    out_topics[count++] = (struct bl_namesrv_topic){.name = topic->name,
                                                    .read_queues = topic->read_queues,
                                                    .write_queues = topic->write_queues,
                                                    .perm = bl_registrar_perm(broker, topic),
                                                    .sys_flag = topic->sys_flag};
  }
  return count;
}

bl_err bl_server__register_local(struct bl_server *server, struct bl_why *why) {
  server->broker->find_route = find_route;
  server->broker->find_route_context = server;
  const struct bl_broker *broker = server->broker;
  const struct bl_version *version = &broker->topics.table.version;
  struct bl_namesrv_topic *topics = calloc(broker->topics.table.map.count + 1, sizeof(*topics));
  BL_ASSERT(topics != NULL);
  struct bl_namesrv_topics list = {.topics = topics, .count = list_topics(broker, topics)};
  char ha[BL_HOST_TEXT_MAX];
  struct bl_host ha_host = broker->store_host;
  ha_host.port++;
  struct bl_namesrv_registration registration = {
      .cluster = bl_slice_text(broker->settings->cluster_name),
      .broker_addr = bl_slice_text(broker->address),
      .broker_name = bl_slice_text(broker->settings->broker_name),
      .broker_id = broker->settings->broker_id,
      .ha_addr = bl_slice_of(ha, bl_host_text(&ha_host, ha)),
      .timeout_ms = INT64_MAX / 4,
      .version = {.counter = version->counter,
                  .state_version = version->state,
                  .timestamp_ms = version->timestamp_ms},
      .topics = &list,
      .address_for = address_for,
      .address_context = server};
  struct bl_namesrv_registered registered;
  bl_err err = bl_namesrv_register(server->namesrv, &registration, &registered);
  free(topics);
  server->topics_changed = err != BL_OK;
  if (err == BL_OK) return err;
  return bl_why_set(why, err, "the name server of this process refused the broker: %s",
                    bl_err_text(err));
}

void bl_server__unregister_local(struct bl_server *server) {
  const struct bl_broker *broker = server->broker;
  bl_namesrv_unregister(server->namesrv, bl_slice_text(broker->settings->cluster_name),
                        bl_slice_text(broker->address),
                        bl_slice_text(broker->settings->broker_name), broker->settings->broker_id);
}
