#include "broker/offset/plan.h"

#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"

/* A search looks at some 20 messages. */
#define SEARCHES_PER_STEP 16
#define ENDS_PER_STEP 2048

void bl_offset_plan_init(struct bl_offset_plan *plan, int32_t first, int32_t end) {
  memset(plan, 0, sizeof(*plan));
  plan->first = first;
  plan->end = end;
  plan->next = first;
  plan->offsets = calloc((size_t)(end - first) + 1, sizeof(*plan->offsets));
  BL_ASSERT(plan->offsets != NULL);
}

void bl_offset_plan_fini(struct bl_offset_plan *plan) {
  BL_ASSERT(!plan->searching);
  free(plan->offsets);
  plan->offsets = NULL;
}

static void on_found(struct bl_time_search *search) {
  BL_CONTAINER(search, struct bl_offset_plan, search)->searching = false;
}

static void take(struct bl_offset_plan *plan, int64_t offset) {
  plan->offsets[plan->next - plan->first] = offset > 0 ? offset : 0;
  plan->next++;
}

/* true: the queue of plan->next is known already. */
static bool take_end(struct bl_offset_plan *plan, const struct bl_queue *queue) {
  if (!plan->to_end) return false;
  take(plan, queue != NULL ? bl_queue_max_offset(queue) : 0);
  return true;
}

bl_err bl_offset_plan_step(struct bl_offset_plan *plan, struct bl_broker *broker,
                           struct bl_slice topic) {
  if (plan->searching) return BL_ERR_COLD;
  /* A search that waited for the disk ended meanwhile. */
  bool found = plan->search.done != NULL;
  int left = plan->to_end ? ENDS_PER_STEP : SEARCHES_PER_STEP;
  while (plan->next < plan->end) {
    if (found) {
      if (plan->search.err != BL_OK) return plan->search.err;
      take(plan, plan->search.offset);
      plan->search.done = NULL;
      found = false;
      continue;
    }
    if (left-- == 0) return BL_ERR_SHORT;
    struct bl_queue *queue = bl_queues_find(broker->queues, topic, plan->next);
    if (take_end(plan, queue)) continue;
    plan->search = (struct bl_time_search){
        .broker = broker, .queue = queue, .timestamp_ms = plan->timestamp_ms, .done = on_found};
    plan->searching = true;
    bl_time_search_start(&plan->search);
    if (plan->searching) return BL_ERR_COLD;
    found = true;
  }
  return BL_OK;
}

bl_err bl_broker_reset_offsets(struct bl_broker *broker, struct bl_slice topic,
                               struct bl_slice group, const struct bl_offset_plan *plan) {
  /* The highest id first: when there is room for it, there is for all. */
  for (int32_t id = plan->end - 1; id >= plan->first; id--) {
    bl_err err =
        bl_offsets_reset(&broker->offsets, topic, group, id, plan->offsets[id - plan->first]);
    if (err != BL_OK) return err;
  }
  bl_holds_wake_group(broker, topic, group);
  return BL_OK;
}
