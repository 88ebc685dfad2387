/* 33: the record at an offset of the log. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "broker/query/read.h"
#include "remoting/request.h"
#include "requests/questions.h"
#include "wire/headers.h"

struct viewing {
  struct bl_record_fetch fetch;
  struct bl_ticket ticket;
};

static void on_fetched(struct bl_record_fetch *fetch) {
  struct viewing *viewing = BL_CONTAINER(fetch, struct viewing, fetch);
  bl_question_end(fetch->broker, 1);
  struct bl_reply reply = {.code = 0, .body = &fetch->bytes, .body_count = 1};
  if (fetch->err != BL_OK) {
    reply = (struct bl_reply){
        .code = bl_err_code(BL_ERR_SYSTEM),
        .remark = bl_arena_printf(&fetch->arena, "can not find message by the offset, %lld",
                                  (long long)fetch->log_offset)};
  }
  bl_ticket_reply(fetch->broker->remoting, &viewing->ticket, &reply);
  bl_record_fetch_fini(fetch);
  free(viewing);
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_view_message_header *header = call->header;
  struct bl_why why;
  if (!bl_question_begin(call->server, 1, &why))
    return bl_call_fail(call, BL_ERR_BUSY, "%s", why.text);
  struct viewing *viewing = calloc(1, sizeof(*viewing));
  BL_ASSERT(viewing != NULL);
  viewing->ticket = bl_call_ticket(call);
  bl_record_fetch_start(&viewing->fetch, call->server, header->offset, on_fetched);
  return BL_PARKED;
}

const struct bl_request bl_request_view_message = {
    .code = 33,
    .name = "VIEW_MESSAGE_BY_ID",
    .roles = BL_ROLE_BROKER,
    .header = &bl_view_message_table,
    .handle = handle,
};
