#include "broker/ttl/mover.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/send/light.h"
#include "broker/send/put.h"
#include "broker/ttl/ttl.h"
#include "wire/properties.h"

#define TURN_NS 100000
#define RETRY_MS 1000
#define BUSY_MS 2
#define GROUPS_MS 1000
#define ROWS_PER_TURN 512
/* The wall clock may be set; then the time is another. */
#define SLEEP_MS_MAX 60000

static struct bl_log_limit lost_limit = {.per_second = 1};
static struct bl_log_limit blocked_limit = {.per_second = 1};

enum step { STEP_DONE, STEP_WAIT };

bool bl_mover_moves(void *context, struct bl_slice topic) {
  const struct bl_topic *of = bl_topics_find(&((struct bl_broker *)context)->topics, topic);
  return of != NULL && of->features.ttl_topic.len > 0;
}

static void on_timer(struct bl_timer *timer, int64_t now_ms) {
  (void)timer; /* the turn that follows looks */
  (void)now_ms;
}

void bl_mover_init(struct bl_broker *broker) {
  struct bl_mover *mover = &broker->mover;
  struct bl_store_stats stats;
  bl_store_stats(broker->store, &stats);
  mover->broker = broker;
  mover->timer.fire = on_timer;
  mover->warm_offset = -1;
  bl_sure_clock_init(&mover->clock, bl_clock_wall_ms(broker->clock),
                     bl_clock_mono_ms(broker->clock));
  bl_buf_init(&mover->groups.names, 0);
  bl_buf_init(&mover->properties, BL_RECORD_PROPERTIES_BYTES_MAX - BL_RECORD_CRC_BYTES - 1);
}

void bl_mover_fini(struct bl_broker *broker) {
  struct bl_mover *mover = &broker->mover;
  bl_timer_cancel(broker->timers, &mover->timer);
  bl_buf_fini(&mover->groups.names);
  bl_buf_fini(&mover->properties);
}

static enum step wait_ms(struct bl_mover *mover, int64_t ms) {
  int64_t now_ms = bl_clock_mono_ms(mover->broker->clock);
  mover->retry_ms = now_ms + ms;
  bl_timer_set(mover->broker->timers, &mover->timer, mover->retry_ms);
  return STEP_WAIT;
}

static enum step lose(struct bl_mover *mover, int64_t log_offset, bl_err err) {
  mover->lost++;
  bl_log_limited(&lost_limit, BL_LOG_WARN, "broker", "ttl.lost",
                 "log_offset=%" PRId64 " error=%s going_on=\"it expired and is not moved\"",
                 log_offset, bl_err_name(err));
  bl_expiry_drop_first(mover->broker->expiry);
  return STEP_DONE;
}

/* BL_ERR_COLD: it is being read. */
static bl_err read_record(struct bl_mover *mover, int64_t log_offset,
                          struct bl_record *out_record) {
  struct bl_broker *broker = mover->broker;
  struct bl_cold_place cold;
  struct bl_slice bytes;
  bl_err err =
      bl_query_record(broker, log_offset, bl_broker_arena(broker), out_record, &bytes, &cold);
  if (err != BL_ERR_COLD) return err;
  if (mover->warm_offset == log_offset && mover->warm.err != BL_OK) return mover->warm.err;
  mover->warm_offset = log_offset;
  bl_query_warm_start(broker, &mover->warm, &cold);
  return BL_ERR_COLD;
}

/* Some rows of the offsets. RETURNS whether the groups of the topic are known. */
static bool look_up_groups(struct bl_mover *mover, struct bl_slice topic) {
  struct bl_mover_groups *groups = &mover->groups;
  int64_t now_ms = bl_clock_mono_ms(mover->broker->clock);
  bool same = bl_slice_eq(bl_slice_of(groups->topic, groups->topic_len), topic);
  if (same && groups->complete && now_ms < groups->until_ms) return true;
  if (!same || groups->complete) {
    BL_ASSERT(topic.len <= sizeof(groups->topic));
    memcpy(groups->topic, topic.ptr, topic.len);
    groups->topic_len = topic.len;
    groups->cursor = 0;
    groups->complete = false;
    groups->until_ms = now_ms + GROUPS_MS;
    bl_buf_clear(&groups->names);
  }
  for (int i = 0; i < ROWS_PER_TURN; i++) {
    const struct bl_map_entry *entry =
        bl_map_next(&mover->broker->offsets.table.map, &groups->cursor);
    if (entry == NULL) {
      groups->complete = true;
      return true;
    }
    const struct bl_offset_row *row = entry->value;
    if (!bl_slice_eq(row->topic, topic) || !bl_offset_row_is_committed(row)) continue;
    bl_buf_put_slice(&groups->names, row->group);
    bl_buf_put_char(&groups->names, '\0');
  }
  return false;
}

/* Whether there are groups, and each is past the message. */
static bool is_consumed(const struct bl_mover *mover, const struct bl_record *record) {
  const struct bl_offsets *offsets = &mover->broker->offsets;
  struct bl_slice rest = bl_buf_slice(&mover->groups.names);
  if (rest.len == 0) return false;
  while (rest.len > 0) {
    struct bl_slice group = bl_slice_cut(&rest, '\0');
    if (bl_offsets_committed(offsets, record->topic, group, record->queue_id) <=
        record->queue_offset)
      return false;
  }
  return true;
}

