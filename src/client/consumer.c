#include "client/consumer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "client/consumer_internal.h"

void bl_consumer_settings_default(struct bl_consumer_settings *settings) {
  *settings = (struct bl_consumer_settings){
      .from = BL_FROM_EARLIEST, .pull_count = 32, .queue_count = 1000};
}

void bl_consumer__fail(struct bl_consumer *consumer, bl_err err, const char *format, ...) {
  char sentence[sizeof(struct bl_why)];
  va_list values;
  va_start(values, format);
  vsnprintf(sentence, sizeof(sentence), format, values);
  va_end(values);
  if (consumer->halted) return;
  consumer->halted = true;
  consumer->settings.on_failure(consumer->settings.context, err, sentence);
}

/* One consumerDataSet entry of a heartbeat (ConsumerData, SubscriptionData). */
static void write_part(const struct bl_heartbeat_part *part, struct bl_json_writer *w) {
  const struct bl_consumer *consumer = BL_CONTAINER(part, struct bl_consumer, part);
  bool first_offset = consumer->settings.from != BL_FROM_LATEST;
  bl_json_open_object(w);
  bl_json_member_text(
      w, "consumeFromWhere",
      first_offset ? BL_SLICE("CONSUME_FROM_FIRST_OFFSET") : BL_SLICE("CONSUME_FROM_LAST_OFFSET"));
  bl_json_member_text(w, "consumeType", BL_SLICE("CONSUME_PASSIVELY"));
  bl_json_member_text(w, "groupName", part->group);
  bl_json_member_text(w, "messageModel", BL_SLICE("CLUSTERING"));
  bl_json_key(w, "subscriptionDataSet");
  bl_json_open_array(w);
  for (uint32_t i = 0; i < consumer->topic_count; i++) {
    bl_json_open_object(w);
    bl_json_member_bool(w, "classFilterMode", false);
    bl_json_key(w, "codeSet");
    bl_json_open_array(w);
    bl_json_close_array(w);
    bl_json_member_text(w, "expressionType", BL_SLICE("TAG"));
    bl_json_member_text(w, "subString", BL_SLICE(BL_CONSUMER_SUB_ALL));
    bl_json_member_i64(w, "subVersion", consumer->sub_version);
    bl_json_key(w, "tagsSet");
    bl_json_open_array(w);
    bl_json_close_array(w);
    bl_json_member_text(w, "topic", consumer->topics[i].name);
    bl_json_close_object(w);
  }
  bl_json_close_array(w);
  bl_json_member_bool(w, "unitMode", false);
  bl_json_close_object(w);
}

static void on_members(struct bl_heartbeat_part *part) {
  bl_consumer__rebalance(BL_CONTAINER(part, struct bl_consumer, part));
}

static int by_broker_and_id(const void *a, const void *b) {
  const struct bl_consumer_queue *x = *(const struct bl_consumer_queue *const *)a;
  const struct bl_consumer_queue *y = *(const struct bl_consumer_queue *const *)b;
  int order = bl_slice_cmp(x->broker_name, y->broker_name);
  return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

static void on_queue_timer(struct bl_timer *timer, int64_t now_ms) {
  (void)now_ms;
  bl_queue__step(BL_CONTAINER(timer, struct bl_consumer_queue, timer));
}

static struct bl_consumer_queue *find_queue(const struct bl_consumer_topic *topic,
                                            struct bl_slice broker_name, int32_t id,
                                            uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    struct bl_consumer_queue *queue = topic->queues[i];
    if (queue->id == id && bl_slice_eq(queue->broker_name, broker_name)) return queue;
  }
  return NULL;
}

static void add_queue(struct bl_consumer_topic *topic, struct bl_slice broker_name, int32_t id) {
  struct bl_consumer_queue *queue = calloc(1, sizeof(*queue));
  topic->queues = realloc(topic->queues, (topic->queue_count + 1) * sizeof(*topic->queues));
  BL_ASSERT(queue != NULL && topic->queues != NULL);
  queue->topic = topic;
  queue->broker_name = bl_client__copy(broker_name);
  queue->id = id;
  queue->readable = true;
  queue->committed_offset = -1;
  queue->timer.fire = on_queue_timer;
  topic->queues[topic->queue_count++] = queue;
}

static void take_queues(struct bl_consumer_topic *topic, const struct bl_route *route) {
  uint32_t count = topic->queue_count;
  for (uint32_t i = 0; i < count; i++) topic->queues[i]->readable = false;
  for (uint32_t i = 0; i < route->broker_count; i++) {
    const struct bl_route_broker *broker = &route->brokers[i];
    if ((broker->perm & BL_PERM_READ) == 0) continue;
    for (int32_t id = 0; id < broker->read_queues; id++) {
      struct bl_consumer_queue *queue = find_queue(topic, broker->name, id, count);
      if (queue != NULL)
        queue->readable = true;
      else
        add_queue(topic, broker->name, id);
    }
  }
  if (topic->queue_count > 1) {
    qsort(topic->queues, topic->queue_count, sizeof(*topic->queues), by_broker_and_id);
  }
}

