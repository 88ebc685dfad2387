/* 60: TimerCheckpoint. There is no timer log: its position is 0. */
#include "base/buf.h"
#include "broker/broker.h"
#include "broker/delay/delay.h"
#include "remoting/request.h"

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  struct bl_queue *queue = bl_queues_find(broker->queues, BL_SLICE(BL_PENDING_TIMER_TOPIC), 0);
  int64_t seen = queue != NULL ? bl_queue_max_offset(queue) : 0;
  int64_t done_ms = bl_delay_done_ms(broker->delay);
  bl_buf_put_u64(call->body, (uint64_t)(done_ms / BL_PENDING_SLOT_MS * BL_PENDING_SLOT_MS));
  bl_buf_put_u64(call->body, 0);
  bl_buf_put_u64(call->body, (uint64_t)seen);
  bl_buf_put_u64(call->body, (uint64_t)seen);
  bl_buf_put_u64(call->body, 0); /* dataVersion: state, time, counter */
  bl_buf_put_u64(call->body, (uint64_t)bl_clock_wall_ms(broker->clock));
  bl_buf_put_u64(call->body, (uint64_t)(bl_delay_stats(broker->delay)->delivered + seen));
  return bl_call_ok_body(call);
}

const struct bl_request bl_request_get_timer_check_point = {
    .code = 60,
    .name = "GET_TIMER_CHECK_POINT",
    .roles = BL_ROLE_BROKER,
    .handle = handle,
};
