#include "requests/relay.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "requests/questions.h"

#define TIMEOUT_MS 10000
/* MQVersion.V3_1_8_SNAPSHOT: older clients do not know these requests. */
#define OLDEST_VERSION 48

struct relay {
  struct bl_outcall call;
  struct bl_broker *broker;
  struct bl_remoting *remoting;
  struct bl_ticket ticket;
  struct bl_arena arena;
  struct bl_slice group; /* in the arena */
  struct bl_slice client_id;
};

static void fail(struct bl_remoting *remoting, const struct bl_ticket *ticket, bl_err err,
                 const struct bl_why *why) {
  struct bl_reply reply = {.code = bl_err_code(err), .remark = bl_slice_text(why->text)};
  bl_ticket_reply(remoting, ticket, &reply);
}

static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct relay *relay = BL_CONTAINER(call, struct relay, call);
  struct bl_why why;
  if (err == BL_OK) {
    struct bl_reply reply = {.code = response->code,
                             .remark = response->remark,
                             .extra = response->fields,
                             .extra_count = response->field_count,
                             .body = &response->body,
                             .body_count = 1};
    bl_ticket_reply(relay->remoting, &relay->ticket, &reply);
  } else if (err == BL_ERR_TIMEOUT) {
    err = bl_why_set(&why, BL_ERR_CONSUME_TIMEOUT,
                     "consumer <%.*s> <%.*s> Timeout: no answer in %d ms", BL_FMT(relay->group),
                     BL_FMT(relay->client_id), TIMEOUT_MS);
    fail(relay->remoting, &relay->ticket, err, &why);
  } else {
    err = bl_why_set(&why, BL_ERR_SYSTEM, "invoke consumer <%.*s> <%.*s> Exception: %s",
                     BL_FMT(relay->group), BL_FMT(relay->client_id), bl_err_text(err));
    fail(relay->remoting, &relay->ticket, err, &why);
  }
  bl_question_end(relay->broker, 1);
  bl_arena_fini(&relay->arena);
  free(relay);
}

void bl_relay_to_consumer(struct bl_broker *broker, const struct bl_ticket *ticket,
                          struct bl_slice group, struct bl_slice client_id,
                          const struct bl_outgoing *outgoing) {
  const struct bl_client *client = bl_members_find(bl_members_consumers(broker, group), client_id);
  struct bl_why why;
  if (client == NULL) {
    bl_err err = bl_why_set(&why, BL_ERR_SYSTEM, "The Consumer <%.*s> <%.*s> not online",
                            BL_FMT(group), BL_FMT(client_id));
    fail(broker->remoting, ticket, err, &why);
    return;
  }
  if (client->version < OLDEST_VERSION) {
    bl_err err =
        bl_why_set(&why, BL_ERR_SYSTEM,
                   "The Consumer <%.*s> Version <%d> too low to finish, please upgrade it to "
                   "V3_1_8_SNAPSHOT",
                   BL_FMT(client_id), client->version);
    fail(broker->remoting, ticket, err, &why);
    return;
  }
  if (!bl_question_begin(broker, 1, &why)) {
    fail(broker->remoting, ticket, BL_ERR_BUSY, &why);
    return;
  }
  struct relay *relay = calloc(1, sizeof(*relay));
  BL_ASSERT(relay != NULL);
  relay->broker = broker;
  relay->remoting = broker->remoting;
  relay->ticket = *ticket;
  relay->call.done = on_answer;
  bl_arena_init(&relay->arena);
  relay->group = bl_arena_copy(&relay->arena, group);
  relay->client_id = bl_arena_copy(&relay->arena, client_id);
  bl_err err =
      bl_remoting_call(broker->remoting, client->conn_id, outgoing, TIMEOUT_MS, &relay->call);
  if (err != BL_OK) on_answer(&relay->call, err, NULL);
}
