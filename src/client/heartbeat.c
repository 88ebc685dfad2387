/* Brokers by name, their addresses, and the heartbeat to each of them (34), which is also what
 * registers the groups. Source: apache/rocketmq client
 * MQClientInstance#sendHeartbeatToAllBrokerWithLock, remoting HeartbeatData. */
#include <stdlib.h>

#include "base/assert.h"
#include "client/client_internal.h"
#include "wire/headers.h"

#define REQUEST_HEART_BEAT 34
#define RETRY_MS 1000

const struct bl_broker *bl_client__broker(const struct bl_client *client, struct bl_slice name) {
  return bl_map_get(&client->brokers, name);
}

struct bl_slice bl_client__master(const struct bl_client *client, struct bl_slice broker_name) {
  const struct bl_broker *broker = bl_client__broker(client, broker_name);
  if (broker == NULL) return (struct bl_slice){NULL, 0};
  for (struct bl_list *node = broker->links.next; node != &broker->links; node = node->next) {
    const struct bl_broker_link *link = BL_CONTAINER(node, struct bl_broker_link, node);
    if (link->broker_id == 0) return link->address;
  }
  return (struct bl_slice){NULL, 0};
}

struct bl_slice bl_client__address(const struct bl_client *client, struct bl_slice broker_name,
                                   int64_t broker_id) {
  const struct bl_broker *broker = bl_client__broker(client, broker_name);
  if (broker == NULL || bl_list_empty(&broker->links)) return (struct bl_slice){NULL, 0};
  for (struct bl_list *node = broker->links.next; node != &broker->links; node = node->next) {
    const struct bl_broker_link *link = BL_CONTAINER(node, struct bl_broker_link, node);
    if (link->broker_id == broker_id) return link->address;
  }
  struct bl_slice master = bl_client__master(client, broker_name);
  if (master.ptr != NULL) return master;
  return BL_CONTAINER(broker->links.next, struct bl_broker_link, node)->address;
}

static bool any_consumer(const struct bl_client *client) {
  for (struct bl_list *node = client->parts.next; node != &client->parts; node = node->next) {
    if (BL_CONTAINER(node, struct bl_heartbeat_part, node)->is_consumer) return true;
  }
  return false;
}

static void write_producers(const struct bl_client *client, struct bl_json_writer *w) {
  bl_json_key(w, "producerDataSet");
  bl_json_open_array(w);
  for (struct bl_list *node = client->parts.next; node != &client->parts; node = node->next) {
    const struct bl_heartbeat_part *part = BL_CONTAINER(node, struct bl_heartbeat_part, node);
    if (part->is_consumer) continue;
    bl_json_open_object(w);
    bl_json_member_text(w, "groupName", part->group);
    bl_json_close_object(w);
  }
  bl_json_close_array(w);
}

static void write_heartbeat(const struct bl_client *client, struct bl_buf *out) {
  struct bl_json_writer w = bl_json_writer_of(out, false);
  bl_json_open_object(&w);
  bl_json_member_text(&w, "clientID", bl_slice_text(client->id));
  bl_json_key(&w, "consumerDataSet");
  bl_json_open_array(&w);
  for (struct bl_list *node = client->parts.next; node != &client->parts; node = node->next) {
    const struct bl_heartbeat_part *part = BL_CONTAINER(node, struct bl_heartbeat_part, node);
    if (part->is_consumer) part->write(part, &w);
  }
  bl_json_close_array(&w);
  bl_json_member_i64(&w, "heartbeatFingerprint", 0);
  write_producers(client, &w);
  bl_json_member_bool(&w, "withoutSub", false);
  bl_json_close_object(&w);
}

static void set_timer(struct bl_broker_link *link, int64_t after_ms) {
  bl_timer_set(link->client->timers, &link->timer,
               bl_clock_mono_ms(link->client->clock) + after_ms);
}

static void tell_parts(struct bl_client *client) {
  for (struct bl_list *node = client->parts.next, *next; node != &client->parts; node = next) {
    next = node->next;
    struct bl_heartbeat_part *part = BL_CONTAINER(node, struct bl_heartbeat_part, node);
    if (part->on_members != NULL) part->on_members(part);
  }
}

static void on_heartbeat(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct bl_broker_link *link = BL_CONTAINER(call, struct bl_broker_link, call);
  struct bl_client *client = link->client;
  if (err != BL_OK) {
    bl_client__note(client, "broker %.*s does not answer (%s); trying again", BL_FMT(link->address),
                    bl_err_text(err));
    set_timer(link, RETRY_MS);
    return;
  }
  if (response->code != 0) {
    struct bl_slice remark = bl_client__first_line(response->remark);
    bl_client__note(client, "broker %.*s refused the heartbeat with code %d: %.*s",
                    BL_FMT(link->address), response->code, BL_FMT(remark));
  }
  set_timer(link, BL_CLIENT_HEARTBEAT_MS);
  if (response->code == 0) tell_parts(client);
}

