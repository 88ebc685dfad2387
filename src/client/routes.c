#include "client/routes.h"

#include <stdlib.h>

#include "base/assert.h"
#include "client/client_internal.h"
#include "wire/headers.h"

#define REQUEST_GET_ROUTE 105
#define CODE_NO_TOPIC 17
#define RETRY_MS 1000
#define REFRESH_MS 100 /* between questions that failed sends ask for */

/* Asking: the servers in turn for the topic itself; when it does not exist and a producer watches,
 * for TBW102. */
struct bl_topic_routes {
  struct bl_client *client;
  struct bl_slice name; /* OWNED */
  struct bl_list watches;
  struct bl_timer timer; /* of the next question */
  struct bl_outcall call;
  uint32_t servers_tried;
  bool asks_default;
  bool has_route;
  bool borrowed; /* the route is TBW102's */
  struct bl_route route;
};

static void ask(struct bl_topic_routes *topic);

static void ask_later(struct bl_topic_routes *topic, int64_t after_ms) {
  bl_timer_set(topic->client->timers, &topic->timer,
               bl_clock_mono_ms(topic->client->clock) + after_ms);
}

static void tell(struct bl_topic_routes *topic, bool changed) {
  for (struct bl_list *node = topic->watches.next, *next; node != &topic->watches; node = next) {
    next = node->next;
    struct bl_route_watch *watch = BL_CONTAINER(node, struct bl_route_watch, node);
    if (topic->borrowed && !watch->publish) {
      struct bl_why why;
      bl_why_set(&why, BL_ERR_NO_TOPIC, "topic '%.*s' does not exist", BL_FMT(topic->name));
      watch->on_route(watch, BL_ERR_NO_TOPIC, NULL, &why);
    } else if (changed || !watch->told) {
      watch->told = true;
      watch->on_route(watch, BL_OK, &topic->route, NULL);
    }
  }
}

/* No answer that helps. A route that is there stays in use. */
static void fail(struct bl_topic_routes *topic, bl_err err, const struct bl_why *why) {
  ask_later(topic, RETRY_MS);
  if (topic->has_route) {
    /* Without its brokers a topic is unknown: who uses them has noticed. */
    if (err != BL_ERR_NO_TOPIC) {
      bl_client__note(topic->client, "%s; going on with the last route", why->text);
    }
    return;
  }
  for (struct bl_list *node = topic->watches.next, *next; node != &topic->watches; node = next) {
    next = node->next;
    struct bl_route_watch *watch = BL_CONTAINER(node, struct bl_route_watch, node);
    watch->on_route(watch, err, NULL, why);
  }
}

/* A topic that a send creates gets at most 4 queues, and inherits the permission. */
static void make_borrowed(struct bl_route *route) {
  for (uint32_t i = 0; i < route->broker_count; i++) {
    struct bl_route_broker *broker = &route->brokers[i];
    int32_t queues = broker->read_queues < BL_CLIENT_DEFAULT_QUEUES ? broker->read_queues
                                                                    : BL_CLIENT_DEFAULT_QUEUES;
    broker->read_queues = queues;
    broker->write_queues = queues;
  }
}

static void take_route(struct bl_topic_routes *topic, struct bl_slice body) {
  struct bl_route route;
  struct bl_why why;
  bl_err err = bl_route_parse(body, &route, &why);
  if (err != BL_OK) {
    fail(topic, err, &why);
    return;
  }
  if (topic->asks_default) make_borrowed(&route);
  bool changed = !topic->has_route || !bl_route_equal(&route, &topic->route);
  bl_route_fini(&topic->route);
  topic->route = route;
  topic->has_route = true;
  topic->borrowed = topic->asks_default;
  ask_later(topic, topic->borrowed ? RETRY_MS : BL_CLIENT_REFRESH_MS);
  bl_client__take_brokers(topic->client, &topic->route);
  tell(topic, changed);
}

static bool any_publisher(const struct bl_topic_routes *topic) {
  for (struct bl_list *node = topic->watches.next; node != &topic->watches; node = node->next) {
    if (BL_CONTAINER(node, struct bl_route_watch, node)->publish) return true;
  }
  return false;
}

