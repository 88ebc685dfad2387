#include "broker/assign/parts.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/map.h"
#include "broker/broker.h"
#include "remoting/remoting.h"
#include "wire/headers.h"

#define GET_ROUTE 105
#define TIMEOUT_MS 3000
#define SERVERS_MAX 16

struct topic_entry {
  struct bl_part_finder *finder;
  struct bl_arena arena; /* keeps the parts */
  struct bl_topic_parts parts;
  bool known;
  int64_t asked_ms;
  struct bl_outcall call;
  int server; /* of the name servers, the one that is asked */
  struct bl_list waiting;
};

struct bl_part_finder {
  struct bl_broker *broker;
  struct bl_map topics; /* name -> struct topic_entry */
};

struct bl_part_finder *bl_part_finder_new(struct bl_broker *broker) {
  struct bl_part_finder *finder = calloc(1, sizeof(*finder));
  BL_ASSERT(finder != NULL);
  finder->broker = broker;
  bl_map_init(&finder->topics);
  return finder;
}

static void answer_all(struct topic_entry *entry) {
  struct bl_list *node;
  while ((node = bl_list_take_first(&entry->waiting)) != NULL) {
    struct bl_parts_ask *ask = BL_CONTAINER(node, struct bl_parts_ask, node);
    ask->done(ask, entry->known ? &entry->parts : NULL);
  }
}

static void free_entry(struct topic_entry *entry) {
  bl_remoting_cancel(&entry->call);
  answer_all(entry);
  bl_table_disown(entry->parts.topic);
  bl_arena_fini(&entry->arena);
  free(entry);
}

void bl_part_finder_free(struct bl_part_finder *finder) {
  if (finder == NULL) return;
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&finder->topics, &cursor)) != NULL) free_entry(entry->value);
  bl_map_fini(&finder->topics);
  free(finder);
}

uint32_t bl_part_finder_topics(const struct bl_part_finder *finder) {
  return (uint32_t)finder->topics.count;
}

static int by_broker(const void *a, const void *b) {
  return bl_slice_cmp(((const struct bl_topic_part *)a)->broker,
                      ((const struct bl_topic_part *)b)->broker);
}

/* Of one broker in the route; 0: none that can be read. */
static int32_t queues_of(const struct bl_json *node) {
  struct bl_slice broker = bl_json_text(bl_json_get(node, "brokerName"));
  int32_t queues = bl_json_i32(bl_json_get(node, "readQueueNums"), 0);
  bool readable = (bl_json_i32(bl_json_get(node, "perm"), 0) & BL_PERM_READ) != 0;
  bool believed = broker.len > 0 && broker.len <= 255 && queues > 0;
  return readable && believed && queues <= BL_TOPIC_QUEUES_MAX ? queues : 0;
}

static bool is_route(const struct bl_json *list) {
  if (list == NULL || list->kind != BL_JSON_ARRAY || list->count > BL_PARTS_BROKERS_MAX)
    return false;
  int64_t queues = 0;
  for (const struct bl_json *node = list->child; node != NULL; node = node->next)
    queues += queues_of(node);
  return queues <= BL_PARTS_QUEUES_MAX;
}

/* MQClientInstance#topicRouteData2TopicSubscribeInfo: the readable queues. false: it is no route.
 */
static bool take_route(struct topic_entry *entry, struct bl_slice body) {
  struct bl_arena scratch;
  const struct bl_json *root = NULL;
  bl_arena_init(&scratch);
  bool good = bl_json_parse(body, BL_JSON_DIALECT, &scratch, &root, NULL) == BL_OK;
  const struct bl_json *list = good ? bl_json_get(root, "queueDatas") : NULL;
  good = is_route(list);
  if (good) {
    bl_arena_reset(&entry->arena);
    entry->parts.count = 0;
    entry->parts.parts =
        bl_arena_zero(&entry->arena, (list->count + 1) * sizeof(*entry->parts.parts));
  }
  for (const struct bl_json *node = good ? list->child : NULL; node != NULL; node = node->next) {
    struct bl_slice broker = bl_json_text(bl_json_get(node, "brokerName"));
    int32_t queues = queues_of(node);
    if (queues == 0) continue;
    entry->parts.parts[entry->parts.count++] =
        (struct bl_topic_part){bl_arena_copy(&entry->arena, broker), queues};
  }
  bl_arena_fini(&scratch);
  if (!good) return false;
  qsort(entry->parts.parts, entry->parts.count, sizeof(*entry->parts.parts), by_broker);
  entry->known = true;
  return true;
}