static void send_heartbeat(struct bl_timer *timer, int64_t now_ms) {
  struct bl_broker_link *link = BL_CONTAINER(timer, struct bl_broker_link, timer);
  struct bl_client *client = link->client;
  (void)now_ms;
  if (link->call.open) return;
  if (bl_list_empty(&client->parts) || (link->broker_id != 0 && !any_consumer(client))) {
    set_timer(link, BL_CLIENT_HEARTBEAT_MS);
    return;
  }
  bl_buf_clear(&client->scratch);
  write_heartbeat(client, &client->scratch);
  struct bl_outgoing outgoing = {.code = REQUEST_HEART_BEAT,
                                 .body = bl_buf_slice(&client->scratch)};
  link->call.done = on_heartbeat;
  bl_err err = bl_remoting_call_address(client->remoting, link->address, &outgoing,
                                        BL_CLIENT_CALL_MS, &link->call);
  if (err != BL_OK) set_timer(link, RETRY_MS);
}

static void free_link(struct bl_broker_link *link) {
  bl_remoting_cancel(&link->call);
  bl_timer_cancel(link->client->timers, &link->timer);
  bl_list_remove(&link->node);
  free((char *)link->address.ptr);
  free(link);
}

static void take_address(struct bl_client *client, struct bl_broker *broker,
                         const struct bl_route_address *address) {
  for (struct bl_list *node = broker->links.next; node != &broker->links; node = node->next) {
    struct bl_broker_link *link = BL_CONTAINER(node, struct bl_broker_link, node);
    if (!bl_slice_eq(link->address, address->text)) continue;
    link->broker_id = address->broker_id;
    link->in_route = true;
    return;
  }
  struct bl_broker_link *link = calloc(1, sizeof(*link));
  BL_ASSERT(link != NULL);
  link->client = client;
  link->address = bl_client__copy(address->text);
  link->broker_id = address->broker_id;
  link->in_route = true;
  link->timer.fire = send_heartbeat;
  bl_list_add_last(&broker->links, &link->node);
  set_timer(link, 0);
}

static void take_broker(struct bl_client *client, const struct bl_route_broker *from) {
  struct bl_broker *broker = bl_map_get(&client->brokers, from->name);
  if (broker == NULL) {
    broker = calloc(1, sizeof(*broker));
    BL_ASSERT(broker != NULL);
    broker->name = bl_client__copy(from->name);
    bl_list_init(&broker->links);
    bl_map_put(&client->brokers, from->name, broker);
  }
  for (uint32_t i = 0; i < from->address_count; i++)
    take_address(client, broker, &from->addresses[i]);
  for (struct bl_list *node = broker->links.next, *next; node != &broker->links; node = next) {
    struct bl_broker_link *link = BL_CONTAINER(node, struct bl_broker_link, node);
    next = node->next;
    if (!link->in_route)
      free_link(link);
    else
      link->in_route = false;
  }
}

void bl_client__take_brokers(struct bl_client *client, const struct bl_route *route) {
  for (uint32_t i = 0; i < route->broker_count; i++) take_broker(client, &route->brokers[i]);
}

void bl_client__free_brokers(struct bl_client *client) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&client->brokers, &cursor)) != NULL) {
    struct bl_broker *broker = entry->value;
    while (!bl_list_empty(&broker->links)) {
      free_link(BL_CONTAINER(broker->links.next, struct bl_broker_link, node));
    }
    free((char *)broker->name.ptr);
    free(broker);
  }
}

void bl_client__heartbeat_now(struct bl_client *client) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&client->brokers, &cursor)) != NULL) {
    struct bl_broker *broker = entry->value;
    for (struct bl_list *node = broker->links.next; node != &broker->links; node = node->next) {
      struct bl_broker_link *link = BL_CONTAINER(node, struct bl_broker_link, node);
      bl_remoting_cancel(&link->call); /* an open one has not all groups */
      set_timer(link, 0);
    }
  }
}

void bl_client__add_part(struct bl_client *client, struct bl_heartbeat_part *part) {
  bl_list_add_last(&client->parts, &part->node);
  bl_client__heartbeat_now(client);
}

void bl_client__remove_part(struct bl_client *client, struct bl_heartbeat_part *part) {
  (void)client;
  bl_list_remove(&part->node);
}
