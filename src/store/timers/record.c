#include "base/buf.h"
#include "store/timers/pending_internal.h"
#include "wire/properties.h"

#define MARK_BYTES (sizeof(BL_PENDING_MARK) - 1)

static bool number_of(struct bl_slice properties, const char *name, int64_t *out_value) {
  struct bl_slice text = bl_properties_get(properties, bl_slice_text(name));
  return text.ptr != NULL && bl_slice_i64(text, out_value);
}

bool bl_pending__is_message(const struct bl_record *record) {
  if (record->topic.len != sizeof(BL_PENDING_TIMER_TOPIC) - 1) return false;
  return bl_slice_is(record->topic, BL_PENDING_TIMER_TOPIC) ||
         bl_slice_is(record->topic, BL_PENDING_LEVEL_TOPIC);
}

struct bl_slice bl_pending__real_topic(const struct bl_record *record) {
  return bl_properties_get(record->properties, BL_PROP_REAL_TOPIC);
}

/* TIMER_OUT_MS is early by less than a slot, so that Java is not late; the time that was asked for
 * is only there when it was asked for as such. */
static int64_t timer_due(struct bl_slice properties, int64_t out_ms) {
  int64_t asked_ms;
  bool relative = bl_properties_get(properties, BL_PROP_TIMER_DELAY_SEC).ptr != NULL ||
                  bl_properties_get(properties, BL_PROP_TIMER_DELAY_MS).ptr != NULL;
  int64_t latest_ms =
      out_ms < INT64_MAX - BL_PENDING_SLOT_MS ? out_ms + BL_PENDING_SLOT_MS : out_ms;
  if (!relative && number_of(properties, "TIMER_DELIVER_MS", &asked_ms) && asked_ms >= out_ms &&
      asked_ms <= latest_ms) {
    return asked_ms;
  }
  return latest_ms;
}

/* Source: ScheduleMessageService#computeDeliverTimestamp. */
static int64_t level_due(const struct bl_pending *pending, const struct bl_record *record) {
  int64_t delay_ms = 1000;
  if (record->queue_id >= 0 && record->queue_id < pending->level_count)
    delay_ms = pending->levels_ms[record->queue_id];
  return record->store_ms + delay_ms;
}

bool bl_pending_read(const struct bl_pending *pending, const struct bl_record *record,
                     struct bl_pending_entry *out_entry) {
  int64_t out_ms = 0;
  int32_t transaction = record->sys_flag & BL_SYS_TRANSACTION_MASK;
  if (!bl_pending__is_message(record)) return false;
  if (transaction == BL_SYS_PREPARED || transaction == BL_SYS_ROLLBACK) return false;
  if (bl_pending__real_topic(record).len == 0) return false;
  struct bl_slice properties = record->properties;
  *out_entry = (struct bl_pending_entry){.log_offset = record->log_offset,
                                         .size_bytes = record->size_bytes,
                                         .kind = BL_PENDING_MESSAGE};
  bool is_timer = bl_slice_is(record->topic, BL_PENDING_TIMER_TOPIC);
  if (is_timer && bl_pending_is_order(properties)) return false; /* its mark did it */
  if (is_timer && !number_of(properties, "TIMER_OUT_MS", &out_ms)) return false;
  if (is_timer && bl_properties_get(properties, BL_SLICE("TIMER_DEL_UNIQKEY")).len > 0) {
    out_entry->kind = BL_PENDING_CANCEL;
    out_entry->due_ms = out_ms;
    return true;
  }
  if (number_of(properties, BL_PENDING_DUE, &out_entry->due_ms)) return true;
  out_entry->due_ms = is_timer ? timer_due(properties, out_ms) : level_due(pending, record);
  return true;
}

bool bl_pending_is_of(const struct bl_pending *pending, const struct bl_pending_entry *entry,
                      const struct bl_record *record) {
  struct bl_pending_entry again;
  return record->log_offset == entry->log_offset && bl_pending_read(pending, record, &again) &&
         again.kind == entry->kind;
}

bool bl_pending_marked(struct bl_slice properties, int64_t *out_log_offset, int64_t *out_due_ms) {
  struct bl_slice name;
  struct bl_slice value;
  if (properties.len <= MARK_BYTES || properties.ptr[0] != BL_PENDING_MARK[0] ||
      memcmp(properties.ptr, BL_PENDING_MARK "\1", MARK_BYTES + 1) != 0)
    return false;
  if (!bl_properties_next(&properties, &name, &value)) return false;
  struct bl_slice offset = bl_slice_cut(&value, ',');
  return value.ptr != NULL && bl_slice_i64(offset, out_log_offset) &&
         bl_slice_i64(value, out_due_ms);
}

bool bl_pending_is_order(struct bl_slice properties) {
  int64_t log_offset;
  int64_t due_ms;
  return bl_pending_marked(properties, &log_offset, &due_ms) &&
         bl_properties_get(properties, BL_SLICE(BL_PENDING_ORDER)).ptr != NULL;
}

void bl_pending_put_mark(struct bl_buf *out, const struct bl_pending_entry *entry) {
  bl_buf_put(out, BL_PENDING_MARK "\1", MARK_BYTES + 1);
  bl_buf_put_i64_text(out, entry->log_offset);
  bl_buf_put_char(out, ',');
  bl_buf_put_i64_text(out, entry->due_ms);
  bl_buf_put_char(out, '\2');
}
