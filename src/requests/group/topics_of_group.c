/* 343: topics in which a group has offsets. Some rows a turn. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "wire/headers.h"

#define ROWS_PER_STEP 512

struct progress {
  struct bl_json_writer w;
  size_t cursor;
};

static struct progress *start(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  struct progress *progress = calloc(1, sizeof(*progress));
  BL_ASSERT(progress != NULL);
  progress->w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&progress->w);
  bl_json_member_text(&progress->w, "brokerAddr", bl_slice_text(broker->address));
  bl_json_key(&progress->w, "topicList");
  bl_json_open_array(&progress->w);
  return progress;
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  const struct bl_group_short_header *header = call->header;
  if (call->progress == NULL) call->progress = start(call);
  struct progress *progress = call->progress;
  progress->w.out = call->body;
  for (int i = 0; i < ROWS_PER_STEP; i++) {
    const struct bl_map_entry *entry = bl_map_next(&broker->offsets.table.map, &progress->cursor);
    if (entry == NULL) {
      bl_json_close_array(&progress->w);
      bl_json_close_object(&progress->w);
      free(progress);
      call->progress = NULL;
      return bl_call_ok_body(call);
    }
    const struct bl_offset_row *row = entry->value;
    if (bl_slice_eq(row->group, header->group) && bl_offset_row_is_committed(row))
      bl_json_put_text(&progress->w, row->topic);
  }
  return BL_AGAIN;
}

const struct bl_request bl_request_topics_of_group = {
    .code = 343,
    .name = "QUERY_TOPICS_BY_CONSUMER",
    .roles = BL_ROLE_BROKER,
    .header = &bl_group_short_table,
    .handle = handle,
};
