/* The way of messages from send to a free queue. */
#include <stdlib.h>

#include "base/assert.h"
#include "client/producer_internal.h"
#include "os/entropy.h"
#include "wire/properties.h"

#define TRIES_MAX 3 /* retryTimesWhenSendFailed 2 of DefaultMQProducer */
#define RETRY_TOPIC_PREFIX "%RETRY%"

static const int64_t wait_before_try_ms[TRIES_MAX] = {0, 200, 1000};

static void on_kick(struct bl_timer *timer, int64_t now_ms) {
  (void)now_ms;
  bl_lane__pump(BL_CONTAINER(timer, struct bl_lane, kick));
}

static struct bl_lane_queue *queue_of(struct bl_lane *lane, struct bl_slice broker_name,
                                      int32_t id) {
  for (uint32_t i = 0; i < lane->queue_count; i++) {
    struct bl_lane_queue *queue = lane->queues[i];
    if (queue->id == id && bl_slice_eq(queue->broker_name, broker_name)) return queue;
  }
  struct bl_lane_queue *queue = calloc(1, sizeof(*queue));
  lane->queues = realloc(lane->queues, (lane->queue_count + 1) * sizeof(*lane->queues));
  BL_ASSERT(queue != NULL && lane->queues != NULL);
  queue->broker_name = bl_client__copy(broker_name);
  queue->id = id;
  lane->queues[lane->queue_count++] = queue;
  return queue;
}

/* Queues of brokers without a master are not written to (topicRouteData2TopicPublishInfo). */
static uint32_t take_queues(struct bl_lane *lane, const struct bl_route *route) {
  uint32_t writable = 0;
  for (uint32_t i = 0; i < lane->queue_count; i++) lane->queues[i]->writable = false;
  for (uint32_t i = 0; i < route->broker_count; i++) {
    const struct bl_route_broker *broker = &route->brokers[i];
    if ((broker->perm & BL_PERM_WRITE) == 0 || bl_route_master(broker).ptr == NULL) continue;
    for (int32_t id = 0; id < broker->write_queues; id++) {
      if (lane->queue_id >= 0 && lane->queue_id != id) continue;
      queue_of(lane, broker->name, id)->writable = true;
      writable++;
      if (lane->queue_id >= 0)
        return writable; /* one queue of that number is enough: it keeps the order */
    }
  }
  return writable;
}

static void fail_all(struct bl_lane *lane, bl_err err, const char *sentence) {
  struct bl_list *node;
  while ((node = bl_list_take_first(&lane->ready)) != NULL) {
    bl_lane__fail(BL_CONTAINER(node, struct bl_shipment, node), err, bl_err_code(err), sentence);
  }
  struct bl_shipment *open = lane->open;
  lane->open = NULL;
  if (open != NULL) bl_lane__fail(open, err, bl_err_code(err), sentence);
}

static void on_route(struct bl_route_watch *watch, bl_err err, const struct bl_route *route,
                     const struct bl_why *why) {
  struct bl_lane *lane = BL_CONTAINER(watch, struct bl_lane, watch);
  if (err != BL_OK) {
    fail_all(lane, err, why->text);
    return;
  }
  lane->has_route = take_queues(lane, route) > 0;
  if (lane->has_route) {
    bl_lane__pump(lane);
    return;
  }
  struct bl_why no_queue;
  if (lane->queue_id >= 0) {
    bl_why_set(&no_queue, BL_ERR_NO_PERMISSION,
               "topic '%.*s' has no queue %d that may be written to", BL_FMT(lane->topic),
               lane->queue_id);
  } else {
    bl_why_set(&no_queue, BL_ERR_NO_PERMISSION,
               "topic '%.*s' has no queue that may be written to: no master is up, or the topic is "
               "read-only",
               BL_FMT(lane->topic));
  }
  fail_all(lane, BL_ERR_NO_PERMISSION, no_queue.text);
}

struct bl_lane *bl_lane__new(struct bl_producer *producer, struct bl_slice topic,
                             int32_t queue_id) {
  struct bl_lane *lane = calloc(1, sizeof(*lane));
  BL_ASSERT(lane != NULL);
  lane->producer = producer;
  lane->topic = bl_client__copy(topic);
  lane->queue_id = queue_id;
  lane->next = (uint32_t)bl_entropy_u64() >>
               1; /* producers of one message each do not all take the first queue */
  lane->kick.fire = on_kick;
  bl_list_init(&lane->ready);
  bl_list_init(&lane->in_flight);
  lane->watch.publish = true;
  lane->watch.on_route = on_route;
  bl_routes_watch(producer->client, topic, &lane->watch);
  return lane;
}

static void free_list(struct bl_list *list) {
  struct bl_list *node;
  while ((node = bl_list_take_first(list)) != NULL) {
    bl_shipment__free(BL_CONTAINER(node, struct bl_shipment, node));
  }
}

void bl_lane__free(struct bl_lane *lane) {
  bl_routes_unwatch(&lane->watch);
  bl_timer_cancel(lane->producer->client->timers, &lane->kick);
  free_list(&lane->ready);
  free_list(&lane->in_flight);
  if (lane->open != NULL) bl_shipment__free(lane->open);
  for (uint32_t i = 0; i < lane->queue_count; i++) {
    free((char *)lane->queues[i]->broker_name.ptr);
    free(lane->queues[i]);
  }
  free(lane->queues);
  free((char *)lane->topic.ptr);
  free(lane);
}

