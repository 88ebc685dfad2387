/* A message whose time has come: appended to the topic and queue that it is for. */
#include <inttypes.h>

#include "base/assert.h"
#include "base/log.h"
#include "broker/delay/delay_internal.h"
#include "broker/send/put.h"
#include "store/timers/look.h"
#include "wire/properties.h"

#define RETRY_MS 1000
#define BUSY_MS 1
/* A message that alone cannot be delivered is tried again after that. */
#define PARK_MS 5000
/* A record that the disk does not give for so long counts as lost. */
#define UNREADABLE_MS 3600000
#define RECALL_UNREADABLE_MS 10000

static struct bl_log_limit lost_limit = {.per_second = 1};
static struct bl_log_limit blocked_limit = {.per_second = 1};

/* What RocketMQ leaves: all that was stored (DELAY, REAL_TOPIC, REAL_QID, TIMER_OUT_MS among it),
 * and for a timer when it was queued and taken. */
static void make_properties(struct bl_delay *delay, const struct bl_pending_entry *entry,
                            const struct bl_record *stored, int64_t now_ms) {
  struct bl_buf *out = &delay->properties;
  struct bl_slice rest = stored->properties;
  struct bl_slice name;
  struct bl_slice value;
  bl_buf_clear(out);
  bl_pending_put_mark(out, entry);
  while (bl_properties_next(&rest, &name, &value)) {
    if (!bl_put_is_of_one_record(name)) bl_properties_put(out, name, value);
  }
  if (!bl_slice_is(stored->topic, BL_PENDING_TIMER_TOPIC)) return;
  bl_properties_put_i64(out, BL_SLICE("TIMER_ENQUEUE_MS"), stored->store_ms);
  bl_properties_put_i64(out, BL_SLICE("TIMER_DEQUEUE_MS"), now_ms);
}

/* The message as it will be, from its record. A topic that was deleted meanwhile gets its message,
 * too, as with RocketMQ: whoever makes it again finds it. BL_ERR_FORMAT: it names no topic or queue
 * that it could be for. */
static bl_err make_record(struct bl_delay *delay, const struct bl_record *stored,
                          struct bl_record *out_record) {
  struct bl_slice topic = bl_properties_get(stored->properties, BL_PROP_REAL_TOPIC);
  struct bl_slice queue = bl_properties_get(stored->properties, BL_PROP_REAL_QUEUE);
  *out_record = (struct bl_record){.flag = stored->flag,
                                   .sys_flag = stored->sys_flag,
                                   .reconsume_times = stored->reconsume_times,
                                   .born_ms = stored->born_ms,
                                   .born_host = stored->born_host,
                                   .store_host = delay->broker->store_host,
                                   .topic = topic,
                                   .prepared_offset = stored->prepared_offset, /* of a commit */
                                   .body = stored->body};
  bool good = topic.len > 0 && topic.len <= BL_TOPIC_SPECIAL_BYTES_MAX &&
              !bl_topic_is_send_forbidden(topic) && bl_slice_i32(queue, &out_record->queue_id) &&
              out_record->queue_id >= 0 && !delay->properties.failed;
  return good ? BL_OK : BL_ERR_FORMAT;
}

void bl_delay__wait(struct bl_delay *delay, bl_err err) {
  int64_t wait_ms = err == BL_ERR_BUSY ? BUSY_MS : RETRY_MS;
  delay->retry_ms = bl_clock_mono_ms(delay->broker->clock) + wait_ms;
  delay->stats.blocked++;
  if (err != BL_ERR_BUSY) {
    bl_log_limited(&blocked_limit, BL_LOG_WARN, "broker", "delay.blocked",
                   "error=%s going_on=\"delayed messages wait\"", bl_err_name(err));
  }
}

bool bl_delay__is_behind(struct bl_delay *delay) {
  if (bl_store_marks(delay->broker->store).visible >= delay->behind_end) delay->behind_bytes = 0;
  return delay->behind_bytes > BL_DELAY_BEHIND_BYTES_MAX;
}

