/* 300: groups that subscribe to a topic now, and those that have offsets in it. Some entries a
 * turn. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "wire/headers.h"

#define SEEN_PER_STEP 512

struct progress {
  struct bl_json_writer w;
  size_t cursor;
  bool online_done;
};

static bool is_online(const struct bl_broker *broker, struct bl_slice group,
                      struct bl_slice topic) {
  const struct bl_member_group *members = bl_members_consumers(broker, group);
  return members != NULL && bl_member_group_subscription(members, topic) != NULL;
}

/* false: all were seen. */
static bool step(const struct bl_broker *broker, struct progress *progress, struct bl_slice topic) {
  for (int seen = 0; seen < SEEN_PER_STEP; seen++) {
    const struct bl_map *map =
        progress->online_done ? &broker->offsets.table.map : &broker->members.consumers;
    const struct bl_map_entry *entry = bl_map_next(map, &progress->cursor);
    if (entry == NULL && progress->online_done) return false;
    if (entry == NULL) {
      progress->online_done = true;
      progress->cursor = 0;
    } else if (!progress->online_done) {
      if (is_online(broker, entry->key, topic)) bl_json_put_text(&progress->w, entry->key);
    } else {
      const struct bl_offset_row *row = entry->value;
      if (!bl_slice_eq(row->topic, topic) || !bl_offset_row_is_committed(row) ||
          is_online(broker, row->group, topic))
        continue;
      bl_json_put_text(&progress->w, row->group);
    }
  }
  return true;
}

static enum bl_outcome handle(struct bl_call *call) {
  const struct bl_topic_name_header *header = call->header;
  struct progress *progress = call->progress;
  if (progress == NULL) {
    progress = calloc(1, sizeof(*progress));
    BL_ASSERT(progress != NULL);
    call->progress = progress;
    progress->w = bl_json_writer_of(call->body, false);
    bl_json_open_object(&progress->w);
    bl_json_key(&progress->w, "groupList");
    bl_json_open_array(&progress->w);
  }
  progress->w.out = call->body;
  if (step(call->server, progress, header->topic)) return BL_AGAIN;
  bl_json_close_array(&progress->w);
  bl_json_close_object(&progress->w);
  free(progress);
  call->progress = NULL;
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_groups_of_topic = {
    .code = 300,
    .name = "QUERY_TOPIC_CONSUME_BY_WHO",
    .roles = BL_ROLE_BROKER,
    .header = &bl_topic_name_table,
    .handle = handle,
};
