#include "broker/broker.h"
#include "os/process.h"
#include "remoting/request.h"
#include "wire/headers.h"

/* RocketMQ's accessMessageInMemoryMaxRatio. */
#define IN_MEMORY_PERCENT 40

/* A new group starts at 0 on a queue so young that its first message is still in memory
 * (ConsumerManageProcessor#queryConsumerOffset): otherwise it would skip what was sent before it came. */
static bool is_young(struct bl_broker *broker, struct bl_queue *queue) {
  struct bl_queue_entry first;
  uint32_t count = 0;
  if (queue == NULL || bl_queue_min_offset(queue) > 0) return false;
  if (bl_queue_read(queue, 0, &first, 1, &count) != BL_OK || count == 0) return false;
  int64_t distance = bl_store_marks(broker->store).appended - first.log_offset;
  return distance <= bl_process_memory_bytes() / 100 * IN_MEMORY_PERCENT;
}

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_query_consumer_offset_header *h = call->header;
  struct bl_offset_reply_header reply = {
      .offset = bl_offsets_committed(&broker->offsets, h->topic, h->group, h->queue_id)};
  if (reply.offset >= 0) return bl_call_ok_header(call, &bl_offset_reply_table, &reply);
  if (BL_HAS(h, query_consumer_offset, set_zero) && !h->set_zero) {
    return bl_call_fail(call, BL_ERR_NOT_FOUND,
                        "Not found, do not set to zero, maybe this group boot first");
  }
  if (!is_young(broker, bl_queues_find(broker->queues, h->topic, h->queue_id))) {
    return bl_call_fail(call, BL_ERR_NOT_FOUND,
                        "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first");
  }
  reply.offset = 0;
  return bl_call_ok_header(call, &bl_offset_reply_table, &reply);
}

const struct bl_request bl_request_query_consumer_offset = {
    .code = 14,
    .name = "QUERY_CONSUMER_OFFSET",
    .roles = BL_ROLE_BROKER,
    .header = &bl_query_consumer_offset_table,
    .handle = handle,
};