void bl_delay__note_append(struct bl_delay *delay, const struct bl_record *record) {
  delay->behind_bytes += record->size_bytes;
  delay->behind_end = record->log_offset + record->size_bytes;
}

/* The top waits, and nobody for it. */
static enum bl_delay_step put_off(struct bl_delay *delay, bl_err err) {
  const struct bl_pending_entry *entry = bl_pending_top(delay->pending);
  bl_log_limited(&blocked_limit, BL_LOG_WARN, "broker", "delay.put_off",
                 "log_offset=%" PRId64 " error=%s again_ms=%d", entry->log_offset, bl_err_name(err),
                 PARK_MS);
  delay->stats.blocked++;
  if (bl_pending_park(delay->pending, bl_clock_mono_ms(delay->broker->clock) + PARK_MS))
    return BL_DELAY_STEP_DONE;
  bl_delay__wait(delay, err);
  return BL_DELAY_STEP_BLOCKED;
}

static bool concerns_all(bl_err err) {
  return err == BL_ERR_BUSY || err == BL_ERR_NO_SPACE || err == BL_ERR_NOT_AVAILABLE;
}

static enum bl_delay_step lose(struct bl_delay *delay, const char *why, struct bl_slice topic) {
  struct bl_pending_entry entry;
  bl_pending_pop(delay->pending, &entry);
  delay->stats.lost++;
  bl_log_limited(&lost_limit, BL_LOG_ERROR, "broker", "delay.lost",
                 "log_offset=%" PRId64 " due_ms=%" PRId64 " why=\"%s\"", entry.log_offset,
                 entry.due_ms, why);
  bl_pending_drop(delay->pending, &entry, topic);
  bl_pending_body_free(delay->pending, entry.body);
  return BL_DELAY_STEP_DONE;
}

/* Source: TimerMessageStore#buildDeleteKey. */
static uint64_t key_of(const struct bl_record *stored, struct bl_slice topic) {
  char text[512];
  struct bl_slice key = bl_properties_get(stored->properties, BL_PROP_UNIQ_KEY);
  if (key.len == 0 || topic.len + 1 + key.len > sizeof(text)) return 0;
  memcpy(text, topic.ptr, topic.len);
  text[topic.len] = '+';
  memcpy(text + topic.len + 1, key.ptr, key.len);
  return bl_pending_key_hash(bl_slice_of(text, topic.len + 1 + key.len));
}

static enum bl_delay_step cancel(struct bl_delay *delay, const struct bl_record *stored) {
  struct bl_pending_entry entry;
  struct bl_slice key = bl_properties_get(stored->properties, BL_SLICE("TIMER_DEL_UNIQKEY"));
  uint64_t hash = bl_pending_key_hash(key);
  bl_pending_pop(delay->pending, &entry);
  bl_pending_arm(delay->pending, &entry, hash);
  bl_pending_body_free(delay->pending, entry.body);
  return BL_DELAY_STEP_DONE;
}

static enum bl_delay_step drop_cancelled(struct bl_delay *delay, struct bl_slice topic) {
  struct bl_pending_entry entry;
  bl_pending_pop(delay->pending, &entry);
  bl_pending_drop(delay->pending, &entry, topic);
  bl_pending_body_free(delay->pending, entry.body);
  delay->stats.cancelled++;
  return BL_DELAY_STEP_DONE;
}