static void no_topic(struct bl_topic_routes *topic) {
  if (!topic->asks_default && any_publisher(topic)) {
    topic->asks_default = true;
    ask(topic);
    return;
  }
  struct bl_why why;
  if (topic->asks_default) {
    bl_why_set(
        &why, BL_ERR_NO_TOPIC,
        "no broker has topic '%.*s' or creates it by itself; start the broker or create the topic",
        BL_FMT(topic->name));
  } else {
    bl_why_set(&why, BL_ERR_NO_TOPIC, "topic '%.*s' does not exist", BL_FMT(topic->name));
  }
  fail(topic, BL_ERR_NO_TOPIC, &why);
}

static void next_server(struct bl_topic_routes *topic, bl_err err) {
  struct bl_client *client = topic->client;
  struct bl_slice failed = client->servers[client->server_at];
  client->server_at = (client->server_at + 1) % client->server_count;
  if (++topic->servers_tried < client->server_count) {
    ask(topic);
    return;
  }
  struct bl_why why;
  bl_why_set(&why, err, "no name server answers at %.*s (%s); start one there or name another",
             BL_FMT(failed), bl_err_text(err));
  fail(topic, err, &why);
}

static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct bl_topic_routes *topic = BL_CONTAINER(call, struct bl_topic_routes, call);
  if (err != BL_OK) {
    next_server(topic, err);
  } else if (response->code == 0) {
    take_route(topic, response->body);
  } else if (response->code == CODE_NO_TOPIC) {
    no_topic(topic);
  } else {
    struct bl_slice remark = bl_client__first_line(response->remark);
    struct bl_why why;
    bl_why_set(&why, BL_ERR_SYSTEM,
               "the name server refused the route of '%.*s' with code %d: %.*s",
               BL_FMT(topic->name), response->code, BL_FMT(remark));
    fail(topic, BL_ERR_SYSTEM, &why);
  }
}

static void ask(struct bl_topic_routes *topic) {
  struct bl_client *client = topic->client;
  struct bl_get_route_header header = {0};
  BL_SET(&header, get_route, topic,
         topic->asks_default ? BL_SLICE(BL_CLIENT_DEFAULT_TOPIC) : topic->name);
  BL_SET(&header, get_route, standard_json, true);
  struct bl_outgoing outgoing = {
      .code = REQUEST_GET_ROUTE, .table = &bl_get_route_table, .header = &header};
  topic->call.done = on_answer;
  bl_err err = bl_remoting_call_address(client->remoting, client->servers[client->server_at],
                                        &outgoing, BL_CLIENT_CALL_MS, &topic->call);
  if (err != BL_OK) next_server(topic, err);
}

static void start_asking(struct bl_timer *timer, int64_t now_ms) {
  struct bl_topic_routes *topic = BL_CONTAINER(timer, struct bl_topic_routes, timer);
  (void)now_ms;
  if (topic->call.open || bl_list_empty(&topic->watches)) return;
  topic->servers_tried = 0;
  topic->asks_default = false;
  ask(topic);
}

void bl_routes_watch(struct bl_client *client, struct bl_slice name, struct bl_route_watch *watch) {
  struct bl_topic_routes *topic = bl_map_get(&client->topics, name);
  if (topic == NULL) {
    topic = calloc(1, sizeof(*topic));
    BL_ASSERT(topic != NULL);
    topic->client = client;
    topic->name = bl_client__copy(name);
    topic->timer.fire = start_asking;
    bl_list_init(&topic->watches);
    bl_map_put(&client->topics, name, topic);
  }
  watch->topic = topic;
  watch->told = false;
  bl_list_add_last(&topic->watches, &watch->node);
  ask_later(topic, 0);
}

void bl_routes_unwatch(struct bl_route_watch *watch) {
  bl_list_remove(&watch->node);
}

void bl_routes_refresh(struct bl_route_watch *watch) {
  int64_t deadline_ms = bl_clock_mono_ms(watch->topic->client->clock) + REFRESH_MS;
  if (watch->topic->timer.place == 0 || watch->topic->timer.deadline_ms > deadline_ms) {
    ask_later(watch->topic, REFRESH_MS);
  }
}

void bl_routes_free(struct bl_client *client) {
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&client->topics, &cursor)) != NULL) {
    struct bl_topic_routes *topic = entry->value;
    BL_ASSERT(bl_list_empty(&topic->watches));
    bl_remoting_cancel(&topic->call);
    bl_timer_cancel(client->timers, &topic->timer);
    bl_route_fini(&topic->route);
    free((char *)topic->name.ptr);
    free(topic);
  }
}
