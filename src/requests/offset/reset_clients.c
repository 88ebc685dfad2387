#include "requests/offset/reset_clients.h"

#include "broker/broker.h"
#include "broker/offset/plan.h"
#include "remoting/remoting.h"
#include "wire/headers.h"

#define RESET_CONSUMER_CLIENT_OFFSET 220
#define LANGUAGE_CPP 1
/* MQVersion.V3_0_7_SNAPSHOT: older clients do not know the request. */
#define OLDEST_VERSION 28
#define MEMBERS_PER_STEP 64
#define BODY_BYTES_MAX (15 << 20)

void bl_reset_clients_fini(struct bl_reset_clients *clients) {
  if (!clients->ready) return;
  bl_buf_fini(&clients->body);
  bl_buf_fini(&clients->body_for_c);
}

/* The members' own commits bound the reset: without force nobody goes forward. RETURNS whether the
 * group has offsets in every queue. */
static bool bound_by_commits(const struct bl_broker *broker, const struct bl_reset_offset_header *h,
                             struct bl_offset_plan *plan) {
  for (int32_t id = plan->first; id < plan->end; id++) {
    int64_t *offset = &plan->offsets[id - plan->first];
    int64_t committed = bl_offsets_committed(&broker->offsets, h->topic, h->group, id);
    if (committed < 0) return false;
    if (!h->force && committed <= *offset) *offset = committed;
  }
  return true;
}

static void write_for_c(struct bl_json_writer *w, const struct bl_broker *broker,
                        struct bl_slice topic, const struct bl_offset_plan *plan) {
  bl_json_open_object(w);
  bl_json_key(w, "offsetTable");
  bl_json_open_array(w);
  for (int32_t id = plan->first; id < plan->end; id++) {
    bl_json_open_object(w);
    bl_json_member_text(w, "brokerName", bl_slice_text(broker->settings->broker_name));
    bl_json_member_i64(w, "offset", plan->offsets[id - plan->first]);
    bl_json_member_i64(w, "queueId", id);
    bl_json_member_text(w, "topic", topic);
    bl_json_close_object(w);
  }
  bl_json_close_array(w);
  bl_json_close_object(w);
}

static void write_bodies(struct bl_reset_clients *clients, const struct bl_broker *broker,
                         struct bl_slice topic, const struct bl_offset_plan *plan) {
  bl_buf_init(&clients->body, BODY_BYTES_MAX);
  bl_buf_init(&clients->body_for_c, BODY_BYTES_MAX);
  struct bl_json_writer w = bl_json_writer_of(&clients->body, false);
  bl_reset_write_table(&w, broker, topic, plan);
  w = bl_json_writer_of(&clients->body_for_c, false);
  write_for_c(&w, broker, topic, plan);
  clients->ready = true;
}

static const struct bl_client *too_old(const struct bl_member_group *group) {
  for (struct bl_list *node = group->members.next; node != &group->members; node = node->next) {
    const struct bl_client *client = BL_CONTAINER(node, struct bl_member, in_group)->client;
    if (client->version < OLDEST_VERSION) return client;
  }
  return NULL;
}

/* Who asked in the name of C++ clients means all; else each gets the form of its language. */
static void tell(struct bl_call *call, const struct bl_reset_clients *clients,
                 const struct bl_client *client) {
  struct bl_broker *broker = call->server;
  const struct bl_reset_offset_header *h = call->header;
  struct bl_reset_offset_header header = {
      .group = h->group, .topic = h->topic, .timestamp_ms = h->timestamp_ms};
  BL_SET(&header, reset_offset, queue_id, -1);
  bool for_c = call->command->language == LANGUAGE_CPP || client->language == LANGUAGE_CPP;
  struct bl_outgoing outgoing = {
      .code = RESET_CONSUMER_CLIENT_OFFSET,
      .table = &bl_reset_offset_table,
      .header = &header,
      .body = bl_buf_slice(for_c ? &clients->body_for_c : &clients->body)};
  bl_remoting_send(broker->remoting, client->conn_id, &outgoing);
}

/* The first step: what would stop it, before anybody is told. true: go on. */
static bool prepare(struct bl_call *call, struct bl_offset_plan *plan,
                    struct bl_reset_clients *clients, const struct bl_member_group *group) {
  const struct bl_reset_offset_header *h = call->header;
  if (!bound_by_commits(call->server, h, plan)) {
    bl_call_fail(call, BL_ERR_SYSTEM, "THe consumer group <%.*s> not exist", BL_FMT(h->group));
    return false;
  }
  const struct bl_client *old = group != NULL ? too_old(group) : NULL;
  if (old != NULL) {
    bl_call_fail(call, BL_ERR_SYSTEM, "the client does not support this feature. version=%d",
                 old->version);
    return false;
  }
  write_bodies(clients, call->server, h->topic, plan);
  return true;
}

enum bl_outcome bl_reset_clients_step(struct bl_call *call, struct bl_offset_plan *plan,
                                      struct bl_reset_clients *clients) {
  const struct bl_reset_offset_header *h = call->header;
  const struct bl_member_group *group = bl_members_consumers(call->server, h->group);
  if (!clients->ready && !prepare(call, plan, clients, group)) return BL_DONE;
  if (group == NULL && clients->position == 0) {
    return bl_call_fail(
        call, BL_ERR_CONSUMER_OFFLINE,
        "Consumer not online, so can not reset offset, Group: %.*s Topic: %.*s Timestamp: %lld",
        BL_FMT(h->group), BL_FMT(h->topic), (long long)h->timestamp_ms);
  }
  uint32_t at = 0;
  int told = 0;
  for (struct bl_list *node = group != NULL ? group->members.next : NULL;
       node != NULL && node != &group->members; node = node->next, at++) {
    if (at < clients->position) continue;
    if (told++ == MEMBERS_PER_STEP) return BL_AGAIN;
    tell(call, clients, BL_CONTAINER(node, struct bl_member, in_group)->client);
    clients->position++;
  }
  bl_buf_put_slice(call->body, bl_buf_slice(&clients->body));
  return bl_call_ok_body(call);
}
