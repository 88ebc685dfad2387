/* Consumer offsets: where each group is in each queue. Thread: core.
 * JSON: apache/rocketmq ConsumerOffsetManager; key topic@group; reference protocol.md 4.9. */
#ifndef BOLIDE_BROKER_OFFSET_OFFSETS_H
#define BOLIDE_BROKER_OFFSET_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "broker/runtime/series.h"
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
  int64_t *reset;     /* where the next pull is sent to; NULL: no reset is pending */
  int32_t resets;     /* that are pending in this row */
  int32_t queue_slots;
  struct bl_totals got;        /* pulls that found some, and what they found */
  struct bl_series *series;    /* HELD; NULL: nobody pulled lately */
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
  int64_t light_rows; /* made since start: of light queues, or groups named like them */
  int64_t resets;     /* pending ones of all rows: the first thing that a pull looks at */
};

void bl_offsets_init(struct bl_offsets *offsets, const struct bl_clock *clock);
void bl_offsets_fini(struct bl_offsets *offsets);

/* NULL when there is none. */
struct bl_offset_row *bl_offsets_find(const struct bl_offsets *offsets, struct bl_slice topic,
                                      struct bl_slice group);
/* false: the row only knows what was pulled. */
bool bl_offset_row_is_committed(const struct bl_offset_row *row);
/* {0:12,1:3}. value: struct bl_offset_row. */
void bl_offset_row_write(struct bl_json_writer *w, const void *value);
/* BL_OFFSET_NONE when there is none. */
int64_t bl_offsets_committed(const struct bl_offsets *offsets, struct bl_slice topic,
                             struct bl_slice group, int32_t queue_id);
int64_t bl_offsets_pulled(const struct bl_offsets *offsets, struct bl_slice topic,
                          struct bl_slice group, int32_t queue_id);
/* An equal commit changes nothing; a negative offset takes the committed one away.
 * BL_ERR_PARAMETER: impossible queue id or names; BL_ERR_FULL: slots_max. */
BL_MUST_CHECK bl_err bl_offsets_commit(struct bl_offsets *offsets, struct bl_slice topic,
                                       struct bl_slice group, int32_t queue_id, int64_t offset);
/* For statistics: over slots_max it is not kept. RETURNS the row, or NULL then. */
struct bl_offset_row *bl_offsets_note_pull(struct bl_offsets *offsets, struct bl_slice topic,
                                           struct bl_slice group, int32_t queue_id,
                                           int64_t next_offset);
/* An administrator's reset: commits the offset, which nobody changes until the group's next pull of
 * the queue takes the reset and is sent there (ConsumerOffsetManager#assignResetOffset). Pending
 * resets are not kept over a restart; the commit is. Errors as commit, and BL_ERR_PARAMETER for a
 * negative offset. */
BL_MUST_CHECK bl_err bl_offsets_reset(struct bl_offsets *offsets, struct bl_slice topic,
                                      struct bl_slice group, int32_t queue_id, int64_t offset);
/* The pending reset, or BL_OFFSET_NONE. */
int64_t bl_offsets_pending_reset(const struct bl_offsets *offsets, struct bl_slice topic,
                                 struct bl_slice group, int32_t queue_id);
/* The same, and it is pending no more. */
int64_t bl_offsets_take_reset(struct bl_offsets *offsets, struct bl_slice topic,
                              struct bl_slice group, int32_t queue_id);
/* The committed offsets of `from` become those of `to` in the topic; queues in which `from` has
 * none have none then. BL_ERR_FULL: nothing changed. An unknown `from` changes nothing
 * (ConsumerOffsetManager#cloneOffset). */
BL_MUST_CHECK bl_err bl_offsets_clone(struct bl_offsets *offsets, struct bl_slice topic,
                                      struct bl_slice from, struct bl_slice to);
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
