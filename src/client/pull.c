/* Reading a queue: pulls with long polling (11), one after the other.
 * Source: apache/rocketmq client DefaultMQPushConsumerImpl#pullMessage, PullAPIWrapper. */
#include "client/consumer_internal.h"
#include "wire/headers.h"

#define REQUEST_PULL_MESSAGE 11
#define CODE_NOT_FOUND 19
#define CODE_RETRY_AT_ONCE 20
#define CODE_OFFSET_MOVED 21
#define CODE_NO_PERMISSION 16
#define CODE_NO_SUBSCRIPTION 24
#define CODE_NO_GROUP 26

#define FLAG_SUSPEND 2 /* apache/rocketmq PullSysFlag */
#define FLAG_SUBSCRIPTION 4

#define SUSPEND_MS 15000 /* how long a broker may hold a pull: BROKER_SUSPEND_MAX_TIME_MILLIS */
#define CALL_MS 30000    /* CONSUMER_TIMEOUT_MILLIS_WHEN_SUSPEND */
#define PULL_BYTES_MAX 1048576
#define RETRY_MS 1000
#define SOON_MS 100 /* a broker that does not hold pulls is not asked more often */

void bl_queue__step_later(struct bl_consumer_queue *queue, int64_t after_ms) {
  struct bl_client *client = queue->topic->consumer->client;
  bl_timer_set(client->timers, &queue->timer, bl_clock_mono_ms(client->clock) + after_ms);
}

/* A place without messages to give: nothing between is left to be done. */
static void move_to(struct bl_consumer_queue *queue, int64_t offset) {
  if (queue->done_offset == queue->delivered_offset) {
    queue->done_offset = offset;
    queue->delivered_offset = offset;
  }
  queue->next_offset = offset;
}

/* Gives the messages of the answer to the application; next_offset follows each. */
static bl_err deliver(struct bl_consumer_queue *queue, struct bl_slice body) {
  struct bl_consumer *consumer = queue->topic->consumer;
  while (body.len > 0) {
    struct bl_record record;
    bl_err err = bl_record_decode(body, BL_RECORD_CHECKED, &record);
    if (err != BL_OK) return err;
    body = bl_slice_from(body, record.size_bytes);
    if (record.queue_offset < queue->next_offset) continue; /* of a batch that began before */
    struct bl_message message;
    bl_message_of(&record, &consumer->scratch, &message);
    queue->next_offset = record.queue_offset + 1;
    queue->delivered_offset = queue->next_offset;
    if (!consumer->settings.on_message(consumer->settings.context, queue, &message))
      consumer->halted = true;
    if (consumer->halted) return BL_OK;
  }
  return BL_OK;
}

static void on_found(struct bl_consumer_queue *queue, const struct bl_command *response,
                     int64_t next_offset) {
  struct bl_consumer *consumer = queue->topic->consumer;
  bl_err err = deliver(queue, response->body);
  if (err != BL_OK) {
    bl_consumer__fail(
        consumer, err,
        "broker %.*s sent a message that cannot be read: %s, queue %d behind offset %lld",
        BL_FMT(queue->broker_name), bl_err_text(err), queue->id, (long long)queue->next_offset - 1);
  }
  if (consumer->halted) return;
  if (next_offset > queue->next_offset) move_to(queue, next_offset);
  bl_queue__step(queue);
}

/* The group is not known there (again), or the queue is gone: both come right by themselves. */
static void on_refused(struct bl_consumer_queue *queue, const struct bl_command *response) {
  struct bl_consumer *consumer = queue->topic->consumer;
  struct bl_slice remark = bl_client__first_line(response->remark);
  if (response->code == CODE_NO_PERMISSION) {
    bl_consumer__fail(
        consumer, BL_ERR_NO_PERMISSION, "broker %.*s refused to read '%.*s' with code %d: %.*s",
        BL_FMT(queue->broker_name), BL_FMT(queue->topic->name), response->code, BL_FMT(remark));
    return;
  }
  bool knows_no_member = response->code >= CODE_NO_SUBSCRIPTION && response->code <= CODE_NO_GROUP;
  if (knows_no_member && consumer->group.ptr != NULL) {
    bl_client__heartbeat_now(consumer->client);
  } else {
    bl_client__note(
        consumer->client, "broker %.*s refused to read '%.*s' with code %d: %.*s; trying again",
        BL_FMT(queue->broker_name), BL_FMT(queue->topic->name), response->code, BL_FMT(remark));
    bl_routes_refresh(&queue->topic->watch);
  }
  bl_queue__step_later(queue, RETRY_MS);
}