static enum bl_delay_step deliver(struct bl_delay *delay, const struct bl_pending_entry *entry,
                                  const struct bl_record *stored, int64_t now_ms) {
  struct bl_record record;
  struct bl_pending_entry popped;
  struct bl_slice topic = bl_properties_get(stored->properties, BL_PROP_REAL_TOPIC);
  make_properties(delay, entry, stored, now_ms);
  if (make_record(delay, stored, &record) != BL_OK)
    return lose(delay, "it names no topic and queue that it may go to", topic);
  struct bl_why why;
  bl_err err = bl_broker_put(delay->broker, &record, &delay->properties, NULL, &why);
  if (err == BL_ERR_MESSAGE_ILLEGAL) return lose(delay, "it or its properties are too long", topic);
  if (err != BL_OK && !concerns_all(err)) return put_off(delay, err);
  if (err != BL_OK) {
    bl_delay__wait(delay, err);
    return BL_DELAY_STEP_BLOCKED;
  }
  bl_delay__note_append(delay, &record);
  bl_histogram_record(&delay->stats.late_us, (now_ms - entry->due_ms) * 1000);
  delay->stats.delivered++;
  bl_pending_pop(delay->pending, &popped);
  bl_pending_in_flight(delay->pending, &popped, record.log_offset);
  bl_pending_body_free(delay->pending, popped.body);
  return BL_DELAY_STEP_DONE;
}

/* An operator's record takes it away; it is counted when that is seen. */
static enum bl_delay_step drop_claimed(struct bl_delay *delay) {
  struct bl_pending_entry entry;
  bl_pending_pop(delay->pending, &entry);
  bl_pending_body_free(delay->pending, entry.body);
  return BL_DELAY_STEP_DONE;
}

/* What a recall takes back is not known without its record: all wait for it, but not for long. */
static enum bl_delay_step not_given(struct bl_delay *delay, struct bl_pending_entry *entry,
                                    int64_t now_ms) {
  bool recall = entry->kind == BL_PENDING_CANCEL;
  int64_t from_ms = entry->due_ms > delay->started_ms ? entry->due_ms : delay->started_ms;
  if (now_ms - from_ms > (recall ? RECALL_UNREADABLE_MS : UNREADABLE_MS))
    return lose(delay, "the disk does not give its record", (struct bl_slice){NULL, 0});
  if (!recall) return put_off(delay, BL_ERR_IO);
  bl_pending_body_free(delay->pending, entry->body);
  entry->body = NULL;
  bl_delay__wait(delay, BL_ERR_IO);
  return BL_DELAY_STEP_BLOCKED;
}

enum bl_delay_step bl_delay__deliver_next(struct bl_delay *delay, int64_t now_ms) {
  struct bl_pending_entry *entry = bl_pending_top(delay->pending);
  if (entry == NULL || entry->due_ms > now_ms) return BL_DELAY_STEP_IDLE;
  if (bl_delay__is_behind(delay)) return BL_DELAY_STEP_BLOCKED;
  if (entry->body == NULL) bl_delay__fetch(delay, entry);
  if (entry->body == NULL || entry->body->reading) {
    delay->stats.blocked++;
    return BL_DELAY_STEP_BLOCKED;
  }
  if (bl_pending_leaves(delay->pending, entry)) return drop_claimed(delay);
  struct bl_record stored;
  struct bl_slice none = {NULL, 0};
  if (entry->body->failed) return not_given(delay, entry, now_ms);
  if (entry->body->unreadable) return lose(delay, "its record cannot be read", none);
  bl_err err = bl_record_decode(bl_slice_of(entry->body->bytes, entry->body->len),
                                BL_RECORD_UNCHECKED, &stored);
  if (err != BL_OK || !bl_pending_is_of(delay->pending, entry, &stored))
    return lose(delay, "its record is another one", none);
  if (entry->kind == BL_PENDING_CANCEL) return cancel(delay, &stored);
  struct bl_slice topic = bl_properties_get(stored.properties, BL_PROP_REAL_TOPIC);
  if (bl_pending_any_armed(delay->pending) &&
      bl_pending_is_cancelled(delay->pending, key_of(&stored, topic), entry->due_ms))
    return drop_cancelled(delay, topic);
  return deliver(delay, entry, &stored, now_ms);
}
