/* Offsets of a group: what is done is committed (15) every 5 s, when a queue goes to another
 * member, and at the end. Source: apache/rocketmq client RemoteBrokerOffsetStore,
 * persistConsumerOffsetInterval. */
#include "client/consumer_internal.h"
#include "wire/headers.h"

#define REQUEST_UPDATE_CONSUMER_OFFSET 15
#define COMMIT_MS 5000
#define COMMIT_CALL_MS 2000

static void leave_group(struct bl_timer *timer, int64_t now_ms) {
  struct bl_consumer *consumer = BL_CONTAINER(timer, struct bl_consumer, leave_timer);
  (void)now_ms;
  bl_client__remove_part(consumer->client, &consumer->part);
  bl_client__leave(consumer->client, &consumer->part, &consumer->leave);
}

static void commit_ended(struct bl_consumer *consumer, bl_err err) {
  consumer->commits_open--;
  if (err != BL_OK) consumer->leave_err = err;
  if (consumer->leaving && consumer->commits_open == 0) {
    bl_timer_set(consumer->client->timers, &consumer->leave_timer, 0);
  }
}

static void on_commit(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct bl_consumer_queue *queue = BL_CONTAINER(call, struct bl_consumer_queue, commit);
  struct bl_consumer *consumer = queue->topic->consumer;
  if (err == BL_OK && response->code != 0) {
    struct bl_slice remark = bl_client__first_line(response->remark);
    bl_client__note(consumer->client,
                    "broker %.*s refused the offset of queue %d with code %d: %.*s",
                    BL_FMT(queue->broker_name), queue->id, response->code, BL_FMT(remark));
    err = BL_ERR_SYSTEM;
  }
  if (err == BL_OK) queue->committed_offset = queue->committing_offset;
  commit_ended(consumer, err);
}

void bl_queue__commit(struct bl_consumer_queue *queue) {
  struct bl_consumer *consumer = queue->topic->consumer;
  struct bl_client *client = consumer->client;
  if (consumer->group.ptr == NULL || !queue->mine || queue->phase != BL_QUEUE_PULL ||
      queue->done_offset == queue->committed_offset) {
    return;
  }
  if (queue->commit.open) {
    if (queue->committing_offset == queue->done_offset) return;
    bl_remoting_cancel(&queue->commit); /* an older one; the newer says more */
    consumer->commits_open--;
  }
  struct bl_update_consumer_offset_header header = {.commit_offset = queue->done_offset,
                                                    .group = consumer->group,
                                                    .queue_id = queue->id,
                                                    .topic = queue->topic->name};
  struct bl_outgoing outgoing = {.code = REQUEST_UPDATE_CONSUMER_OFFSET,
                                 .table = &bl_update_consumer_offset_table,
                                 .header = &header};
  queue->commit.done = on_commit;
  queue->committing_offset = queue->done_offset;
  struct bl_slice address = bl_client__address(client, queue->broker_name, 0);
  bl_err err = BL_ERR_CLOSED;
  if (address.ptr != NULL) {
    err = bl_remoting_call_address(client->remoting, address, &outgoing, COMMIT_CALL_MS,
                                   &queue->commit);
  }
  consumer->commits_open++;
  if (err != BL_OK) commit_ended(consumer, err);
}

static void commit_all(struct bl_consumer *consumer) {
  for (uint32_t t = 0; t < consumer->topic_count; t++) {
    for (uint32_t i = 0; i < consumer->topics[t].queue_count; i++)
      bl_queue__commit(consumer->topics[t].queues[i]);
  }
}

static void on_commit_timer(struct bl_timer *timer, int64_t now_ms) {
  struct bl_consumer *consumer = BL_CONTAINER(timer, struct bl_consumer, commit_timer);
  commit_all(consumer);
  bl_timer_set(consumer->client->timers, timer, now_ms + COMMIT_MS);
}

void bl_consumer__start_commits(struct bl_consumer *consumer) {
  consumer->commit_timer.fire = on_commit_timer;
  bl_timer_set(consumer->client->timers, &consumer->commit_timer,
               bl_clock_mono_ms(consumer->client->clock) + COMMIT_MS);
}

void bl_consumer_done(struct bl_consumer_queue *queue, int64_t next_offset) {
  if (!queue->mine || next_offset <= queue->done_offset || next_offset > queue->delivered_offset)
    return;
  queue->done_offset = next_offset;
  if (queue->done_offset == queue->delivered_offset) {
    queue->done_offset = queue->next_offset; /* behind it lies only what nobody is given */
    queue->delivered_offset = queue->next_offset;
  }
  bl_queue__step(queue);
}

static void on_left(struct bl_leave *leave) {
  struct bl_consumer *consumer = BL_CONTAINER(leave, struct bl_consumer, leave);
  consumer->left(consumer->left_context, consumer->leave_err);
}

static void nothing_to_leave(struct bl_timer *timer, int64_t now_ms) {
  struct bl_consumer *consumer = BL_CONTAINER(timer, struct bl_consumer, leave_timer);
  (void)now_ms;
  consumer->left(consumer->left_context, BL_OK);
}

void bl_consumer_leave(struct bl_consumer *consumer, void (*done)(void *context, bl_err err),
                       void *context) {
  struct bl_timers *timers = consumer->client->timers;
  consumer->halted = true;
  consumer->left = done;
  consumer->left_context = context;
  consumer->leave.done = on_left;
  consumer->leave_err = BL_OK;
  bl_consumer__stop_rebalance(consumer);
  bl_timer_cancel(timers, &consumer->commit_timer);
  consumer->leave_timer.fire = consumer->in_parts ? leave_group : nothing_to_leave;
  commit_all(consumer);
  consumer->leaving = true;
  if (consumer->commits_open == 0) bl_timer_set(timers, &consumer->leave_timer, 0);
}
