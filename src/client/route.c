#include "client/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static int by_name(const void *a, const void *b) {
  return bl_slice_cmp(((const struct bl_route_broker *)a)->name,
                      ((const struct bl_route_broker *)b)->name);
}

static int by_broker_id(const void *a, const void *b) {
  int64_t x = ((const struct bl_route_address *)a)->broker_id;
  int64_t y = ((const struct bl_route_address *)b)->broker_id;
  return (x > y) - (x < y);
}

static bool read_addresses(const struct bl_json *map, struct bl_arena *arena,
                           struct bl_route_broker *broker) {
  uint32_t count = map != NULL && map->kind == BL_JSON_OBJECT ? map->count : 0;
  struct bl_route_address *addresses = bl_arena_zero(arena, (count + 1) * sizeof(*addresses));
  uint32_t used = 0;
  for (const struct bl_json *entry = count > 0 ? map->child : NULL; entry != NULL;
       entry = entry->next) {
    struct bl_slice text = bl_json_text(entry);
    if (text.len == 0 || !bl_slice_i64(entry->key, &addresses[used].broker_id)) return false;
    addresses[used++].text = bl_arena_copy(arena, text);
  }
  qsort(addresses, used, sizeof(*addresses), by_broker_id);
  broker->addresses = addresses;
  broker->address_count = used;
  return true;
}

static bool read_brokers(const struct bl_json *list, struct bl_route *route) {
  uint32_t count = list != NULL && list->kind == BL_JSON_ARRAY ? list->count : 0;
  if (count > BL_ROUTE_BROKERS_MAX) return false;
  route->brokers = bl_arena_zero(&route->arena, (count + 1) * sizeof(*route->brokers));
  for (const struct bl_json *entry = count > 0 ? list->child : NULL; entry != NULL;
       entry = entry->next) {
    struct bl_route_broker *broker = &route->brokers[route->broker_count];
    struct bl_slice name = bl_json_text(bl_json_get(entry, "brokerName"));
    if (name.len == 0) return false;
    broker->name = bl_arena_copy(&route->arena, name);
    if (!read_addresses(bl_json_get(entry, "brokerAddrs"), &route->arena, broker)) return false;
    route->broker_count++;
  }
  qsort(route->brokers, route->broker_count, sizeof(*route->brokers), by_name);
  return true;
}

static bool read_queues(const struct bl_json *list, struct bl_route *route) {
  if (list == NULL || list->kind != BL_JSON_ARRAY) return true;
  for (const struct bl_json *entry = list->child; entry != NULL; entry = entry->next) {
    struct bl_slice name = bl_json_text(bl_json_get(entry, "brokerName"));
    struct bl_route_broker *broker = (struct bl_route_broker *)bl_route_broker(route, name);
    if (broker == NULL) continue; /* queues of a broker that has gone */
    broker->perm = bl_json_i32(bl_json_get(entry, "perm"), 0);
    broker->read_queues = bl_json_i32(bl_json_get(entry, "readQueueNums"), 0);
    broker->write_queues = bl_json_i32(bl_json_get(entry, "writeQueueNums"), 0);
    if (broker->read_queues > BL_ROUTE_QUEUES_MAX || broker->write_queues > BL_ROUTE_QUEUES_MAX)
      return false;
  }
  return true;
}

bl_err bl_route_parse(struct bl_slice body, struct bl_route *out_route, struct bl_why *why) {
  struct bl_arena scratch;
  bl_arena_init(&scratch);
  struct bl_route route = {0};
  bl_arena_init(&route.arena);
  const struct bl_json *root;
  bl_err err = bl_json_parse(body, BL_JSON_DIALECT, &scratch, &root, why);
  if (err == BL_OK &&
      (root->kind != BL_JSON_OBJECT || !read_brokers(bl_json_get(root, "brokerDatas"), &route) ||
       !read_queues(bl_json_get(root, "queueDatas"), &route))) {
    err = bl_why_set(why, BL_ERR_FORMAT, "the name server's answer is not a topic route");
  }
  bl_arena_fini(&scratch);
  if (err != BL_OK) {
    bl_route_fini(&route);
    return err;
  }
  *out_route = route;
  return BL_OK;
}

void bl_route_fini(struct bl_route *route) {
  bl_arena_fini(&route->arena);
  route->brokers = NULL;
  route->broker_count = 0;
}

static bool broker_equal(const struct bl_route_broker *a, const struct bl_route_broker *b) {
  if (!bl_slice_eq(a->name, b->name) || a->perm != b->perm || a->read_queues != b->read_queues ||
      a->write_queues != b->write_queues || a->address_count != b->address_count) {
    return false;
  }
  for (uint32_t i = 0; i < a->address_count; i++) {
    if (a->addresses[i].broker_id != b->addresses[i].broker_id ||
        !bl_slice_eq(a->addresses[i].text, b->addresses[i].text)) {
      return false;
    }
  }
  return true;
}

bool bl_route_equal(const struct bl_route *a, const struct bl_route *b) {
  if (a->broker_count != b->broker_count) return false;
  for (uint32_t i = 0; i < a->broker_count; i++) {
    if (!broker_equal(&a->brokers[i], &b->brokers[i])) return false;
  }
  return true;
}

const struct bl_route_broker *bl_route_broker(const struct bl_route *route, struct bl_slice name) {
  for (uint32_t i = 0; i < route->broker_count; i++) {
    if (bl_slice_eq(route->brokers[i].name, name)) return &route->brokers[i];
  }
  return NULL;
}

struct bl_slice bl_route_address(const struct bl_route_broker *broker, int64_t broker_id) {
  for (uint32_t i = 0; i < broker->address_count; i++) {
    if (broker->addresses[i].broker_id == broker_id) return broker->addresses[i].text;
  }
  return broker->address_count > 0 ? broker->addresses[0].text : (struct bl_slice){NULL, 0};
}

struct bl_slice bl_route_master(const struct bl_route_broker *broker) {
  for (uint32_t i = 0; i < broker->address_count; i++) {
    if (broker->addresses[i].broker_id == 0) return broker->addresses[i].text;
  }
  return (struct bl_slice){NULL, 0};
}
