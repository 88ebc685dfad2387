#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "os/process.h"
#include "remoting/request.h"
#include "wire/headers.h"

/* RocketMQ's accessMessageInMemoryMaxRatio. */
#define IN_MEMORY_PERCENT 40

/* A new group starts at 0 on a queue so young that its first message is still in memory
 * (ConsumerManageProcessor#queryConsumerOffset): otherwise it would skip what was sent before it
 * came. */
static bl_err is_young(struct bl_broker *broker, struct bl_queue *queue, bool *out_young) {
  struct bl_queue_entry first;
  uint32_t count = 0;
  *out_young = false;
  if (queue == NULL || bl_queue_min_offset(queue) > 0) return BL_OK;
  bl_err err = bl_queue_read(queue, 0, &first, 1, &count);
  if (err != BL_OK || count == 0) return err;
  int64_t distance = bl_store_marks(broker->store).appended - first.log_offset;
  *out_young = distance <= bl_process_memory_bytes() / 100 * IN_MEMORY_PERCENT;
  return BL_OK;
}

#define NOT_FOUND "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first"

/* The queue's first entry is on the disk only (after a start). */
struct young_wait {
  struct bl_queue_warm warm;
  struct bl_broker *broker;
  struct bl_ticket ticket;
};

static void on_warm(struct bl_queue_warm *warm) {
  struct young_wait *wait = BL_CONTAINER(warm, struct young_wait, warm);
  struct bl_offset_reply_header header = {0};
  struct bl_reply reply = {.table = &bl_offset_reply_table, .header = &header};
  bool young = false;
  bl_err err = warm->err != BL_OK ? warm->err : is_young(wait->broker, warm->queue, &young);
  if (err != BL_OK) {
    reply = (struct bl_reply){
        .code = bl_err_code(BL_ERR_SYSTEM),
        .remark = BL_SLICE("the queue's first entry cannot be read now, try again")};
  } else if (!young) {
    reply = (struct bl_reply){.code = bl_err_code(BL_ERR_NOT_FOUND), .remark = BL_SLICE(NOT_FOUND)};
  }
  bl_ticket_reply(wait->broker->remoting, &wait->ticket, &reply);
  free(wait);
}

static enum bl_outcome warm_and_answer(struct bl_call *call, struct bl_queue *queue) {
  struct young_wait *wait = calloc(1, sizeof(*wait));
  BL_ASSERT(wait != NULL);
  wait->broker = call->server;
  wait->ticket = bl_call_ticket(call);
  bl_queue_warm(queue, &wait->warm, 0, on_warm);
  return BL_PARKED;
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
  struct bl_queue *queue = bl_queues_find(broker->queues, h->topic, h->queue_id);
  bool young;
  bl_err err = is_young(broker, queue, &young);
  if (err == BL_ERR_COLD) return warm_and_answer(call, queue);
  if (err != BL_OK) return bl_call_fail(call, err, NULL);
  if (!young) return bl_call_fail(call, BL_ERR_NOT_FOUND, NOT_FOUND);
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
