/* What a redrive asks brokers: bounds (30, 31), what was committed (14), a place by time (29),
 * messages (11), commits (15), and the group that keeps the progress (200). */
#include "client/redrive_internal.h"
#include "wire/headers.h"

#define REQUEST_PULL_MESSAGE 11
#define REQUEST_QUERY_CONSUMER_OFFSET 14
#define REQUEST_UPDATE_CONSUMER_OFFSET 15
#define REQUEST_SEARCH_OFFSET 29
#define REQUEST_GET_MAX_OFFSET 30
#define REQUEST_GET_MIN_OFFSET 31
#define REQUEST_PUT_GROUP 200

#define CODE_PULL_NOT_FOUND 19
#define CODE_PULL_MOVED 21
#define CODE_NOT_FOUND 22
#define CODE_NO_GROUP 26

#define FLAG_SUBSCRIPTION 4 /* apache/rocketmq PullSysFlag: the request says what is subscribed */
#define TOOLS_GROUP "TOOLS_CONSUMER"
#define PULL_COUNT 1024
#define PULL_BYTES 1048576
#define TRIES_MAX 4
#define RETRY_MS 1000

static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response);

static void ask(struct bl_redrive *redrive, int32_t code, const struct bl_header_table *table,
                const void *header, struct bl_slice body) {
  struct bl_client *client = redrive->client;
  struct bl_outgoing outgoing = {.code = code, .table = table, .header = header, .body = body};
  struct bl_slice address = bl_client__address(client, bl_redrive__queue(redrive)->broker_name, 0);
  redrive->call.done = on_answer;
  bl_err err = BL_ERR_CLOSED;
  if (address.ptr != NULL) {
    err = bl_remoting_call_address(client->remoting, address, &outgoing, BL_CLIENT_CALL_MS,
                                   &redrive->call);
  }
  if (err != BL_OK) on_answer(&redrive->call, err, NULL);
}

void bl_redrive__ask(struct bl_redrive *redrive) {
  const struct bl_redrive_settings *settings = &redrive->settings;
  struct bl_redrive_queue *queue = bl_redrive__queue(redrive);
  struct bl_slice none = {NULL, 0};
  if (redrive->step == BL_REDRIVE_MIN) {
    struct bl_get_min_offset_header header = {.queue_id = queue->id, .topic = redrive->topic};
    ask(redrive, REQUEST_GET_MIN_OFFSET, &bl_get_min_offset_table, &header, none);
  } else if (redrive->step == BL_REDRIVE_MAX) {
    struct bl_get_max_offset_header header = {.queue_id = queue->id, .topic = redrive->topic};
    ask(redrive, REQUEST_GET_MAX_OFFSET, &bl_get_max_offset_table, &header, none);
  } else if (redrive->step == BL_REDRIVE_COMMITTED) {
    struct bl_query_consumer_offset_header header = {
        .group = redrive->group, .queue_id = queue->id, .topic = redrive->topic};
    BL_SET(&header, query_consumer_offset, set_zero, false);
    ask(redrive, REQUEST_QUERY_CONSUMER_OFFSET, &bl_query_consumer_offset_table, &header, none);
  } else if (redrive->step == BL_REDRIVE_FROM) {
    struct bl_search_offset_header header = {
        .queue_id = queue->id, .topic = redrive->topic, .timestamp_ms = settings->filter.from_ms};
    ask(redrive, REQUEST_SEARCH_OFFSET, &bl_search_offset_table, &header, none);
  } else if (redrive->step == BL_REDRIVE_PULL) {
    struct bl_pull_message_header header = {
        .group = settings->dry_run ? BL_SLICE(TOOLS_GROUP) : redrive->group,
        .topic = redrive->topic,
        .queue_id = queue->id,
        .queue_offset = queue->next_offset,
        .max_count = PULL_COUNT,
        .sys_flag = FLAG_SUBSCRIPTION};
    BL_SET(&header, pull_message, subscription, BL_SLICE("*"));
    BL_SET(&header, pull_message, expression_type, BL_SLICE("TAG"));
    BL_SET(&header, pull_message, max_bytes, PULL_BYTES);
    ask(redrive, REQUEST_PULL_MESSAGE, &bl_pull_message_table, &header, none);
  } else if (redrive->step == BL_REDRIVE_COMMIT) {
    struct bl_update_consumer_offset_header header = {.commit_offset = queue->done_offset,
                                                      .group = redrive->group,
                                                      .queue_id = queue->id,
                                                      .topic = redrive->topic};
    ask(redrive, REQUEST_UPDATE_CONSUMER_OFFSET, &bl_update_consumer_offset_table, &header, none);
  } else {
    struct bl_slice body = bl_arena_printf(
        &redrive->arena, "{\"groupName\":\"%.*s\",\"retryQueueNums\":1}", BL_FMT(redrive->group));
    ask(redrive, REQUEST_PUT_GROUP, NULL, NULL, body);
  }
}

static bl_err read_offset(const struct bl_command *response, int64_t *out_offset) {
  struct bl_offset_reply_header header;
  bl_err err = bl_header_decode(&bl_offset_reply_table, response, &header, NULL);
  if (err == BL_OK && header.offset < 0) err = BL_ERR_FORMAT;
  if (err == BL_OK) *out_offset = header.offset;
  return err;
}

