#include <stdio.h>
#include <stdlib.h>

#include "judge_internal.h"

static uint32_t promises(const struct bl_hist_group *group) {
  return group->promise != NULL ? group->promise->result : 0;
}

static struct bl_hist_owner **find_owner(struct bl_hist_lane *lane, uint32_t client) {
  struct bl_hist_owner **link = &lane->owners;
  while (*link != NULL && (*link)->client != client) link = &(*link)->next;
  return link;
}

/* A time without an owner ended; only what is between the promise's begin and end counts. */
static void end_unowned(struct bl_hist_judge *judge, uint32_t number, uint32_t queue,
                        int64_t now_us) {
  struct bl_hist_group *group = &judge->groups[number];
  struct bl_hist_group_report *report = &judge->report->groups[number];
  struct bl_hist_lane *lane = &group->lanes[queue];
  int64_t from_us = lane->unowned_us;
  lane->unowned_us = -1;
  if (!lane->watched || from_us < 0 || group->promise == NULL) return;
  if (now_us > group->promise->end_us) now_us = group->promise->end_us;
  if (from_us < group->promise->begin_us) from_us = group->promise->begin_us;
  if (now_us - from_us > report->longest_unowned_us) {
    report->longest_unowned_us = now_us - from_us;
    report->longest_unowned_queue = queue;
  }
  if (now_us - from_us <= group->promise->due_us || group->promise->due_us == 0) return;
  bl_hist__found(judge, BL_HIST_NO_OWNER, "group %u queue %u: nobody's from %lld us for %lld ms",
                 number, queue, (long long)from_us, (long long)(now_us - from_us) / 1000);
}

static void end_shared(struct bl_hist_judge *judge, uint32_t number, uint32_t queue,
                       int64_t now_us) {
  struct bl_hist_group_report *report = &judge->report->groups[number];
  struct bl_hist_lane *lane = &judge->groups[number].lanes[queue];
  if (lane->shared_us >= 0 && now_us - lane->shared_us > report->longest_shared_us)
    report->longest_shared_us = now_us - lane->shared_us;
  lane->shared_us = -1;
}

static const char *own(struct bl_hist_judge *judge, const struct bl_hist_record *r) {
  struct bl_hist_group *group = &judge->groups[r->group];
  struct bl_hist_lane *lane = &group->lanes[r->queue];
  if (*find_owner(lane, r->client) != NULL) return "a client owns a queue twice";
  if (lane->owners != NULL && (promises(group) & BL_HIST_ORDERED) != 0) {
    bl_hist__found(judge, BL_HIST_TWO_OWNERS,
                   "group %u queue %u: client %u took it at %lld us while client %u had it",
                   r->group, r->queue, r->client, (long long)r->end_us, lane->owners->client);
  }
  bl_hist__check_start(judge, r);
  judge->report->groups[r->group].owned++;
  if (lane->owners == NULL)
    end_unowned(judge, r->group, r->queue, r->end_us);
  else if (lane->shared_us < 0)
    lane->shared_us = r->end_us;
  struct bl_hist_owner *owner = bl_hist__new(1, sizeof(*owner));
  *owner = (struct bl_hist_owner){.client = r->client,
                                  .epoch = ++judge->epoch_count,
                                  .since_us = r->end_us,
                                  .last_offset = -1,
                                  .next = lane->owners};
  lane->owners = owner;
  return NULL;
}

static const char *leave(struct bl_hist_judge *judge, const struct bl_hist_record *r) {
  struct bl_hist_lane *lane = &judge->groups[r->group].lanes[r->queue];
  struct bl_hist_owner **link = find_owner(lane, r->client);
  struct bl_hist_owner *owner = *link;
  if (owner == NULL) return "a client leaves a queue that it does not own";
  *link = owner->next;
  free(owner);
  if (lane->owners == NULL) {
    lane->unowned_us = r->begin_us;
  } else if (lane->owners->next == NULL) {
    end_shared(judge, r->group, r->queue, r->begin_us);
  }
  return NULL;
}

/* The message against what is known of its sending. */
static void check_message(struct bl_hist_judge *judge, const struct bl_hist_record *r) {
  const struct bl_hist_message *message = &judge->messages[r->message];
  if (!message->sent || message->result == BL_HIST_REFUSED) {
    bl_hist__found(judge, BL_HIST_UNSENT, "group %u was given message %llu, which was %s", r->group,
                   (unsigned long long)r->message, message->sent ? "refused" : "never sent");
    return;
  }
  if (r->begin_us < message->begin_us || r->begin_us < message->due_us) {
    bl_hist__found(
        judge, BL_HIST_EARLY,
        "group %u was given message %llu at %lld us; it was sent at %lld and due at %lld", r->group,
        (unsigned long long)r->message, (long long)r->begin_us, (long long)message->begin_us,
        (long long)message->due_us);
  }
  bool moved = message->queue != r->queue || message->offset != r->offset;
  if (message->result == BL_HIST_ACKED && moved) {
    bl_hist__found(
        judge, BL_HIST_MOVED,
        "group %u was given message %llu from queue %u at %lld; its ack said queue %u at %lld",
        r->group, (unsigned long long)r->message, r->queue, (long long)r->offset, message->queue,
        (long long)message->offset);
  } else {
    bl_hist__place(judge, r->message, r->queue, r->offset);
  }
}

