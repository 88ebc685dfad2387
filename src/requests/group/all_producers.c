/* 328: every producer group with its clients. Some clients a turn.
 * Source: apache/rocketmq ProducerManager#getProducerTable, ProducerTableInfo. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/json_parts.h"

struct progress {
  struct bl_json_writer w;
  size_t cursor;
  struct bl_slice group; /* HELD; being written; absent: the next is to be found */
  uint32_t position;
};

static struct progress *start(struct bl_call *call) {
  struct progress *progress = calloc(1, sizeof(*progress));
  BL_ASSERT(progress != NULL);
  call->progress = progress;
  progress->w = bl_json_writer_of(call->body, false);
  bl_json_open_object(&progress->w);
  bl_json_key(&progress->w, "data");
  bl_json_open_object(&progress->w);
  return progress;
}

/* false: there is none any more. */
static bool next_group(struct progress *progress, const struct bl_broker *broker) {
  const struct bl_map_entry *entry = bl_map_next(&broker->members.producers, &progress->cursor);
  if (entry == NULL) return false;
  progress->group = bl_table_own(entry->key);
  progress->position = 0;
  bl_json_key_slice(&progress->w, progress->group);
  bl_json_open_array(&progress->w);
  return true;
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_broker *broker = call->server;
  struct progress *progress = call->progress != NULL ? call->progress : start(call);
  progress->w.out = call->body;
  if (progress->group.ptr == NULL && !next_group(progress, broker)) {
    bl_json_close_object(&progress->w);
    bl_json_close_object(&progress->w);
    free(progress);
    call->progress = NULL;
    return bl_call_ok_body(call);
  }
  const struct bl_member_group *group = bl_members_producers(broker, progress->group);
  if (group != NULL && bl_json_put_producers(&progress->w, group, &progress->position))
    return BL_AGAIN;
  bl_json_close_array(&progress->w);
  bl_table_disown(progress->group);
  progress->group = (struct bl_slice){NULL, 0};
  return BL_AGAIN;
}

const struct bl_request bl_request_all_producers = {
    .code = 328,
    .name = "GET_ALL_PRODUCER_INFO",
    .roles = BL_ROLE_BROKER,
    .handle = handle,
};
