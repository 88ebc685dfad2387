/* Changes of metadata: the table at once, a record in the log, somebody waits for the record. */
#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "broker/broker.h"

/* More than a record of metadata takes (a group has three texts of 64 KiB), and less than the
 * smallest log takes in one record: room is asked for before anything changes. */
#define PUT_ROOM_BYTES (224 << 10)
/* Two records with a name each. */
#define DELETE_ROOM_BYTES (8 << 10)
#define OFFSETS_BYTES_MAX 65536
/* The files in config/ follow soon, for a broker of another kind that may be started next: offsets,
 * which are logged within a second, within five (RocketMQ: flushConsumerOffsetInterval), the rest
 * at once. */
#define JSON_SOON_MS 200
#define JSON_OFFSETS_MS 4000

/* The record of a change that was applied. RETURNS the log offset behind it. */
static int64_t log_change(struct bl_broker *broker, struct bl_slice table, struct bl_slice name,
                          bool is_delete, struct bl_slice json) {
  struct bl_record record;
  struct bl_queue *queue;
  bl_buf_clear(&broker->meta_scratch);
  memset(&record, 0, sizeof(record));
  bl_meta_record(&broker->meta_scratch, table, name, is_delete, json, &record);
  BL_ASSERT(!broker->meta_scratch.failed && !broker->meta_json.failed);
  BL_ASSERT(bl_queues_open_queue(broker->queues, BL_SLICE(BL_META_TOPIC), 0, &queue) == BL_OK);
  record.born_ms = bl_clock_wall_ms(broker->clock);
  record.born_host = broker->store_host;
  record.store_host = broker->store_host;
  record.queue_offset = bl_queue_assigned_offset(queue);
  /* bl_store_can_append_metadata said so before the table changed. */
  BL_ASSERT(bl_store_append_metadata(broker->store, &record) == BL_OK);
  bl_queue_assign_at(queue, 1, record.log_offset);
  bool commits = !is_delete && (bl_slice_is(table, "offset") || bl_slice_is(table, "lock"));
  bl_store_snapshot_soon(broker->store, bl_meta_follower(broker->meta),
                         commits ? JSON_OFFSETS_MS : JSON_SOON_MS);
  return record.log_offset + record.size_bytes;
}

static void tell_topics_changed(struct bl_broker *broker) {
  if (broker->on_topics_changed != NULL) broker->on_topics_changed(broker->topics_changed_context);
}

bl_err bl_broker_put_topic(struct bl_broker *broker, const struct bl_topic_change *change,
                           struct bl_topic **out_topic, int64_t *out_end) {
  bool changed;
  *out_end = 0;
  bl_err err = bl_store_can_append_metadata(broker->store, PUT_ROOM_BYTES);
  if (err == BL_OK) err = bl_topics_put(&broker->topics, change, out_topic, &changed);
  if (err != BL_OK || !changed) return err;
  bl_buf_clear(&broker->meta_json);
  struct bl_json_writer w = bl_json_writer_of(&broker->meta_json, false);
  bl_topic_write(&w, *out_topic);
  *out_end = log_change(broker, BL_SLICE("topic"), (*out_topic)->name, false,
                        bl_buf_slice(&broker->meta_json));
  tell_topics_changed(broker);
  return BL_OK;
}

/* What changed and was not logged yet goes with its rows: it cannot come back behind the deletion.
 */
static void forget_offsets(struct bl_broker *broker, struct bl_slice pattern) {
  if (bl_offsets_forget(&broker->offsets, pattern) == 0) return;
  log_change(broker, BL_SLICE("offset"), pattern, true, BL_SLICE(""));
}

bl_err bl_broker_delete_topic(struct bl_broker *broker, struct bl_slice name, int64_t *out_end) {
  if (bl_topics_find(&broker->topics, name) == NULL) return BL_ERR_NO_TOPIC;
  bl_err err = bl_store_can_append_metadata(broker->store, DELETE_ROOM_BYTES);
  if (err != BL_OK) return err;
  struct bl_arena arena;
  bl_arena_init(&arena);
  name = bl_arena_copy(&arena, name);
  forget_offsets(broker, bl_arena_printf(&arena, "%.*s@", BL_FMT(name)));
  bl_holds_wake_topic(broker, name);
  bl_topics_remove(&broker->topics, name);
  int64_t at = bl_store_marks(broker->store).appended;
  *out_end = log_change(broker, BL_SLICE("topic"), name, true, BL_SLICE(""));
  bl_queues_retire_topic(broker->queues, name, at);
  bl_arena_fini(&arena);
  tell_topics_changed(broker);
  return BL_OK;
}

