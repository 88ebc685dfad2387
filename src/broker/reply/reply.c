#include "broker/reply/reply.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "broker/broker.h"
#include "net/net.h"
#include "remoting/remoting.h"
#include "wire/headers.h"
#include "wire/properties.h"

#define PUSH_REPLY_MESSAGE_TO_CLIENT 326
#define PROP_REPLY_TO BL_SLICE("REPLY_TO_CLIENT")
#define PROP_PUSH_TIME BL_SLICE("PUSH_REPLY_TIME")

struct reply {
  struct bl_list node; /* of bl_replies, until it is answered */
  struct bl_outcall call;
  struct bl_store_waiter waiter;
  struct bl_timer soon; /* of a reply that is pushed to nobody: done is not called from inside */
  struct bl_broker *broker;
  struct bl_arena arena; /* what `send` points to */
  struct bl_send send;
  struct bl_slice client_id;
  struct bl_reply_result result;
  char remark[400];
  int64_t bytes;
  void (*done)(void *context, const struct bl_reply_result *result);
  void *context;
};

static struct bl_log_limit failed_limit = {.per_second = 1};

void bl_replies_init(struct bl_replies *replies) {
  memset(replies, 0, sizeof(*replies));
  bl_list_init(&replies->open);
}

static void free_reply(struct reply *reply) {
  struct bl_replies *replies = &reply->broker->replies;
  bl_timer_cancel(reply->broker->timers, &reply->soon);
  bl_list_remove(&reply->node);
  replies->count--;
  replies->bytes -= reply->bytes;
  bl_arena_fini(&reply->arena);
  free(reply);
}

static void end(struct reply *reply) {
  reply->done(reply->context, &reply->result);
  free_reply(reply);
}

void bl_replies_stop(struct bl_broker *broker) {
  struct bl_list *next;
  for (struct bl_list *node = broker->replies.open.next; node != &broker->replies.open;
       node = next) {
    struct reply *reply = BL_CONTAINER(node, struct reply, node);
    next = node->next;
    if (reply->waiter.done != NULL) continue; /* the store ends it */
    bl_remoting_cancel(&reply->call);
    snprintf(reply->remark, sizeof(reply->remark), "the broker is shutting down");
    reply->result.pushed = false;
    reply->result.remark = reply->remark;
    end(reply);
  }
}

static void on_durable(struct bl_store_waiter *waiter, bl_err err) {
  struct reply *reply = BL_CONTAINER(waiter, struct reply, waiter);
  reply->result.stored = err == BL_OK;
  end(reply);
}

/* Whether it was pushed does not depend on it. */
static void store(struct reply *reply) {
  struct bl_broker *broker = reply->broker;
  struct bl_sent sent;
  struct bl_why why;
  if (!broker->settings->store_reply_enable) {
    end(reply);
    return;
  }
  reply->send.queue_id = reply->result.queue_id;
  bl_err err = bl_broker_send(broker, &reply->send, &sent, &why);
  if (err != BL_OK) {
    bl_log_limited(&failed_limit, BL_LOG_WARN, "broker", "reply.store.refused",
                   "topic=%.*s error=%s why=\"%s\"", BL_FMT(reply->send.topic), bl_err_name(err),
                   why.text);
    end(reply);
    return;
  }
  reply->result.queue_offset = sent.queue_offset;
  reply->result.log_offset = sent.log_offset;
  if (sent.duplicate) { /* it is durable, and nothing was appended that could be waited for */
    reply->result.stored = true;
    end(reply);
    return;
  }
  reply->waiter.done = on_durable;
  bl_store_wait(broker->store, &reply->waiter, sent.end_offset);
}

static void fail(struct reply *reply, const char *remark) {
  struct bl_replies *replies = &reply->broker->replies;
  replies->failed++;
  reply->result.remark = remark;
  bl_log_limited(&failed_limit, BL_LOG_WARN, "broker", "reply.push.failed", "topic=%.*s why=\"%s\"",
                 BL_FMT(reply->send.topic), remark);
}

/* The remarks are RocketMQ's. */
static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct reply *reply = BL_CONTAINER(call, struct reply, call);
  if (err == BL_OK && response->code == 0) {
    reply->result.pushed = true;
    reply->broker->replies.pushed++;
  } else {
    snprintf(reply->remark, sizeof(reply->remark), "push reply message to %.*sfail.",
             (int)(reply->client_id.len < 300 ? reply->client_id.len : 300), reply->client_id.ptr);
    fail(reply, reply->remark);
  }
  store(reply);
}

static void on_soon(struct bl_timer *timer, int64_t now_ms) {
  (void)now_ms;
  store(BL_CONTAINER(timer, struct reply, soon));
}