static void on_pulled(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct bl_consumer_queue *queue = BL_CONTAINER(call, struct bl_consumer_queue, call);
  struct bl_client *client = queue->topic->consumer->client;
  struct bl_pull_reply_header header;
  if (queue->topic->consumer->halted) return;
  bool known = err == BL_OK && (response->code == 0 || (response->code >= CODE_NOT_FOUND &&
                                                        response->code <= CODE_OFFSET_MOVED));
  if (known) err = bl_header_decode(&bl_pull_reply_table, response, &header, NULL);
  if (err != BL_OK) {
    bl_client__note(client, "lost broker %.*s (%s); trying again", BL_FMT(queue->broker_name),
                    bl_err_text(err));
    bl_routes_refresh(&queue->topic->watch);
    bl_queue__step_later(queue, RETRY_MS);
    return;
  }
  if (!known) {
    on_refused(queue, response);
    return;
  }
  queue->broker_id = header.suggest_broker_id;
  if (response->code == 0) {
    on_found(queue, response, header.next_offset);
    return;
  }
  move_to(queue, header.next_offset);
  bool held = bl_clock_mono_ms(client->clock) - queue->asked_ms >= SOON_MS;
  if (response->code == CODE_RETRY_AT_ONCE || held) {
    bl_queue__step(queue);
  } else {
    bl_queue__step_later(queue, SOON_MS);
  }
}

static void pull(struct bl_consumer_queue *queue) {
  struct bl_consumer *consumer = queue->topic->consumer;
  struct bl_client *client = consumer->client;
  bool has_group = consumer->group.ptr != NULL;
  struct bl_pull_message_header header = {
      .group = has_group ? consumer->group : BL_SLICE(BL_CONSUMER_TOOLS_GROUP),
      .topic = queue->topic->name,
      .queue_id = queue->id,
      .queue_offset = queue->next_offset,
      .max_count = consumer->settings.pull_count,
      .sys_flag = FLAG_SUSPEND | (has_group ? 0 : FLAG_SUBSCRIPTION),
      .sub_version = consumer->sub_version,
      .suspend_ms = SUSPEND_MS,
  };
  BL_SET(&header, pull_message, expression_type, BL_SLICE("TAG"));
  BL_SET(&header, pull_message, max_bytes, PULL_BYTES_MAX);
  if (!has_group) BL_SET(&header, pull_message, subscription, BL_SLICE(BL_CONSUMER_SUB_ALL));
  struct bl_outgoing outgoing = {
      .code = REQUEST_PULL_MESSAGE, .table = &bl_pull_message_table, .header = &header};
  queue->call.done = on_pulled;
  queue->asked_ms = bl_clock_mono_ms(client->clock);
  struct bl_slice address = bl_client__address(client, queue->broker_name, queue->broker_id);
  bl_err err = BL_ERR_CLOSED;
  if (address.ptr != NULL) {
    err = bl_remoting_call_address(client->remoting, address, &outgoing, CALL_MS, &queue->call);
  }
  if (err != BL_OK) bl_queue__step_later(queue, RETRY_MS);
}

void bl_queue__step(struct bl_consumer_queue *queue) {
  struct bl_consumer *consumer = queue->topic->consumer;
  if (!queue->mine || queue->call.open || consumer->halted) return;
  bl_timer_cancel(consumer->client->timers, &queue->timer);
  if (queue->phase == BL_QUEUE_COMMITTED) {
    bl_queue__ask_committed(queue);
  } else if (queue->phase == BL_QUEUE_FROM) {
    bl_queue__ask_from(queue);
  } else if (!consumer->paused &&
             queue->delivered_offset - queue->done_offset < consumer->settings.queue_count) {
    pull(queue);
  }
}
