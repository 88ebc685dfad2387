/* Consumer offsets: where each group is in each queue. Thread: core.
 * JSON: apache/rocketmq ConsumerOffsetManager; key topic@group; reference protocol.md 4.9. */
#ifndef BOLIDE_BROKER_OFFSET_OFFSETS_H
#define BOLIDE_BROKER_OFFSET_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "broker/table.h"
#include "os/clock.h"

#define BL_OFFSET_NONE (-1)
/* Queue ids beyond the topic's queues are kept (a topic may have shrunk), up to here. */
#define BL_OFFSET_QUEUES_MAX 65536
/* Queues of all rows together, 16 bytes each. */
#define BL_OFFSET_SLOTS_MAX (32 << 20)

/* The offsets of one group in one topic. */
struct bl_offset_row {
  struct bl_slice key; /* HELD "topic@group" */
  struct bl_slice topic;
  struct bl_slice group;
  int64_t *committed; /* by queue id; BL_OFFSET_NONE */
  int64_t *pulled;    /* next offset of the last pull; not kept on disk */
  int32_t queue_slots;
  struct bl_list changed_node; /* in offsets->changed */
  int32_t changed_from; /* queue ids [from, to) that the log does not have yet, when it is in that
                           list */
  int32_t changed_to;
};

struct bl_offsets {
  struct bl_table table; /* key -> row */
  const struct bl_clock *clock;
  struct bl_list changed; /* rows that the log does not have yet */
  int64_t slots;
  int64_t slots_max;
};

void bl_offsets_init(struct bl_offsets *offsets, const struct bl_clock *clock);
void bl_offsets_fini(struct bl_offsets *offsets);

/* NULL when there is none. */
struct bl_offset_row *bl_offsets_find(const struct bl_offsets *offsets, struct bl_slice topic,
                                      struct bl_slice group);
/* false: the row only knows what was pulled. */
bool bl_offset_row_is_committed(const struct bl_offset_row *row);
/* BL_OFFSET_NONE when there is none. */
int64_t bl_offsets_committed(const struct bl_offsets *offsets, struct bl_slice topic,
                             struct bl_slice group, int32_t queue_id);
int64_t bl_offsets_pulled(const struct bl_offsets *offsets, struct bl_slice topic,
                          struct bl_slice group, int32_t queue_id);
/* An equal commit changes nothing; a negative offset takes the committed one away.
 * BL_ERR_PARAMETER: impossible queue id or names; BL_ERR_FULL: slots_max. */
BL_MUST_CHECK bl_err bl_offsets_commit(struct bl_offsets *offsets, struct bl_slice topic,
                                       struct bl_slice group, int32_t queue_id, int64_t offset);
/* For statistics: over slots_max it is not kept. */
void bl_offsets_note_pull(struct bl_offsets *offsets, struct bl_slice topic, struct bl_slice group,
                          int32_t queue_id, int64_t next_offset);
/* "topic@group", "topic@" every group of the topic, "@group" every topic of the group. RETURNS how
 * many rows went. */
size_t bl_offsets_forget(struct bl_offsets *offsets, struct bl_slice pattern);

/* Writes changed offsets as {"offsetTable":{...}} into `out` until it has about max_bytes (which a
 * row may be cut by), and forgets that they changed. false: nothing had changed. */
bool bl_offsets_take_changed(struct bl_offsets *offsets, struct bl_buf *out, size_t max_bytes);

/* Doors (bl_meta_table). context: struct bl_offsets. */
void bl_offsets_apply(void *context, struct bl_slice name, const struct bl_json *json,
                      int64_t log_offset);
bl_err bl_offsets_replace(void *context, const struct bl_json *root, struct bl_why *why);
bool bl_offsets_write_step(void *context, struct bl_buf *out, void **progress);

#endif
