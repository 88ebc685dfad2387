/* 321: the entries of a queue, as Java's consume queue has them.
 * Source: apache/rocketmq AdminBrokerProcessor#queryConsumeQueue, QueryConsumeQueueResponseBody. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "broker/broker.h"
#include "remoting/request.h"
#include "requests/json_parts.h"
#include "requests/wait.h"
#include "wire/headers.h"

#define ENTRIES_PER_STEP 256
/* Of one answer, whatever is asked for. */
#define ENTRIES_MAX 10000

struct progress {
  struct bl_json_writer w;
  struct bl_query_warm warm;
  int64_t next;
  int64_t end;
};

static void put_entry(struct bl_json_writer *w, const struct bl_queue_entry *entry) {
  bl_json_open_object(w);
  bl_json_member_bool(w, "eval", false);
  bl_json_member_i64(w, "physicOffset", entry->log_offset);
  bl_json_member_i64(w, "physicSize", entry->size_bytes);
  bl_json_member_i64(w, "tagsCode", entry->tags_code);
  bl_json_close_object(w);
}

static void put_filter(struct bl_json_writer *w, const struct bl_broker *broker,
                       const struct bl_browse_queue_header *h, struct bl_arena *arena) {
  const struct bl_member_group *group = bl_members_consumers(broker, h->group);
  const struct bl_subscription *subscription =
      group != NULL ? bl_member_group_subscription(group, h->topic) : NULL;
  if (h->group.ptr == NULL) return;
  if (subscription == NULL) {
    bl_json_member_text(
        w, "filterData",
        bl_arena_printf(arena, "%.*s@%.*s is not online!", BL_FMT(h->group), BL_FMT(h->topic)));
    return;
  }
  /* RocketMQ: the compiled filter, of which there is none here. */
  bl_json_member_text(w, "filterData", BL_SLICE("null"));
}

static enum bl_outcome end(struct bl_call *call, struct progress *progress,
                           const struct bl_queue *queue) {
  const struct bl_broker *broker = call->server;
  const struct bl_browse_queue_header *h = call->header;
  struct bl_json_writer *w = &progress->w;
  bl_json_close_array(w);
  const struct bl_member_group *group = bl_members_consumers(broker, h->group);
  const struct bl_subscription *subscription =
      group != NULL ? bl_member_group_subscription(group, h->topic) : NULL;
  if (subscription != NULL) {
    bl_json_key(w, "subscriptionData");
    bl_json_put_subscription(w, subscription);
  }
  bl_json_close_object(w);
  (void)queue;
  free(progress);
  call->progress = NULL;
  return bl_call_ok_body(call);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  if (value < low) return low;
  return value < high ? value : high;
}

static struct progress *start(struct bl_call *call, const struct bl_queue *queue) {
  const struct bl_browse_queue_header *h = call->header;
  int64_t min = bl_queue_min_offset(queue);
  int64_t max = bl_queue_max_offset(queue);
  struct progress *progress = calloc(1, sizeof(*progress));
  BL_ASSERT(progress != NULL);
  progress->next = clamp(h->index, min, max);
  /* Counted from the asked index, as RocketMQ does. */
  int64_t count = clamp(h->count, 0, ENTRIES_MAX);
  progress->end = h->index < max - count ? h->index + count : max;
  progress->w = bl_json_writer_of(call->body, false);
  struct bl_json_writer *w = &progress->w;
  bl_json_open_object(w);
  put_filter(w, call->server, h, call->arena);
  bl_json_member_i64(w, "maxQueueIndex", max);
  bl_json_member_i64(w, "minQueueIndex", min);
  bl_json_key(w, "queueData");
  bl_json_open_array(w);
  call->progress = progress;
  return progress;
}

/* BL_OK: all are written; BL_ERR_SHORT, BL_ERR_COLD: go on. */
static bl_err put_entries(struct progress *progress, struct bl_broker *broker,
                          struct bl_queue *queue) {
  struct bl_queue_entry entries[ENTRIES_PER_STEP];
  uint32_t count = 0;
  if (progress->next >= progress->end) return BL_OK;
  bl_err err = bl_queue_read(queue, progress->next, entries, ENTRIES_PER_STEP, &count);
  if (err == BL_ERR_COLD) {
    struct bl_cold_place cold = {.queue = queue, .queue_offset = progress->next};
    bl_query_warm_start(broker, &progress->warm, &cold);
    return err;
  }
  if (err != BL_OK || count == 0) return BL_OK;
  for (uint32_t i = 0; i < count; i++) {
    if (entries[i].queue_offset >= progress->end) return BL_OK;
    put_entry(&progress->w, &entries[i]);
    progress->next = entries[i].queue_offset + entries[i].count;
  }
  return BL_ERR_SHORT;
}

static enum bl_outcome handle(struct bl_call *call) {
  struct bl_broker *broker = call->server;
  const struct bl_browse_queue_header *h = call->header;
  struct bl_queue *queue = bl_queues_find(broker->queues, h->topic, h->queue_id);
  struct progress *progress = call->progress;
  if (queue == NULL && progress == NULL) {
    return bl_call_fail(call, BL_ERR_SYSTEM, "%d@%.*s is not exist!", h->queue_id,
                        BL_FMT(h->topic));
  }
  if (progress == NULL) {
    /* RocketMQ: success without a body when the index is outside. */
    if (h->index < bl_queue_min_offset(queue) || h->index >= bl_queue_max_offset(queue)) {
      return bl_call_fail_code(call, 0, "Index %lld of %d@%.*s is not exist!", (long long)h->index,
                               h->queue_id, BL_FMT(h->topic));
    }
    progress = start(call, queue);
  }
  progress->w.out = call->body;
  if (progress->warm.under_way) {
    call->again_ms = BL_WAIT_FOR_READ_MS;
    return BL_AGAIN;
  }
  bl_err err = queue != NULL ? put_entries(progress, broker, queue) : BL_OK;
  if (err == BL_ERR_COLD) call->again_ms = BL_WAIT_FOR_READ_MS;
  if (err != BL_OK) return BL_AGAIN;
  return end(call, progress, queue);
}

const struct bl_request bl_request_browse_queue = {
    .code = 321,
    .name = "QUERY_CONSUME_QUEUE",
    .roles = BL_ROLE_BROKER,
    .header = &bl_browse_queue_table,
    .handle = handle,
};