/* The queue's bounds are known; the next queue, or the messages of the first. */
static void bounds_known(struct bl_redrive *redrive) {
  struct bl_redrive_queue *queue = bl_redrive__queue(redrive);
  queue->done_offset = queue->next_offset;
  if (queue->next_offset < queue->end_offset)
    redrive->counts.total += (uint64_t)(queue->end_offset - queue->next_offset);
  redrive->step = BL_REDRIVE_MIN;
  if (++redrive->at < redrive->queue_count) return;
  redrive->at = 0;
  redrive->counts.ready = true;
  redrive->step = BL_REDRIVE_PULL;
}

static bl_err on_bound(struct bl_redrive *redrive, const struct bl_command *response) {
  struct bl_redrive_queue *queue = bl_redrive__queue(redrive);
  int64_t offset;
  bool none = redrive->step == BL_REDRIVE_COMMITTED && response->code == CODE_NOT_FOUND;
  bl_err err = none ? BL_OK : read_offset(response, &offset);
  if (err != BL_OK) return err;
  switch (redrive->step) {
    case BL_REDRIVE_MIN:
      queue->next_offset = offset;
      redrive->step = BL_REDRIVE_MAX;
      return BL_OK;
    case BL_REDRIVE_MAX:
      queue->end_offset = offset;
      redrive->step = BL_REDRIVE_COMMITTED;
      return BL_OK;
    case BL_REDRIVE_COMMITTED:
      if (!none) queue->committed_offset = offset;
      /* Beyond the end: of another life of the topic, whose offsets began again. */
      if (!none && !redrive->settings.again && offset > queue->next_offset &&
          offset <= queue->end_offset)
        queue->next_offset = offset;
      redrive->step = BL_REDRIVE_FROM;
      if (redrive->settings.filter.from_ms == 0) bounds_known(redrive);
      return BL_OK;
    default:
      if (offset > queue->next_offset) queue->next_offset = offset;
      bounds_known(redrive);
      return BL_OK;
  }
}

static bl_err on_pulled(struct bl_redrive *redrive, const struct bl_command *response) {
  struct bl_pull_reply_header header;
  struct bl_redrive_queue *queue = bl_redrive__queue(redrive);
  bl_err err = bl_header_decode(&bl_pull_reply_table, response, &header, NULL);
  if (err != BL_OK) return err;
  int64_t next = header.next_offset;
  /* Nothing from here on, or the front of the queue went meanwhile. */
  if (response->code != 0 && next <= queue->next_offset) next = queue->end_offset;
  bl_redrive__take(redrive, response->code == 0 ? response->body : (struct bl_slice){NULL, 0},
                   next);
  return BL_OK;
}

static bl_err take_answer(struct bl_redrive *redrive, const struct bl_command *response) {
  struct bl_redrive_queue *queue = bl_redrive__queue(redrive);
  switch (redrive->step) {
    case BL_REDRIVE_PULL: return on_pulled(redrive, response);
    case BL_REDRIVE_COMMIT:
      queue->committed_offset = queue->done_offset;
      redrive->step = BL_REDRIVE_PULL;
      return BL_OK;
    case BL_REDRIVE_CREATE_GROUP:
      redrive->group_created = true;
      redrive->step = redrive->after_create;
      return BL_OK;
    default: return on_bound(redrive, response);
  }
}

static bool is_expected(const struct bl_redrive *redrive, int32_t code) {
  if (code == 0) return true;
  if (redrive->step == BL_REDRIVE_PULL)
    return code >= CODE_PULL_NOT_FOUND && code <= CODE_PULL_MOVED;
  return redrive->step == BL_REDRIVE_COMMITTED && code == CODE_NOT_FOUND;
}

static void refused(struct bl_redrive *redrive, const struct bl_command *response) {
  struct bl_slice remark = bl_client__first_line(response->remark);
  bool keeping = redrive->step >= BL_REDRIVE_COMMIT;
  if (response->code == CODE_NO_GROUP && !redrive->group_created &&
      redrive->step != BL_REDRIVE_CREATE_GROUP) {
    redrive->after_create = redrive->step;
    redrive->step = BL_REDRIVE_CREATE_GROUP;
    bl_redrive__step(redrive);
    return;
  }
  bl_why_set(&redrive->why, BL_ERR_SYSTEM,
             keeping ? "broker %.*s did not keep how far it is, code %d: %.*s; the last messages "
                       "will be sent again by a repetition"
                     : "broker %.*s refused to read the dead letters with code %d: %.*s",
             BL_FMT(bl_redrive__queue(redrive)->broker_name), response->code, BL_FMT(remark));
  bl_redrive__end(redrive, BL_REDRIVE_UNREACHABLE);
}

static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct bl_redrive *redrive = BL_CONTAINER(call, struct bl_redrive, call);
  if (err == BL_OK && !is_expected(redrive, response->code)) {
    refused(redrive, response);
    return;
  }
  if (err == BL_OK) err = take_answer(redrive, response);
  if (err == BL_OK) {
    redrive->tries = 0;
    bl_redrive__step(redrive);
    return;
  }
  if (++redrive->tries < TRIES_MAX) {
    bl_timer_set(redrive->client->timers, &redrive->timer,
                 bl_clock_mono_ms(redrive->client->clock) + RETRY_MS);
    return;
  }
  bl_why_set(&redrive->why, err, "broker %.*s does not answer (%s); run it again when it does",
             BL_FMT(bl_redrive__queue(redrive)->broker_name), bl_err_text(err));
  bl_redrive__end(redrive, BL_REDRIVE_UNREACHABLE);
}