/* Without a name server: the queues of this broker. */
static void take_own(struct topic_entry *entry) {
  struct bl_broker *broker = entry->finder->broker;
  const struct bl_topic *topic = bl_topics_find(&broker->topics, entry->parts.topic);
  bl_arena_reset(&entry->arena);
  entry->known = topic != NULL && (topic->perm & BL_PERM_READ) != 0;
  entry->parts.count = 0;
  if (!entry->known) return;
  entry->parts.parts = bl_arena_zero(&entry->arena, sizeof(*entry->parts.parts));
  entry->parts.parts[entry->parts.count++] =
      (struct bl_topic_part){bl_slice_text(broker->settings->broker_name), topic->read_queues};
}

static void settle(struct topic_entry *entry) {
  struct bl_part_finder *finder = entry->finder;
  bool keep = entry->known;
  answer_all(entry);
  if (keep) return;
  bl_map_remove(&finder->topics, entry->parts.topic);
  free_entry(entry);
}

/* false: there is no such name server. */
static bool server_at(const struct bl_broker *broker, int place, struct bl_slice *out_address) {
  struct bl_slice rest = bl_slice_text(broker->settings->namesrv_addr);
  for (int at = 0; rest.ptr != NULL && at < SERVERS_MAX;) {
    *out_address = bl_slice_trim(bl_slice_cut(&rest, ';'));
    if (out_address->len == 0) continue;
    if (at++ == place) return true;
  }
  return false;
}

static void on_route(struct bl_outcall *call, bl_err err, const struct bl_command *response);

/* The next name server; what was known before stays when none answers. */
static void ask_next(struct topic_entry *entry) {
  struct bl_broker *broker = entry->finder->broker;
  struct bl_slice address;
  while (server_at(broker, entry->server++, &address)) {
    struct bl_get_route_header header = {.topic = entry->parts.topic};
    BL_SET(&header, get_route, standard_json, true);
    struct bl_outgoing outgoing = {
        .code = GET_ROUTE, .table = &bl_get_route_table, .header = &header};
    entry->call.done = on_route;
    if (bl_remoting_call_address(broker->remoting, address, &outgoing, TIMEOUT_MS, &entry->call) ==
        BL_OK)
      return;
  }
  settle(entry);
}

static void on_route(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct topic_entry *entry = BL_CONTAINER(call, struct topic_entry, call);
  if (err == BL_OK && response->code == bl_err_code(BL_ERR_NO_TOPIC)) {
    entry->known = false;
    settle(entry);
    return;
  }
  if (err != BL_OK || response->code != 0 || !take_route(entry, response->body)) {
    ask_next(entry);
    return;
  }
  settle(entry);
}

static void drop_old(struct bl_part_finder *finder, int64_t now_ms) {
  size_t cursor = 0;
  const struct bl_map_entry *at;
  while ((at = bl_map_next(&finder->topics, &cursor)) != NULL) {
    struct topic_entry *entry = at->value;
    if (entry->call.open || now_ms - entry->asked_ms < BL_PARTS_KEPT_MS) continue;
    bl_map_remove(&finder->topics, entry->parts.topic);
    free_entry(entry);
  }
}

static struct topic_entry *new_entry(struct bl_part_finder *finder, struct bl_slice topic,
                                     int64_t now_ms) {
  if (finder->topics.count >= BL_PARTS_TOPICS_MAX) drop_old(finder, now_ms);
  if (finder->topics.count >= BL_PARTS_TOPICS_MAX) return NULL;
  struct topic_entry *entry = calloc(1, sizeof(*entry));
  BL_ASSERT(entry != NULL);
  entry->finder = finder;
  entry->parts.topic = bl_table_own(topic);
  entry->asked_ms = INT64_MIN / 2;
  bl_arena_init(&entry->arena);
  bl_list_init(&entry->waiting);
  bl_map_put(&finder->topics, entry->parts.topic, entry);
  return entry;
}

void bl_parts_find(struct bl_part_finder *finder, struct bl_slice topic, struct bl_parts_ask *ask) {
  struct bl_broker *broker = finder->broker;
  int64_t now_ms = bl_clock_mono_ms(broker->clock);
  struct bl_slice address;
  struct topic_entry *entry = bl_map_get(&finder->topics, topic);
  if (entry == NULL) entry = new_entry(finder, topic, now_ms);
  if (entry == NULL) {
    ask->done(ask, NULL);
    return;
  }
  bl_list_add_last(&entry->waiting, &ask->node);
  if (entry->call.open) return;
  if (broker->find_route != NULL) {
    struct bl_slice body = broker->find_route(broker->find_route_context, topic);
    if (body.ptr == NULL || !take_route(entry, body)) entry->known = false;
    settle(entry);
  } else if (!server_at(broker, 0, &address)) {
    take_own(entry);
    settle(entry);
  } else if (entry->known && now_ms - entry->asked_ms < BL_PARTS_KEPT_MS) {
    answer_all(entry);
  } else {
    entry->asked_ms = now_ms;
    entry->server = 0;
    ask_next(entry);
  }
}