bl_err bl_broker_put_group(struct bl_broker *broker, const struct bl_group *like,
                           struct bl_group **out_group, int64_t *out_end) {
  *out_end = 0;
  bl_err err = bl_store_can_append_metadata(broker->store, PUT_ROOM_BYTES);
  if (err == BL_OK) err = bl_groups_put(&broker->groups, like, out_group);
  if (err != BL_OK) return err;
  bl_buf_clear(&broker->meta_json);
  struct bl_json_writer w = bl_json_writer_of(&broker->meta_json, false);
  bl_group_write(&w, *out_group);
  *out_end = log_change(broker, BL_SLICE("group"), (*out_group)->name, false,
                        bl_buf_slice(&broker->meta_json));
  return BL_OK;
}

bl_err bl_broker_delete_group(struct bl_broker *broker, struct bl_slice name, bool clean_offsets,
                              int64_t *out_end) {
  *out_end = 0;
  bl_err err = bl_store_can_append_metadata(broker->store, DELETE_ROOM_BYTES);
  if (err != BL_OK) return err;
  struct bl_arena arena;
  bl_arena_init(&arena);
  name = bl_arena_copy(&arena, name);
  if (clean_offsets) forget_offsets(broker, bl_arena_printf(&arena, "@%.*s", BL_FMT(name)));
  if (bl_groups_remove(&broker->groups, name)) {
    *out_end = log_change(broker, BL_SLICE("group"), name, true, BL_SLICE(""));
  }
  bl_arena_fini(&arena);
  return BL_OK;
}

bl_err bl_broker_put_request_mode(struct bl_broker *broker, const struct bl_request_mode *mode,
                                  int64_t *out_end) {
  char name[2 * BL_TOPIC_SPECIAL_BYTES_MAX + 2];
  *out_end = 0;
  if (mode->topic.len > BL_TOPIC_SPECIAL_BYTES_MAX || mode->group.len > BL_TOPIC_SPECIAL_BYTES_MAX)
    return BL_ERR_PARAMETER;
  bl_err err = bl_store_can_append_metadata(broker->store, PUT_ROOM_BYTES);
  if (err == BL_OK) err = bl_request_modes_put(&broker->request_modes, mode);
  if (err != BL_OK) return err;
  int len = snprintf(name, sizeof(name), "%.*s@%.*s", BL_FMT(mode->topic), BL_FMT(mode->group));
  bl_buf_clear(&broker->meta_json);
  struct bl_json_writer w = bl_json_writer_of(&broker->meta_json, false);
  bl_request_mode_write(&w, mode);
  *out_end = log_change(broker, BL_SLICE("mode"), bl_slice_of(name, (size_t)len), false,
                        bl_buf_slice(&broker->meta_json));
  return BL_OK;
}

struct bl_group *bl_broker_group(struct bl_broker *broker, struct bl_slice name) {
  struct bl_group *group = bl_groups_find(&broker->groups, name);
  if (group != NULL) return group;
  if (!broker->settings->auto_create_group && !bl_group_is_system(name)) return NULL;
  struct bl_why why;
  if (bl_group_name_check(name, &why) != BL_OK) return NULL;
  struct bl_group like;
  int64_t end;
  bl_group_default(&like, name);
  return bl_broker_put_group(broker, &like, &group, &end) == BL_OK ? group : NULL;
}

