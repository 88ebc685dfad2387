/* Where to begin in a queue: the group's offset (14), and when it has none (22) the place that was
 * asked for. Source: apache/rocketmq client RebalancePushImpl#computePullFromWhereWithException. */
#include "client/consumer_internal.h"
#include "wire/headers.h"

#define REQUEST_QUERY_CONSUMER_OFFSET 14
#define REQUEST_SEARCH_OFFSET 29
#define REQUEST_GET_MAX_OFFSET 30
#define REQUEST_GET_MIN_OFFSET 31
#define CODE_NOT_FOUND 22
#define RETRY_MS 1000

static void begin_at(struct bl_consumer_queue *queue, int64_t offset) {
  queue->next_offset = offset;
  queue->delivered_offset = offset;
  queue->done_offset = offset;
  queue->phase = BL_QUEUE_PULL;
  bl_queue__step(queue);
}

static void try_later(struct bl_consumer_queue *queue, bl_err err,
                      const struct bl_command *response) {
  struct bl_client *client = queue->topic->consumer->client;
  if (err != BL_OK) {
    bl_client__note(client, "lost broker %.*s (%s); trying again", BL_FMT(queue->broker_name),
                    bl_err_text(err));
  } else {
    struct bl_slice remark = bl_client__first_line(response->remark);
    bl_client__note(
        client, "broker %.*s did not say where '%.*s' starts, code %d: %.*s; trying again",
        BL_FMT(queue->broker_name), BL_FMT(queue->topic->name), response->code, BL_FMT(remark));
  }
  bl_queue__step_later(queue, RETRY_MS);
}

static bool read_offset(const struct bl_command *response, int64_t *out_offset) {
  struct bl_offset_reply_header header;
  if (bl_header_decode(&bl_offset_reply_table, response, &header, NULL) != BL_OK ||
      header.offset < 0) {
    return false;
  }
  *out_offset = header.offset;
  return true;
}

static void on_committed(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct bl_consumer_queue *queue = BL_CONTAINER(call, struct bl_consumer_queue, call);
  int64_t offset;
  if (err == BL_OK && response->code == CODE_NOT_FOUND) {
    queue->phase = BL_QUEUE_FROM;
    bl_queue__step(queue);
  } else if (err == BL_OK && response->code == 0 && read_offset(response, &offset)) {
    queue->committed_offset = offset;
    begin_at(queue, offset);
  } else {
    try_later(queue, err, response);
  }
}

static void on_from(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct bl_consumer_queue *queue = BL_CONTAINER(call, struct bl_consumer_queue, call);
  int64_t offset;
  if (err == BL_OK && response->code == 0 && read_offset(response, &offset)) {
    begin_at(queue, offset);
  } else {
    try_later(queue, err, response);
  }
}

static void ask(struct bl_consumer_queue *queue, const struct bl_outgoing *outgoing,
                void (*done)(struct bl_outcall *, bl_err, const struct bl_command *)) {
  struct bl_client *client = queue->topic->consumer->client;
  struct bl_slice address = bl_client__address(client, queue->broker_name, 0);
  queue->call.done = done;
  bl_err err = BL_ERR_CLOSED;
  if (address.ptr != NULL) {
    err = bl_remoting_call_address(client->remoting, address, outgoing, BL_CLIENT_CALL_MS,
                                   &queue->call);
  }
  if (err != BL_OK) try_later(queue, err, NULL);
}

void bl_queue__ask_committed(struct bl_consumer_queue *queue) {
  struct bl_query_consumer_offset_header header = {
      .group = queue->topic->consumer->group, .queue_id = queue->id, .topic = queue->topic->name};
  /* Not 0 for a young queue, which is the broker's choice otherwise: the start is ours to choose.
   */
  BL_SET(&header, query_consumer_offset, set_zero, false);
  struct bl_outgoing outgoing = {.code = REQUEST_QUERY_CONSUMER_OFFSET,
                                 .table = &bl_query_consumer_offset_table,
                                 .header = &header};
  ask(queue, &outgoing, on_committed);
}

void bl_queue__ask_from(struct bl_consumer_queue *queue) {
  const struct bl_consumer_settings *settings = &queue->topic->consumer->settings;
  struct bl_slice topic = queue->topic->name;
  enum bl_consumer_from from = queue->topic->is_retry ? BL_FROM_EARLIEST : settings->from;
  if (from == BL_FROM_EARLIEST) {
    struct bl_get_min_offset_header header = {.queue_id = queue->id, .topic = topic};
    struct bl_outgoing outgoing = {
        .code = REQUEST_GET_MIN_OFFSET, .table = &bl_get_min_offset_table, .header = &header};
    ask(queue, &outgoing, on_from);
  } else if (from == BL_FROM_LATEST) {
    struct bl_get_max_offset_header header = {.queue_id = queue->id, .topic = topic};
    struct bl_outgoing outgoing = {
        .code = REQUEST_GET_MAX_OFFSET, .table = &bl_get_max_offset_table, .header = &header};
    ask(queue, &outgoing, on_from);
  } else {
    struct bl_search_offset_header header = {
        .queue_id = queue->id, .topic = topic, .timestamp_ms = settings->from_ms};
    struct bl_outgoing outgoing = {
        .code = REQUEST_SEARCH_OFFSET, .table = &bl_search_offset_table, .header = &header};
    ask(queue, &outgoing, on_from);
  }
}
