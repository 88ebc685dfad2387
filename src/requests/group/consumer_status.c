/* 223: which offsets the members of a group have in a topic, by asking each of them (221). One that
 * does not answer within 5 seconds is left out, as in RocketMQ; all are asked at once.
 * Source: apache/rocketmq Broker2Client#getConsumeStatus, GetConsumerStatusBody. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "broker/broker.h"
#include "remoting/remoting.h"
#include "remoting/request.h"
#include "wire/headers.h"

#define GET_CONSUMER_STATUS_FROM_CLIENT 221
#define TIMEOUT_MS 5000
/* MQVersion.V3_0_7_SNAPSHOT: older clients do not know the request. */
#define OLDEST_VERSION 28
#define ASKED_MAX 1000
#define BODY_BYTES_MAX (15 << 20)

struct status {
  struct bl_remoting *remoting;
  struct bl_ticket ticket;
  struct bl_buf body;
  struct bl_json_writer w;
  int waiting; /* members that have not answered, and one while they are asked */
};

struct ask {
  struct bl_outcall call;
  struct status *status;
  struct bl_slice client_id; /* HELD */
};

static void release(struct status *status) {
  if (--status->waiting > 0) return;
  bl_json_close_object(&status->w);
  bl_json_key(&status->w, "messageQueueTable");
  bl_json_open_object(&status->w);
  bl_json_close_object(&status->w);
  bl_json_close_object(&status->w);
  struct bl_slice body = bl_buf_slice(&status->body);
  struct bl_reply reply = {.code = 0, .body = &body, .body_count = 1};
  if (status->body.failed) {
    reply = (struct bl_reply){
        .code = bl_err_code(BL_ERR_FULL),
        .remark = BL_SLICE("the members said more than an answer holds: ask for one (clientAddr)")};
  }
  bl_ticket_reply(status->remoting, &status->ticket, &reply);
  bl_buf_fini(&status->body);
  free(status);
}

static void put_answer(struct status *status, struct bl_slice client_id, struct bl_slice body) {
  struct bl_arena arena;
  const struct bl_json *root = NULL;
  bl_arena_init(&arena);
  if (bl_json_parse(body, BL_JSON_DIALECT, &arena, &root, NULL) == BL_OK) {
    const struct bl_json *table = bl_json_get(root, "messageQueueTable");
    bl_json_key_slice(&status->w, client_id);
    if (table != NULL && table->kind == BL_JSON_OBJECT) {
      bl_json_put_node(&status->w, table);
    } else {
      bl_json_open_object(&status->w);
      bl_json_close_object(&status->w);
    }
  }
  bl_arena_fini(&arena);
}

static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct ask *ask = BL_CONTAINER(call, struct ask, call);
  if (err == BL_OK && response->code == 0 && response->body.len > 0)
    put_answer(ask->status, ask->client_id, response->body);
  release(ask->status);
  bl_table_disown(ask->client_id);
  free(ask);
}

static void ask_member(struct status *status, const struct bl_client *client,
                       const struct bl_consumer_status_header *h) {
  struct ask *ask = calloc(1, sizeof(*ask));
  BL_ASSERT(ask != NULL);
  ask->status = status;
  ask->call.done = on_answer;
  ask->client_id = bl_table_own(client->id);
  struct bl_consumer_status_header header = {.topic = h->topic, .group = h->group};
  struct bl_outgoing outgoing = {.code = GET_CONSUMER_STATUS_FROM_CLIENT,
                                 .table = &bl_consumer_status_table,
                                 .header = &header};
  status->waiting++;
  bl_err err =
      bl_remoting_call(status->remoting, client->conn_id, &outgoing, TIMEOUT_MS, &ask->call);
  if (err != BL_OK) on_answer(&ask->call, err, NULL);
}

static bool is_asked(const struct bl_client *client, const struct bl_consumer_status_header *h) {
  return bl_slice_trim(h->client_addr).len == 0 || bl_slice_eq(client->id, h->client_addr);
}

/* Answered when it returns false. */
static bool check(struct bl_call *call, const struct bl_member_group *group) {
  const struct bl_consumer_status_header *h = call->header;
  uint32_t asked = 0;
  if (group == NULL) {
    bl_call_fail(call, BL_ERR_SYSTEM, "No Any Consumer online in the consumer group: [%.*s]",
                 BL_FMT(h->group));
    return false;
  }
  for (struct bl_list *node = group->members.next; node != &group->members; node = node->next) {
    const struct bl_client *client = BL_CONTAINER(node, struct bl_member, in_group)->client;
    if (client->version < OLDEST_VERSION) {
      bl_call_fail(call, BL_ERR_SYSTEM, "the client does not support this feature. version=%d",
                   client->version);
      return false;
    }
    if (is_asked(client, h)) asked++;
  }
  if (asked > ASKED_MAX) {
    bl_call_fail(call, BL_ERR_FULL,
                 "the group has %u members, and %d are asked at most: name one (clientAddr)", asked,
                 ASKED_MAX);
    return false;
  }
  return true;
}

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_consumer_status_header *h = call->header;
  const struct bl_member_group *group = bl_members_consumers(broker, h->group);
  if (!check(call, group)) return BL_DONE;
  struct status *status = calloc(1, sizeof(*status));
  BL_ASSERT(status != NULL);
  status->remoting = broker->remoting;
  status->ticket = bl_call_ticket(call);
  status->waiting = 1;
  bl_buf_init(&status->body, BODY_BYTES_MAX);
  status->w = bl_json_writer_of(&status->body, false);
  bl_json_open_object(&status->w);
  bl_json_key(&status->w, "consumerTable");
  bl_json_open_object(&status->w);
  for (struct bl_list *node = group->members.next; node != &group->members; node = node->next) {
    const struct bl_client *client = BL_CONTAINER(node, struct bl_member, in_group)->client;
    if (is_asked(client, h)) ask_member(status, client, h);
  }
  release(status);
  return BL_PARKED;
}

const struct bl_request bl_request_consumer_status = {
    .code = 223,
    .name = "INVOKE_BROKER_TO_GET_CONSUMER_STATUS",
    .roles = BL_ROLE_BROKER,
    .header = &bl_consumer_status_table,
    .handle = handle,
};
