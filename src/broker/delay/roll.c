/* Messages that wait longer than the file that they are in: appended again, so that the file can go
 * (RocketMQ: roll). Levels become timers, which keep their time. */
#include <inttypes.h>

#include "base/log.h"
#include "broker/delay/delay_internal.h"
#include "broker/send/put.h"
#include "store/timers/look.h"
#include "wire/properties.h"

static struct bl_log_limit lost_limit = {.per_second = 1};

static bool is_made_anew(struct bl_slice name) {
  return bl_slice_is(name, BL_PENDING_MARK) || bl_slice_is(name, BL_PENDING_DUE) ||
         bl_slice_is(name, BL_RECORD_CRC_PROPERTY) || bl_slice_eq(name, BL_PROP_DELAY) ||
         bl_slice_is(name, "TIMER_OUT_MS") || bl_slice_is(name, "TIMER_ROLL_TIMES");
}

static void make_properties(struct bl_delay *delay, const struct bl_pending_entry *entry,
                            const struct bl_record *stored) {
  struct bl_buf *out = &delay->properties;
  struct bl_slice rest = stored->properties;
  struct bl_slice name;
  struct bl_slice value;
  int64_t times = 0;
  int64_t out_ms = (entry->due_ms - 1) / BL_PENDING_SLOT_MS * BL_PENDING_SLOT_MS;
  bl_buf_clear(out);
  bl_pending_put_mark(out, entry);
  while (bl_properties_next(&rest, &name, &value)) {
    if (bl_slice_is(name, "TIMER_ROLL_TIMES")) (void)bl_slice_i64(value, &times);
    if (bl_slice_is(name, "TIMER_OUT_MS")) (void)bl_slice_i64(value, &out_ms);
    if (!is_made_anew(name)) bl_properties_put(out, name, value);
  }
  bl_properties_put_i64(out, BL_SLICE("TIMER_OUT_MS"), out_ms);
  bl_properties_put_i64(out, BL_SLICE("TIMER_ROLL_TIMES"), times + 1);
  if (entry->kind == BL_PENDING_MESSAGE)
    bl_properties_put_i64(out, BL_SLICE(BL_PENDING_DUE), entry->due_ms);
}

static bl_err append(struct bl_delay *delay, const struct bl_pending_entry *entry,
                     const struct bl_record *stored, int64_t *out_offset) {
  struct bl_why why;
  struct bl_record record = {.flag = stored->flag,
                             .sys_flag = stored->sys_flag,
                             .reconsume_times = stored->reconsume_times,
                             .born_ms = stored->born_ms,
                             .born_host = stored->born_host,
                             .store_host = delay->broker->store_host,
                             .topic = BL_SLICE(BL_PENDING_TIMER_TOPIC),
                             .prepared_offset = stored->prepared_offset,
                             .body = stored->body};
  make_properties(delay, entry, stored);
  bl_err err = bl_broker_put(delay->broker, &record, &delay->properties, NULL, &why);
  if (err == BL_OK) bl_delay__note_append(delay, &record);
  *out_offset = record.log_offset;
  return err;
}

static void lose(struct bl_delay *delay, const char *why) {
  const struct bl_pending_entry *entry = &delay->rolling;
  delay->stats.lost++;
  bl_log_limited(&lost_limit, BL_LOG_ERROR, "broker", "delay.lost",
                 "log_offset=%" PRId64 " due_ms=%" PRId64 " why=\"%s\"", entry->log_offset,
                 entry->due_ms, why);
  bl_pending_rolled(delay->pending, -1);
}

static void end(struct bl_delay *delay) {
  bl_pending_body_free(delay->pending, delay->rolling.body);
  delay->rolling.body = NULL;
}

enum bl_delay_step bl_delay__roll_next(struct bl_delay *delay) {
  struct bl_pending_entry *entry = &delay->rolling;
  struct bl_record stored;
  int64_t offset;
  if (entry->body == NULL && !bl_pending_take_roll(delay->pending, entry))
    return BL_DELAY_STEP_IDLE;
  if (bl_delay__is_behind(delay)) return BL_DELAY_STEP_BLOCKED;
  if (entry->body == NULL) bl_delay__fetch(delay, entry);
  if (entry->body == NULL || entry->body->reading) return BL_DELAY_STEP_BLOCKED;
  if (entry->body->failed) {
    end(delay);
    bl_pending_not_rolled(delay->pending);
    return BL_DELAY_STEP_DONE;
  }
  bl_err err = BL_ERR_FORMAT;
  if (!entry->body->unreadable) {
    err = bl_record_decode(bl_slice_of(entry->body->bytes, entry->body->len), BL_RECORD_UNCHECKED,
                           &stored);
  }
  if (err != BL_OK || !bl_pending_is_of(delay->pending, entry, &stored)) {
    lose(delay, "its record cannot be read");
    end(delay);
    return BL_DELAY_STEP_DONE;
  }
  if (bl_pending_leaves(delay->pending, entry)) {
    bl_pending_rolled(delay->pending, -1);
    end(delay);
    return BL_DELAY_STEP_DONE;
  }
  err = append(delay, entry, &stored, &offset);
  if (err == BL_ERR_MESSAGE_ILLEGAL) {
    lose(delay, "its properties are too long to be stored again");
    end(delay);
    return BL_DELAY_STEP_DONE;
  }
  if (err != BL_OK) {
    bl_delay__wait(delay, err);
    return BL_DELAY_STEP_BLOCKED;
  }
  end(delay);
  delay->stats.rolled++;
  bl_pending_rolled(delay->pending, offset);
  return BL_DELAY_STEP_DONE;
}

void bl_delay_make_room(struct bl_delay *delay, int64_t end_offset) {
  if (delay == NULL || bl_pending_needs(delay->pending) >= end_offset) return;
  bl_pending_roll(delay->pending, end_offset);
}