/* TopicConfigManager#createTopicInSendMessageMethod. */
bl_err bl_broker_topic_for_send(struct bl_broker *broker, struct bl_slice name,
                                struct bl_slice default_topic, int32_t default_queues,
                                int32_t sys_flag, struct bl_topic **out_topic) {
  *out_topic = bl_topics_find(&broker->topics, name);
  if (*out_topic != NULL) return BL_OK;
  const struct bl_topic *like = bl_topics_find(&broker->topics, default_topic);
  int64_t end;
  /* Not from the room that is kept for administrators and commits. */
  bl_err err = bl_store_can_append(broker->store, PUT_ROOM_BYTES);
  if (err != BL_OK) return err;
  struct bl_topic_change change = {.name = name, .sys_flag = sys_flag};
  bool inherits = like != NULL && (like->perm & BL_PERM_INHERIT) != 0 &&
                  (broker->settings->auto_create_topic || !bl_slice_is(default_topic, "TBW102"));
  if (inherits) {
    int32_t queues = default_queues < like->write_queues ? default_queues : like->write_queues;
    if (queues < 0) queues = 0;
    change.read_queues = queues;
    change.write_queues = queues;
    change.perm = like->perm & ~BL_PERM_INHERIT;
    change.multi_tag = like->multi_tag;
  } else if (bl_topic_is_retry(name)) {
    change.read_queues = 1;
    change.write_queues = 1;
    change.perm = BL_PERM_READ | BL_PERM_WRITE;
  } else {
    return BL_ERR_NO_TOPIC;
  }
  err = bl_broker_put_topic(broker, &change, out_topic, &end);
  if (err != BL_OK) return err;
  bl_log(BL_LOG_INFO, "broker", "topic.created", "topic=%.*s queues=%d by=send", BL_FMT(name),
         change.write_queues);
  return BL_OK;
}

/* The topic `prefix``group`, made when missing:
 * TopicConfigManager#createTopicInSendMessageBackMethod. */
static bl_err open_group_topic(struct bl_broker *broker, struct bl_slice prefix,
                               struct bl_slice group, struct bl_topic_change *change,
                               struct bl_topic **out_topic) {
  char name[BL_TOPIC_SPECIAL_BYTES_MAX + 1];
  int64_t end;
  if (prefix.len + group.len > BL_TOPIC_SPECIAL_BYTES_MAX) return BL_ERR_PARAMETER;
  memcpy(name, prefix.ptr, prefix.len);
  memcpy(name + prefix.len, group.ptr, group.len);
  change->name = bl_slice_of(name, prefix.len + group.len);
  change->read_queues = change->write_queues;
  change->perm = BL_PERM_READ | BL_PERM_WRITE;
  *out_topic = bl_topics_find(&broker->topics, change->name);
  bl_err err = BL_OK;
  if (*out_topic == NULL) err = bl_broker_put_topic(broker, change, out_topic, &end);
  change->name = (struct bl_slice){NULL, 0}; /* it was this function's */
  return err;
}

struct bl_topic *bl_broker_retry_topic(struct bl_broker *broker, struct bl_slice group,
                                       int32_t queues, bool order, bool unit_mode) {
  /* TopicSysFlag: 2 subscribed by units. */
  struct bl_topic_change change = {
      .write_queues = queues, .order = order, .sys_flag = unit_mode ? 2 : 0};
  struct bl_topic *topic;
  return open_group_topic(broker, BL_RETRY_PREFIX, group, &change, &topic) == BL_OK ? topic : NULL;
}

bl_err bl_broker_dead_letter_topic(struct bl_broker *broker, struct bl_slice group,
                                   struct bl_topic **out_topic) {
  struct bl_topic_change change = {.write_queues = 1};
  return open_group_topic(broker, BL_DLQ_PREFIX, group, &change, out_topic);
}

void bl_broker_log_locks(struct bl_broker *broker, struct bl_slice group, struct bl_slice client_id,
                         bool given) {
  /* Who cannot be named in a record holds no lock, either. */
  if (bl_group_name_check(group, NULL) != BL_OK || client_id.len > BL_CLIENT_ID_BYTES_MAX) return;
  bl_buf_clear(&broker->meta_json);
  if (!bl_locks_write_changes(&broker->locks, client_id, given, &broker->meta_json)) return;
  if (bl_store_can_append_metadata(broker->store, PUT_ROOM_BYTES) != BL_OK) return;
  log_change(broker, BL_SLICE("lock"), group, false, bl_buf_slice(&broker->meta_json));
}

void bl_broker_log_offsets(struct bl_broker *broker) {
  while (!bl_list_empty(&broker->offsets.changed)) {
    if (bl_store_can_append_metadata(broker->store, PUT_ROOM_BYTES) != BL_OK) return;
    bl_buf_clear(&broker->meta_json);
    bl_offsets_take_changed(&broker->offsets, &broker->meta_json, OFFSETS_BYTES_MAX);
    log_change(broker, BL_SLICE("offset"), BL_SLICE("*"), false, bl_buf_slice(&broker->meta_json));
  }
}
