#include <inttypes.h>

#include "base/log.h"
#include "store/queues/queues_internal.h"
#include "wire/properties.h"

static struct bl_log_limit refused_limit = {.per_second = 1};

/* Source: MessageStoreConfig.messageDelayLevel, the default. */
static const int32_t delay_level_seconds[] = {
    1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200,
};
#define DELAY_LEVEL_MAX (int64_t)(sizeof(delay_level_seconds) / sizeof(delay_level_seconds[0]))

/* Source: DefaultMessageStore.CommitLogDispatcherBuildConsumeQueue. */
static bool has_entry(const struct bl_record *record) {
  int32_t type = record->sys_flag & BL_SYS_TRANSACTION_MASK;
  return type != BL_SYS_PREPARED && type != BL_SYS_ROLLBACK;
}

/* Source: CommitLog.setBatchSizeIfNeeded, BatchConsumeQueue. */
static uint32_t count_of(const struct bl_record *record) {
  if ((record->sys_flag & BL_SYS_INNER_BATCH) == 0) return 1;
  int32_t count;
  struct bl_slice text = bl_properties_get(record->properties, BL_SLICE("INNER_NUM"));
  if (text.ptr == NULL || !bl_slice_i32(text, &count) || count < 1 || count > INT16_MAX) return 1;
  return (uint32_t)count;
}

/* In the topic of delayed messages the code is the time of delivery. Source: CommitLog.
 * checkMessageAndReturnSize, DefaultMessageStore.computeDeliverTimestamp. */
static int64_t code_of(const struct bl_record *record) {
  if (record->topic.len == 19 && bl_slice_is(record->topic, "SCHEDULE_TOPIC_XXXX")) {
    int64_t level;
    struct bl_slice text = bl_properties_get(record->properties, BL_PROP_DELAY);
    if (text.ptr != NULL && bl_slice_i64(text, &level) && level > 0) {
      if (level > DELAY_LEVEL_MAX) level = DELAY_LEVEL_MAX;
      return record->store_ms + delay_level_seconds[level - 1] * 1000ll;
    }
  }
  return bl_record_tags_code(record);
}

/* The offset is not the next one. RETURNS with the tail such that the record's unit can be pushed.
 */
static void skip_or_restart(struct bl_queue *queue, int64_t offset) {
  bl_queue__drop_below_floor(queue, false);
  if (offset < queue->next) {
    /* Created again by a broker that begins at 0; what was before is of another life. */
    bl_queue__drop_all(queue);
    queue->assigned = offset;
  } else if (queue->tail_count > 0) {
    int64_t gap = offset - queue->next;
    int64_t span = queue->next - queue->tail_base;
    if (gap <= BL_QUEUE_HOLE_SPAN_MAX && gap + span <= BL_QUEUE_HOLE_SPAN_MAX) {
      struct bl_queue_unit hole = {
          .log_offset = queue->tail[queue->tail_count - 1].log_offset,
          .end = (uint32_t)(gap + span),
      };
      bl_queue__push(queue, hole);
      return;
    }
    /* Neither on the disk nor in one tail: the newer part counts. */
    if (!bl_queue__spill_above(queue, 0)) bl_queue__drop_all(queue);
  }
  if (queue->min == queue->next) queue->min = offset;
  queue->tail_base = offset;
}

void bl_queues__on_record(struct bl_follower *follower, const struct bl_record *record) {
  struct bl_queues *queues = (struct bl_queues *)follower;
  if (!has_entry(record)) return;
  uint32_t count = count_of(record);
  struct bl_queue *queue;
  if (record->queue_offset < 0 || record->queue_offset > INT64_MAX - UINT32_MAX ||
      bl_queues_open_queue(queues, record->topic, record->queue_id, &queue) != BL_OK) {
    queues->refused++;
    bl_log_limited(&refused_limit, BL_LOG_ERROR, "store", "queues.record.refused",
                   "log_offset=%" PRId64 " queue_id=%" PRId32 " queue_offset=%" PRId64
                   " queues=%zu",
                   record->log_offset, record->queue_id, record->queue_offset, queues->count);
    return;
  }
  if (record->log_offset <= queue->last_log) return;
  if (record->queue_offset != queue->next) skip_or_restart(queue, record->queue_offset);
  struct bl_queue_entry entry = {
      .queue_offset = record->queue_offset,
      .log_offset = record->log_offset,
      .size_bytes = record->size_bytes,
      .count = count,
      .tags_code = code_of(record),
  };
  queue->next = record->queue_offset + count;
  if (queue->assigned < queue->next) queue->assigned = queue->next;
  queue->last_log = record->log_offset;
  struct bl_queue_unit unit = {
      .log_offset = entry.log_offset,
      .tags_code = entry.tags_code,
      .size_bytes = entry.size_bytes,
      .end = (uint32_t)(queue->next - queue->tail_base),
  };
  bl_queue__push(queue, unit);
  if (queues->on_entry != NULL) queues->on_entry(queues->on_entry_context, queue, &entry, record);
}