static struct bl_slice push_properties(struct reply *reply, int64_t now_ms) {
  struct bl_broker *broker = reply->broker;
  struct bl_buf out;
  char number[24];
  bl_buf_init(&out, 2 * BL_RECORD_PROPERTIES_BYTES_MAX);
  bl_properties_put_without(&out, reply->send.properties, PROP_PUSH_TIME);
  bl_properties_put(&out, BL_PROP_MSG_REGION, bl_slice_text(broker->settings->region_id));
  bl_properties_put(&out, BL_PROP_TRACE_ON,
                    broker->settings->trace_on ? BL_SLICE("true") : BL_SLICE("false"));
  snprintf(number, sizeof(number), "%lld", (long long)now_ms);
  bl_properties_put(&out, PROP_PUSH_TIME, bl_slice_text(number));
  struct bl_slice properties = bl_arena_copy(&reply->arena, bl_buf_slice(&out));
  bl_buf_fini(&out);
  return properties;
}

/* BL_ERR_CLOSED: the client's connection is gone. */
static bl_err push(struct reply *reply, const struct bl_client *client) {
  struct bl_broker *broker = reply->broker;
  const struct bl_send *send = &reply->send;
  char born[BL_HOST_TEXT_MAX];
  char stored[BL_HOST_TEXT_MAX];
  int64_t now_ms = bl_clock_wall_ms(broker->clock);
  struct bl_push_reply_header header = {
      .born_host = bl_slice_of(born, bl_host_text(&send->born_host, born)),
      .born_ms = send->born_ms,
      .default_topic = send->default_topic,
      .default_queues = send->default_queues,
      .flag = send->flag,
      .producer_group = send->producer_group,
      .queue_id = send->queue_id,
      .store_host = bl_slice_of(stored, bl_host_text(&broker->store_host, stored)),
      .store_ms = now_ms,
      .sys_flag = send->sys_flag,
      .topic = send->topic};
  BL_SET(&header, push_reply, properties, push_properties(reply, now_ms));
  BL_SET(&header, push_reply, reconsume_times, send->reconsume_times);
  BL_SET(&header, push_reply, unit_mode, send->unit_mode);
  struct bl_outgoing outgoing = {.code = PUSH_REPLY_MESSAGE_TO_CLIENT,
                                 .table = &bl_push_reply_table,
                                 .header = &header,
                                 .body = send->body};
  reply->call.done = on_answer;
  return bl_remoting_call(broker->remoting, client->conn_id, &outgoing, BL_REPLY_PUSH_MS,
                          &reply->call);
}

static void push_or_fail(struct reply *reply) {
  struct bl_broker *broker = reply->broker;
  if (reply->client_id.ptr == NULL) {
    fail(reply, "reply message properties[REPLY_TO_CLIENT] is null");
  } else {
    const struct bl_client *client = bl_members_producer(broker, reply->client_id);
    if (client != NULL && push(reply, client) == BL_OK) return;
    snprintf(reply->remark, sizeof(reply->remark),
             "push reply message fail, channel of <%.*s> not found.",
             (int)(reply->client_id.len < 300 ? reply->client_id.len : 300), reply->client_id.ptr);
    fail(reply, reply->remark);
  }
  reply->soon.fire = on_soon;
  bl_timer_set(broker->timers, &reply->soon, bl_clock_mono_ms(broker->clock));
}

static struct reply *new_reply(struct bl_broker *broker, const struct bl_send *send,
                               int64_t bytes) {
  struct reply *reply = calloc(1, sizeof(*reply));
  BL_ASSERT(reply != NULL);
  reply->broker = broker;
  reply->bytes = bytes;
  bl_arena_init(&reply->arena);
  reply->send = *send;
  reply->send.producer_group = bl_arena_copy(&reply->arena, send->producer_group);
  reply->send.topic = bl_arena_copy(&reply->arena, send->topic);
  reply->send.default_topic = bl_arena_copy(&reply->arena, send->default_topic);
  reply->send.properties = bl_arena_copy(&reply->arena, send->properties);
  reply->send.body = bl_arena_copy(&reply->arena, send->body);
  reply->send.peer = bl_arena_copy(&reply->arena, bl_slice_text(send->peer)).ptr;
  reply->client_id = bl_properties_get(reply->send.properties, PROP_REPLY_TO);
  bl_list_add_last(&broker->replies.open, &reply->node);
  broker->replies.count++;
  broker->replies.bytes += bytes;
  return reply;
}

bl_err bl_reply_start(struct bl_broker *broker, const struct bl_send *send,
                      void (*done)(void *context, const struct bl_reply_result *result),
                      void *context, struct bl_why *why) {
  struct bl_replies *replies = &broker->replies;
  int32_t queue_id = 0;
  int64_t bytes = (int64_t)(send->body.len + 2 * send->properties.len);
  bl_err err = bl_broker_may_send(broker, send, &queue_id, why);
  if (err != BL_OK) return err;
  if (replies->count > 0 &&
      (replies->count >= BL_REPLIES_MAX || replies->bytes + bytes > BL_REPLIES_BYTES_MAX)) {
    replies->refused++;
    return bl_why_set(why, BL_ERR_BUSY, "broker busy: %d replies wait for their clients; try again",
                      replies->count);
  }
  struct reply *reply = new_reply(broker, send, bytes);
  reply->done = done;
  reply->context = context;
  reply->result.queue_id = queue_id;
  push_or_fail(reply);
  return BL_OK;
}
