#include "requests/offset/search_answer.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "wire/headers.h"

struct searching {
  struct bl_time_search search;
  struct bl_ticket ticket;
};

static void on_found(struct bl_time_search *search) {
  struct searching *searching = BL_CONTAINER(search, struct searching, search);
  struct bl_offset_reply_header offset = {.offset = search->offset};
  struct bl_timestamp_reply_header time = {.timestamp_ms = search->store_ms};
  struct bl_reply reply = {.code = bl_err_code(search->err)};
  if (search->err != BL_OK) {
    reply.remark = bl_slice_text(bl_err_text(search->err));
    bl_ticket_reply(search->broker->remoting, &searching->ticket, &reply);
    free(searching);
    return;
  }
  reply.table = search->first_only ? &bl_timestamp_reply_table : &bl_offset_reply_table;
  reply.header = search->first_only ? (const void *)&time : (const void *)&offset;
  bl_ticket_reply(search->broker->remoting, &searching->ticket, &reply);
  free(searching);
}

enum bl_outcome bl_search_and_answer(struct bl_call *call, const struct bl_time_search *like) {
  struct searching *searching = calloc(1, sizeof(*searching));
  BL_ASSERT(searching != NULL);
  searching->search = *like;
  searching->search.broker = call->server;
  searching->search.done = on_found;
  searching->ticket = bl_call_ticket(call);
  bl_time_search_start(&searching->search);
  return BL_PARKED;
}
