/* 960001, ours: messages that wait, in order of due time, some at a time; or how many are due when.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "broker/broker.h"
#include "broker/delay/operate.h"
#include "remoting/request.h"
#include "wire/headers.h"
#include "wire/msgid.h"

/* The end of a job makes a turn; this is for the case that it never comes. */
#define WAIT_MS 100

struct listing {
  struct bl_delay_list list;
  struct bl_json_writer w;
};

static void put_text(struct bl_json_writer *w, const char *name, struct bl_slice text) {
  if (text.len > 0) bl_json_member_text(w, name, text);
}

static void on_row(void *context, const struct bl_delay_row *row) {
  struct bl_json_writer *w = context;
  char id[BL_MSGID_TEXT_MAX];
  size_t id_len = bl_msgid_text(&row->store_host, row->log_offset, id);
  bl_json_open_object(w);
  bl_json_member_i64(w, "dueTime", row->due_ms);
  bl_json_member_i64(w, "storeTime", row->store_ms);
  bl_json_member_i64(w, "logOffset", row->log_offset);
  bl_json_member_text(w, "offsetMsgId", bl_slice_of(id, id_len));
  put_text(w, "topic", row->topic);
  bl_json_member_i64(w, "queueId", row->queue_id);
  put_text(w, "uniqKey", row->uniq_key);
  put_text(w, "keys", row->keys);
  put_text(w, "tags", row->tags);
  bl_json_member_i64(w, "bodyBytes", row->body_bytes);
  bl_json_member_bool(w, "recall", row->is_recall);
  bl_json_close_object(w);
}

static void on_bucket(void *context, int64_t start_ms, int64_t count) {
  struct bl_json_writer *w = context;
  bl_json_open_object(w);
  bl_json_member_i64(w, "from", start_ms);
  bl_json_member_i64(w, "count", count);
  bl_json_close_object(w);
}

static struct listing *start(struct bl_call *call) {
  const struct bl_list_timers_header *header = call->header;
  struct listing *listing = calloc(1, sizeof(*listing));
  BL_ASSERT(listing != NULL);
  struct bl_delay_list *list = &listing->list;
  list->broker = call->server;
  list->bucket_ms = header->bucket_ms > 0 ? header->bucket_ms : 0;
  list->ask.after = (struct bl_pending_place){INT64_MIN, -1};
  list->ask.until_ms = INT64_MAX;
  if (BL_HAS(header, list_timers, after_due_ms)) {
    int64_t offset = BL_HAS(header, list_timers, after_offset) ? header->after_offset : INT64_MAX;
    list->ask.after = (struct bl_pending_place){header->after_due_ms, offset};
  }
  if (BL_HAS(header, list_timers, until_due_ms)) list->ask.until_ms = header->until_due_ms;
  list->on_row = on_row;
  list->on_bucket = on_bucket;
  list->context = &listing->w;
  listing->w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&listing->w);
  bl_json_key(&listing->w, list->bucket_ms > 0 ? "counts" : "messages");
  bl_json_open_array(&listing->w);
  return listing;
}

static enum bl_outcome end(struct bl_call *call, struct listing *listing) {
  struct bl_delay_list *list = &listing->list;
  struct bl_json_writer *w = &listing->w;
  bl_err err = list->err;
  bl_json_close_array(w);
  bl_json_member_i64(w, "afterDue", list->ask.after.due_ms);
  bl_json_member_i64(w, "afterOffset", list->ask.after.log_offset);
  bl_json_member_bool(w, "end", list->end);
  bl_json_close_object(w);
  bl_delay_list_fini(list);
  free(listing);
  call->progress = NULL;
  if (call->conn == NULL) return BL_DONE;
  if (err == BL_OK) return bl_call_ok_body(call);
  return bl_call_fail(call, err == BL_ERR_BUSY ? BL_ERR_BUSY : BL_ERR_SYSTEM,
                      "a file of the times of delayed messages is damaged (%s) and is made again "
                      "from the log; try again in a moment",
                      bl_err_text(err));
}

static enum bl_outcome handle(struct bl_call *call) {
  if (call->progress == NULL) call->progress = start(call);
  struct listing *listing = call->progress;
  const struct bl_list_timers_header *header = call->header;
  /* Both are somewhere else from the second step on. */
  listing->w.out = call->body;
  listing->list.topic = header->topic.len > 0 ? header->topic : (struct bl_slice){NULL, 0};
  if (call->conn == NULL && bl_delay_list_may_free(&listing->list)) return end(call, listing);
  enum bl_delay_operation step = bl_delay_list_step(&listing->list);
  if (step == BL_DELAY_ENDED) return end(call, listing);
  if (step == BL_DELAY_WAITS) call->again_ms = WAIT_MS;
  return BL_AGAIN;
}

const struct bl_request bl_request_list_timers = {
    .code = 960001,
    .name = "BOLIDE_LIST_TIMERS",
    .roles = BL_ROLE_BROKER,
    .header = &bl_list_timers_table,
    .handle = handle,
};