static void on_route(struct bl_route_watch *watch, bl_err err, const struct bl_route *route,
                     const struct bl_why *why) {
  struct bl_consumer_topic *topic = BL_CONTAINER(watch, struct bl_consumer_topic, watch);
  struct bl_consumer *consumer = topic->consumer;
  if (err == BL_ERR_NO_TOPIC) {
    topic->reached = true;
    if (!topic->is_retry) bl_client__note(consumer->client, "%s yet; waiting for it", why->text);
    return;
  }
  if (err != BL_OK) {
    if (topic->reached)
      bl_client__note(consumer->client, "%s; trying again", why->text);
    else
      bl_consumer__fail(consumer, err, "%s", why->text);
    return;
  }
  topic->reached = true;
  take_queues(topic, route);
  if (consumer->group.ptr != NULL && !consumer->in_parts) {
    consumer->in_parts = true;
    bl_client__add_part(consumer->client, &consumer->part);
  }
  bl_consumer__rebalance(consumer);
}

static void watch_topic(struct bl_consumer *consumer, struct bl_slice name, bool is_retry) {
  struct bl_consumer_topic *topic = &consumer->topics[consumer->topic_count++];
  topic->consumer = consumer;
  topic->name = bl_client__copy(name);
  topic->is_retry = is_retry;
  topic->watch.on_route = on_route;
  bl_routes_watch(consumer->client, topic->name, &topic->watch);
}

struct bl_consumer *bl_consumer_new(struct bl_client *client,
                                    const struct bl_consumer_settings *settings) {
  struct bl_consumer *consumer = calloc(1, sizeof(*consumer));
  BL_ASSERT(consumer != NULL);
  consumer->client = client;
  consumer->settings = *settings;
  consumer->sub_version = bl_clock_wall_ms(client->clock);
  bl_buf_init(&consumer->scratch, 0);
  watch_topic(consumer, settings->topic, false);
  if (settings->group.ptr != NULL) {
    consumer->group = bl_client__copy(settings->group);
    consumer->part = (struct bl_heartbeat_part){.is_consumer = true,
                                                .group = consumer->group,
                                                .write = write_part,
                                                .on_members = on_members};
    bl_buf_put_text(&consumer->scratch, BL_CONSUMER_RETRY_PREFIX);
    bl_buf_put_slice(&consumer->scratch, settings->group);
    watch_topic(consumer, bl_buf_slice(&consumer->scratch), true);
    bl_consumer__start_commits(consumer);
  }
  bl_consumer__start_rebalance(consumer);
  return consumer;
}

static void free_topic(struct bl_consumer_topic *topic) {
  bl_routes_unwatch(&topic->watch);
  for (uint32_t i = 0; i < topic->queue_count; i++) {
    struct bl_consumer_queue *queue = topic->queues[i];
    bl_remoting_cancel(&queue->call);
    bl_remoting_cancel(&queue->commit);
    bl_timer_cancel(topic->consumer->client->timers, &queue->timer);
    free((char *)queue->broker_name.ptr);
    free(queue);
  }
  free(topic->queues);
  free((char *)topic->name.ptr);
}

void bl_consumer_free(struct bl_consumer *consumer) {
  if (consumer == NULL) return;
  struct bl_timers *timers = consumer->client->timers;
  bl_client__leave_cancel(&consumer->leave);
  bl_timer_cancel(timers, &consumer->leave_timer);
  bl_timer_cancel(timers, &consumer->commit_timer);
  bl_consumer__stop_rebalance(consumer);
  bl_client__remove_part(consumer->client, &consumer->part);
  for (uint32_t i = 0; i < consumer->topic_count; i++) free_topic(&consumer->topics[i]);
  free((char *)consumer->group.ptr);
  bl_buf_fini(&consumer->scratch);
  free(consumer);
}

struct bl_slice bl_consumer_queue_broker(const struct bl_consumer_queue *queue) {
  return queue->broker_name;
}

void bl_consumer_pause(struct bl_consumer *consumer, bool paused) {
  if (consumer->paused == paused) return;
  consumer->paused = paused;
  for (uint32_t t = 0; t < consumer->topic_count && !paused; t++) {
    for (uint32_t i = 0; i < consumer->topics[t].queue_count; i++) {
      bl_queue__step(consumer->topics[t].queues[i]);
    }
  }
}