static bl_err open_target(struct bl_broker *broker, const struct bl_topic *from,
                          struct bl_topic **out_topic) {
  int64_t end;
  *out_topic = bl_topics_find(&broker->topics, from->features.ttl_topic);
  if (*out_topic != NULL) return BL_OK;
  int32_t queues = from->write_queues > 0 ? from->write_queues : 1;
  struct bl_topic_change change = {.name = from->features.ttl_topic,
                                   .read_queues = queues,
                                   .write_queues = queues,
                                   .perm = BL_PERM_READ | BL_PERM_WRITE};
  return bl_broker_put_topic(broker, &change, out_topic, &end);
}

static bool is_left_out(struct bl_slice name) {
  return bl_slice_eq(name, BL_PROP_EXPIRES_AT) || bl_slice_eq(name, BL_PROP_TTL_MS) ||
         bl_slice_is(name, BL_EXPIRY_MARK) || bl_slice_eq(name, BL_PROP_LIGHT_NAMES) ||
         bl_put_is_of_one_record(name);
}

static void make_properties(struct bl_mover *mover, const struct bl_record *record) {
  struct bl_buf *out = &mover->properties;
  struct bl_slice rest = record->properties;
  struct bl_slice name;
  struct bl_slice value;
  bl_buf_clear(out);
  while (bl_properties_next(&rest, &name, &value)) {
    if (!is_left_out(name)) bl_properties_put(out, name, value);
  }
  bl_buf_printf(out, "%s\1%.*s@%d@%" PRId64 "@%" PRId64 "\2", BL_EXPIRY_MARK, BL_FMT(record->topic),
                record->queue_id, record->queue_offset, record->log_offset);
}

/* A copy in the other topic, in the queue of the same number where there is one. */
static enum step move(struct bl_mover *mover, const struct bl_topic *from,
                      const struct bl_record *record) {
  struct bl_broker *broker = mover->broker;
  struct bl_topic *to = NULL;
  struct bl_why why = {{0}};
  bl_err err = open_target(broker, from, &to);
  if (err == BL_OK) {
    int32_t queues = to->write_queues > 0 ? to->write_queues : 1;
    struct bl_record copy = {.topic = to->name,
                             .queue_id = record->queue_id % queues,
                             .flag = record->flag,
                             .sys_flag = record->sys_flag & ~BL_SYS_TRANSACTION_MASK,
                             .reconsume_times = record->reconsume_times,
                             .born_ms = record->born_ms,
                             .born_host = record->born_host,
                             .store_host = broker->store_host,
                             .prepared_offset = record->log_offset + 1,
                             .body = record->body};
    make_properties(mover, record);
    err = bl_broker_put(broker, &copy, &mover->properties, NULL, &why);
  }
  if (err == BL_ERR_MESSAGE_ILLEGAL) return lose(mover, record->log_offset, err);
  if (err == BL_ERR_BUSY) return wait_ms(mover, BUSY_MS);
  if (err != BL_OK) {
    bl_log_limited(&blocked_limit, BL_LOG_WARN, "broker", "ttl.blocked",
                   "error=%s going_on=\"expired messages wait to be moved\"", bl_err_name(err));
    return wait_ms(mover, RETRY_MS);
  }
  mover->moved++;
  bl_expiry_moved_first(broker->expiry);
  return STEP_DONE;
}

static enum step take_one(struct bl_mover *mover, const struct bl_expiry_entry *entry) {
  struct bl_broker *broker = mover->broker;
  struct bl_record record;
  bl_err err = read_record(mover, entry->log_offset, &record);
  if (err == BL_ERR_COLD) return STEP_WAIT;
  if (err != BL_OK) return lose(mover, entry->log_offset, err);
  const struct bl_topic *from = bl_topics_find(&broker->topics, record.topic);
  const struct bl_queue *queue = bl_queues_find(broker->queues, record.topic, record.queue_id);
  bool wanted = from != NULL && from->features.ttl_topic.len > 0 && queue != NULL &&
                record.queue_offset >= bl_queue_min_offset(queue) &&
                (record.sys_flag & BL_SYS_INNER_BATCH) == 0;
  if (!wanted) {
    bl_expiry_drop_first(broker->expiry);
    return STEP_DONE;
  }
  if (!look_up_groups(mover, record.topic)) return wait_ms(mover, 0);
  if (!is_consumed(mover, &record)) return move(mover, from, &record);
  mover->consumed++;
  bl_expiry_drop_first(broker->expiry);
  return STEP_DONE;
}

bool bl_mover_turn(struct bl_broker *broker) {
  struct bl_mover *mover = &broker->mover;
  struct bl_expiry_entry entry;
  if (mover->warm.under_way || broker->closing || broker->store_stopped) return false;
  if (!bl_expiry_first(broker->expiry, &entry)) return false;
  int64_t mono_ms = bl_clock_mono_ms(broker->clock);
  if (mono_ms < mover->retry_ms) return false;
  int64_t now_ms = bl_sure_clock_now(&mover->clock, bl_clock_wall_ms(broker->clock), mono_ms,
                                     broker->settings->clock_confirm_ms);
  int64_t until_ns = bl_clock_mono_ns(broker->clock) + TURN_NS;
  int64_t moved = mover->moved;
  do {
    if (entry.expires_ms > now_ms) {
      int64_t left_ms = entry.expires_ms - now_ms;
      int64_t at_ms = mono_ms + (left_ms < SLEEP_MS_MAX ? left_ms : SLEEP_MS_MAX);
      if (mover->timer.place == 0 || mover->timer.deadline_ms != at_ms)
        bl_timer_set(broker->timers, &mover->timer, at_ms);
      break;
    }
    if (take_one(mover, &entry) == STEP_WAIT) break;
    if (!bl_expiry_first(broker->expiry, &entry)) break;
    if (bl_clock_mono_ns(broker->clock) >= until_ns) return true;
  } while (true);
  return mover->moved > moved; /* their records are to be written */
}
