/* 309: one stored message is given to one consumer, whose result is the answer. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/query/read.h"
#include "remoting/request.h"
#include "requests/questions.h"
#include "requests/relay.h"
#include "wire/headers.h"
#include "wire/msgid.h"

struct directing {
  struct bl_record_fetch fetch;
  struct bl_ticket ticket;
  struct bl_arena arena;
  struct bl_consume_directly_header header; /* texts in the arena */
};

static void on_fetched(struct bl_record_fetch *fetch) {
  struct directing *directing = BL_CONTAINER(fetch, struct directing, fetch);
  const struct bl_consume_directly_header *header = &directing->header;
  bl_question_end(fetch->broker, 1);
  struct bl_broker *broker = fetch->broker;
  if (fetch->err == BL_OK) {
    struct bl_outgoing outgoing = {.code = directing->ticket.code,
                                   .table = &bl_consume_directly_table,
                                   .header = header,
                                   .body = fetch->bytes};
    bl_relay_to_consumer(broker, &directing->ticket, header->group, header->client_id, &outgoing);
  } else {
    struct bl_reply reply = {
        .code = bl_err_code(BL_ERR_SYSTEM),
        .remark = bl_arena_printf(&directing->arena, "can not find message by the offset, %lld",
                                  (long long)fetch->log_offset)};
    bl_ticket_reply(broker->remoting, &directing->ticket, &reply);
  }
  bl_record_fetch_fini(fetch);
  bl_arena_fini(&directing->arena);
  free(directing);
}

/* What the broker adds for the consumer. */
static void complete(const struct bl_broker *broker, struct bl_consume_directly_header *header) {
  const struct bl_topic *topic = bl_topics_find(&broker->topics, header->topic);
  const struct bl_group *group = bl_groups_find(&broker->groups, header->group);
  BL_SET(header, consume_directly, broker_name, bl_slice_text(broker->settings->broker_name));
  if (topic != NULL) BL_SET(header, consume_directly, topic_sys_flag, topic->sys_flag);
  if (group != NULL) BL_SET(header, consume_directly, group_sys_flag, group->sys_flag);
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_consume_directly_header *header = call->header;
  struct bl_broker *broker = call->server;
  struct bl_host host;
  int64_t log_offset;
  if (!bl_msgid_parse(header->msg_id, &host, &log_offset)) {
    return bl_call_fail(call, BL_ERR_SYSTEM,
                        "msgId is not the id of a stored message: 32 or 56 hex digits");
  }
  struct bl_why why;
  if (!bl_question_begin(broker, 1, &why)) return bl_call_fail(call, BL_ERR_BUSY, "%s", why.text);
  struct directing *directing = calloc(1, sizeof(*directing));
  BL_ASSERT(directing != NULL);
  bl_arena_init(&directing->arena);
  directing->ticket = bl_call_ticket(call);
  directing->header = *header;
  directing->header.group = bl_arena_copy(&directing->arena, header->group);
  directing->header.client_id = bl_arena_copy(&directing->arena, header->client_id);
  directing->header.msg_id = bl_arena_copy(&directing->arena, header->msg_id);
  directing->header.topic = bl_arena_copy(&directing->arena, header->topic);
  complete(broker, &directing->header);
  bl_record_fetch_start(&directing->fetch, broker, log_offset, on_fetched);
  return BL_PARKED;
}

const struct bl_request bl_request_consume_directly = {
    .code = 309,
    .name = "CONSUME_MESSAGE_DIRECTLY",
    .roles = BL_ROLE_BROKER,
    .header = &bl_consume_directly_table,
    .handle = handle,
};
