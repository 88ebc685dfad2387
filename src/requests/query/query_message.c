/* 12: messages by key or by unique key; in the order in which they were stored, as RocketMQ's. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/query/search.h"
#include "remoting/request.h"
#include "requests/questions.h"
#include "wire/headers.h"

struct querying {
  struct bl_message_search search;
  struct bl_ticket ticket;
};

static void on_found(struct bl_message_search *search) {
  struct querying *querying = BL_CONTAINER(search, struct querying, search);
  bl_question_end(search->broker, BL_QUESTION_SEARCH);
  struct bl_query_message_reply_header header = {.index_offset = search->newest_offset,
                                                 .index_ms = search->newest_ms};
  struct bl_slice bodies[BL_MESSAGE_SEARCH_MAX];
  uint32_t count = search->found_count;
  /* RocketMQ: where the index ends. After a start that is known with the next message. */
  int64_t offset, store_ms;
  if (count > 0 && bl_keys_newest(search->broker->keys, &offset, &store_ms)) {
    header.index_offset = offset;
    header.index_ms = store_ms;
  }
  struct bl_reply reply = {.table = &bl_query_message_reply_table, .header = &header};
  for (uint32_t i = 0; i < count; i++) bodies[i] = search->found[count - 1 - i];
  reply.body = bodies;
  reply.body_count = count;
  if (search->err != BL_OK) {
    bool busy = search->err == BL_ERR_BUSY;
    reply.code = bl_err_code(busy ? BL_ERR_BUSY : BL_ERR_SYSTEM);
    reply.remark = busy ? BL_SLICE(
                              "a part of the key index was damaged and is made again from the "
                              "log now; try again in a moment")
                        : bl_slice_text(bl_err_text(search->err));
  } else if (count == 0) {
    reply.code = bl_err_code(BL_ERR_NOT_FOUND);
    reply.remark = BL_SLICE("can not find message, maybe time range not correct");
  }
  bl_ticket_reply(search->broker->remoting, &querying->ticket, &reply);
  bl_message_search_fini(search);
  free(querying);
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_query_message_header *header = call->header;
  struct bl_broker *broker = call->server;
  int32_t max = bl_slice_is(header->unique_key, "true") ? broker->settings->max_query_count
                                                        : header->max_count;
  if (bl_slice_is(header->index_type, "T")) {
    return bl_call_fail(call, BL_ERR_SYSTEM,
                        "messages are not indexed by tag; a pull with a tag filter finds them");
  }
  struct bl_why why;
  if (!bl_question_begin(broker, BL_QUESTION_SEARCH, &why))
    return bl_call_fail(call, BL_ERR_BUSY, "%s", why.text);
  struct querying *querying = calloc(1, sizeof(*querying));
  BL_ASSERT(querying != NULL);
  querying->ticket = bl_call_ticket(call);
  bl_message_search_start(&querying->search, broker, header->topic, header->key, header->begin_ms,
                          header->end_ms, max, on_found);
  return BL_PARKED;
}

const struct bl_request bl_request_query_message = {
    .code = 12,
    .name = "QUERY_MESSAGE",
    .roles = BL_ROLE_BROKER,
    .header = &bl_query_message_table,
    .handle = handle,
};
