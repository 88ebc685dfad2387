/* Which queues this member reads: the list of members from a broker (38), then RocketMQ's
 * arithmetic, each 20 s and whenever members or queues change. Source: apache/rocketmq client
 * RebalanceImpl#rebalanceByTopic. */
#include <stdlib.h>

#include "base/assert.h"
#include "client/allocate.h"
#include "client/consumer_internal.h"
#include "wire/headers.h"

#define REQUEST_GET_MEMBERS 38
#define REBALANCE_MS 20000
#define RETRY_MS 1000
#define MEMBERS_MAX 65536

static void set_timer(struct bl_consumer *consumer, int64_t after_ms) {
  bl_timer_set(consumer->client->timers, &consumer->rebalance_timer,
               bl_clock_mono_ms(consumer->client->clock) + after_ms);
}

static void start_queue(struct bl_consumer_queue *queue) {
  queue->mine = true;
  queue->broker_id = 0;
  queue->committed_offset = -1;
  queue->phase = queue->topic->consumer->group.ptr != NULL ? BL_QUEUE_COMMITTED : BL_QUEUE_FROM;
  bl_queue__step(queue);
}

static void stop_queue(struct bl_consumer_queue *queue) {
  bl_remoting_cancel(&queue->call);
  bl_timer_cancel(queue->topic->consumer->client->timers, &queue->timer);
  bl_queue__commit(queue);
  queue->mine = false;
}

/* The queues from `first` on, `count` of those in the route, are this member's. */
static void take_share(struct bl_consumer_topic *topic, uint32_t first, uint32_t count) {
  uint32_t at = 0; /* among the readable */
  for (uint32_t i = 0; i < topic->queue_count; i++) {
    struct bl_consumer_queue *queue = topic->queues[i];
    queue->kept = queue->readable && at >= first && at - first < count;
    if (queue->readable) at++;
    if (queue->mine && !queue->kept) stop_queue(queue);
  }
  for (uint32_t i = 0; i < topic->queue_count; i++) {
    struct bl_consumer_queue *queue = topic->queues[i];
    if (queue->kept && !queue->mine) start_queue(queue);
  }
}

static uint32_t count_readable(const struct bl_consumer_topic *topic) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < topic->queue_count; i++) count += topic->queues[i]->readable ? 1 : 0;
  return count;
}

static int by_text(const void *a, const void *b) {
  return bl_slice_cmp(*(const struct bl_slice *)a, *(const struct bl_slice *)b);
}

/* FILLS the members sorted. false: not a list of members. */
static bool read_members(struct bl_slice body, struct bl_arena *arena, struct bl_slice **out_ids,
                         uint32_t *out_count) {
  const struct bl_json *root;
  if (bl_json_parse(body, BL_JSON_DIALECT, arena, &root, NULL) != BL_OK) return false;
  const struct bl_json *list = bl_json_get(root, "consumerIdList");
  if (list == NULL || list->kind != BL_JSON_ARRAY || list->count > MEMBERS_MAX) return false;
  struct bl_slice *ids = bl_arena_zero(arena, (list->count + 1) * sizeof(*ids));
  uint32_t count = 0;
  for (const struct bl_json *entry = list->child; entry != NULL; entry = entry->next) {
    ids[count++] = bl_json_text(entry);
  }
  qsort(ids, count, sizeof(*ids), by_text);
  *out_ids = ids;
  *out_count = count;
  return true;
}

/* false: this member is not in the list yet. */
static bool share_with(struct bl_consumer *consumer, const struct bl_slice *ids, uint32_t count) {
  uint32_t me = 0;
  while (me < count && !bl_slice_eq(ids[me], bl_client_id(consumer->client))) me++;
  if (me == count) return false;
  for (uint32_t i = 0; i < consumer->topic_count; i++) {
    struct bl_consumer_topic *topic = &consumer->topics[i];
    struct bl_allocation share = bl_allocate_averagely(count_readable(topic), count, me);
    take_share(topic, share.first, share.count);
  }
  return true;
}

static void on_members(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct bl_consumer *consumer = BL_CONTAINER(call, struct bl_consumer, members_call);
  struct bl_arena arena;
  struct bl_slice *ids;
  uint32_t count;
  bl_arena_init(&arena);
  bool shared = err == BL_OK && response->code == 0 &&
                read_members(response->body, &arena, &ids, &count) &&
                share_with(consumer, ids, count);
  bl_arena_fini(&arena);
  set_timer(consumer, shared ? REBALANCE_MS : RETRY_MS);
}

/* A broker of the topic, or the absent slice. */
static struct bl_slice any_broker(const struct bl_consumer *consumer) {
  const struct bl_consumer_topic *topic = &consumer->topics[0];
  for (uint32_t i = 0; i < topic->queue_count; i++) {
    if (!topic->queues[i]->readable) continue;
    struct bl_slice address =
        bl_client__address(consumer->client, topic->queues[i]->broker_name, 0);
    if (address.ptr != NULL) return address;
  }
  return (struct bl_slice){NULL, 0};
}

static void ask_members(struct bl_consumer *consumer) {
  struct bl_slice address = any_broker(consumer);
  struct bl_consumer_group_header header = {.group = consumer->group};
  struct bl_outgoing outgoing = {
      .code = REQUEST_GET_MEMBERS, .table = &bl_consumer_group_table, .header = &header};
  consumer->members_call.done = on_members;
  bl_err err = BL_ERR_CLOSED;
  if (address.ptr != NULL) {
    err = bl_remoting_call_address(consumer->client->remoting, address, &outgoing,
                                   BL_CLIENT_CALL_MS, &consumer->members_call);
  }
  if (err != BL_OK) set_timer(consumer, RETRY_MS);
}

static void on_timer(struct bl_timer *timer, int64_t now_ms) {
  struct bl_consumer *consumer = BL_CONTAINER(timer, struct bl_consumer, rebalance_timer);
  (void)now_ms;
  if (consumer->halted) return;
  set_timer(consumer, REBALANCE_MS);
  if (consumer->group.ptr == NULL) {
    take_share(&consumer->topics[0], 0, UINT32_MAX);
  } else if (consumer->in_parts && !consumer->members_call.open) {
    ask_members(consumer);
  }
}

void bl_consumer__rebalance(struct bl_consumer *consumer) {
  bl_remoting_cancel(&consumer->members_call); /* its answer may be older than the news */
  set_timer(consumer, 0);
}

void bl_consumer__start_rebalance(struct bl_consumer *consumer) {
  consumer->rebalance_timer.fire = on_timer;
  set_timer(consumer, REBALANCE_MS);
}

void bl_consumer__stop_rebalance(struct bl_consumer *consumer) {
  bl_remoting_cancel(&consumer->members_call);
  bl_timer_cancel(consumer->client->timers, &consumer->rebalance_timer);
}