static void check_order(struct bl_hist_judge *judge, const struct bl_hist_record *r,
                        const struct bl_hist_owner *owner, bool again) {
  struct bl_hist_lane *lane = &judge->groups[r->group].lanes[r->queue];
  if (owner != NULL && r->offset <= owner->last_offset) {
    bl_hist__found(judge, BL_HIST_ORDER,
                   "group %u queue %u: client %u was given offset %lld after %lld", r->group,
                   r->queue, r->client, (long long)r->offset, (long long)owner->last_offset);
  } else if (!again && r->offset < lane->highest) {
    bl_hist__found(judge, BL_HIST_ORDER,
                   "group %u queue %u: offset %lld came for the first time after %lld", r->group,
                   r->queue, (long long)r->offset, (long long)lane->highest);
  }
}

static void deliver(struct bl_hist_judge *judge, const struct bl_hist_record *r) {
  struct bl_hist_group *group = &judge->groups[r->group];
  struct bl_hist_group_report *report = &judge->report->groups[r->group];
  struct bl_hist_lane *lane = &group->lanes[r->queue];
  struct bl_hist_owner *owner = *find_owner(lane, r->client);
  uint32_t before = group->epochs[r->message];
  bool owned = (promises(group) & BL_HIST_UNOWNED) == 0;
  report->delivered++;
  report->again += before != 0;
  check_message(judge, r);
  if (owned && owner == NULL) {
    bl_hist__found(
        judge, BL_HIST_STRAY,
        "group %u queue %u: client %u was given offset %lld at %lld us and does not own it",
        r->group, r->queue, r->client, (long long)r->offset, (long long)r->begin_us);
  }
  if (owned && owner != NULL && before == owner->epoch) {
    bl_hist__found(judge, BL_HIST_AGAIN,
                   "group %u: client %u was given message %llu (queue %u at %lld) twice", r->group,
                   r->client, (unsigned long long)r->message, r->queue, (long long)r->offset);
  }
  if ((promises(group) & BL_HIST_ORDERED) != 0) check_order(judge, r, owner, before != 0);
  group->epochs[r->message] = owner != NULL ? owner->epoch : UINT32_MAX;
  if (owner != NULL) owner->last_offset = r->offset;
  if (r->offset > lane->highest) lane->highest = r->offset;
}

/* What is open at the end: who still owns; what nobody ever got. */
static void finish(struct bl_hist_judge *judge, uint32_t number) {
  struct bl_hist_group *group = &judge->groups[number];
  const struct bl_hist_record *promise = group->promise;
  if (promise == NULL) return;
  for (uint32_t q = promise->queue; q < promise->queue + promise->key; q++) {
    struct bl_hist_lane *lane = &group->lanes[q];
    bool owned = (promise->result & BL_HIST_UNOWNED) == 0;
    if (owned && lane->owners == NULL && lane->unowned_us < promise->end_us)
      end_unowned(judge, number, q, promise->end_us);
    end_shared(judge, number, q, promise->end_us);
  }
  if ((promise->result & BL_HIST_DRAINED) == 0) return;
  for (uint64_t m = 0; m < judge->message_count; m++) {
    const struct bl_hist_message *message = &judge->messages[m];
    bool mine = message->queue >= promise->queue && message->queue < promise->queue + promise->key;
    if (!message->sent || message->result != BL_HIST_ACKED || !mine || group->epochs[m] != 0)
      continue;
    bl_hist__found(judge, BL_HIST_LOST,
                   "group %u never got message %llu, acked at %lld us in queue %u at %lld", number,
                   (unsigned long long)m, (long long)message->end_us, message->queue,
                   (long long)message->offset);
  }
}

const char *bl_hist__walk(struct bl_hist_judge *judge) {
  const char *bad = NULL;
  for (uint64_t i = 0; i < judge->record_count && bad == NULL; i++) {
    const struct bl_hist_record *r = &judge->records[i];
    struct bl_hist_group *group = &judge->groups[r->group];
    if (r->kind != BL_HIST_DELIVER && r->kind != BL_HIST_OWN && r->kind != BL_HIST_LEAVE) continue;
    int64_t at_us = r->kind == BL_HIST_OWN ? r->end_us : r->begin_us;
    if (at_us < group->time_us) return "deliveries and owners are not in the order of their times";
    group->time_us = at_us;
    if (r->kind == BL_HIST_OWN)
      bad = own(judge, r);
    else if (r->kind == BL_HIST_LEAVE)
      bad = leave(judge, r);
    else
      deliver(judge, r);
  }
  for (uint32_t g = 0; g < BL_HIST_GROUPS_MAX && bad == NULL; g++) finish(judge, g);
  return bad;
}