/* RocketMQ refuses batches of delayed, transactional and retried messages (MessageBatch). */
static bool must_go_alone(const struct bl_lane *lane, struct bl_slice properties) {
  if (bl_slice_starts(lane->topic, BL_SLICE(RETRY_TOPIC_PREFIX))) return true;
  struct bl_slice name, value;
  while (bl_properties_next(&properties, &name, &value)) {
    if (bl_slice_eq(name, BL_PROP_DELAY) || bl_slice_eq(name, BL_PROP_TRAN_MSG) ||
        bl_slice_starts(name, BL_SLICE("TIMER_"))) {
      return true;
    }
  }
  return false;
}

static void close_open(struct bl_lane *lane) {
  if (lane->open == NULL) return;
  bl_list_add_last(&lane->ready, &lane->open->node);
  lane->open = NULL;
}

void bl_lane__put(struct bl_lane *lane, const struct bl_send *send) {
  struct bl_producer *producer = lane->producer;
  struct bl_client *client = producer->client;
  bool single = send->sys_flag != 0 || must_go_alone(lane, send->properties);
  if (lane->open != NULL &&
      (single || lane->open->single ||
       !bl_pack_fits(&lane->open->pack, send->properties.len, send->body.len))) {
    close_open(lane);
  }
  if (lane->open == NULL) {
    lane->open = calloc(1, sizeof(*lane->open));
    BL_ASSERT(lane->open != NULL);
    lane->open->lane = lane;
    lane->open->single = single;
    lane->open->sys_flag = send->sys_flag;
    lane->open->born_ms = bl_clock_wall_ms(client->clock);
  }
  char uniq_key[33];
  bl_uniqkey_next(&client->uniqkeys, lane->open->born_ms, uniq_key);
  size_t bytes_before = lane->open->pack.bytes.len;
  bl_pack_add(&lane->open->pack, send->token, uniq_key, send->flag, send->properties, send->body);
  producer->pending_count++;
  producer->pending_bytes += (int64_t)(lane->open->pack.bytes.len - bytes_before);
  if (lane->kick.place == 0) bl_timer_set(client->timers, &lane->kick, 0);
}

/* The next free queue after the last one used, if it may be on another broker than the last try's.
 */
static struct bl_lane_queue *choose_queue(struct bl_lane *lane, const struct bl_lane_queue *avoid) {
  struct bl_lane_queue *second_best = NULL;
  for (uint32_t i = 0; i < lane->queue_count; i++) {
    uint32_t at = (lane->next + i) % lane->queue_count;
    struct bl_lane_queue *queue = lane->queues[at];
    if (!queue->writable || queue->busy) continue;
    if (avoid != NULL && bl_slice_eq(queue->broker_name, avoid->broker_name)) {
      if (second_best == NULL || second_best == avoid) second_best = queue;
      continue;
    }
    lane->next = at + 1;
    return queue;
  }
  return second_best;
}

void bl_lane__pump(struct bl_lane *lane) {
  if (!lane->has_route) return;
  while (!bl_list_empty(&lane->ready) || lane->open != NULL) {
    if (bl_list_empty(&lane->ready)) close_open(lane);
    struct bl_shipment *first = BL_CONTAINER(lane->ready.next, struct bl_shipment, node);
    struct bl_lane_queue *queue = choose_queue(lane, first->queue);
    if (queue == NULL) return;
    bl_list_remove(&first->node);
    bl_list_add_last(&lane->in_flight, &first->node);
    bl_shipment__send(first, queue);
  }
}

void bl_lane__fail(struct bl_shipment *shipment, bl_err err, int32_t code, const char *sentence) {
  struct bl_producer *producer = shipment->lane->producer;
  bl_list_remove(&shipment->node);
  bl_producer__settle(producer, shipment);
  struct bl_send_result result = {
      .err = err, .code = code, .sentence = sentence, .topic = shipment->lane->topic};
  for (uint32_t i = 0; i < shipment->pack.count; i++) {
    result.token = shipment->pack.items[i].token;
    result.msg_id = bl_slice_of(shipment->pack.items[i].uniq_key, 32);
    producer->settings.on_result(producer->settings.context, &result);
  }
  bl_shipment__free(shipment);
}

static void on_retry(struct bl_timer *timer, int64_t now_ms) {
  struct bl_shipment *shipment = BL_CONTAINER(timer, struct bl_shipment, retry);
  struct bl_lane *lane = shipment->lane;
  (void)now_ms;
  shipment->queue->busy = false;
  bl_list_remove(&shipment->node);
  struct bl_list *first = lane->ready.next;
  bl_list_add_last(first, &shipment->node); /* before the first */
  bl_lane__pump(lane);
}

void bl_lane__again(struct bl_shipment *shipment, bl_err err, int32_t code, const char *sentence) {
  struct bl_lane *lane = shipment->lane;
  bl_routes_refresh(&lane->watch);
  if (shipment->tries >= TRIES_MAX) {
    shipment->queue->busy = false;
    bl_lane__fail(shipment, err, code, sentence);
    return;
  }
  /* The queue stays taken until then: of a single queue the order must hold, of others the broker
   * needs the rest. */
  struct bl_client *client = lane->producer->client;
  shipment->retry.fire = on_retry;
  bl_timer_set(client->timers, &shipment->retry,
               bl_clock_mono_ms(client->clock) + wait_before_try_ms[shipment->tries]);
}
